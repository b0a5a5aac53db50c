"""GPT-2 (Radford et al. 2019) in JAX: pre-LayerNorm blocks, learned positions, causal attention, a tied head."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from safetensors.numpy import save_file

from elf.checkpoints.formats import parts_of, read_tree
from elf.checkpoints.stored_tensors import LazyWeights, tensors
from elf.config import check_number, check_size
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError
from elf.models.trained_model import FlatParams
from elf.network.modules import Dense, abstract, matmul
from elf.network.parameters import check_parameters
from elf.text_file import json_value

# Shapes: B batch, S tokens, H width, V vocabulary. Parameters are named as in Hugging Face's transformers, with '/' for
# '.', `h_0` for `h.0`, and Flax's `kernel`, `scale` and `embedding` for `weight` (`hugging_face_name` translates).
# Written here on purpose: transformers' GPT-2 would bring torch, and a judge runs on the mesh that the sampler runs on.

HEAD_CHUNK = 128
"""Positions whose logits exist at a time: of GPT-2's 50,257 ids, 1,024 positions would take 206 MB a row."""


@dataclass(frozen=True)
class Gpt2Config:
    """Sizes, under the names of config.json."""

    vocab_size: int
    n_positions: int
    """Most tokens of a text."""
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int | None = None
    """Width inside the feed-forward layers; 4 · n_embd if None."""
    layer_norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            check_size(name, getattr(self, name))
        if self.n_inner is not None:
            check_size("n_inner", self.n_inner)
        check_number("layer_norm_epsilon", self.layer_norm_epsilon)
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"a width of {self.n_embd} does not split into {self.n_head} heads", "Give a divisor of the width."
            )


class Attention(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.heads, H = config.n_head, config.n_embd
        self.c_attn = Dense(H, 3 * H, rngs=rngs, init=normal(), compute_dtype=compute_dtype)
        self.c_proj = Dense(H, H, rngs=rngs, init=normal(config.n_layer), compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        B, S, H = x.shape
        heads = self.c_attn(x).reshape(B, S, 3, self.heads, H // self.heads).astype(self.c_attn.compute_dtype)
        mixed = jax.nn.dot_product_attention(heads[:, :, 0], heads[:, :, 1], heads[:, :, 2], is_causal=True)
        return self.c_proj(mixed.reshape(B, S, H))


class FeedForward(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        H, inner = config.n_embd, config.n_inner or 4 * config.n_embd
        self.c_fc = Dense(H, inner, rngs=rngs, init=normal(), compute_dtype=compute_dtype)
        self.c_proj = Dense(inner, H, rngs=rngs, init=normal(config.n_layer), compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.c_proj(jax.nn.gelu(self.c_fc(x), approximate=True))


class Block(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.ln_1 = layer_norm(config, rngs)
        self.attn = Attention(config, compute_dtype, rngs)
        self.ln_2 = layer_norm(config, rngs)
        self.mlp = FeedForward(config, compute_dtype, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nnx.Module):
    """Weights are float32; `compute_dtype` is that of matrix products."""

    def __init__(self, config: Gpt2Config, *, rngs: nnx.Rngs, compute_dtype: jnp.dtype = jnp.float32):
        self.config, self.compute_dtype = config, compute_dtype
        self.wte = nnx.Embed(config.vocab_size, config.n_embd, embedding_init=normal(), rngs=rngs)
        self.wpe = nnx.Embed(config.n_positions, config.n_embd, embedding_init=normal(), rngs=rngs)
        for i in range(config.n_layer):
            setattr(self, f"h_{i}", Block(config, compute_dtype, rngs))
        self.ln_f = layer_norm(config, rngs)

    def hidden(self, ids: jax.Array) -> jax.Array:
        """ids (B, S), S at most n_positions → what the head reads, (B, S, H); no position sees a later one."""
        x = self.wte.embedding[...][ids] + self.wpe.embedding[...][: ids.shape[1]]
        for i in range(self.config.n_layer):
            x = getattr(self, f"h_{i}")(x)
        return self.ln_f(x)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """(…, H) → (…, V)."""
        return matmul(hidden, self.wte.embedding[...].T, self.compute_dtype)

    def next_token_nll(self, ids: jax.Array) -> jax.Array:
        """ids (B, S + 1), S at most n_positions → −ln p of each token but the first, given those before it, (B, S)."""
        hidden, targets = self.hidden(ids[:, :-1]), ids[:, 1:]
        B, S = targets.shape
        chunk = min(S, HEAD_CHUNK)

        def chunks(rows: jax.Array) -> jax.Array:
            filled = jnp.pad(rows, [(0, 0), (0, -S % chunk)] + [(0, 0)] * (rows.ndim - 2))
            return jnp.moveaxis(filled.reshape(B, -1, chunk, *rows.shape[2:]), 1, 0)

        def nll(part: tuple[jax.Array, jax.Array]) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(self.logits(part[0]), part[1])

        return jnp.moveaxis(jax.lax.map(nll, (chunks(hidden), chunks(targets))), 0, 1).reshape(B, -1)[:, :S]


def normal(layers: int | None = None) -> jax.nn.initializers.Initializer:
    """N(0, 0.02²); of matrices that write into the residual stream divided by √(2 · layers) (GPT-2, section 2.3)."""
    return jax.nn.initializers.normal(0.02 if layers is None else 0.02 * (2 * layers) ** -0.5)


def layer_norm(config: Gpt2Config, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # The fast variance, E x² − (E x)², loses digits where the mean is large, as it is in trained GPT-2s.
    return nnx.LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon, use_fast_variance=False, rngs=rngs)


WEIGHTS, INDEX, TORCH_WEIGHTS = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"

ASSUMED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
"""What gpt2.py takes for granted: fields of config.json and the values it can be used with; left out, the first."""

BUFFERS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
"""The causal mask, which some files keep among the weights."""


def read_gpt2(folder: Path) -> tuple[Gpt2Config, FlatParams]:
    """Configuration and float32 weights, by the names of gpt2.py, from config.json and model.safetensors.

    Weights may lie in several files with a model.safetensors.index.json, in any float type, with names that start with
    `transformer.` or not. Raises CheckpointError for what is missing or unreadable, and CheckpointMismatchError naming
    the parameter or the field that does not fit.
    """
    facts = read_facts(folder)
    for field, values in ASSUMED.items():
        if facts.get(field, values[0]) not in values:
            raise CheckpointMismatchError(
                f"{folder} has {field} {facts[field]!r}, a GPT-2 has {values[0]!r}", "Give a GPT-2 as judge."
            )
    try:
        known = {field: facts[field] for field in Gpt2Config.__dataclass_fields__ if field in facts}
        config = Gpt2Config(**known)
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"{folder}/config.json does not describe a GPT-2: {error}", "Copy it again.") from error

    weights = _read_weights(folder)
    stored = {".".join(parts_of(name)).removeprefix("transformer."): name for name in weights}
    found = {ours: weights[theirs] for ours, theirs in stored.items() if not BUFFERS.fullmatch(ours)}
    head = found.pop("lm_head.weight", None)
    if head is not None and "wte.weight" in found and not np.array_equal(head, found["wte.weight"]):
        raise CheckpointMismatchError(
            f"{folder} has a head of its own, lm_head.weight differs from wte.weight", "Give a GPT-2 with a tied head."
        )
    check_layers(config, found, folder)
    _, wanted = abstract(Gpt2, config)
    names = {hugging_face_name(name): name for name in wanted}
    check_parameters(found, {theirs: tuple(wanted[ours].shape) for theirs, ours in names.items()}, "this GPT-2")
    return config, {names[name]: value for name, value in found.items()}


def check_layers(config: Gpt2Config, names: Iterable[str], folder: Path) -> None:
    """Raises CheckpointMismatchError where there are weights, by either of their names, of fewer layers than the
    configuration says: making the modules of very many, to name what is lacking, takes minutes."""
    layers = {match[1] for name in names if (match := re.match(r"h[._](\d+)[./]", name))}
    if config.n_layer > len(layers):
        raise CheckpointMismatchError(
            f"{folder} says n_layer {config.n_layer}, and has weights of {len(layers)}", "Copy it again."
        )


def write_gpt2(folder: Path, config: Gpt2Config, params: FlatParams, eos: int) -> None:
    """Writes config.json and model.safetensors, which `read_gpt2` and transformers read; an older model stays until the
    new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {hugging_face_name(name): np.ascontiguousarray(value) for name, value in params.items()}
    save_file(weights, folder / f"{WEIGHTS}.new", metadata={"format": "pt"})
    os.replace(folder / f"{WEIGHTS}.new", folder / WEIGHTS)
    assumed = {field: values[0] for field, values in ASSUMED.items()}
    tokens = {"architectures": ["GPT2LMHeadModel"], "bos_token_id": eos, "eos_token_id": eos}
    (folder / "config.json").write_text(
        json.dumps(assumed | asdict(config) | tokens, indent=2) + "\n", encoding="utf-8"
    )


def read_facts(folder: Path) -> dict[str, Any]:
    """The fields of config.json. Raises CheckpointError."""
    try:
        facts = json_value((folder / "config.json").read_text(encoding="utf-8-sig"))
        if not isinstance(facts, dict):
            raise ValueError("it is no JSON object")
        return facts
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder}/config.json cannot be read: {error}",
            "Give the output folder of `elf train-judge`, or one with a GPT-2's config.json and model.safetensors.",
        ) from error


def _read_weights(folder: Path) -> Mapping[str, np.ndarray]:
    file = next((folder / name for name in (WEIGHTS, INDEX, TORCH_WEIGHTS) if (folder / name).is_file()), None)
    if file is None:
        raise CheckpointError(
            f"{folder} has neither {WEIGHTS}, {INDEX} nor {TORCH_WEIGHTS}", "Give a folder with a GPT-2's weights."
        )
    try:
        return LazyWeights(tensors(read_tree(file)[1]))
    except CheckpointError as error:
        raise CheckpointError(f"{file} cannot be read: {error}", error.action) from error


def hugging_face_name(name: str) -> str:
    """h_0/attn/c_attn/kernel → h.0.attn.c_attn.weight"""
    *path, last = name.split("/")
    last = "weight" if last in ("kernel", "scale", "embedding") else last
    return re.sub(r"^h_", "h.", ".".join([*path, last]))
