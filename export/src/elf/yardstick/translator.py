"""The yardstick: an encoder-decoder Transformer (Vaswani et al. 2017) with today's parts, and the same at rest."""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from elf.config import check_heads, check_size
from elf.data.tokenizer import PAD
from elf.data.tokenizer_json import copy_tokenizer
from elf.errors import CheckpointError, ConfigError
from elf.evaluation.judge import MANIFEST, is_exported
from elf.models.encodings import DTYPES
from elf.models.exported_folder import StoredWeights
from elf.models.trained_model import FlatParams
from elf.network.model import rotary_tables, rotate
from elf.network.modules import Dense, RMSNorm, abstract, matmul
from elf.network.parameters import check_parameters
from elf.paths import written_whole
from elf.text_file import json_value

# Pre-RMSNorm, rotary positions, normalised queries and keys, SwiGLU, no biases, one table for source, target and
# softmax. Shapes: B batch, S source tokens, T target positions, H width, V vocabulary.

MASKED = -1e9
"""Score of what must not be seen; finite, so that a row of filling alone makes no NaN."""

Turns = tuple[np.ndarray | jax.Array, np.ndarray | jax.Array]
"""cos and sin (positions, head_dim / 2) by which rotary positions turn queries or keys."""
KeysValues = tuple[jax.Array, jax.Array]
"""Both (B, positions, heads, head_dim)."""
Drop = Callable[[jax.Array], jax.Array]


@dataclass(frozen=True)
class TranslatorConfig:
    """Architecture of the network. The defaults have 5.8 million weights, about as many as this project's ELFs."""

    hidden_size: int = 256
    heads: int = 4
    encoder_layers: int = 3
    """0 for a decoder alone, which reads embeddings that something else made."""
    decoder_layers: int = 3
    feed_forward_size: int = 512
    vocabulary_size: int = 4096
    max_input_length: int = 32
    """Most tokens of a source."""
    max_output_length: int = 32
    """Most tokens of a target, its end not counted."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            check_size(name, value, least=0 if name == "encoder_layers" else 1)
        check_heads(self.hidden_size, self.heads)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.heads


def nothing_dropped(x: jax.Array) -> jax.Array:
    return x


def dropout(key: jax.Array, rate: float) -> Drop:
    """A function that zeroes about `rate` of what it is given, other numbers at each call of one trace, and scales the
    rest up. The share is a multiple of 1/256: bytes are drawn, since on a CPU drawing takes the time."""
    dropped, calls = round(rate * 256), count()
    if not dropped:
        return nothing_dropped

    def drop(x: jax.Array) -> jax.Array:
        drawn = jax.random.bits(jax.random.fold_in(key, next(calls)), x.shape, jnp.uint8)
        return jnp.where(drawn >= dropped, x * (256 / (256 - dropped)), 0.0)

    return drop


class Attention(nnx.Module):
    """Of queries from one sequence to keys and values of another, or of the same."""

    def __init__(self, config: TranslatorConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.heads, self.head_dim, H = config.heads, config.head_dim, config.hidden_size
        dense = partial(Dense, rngs=rngs, use_bias=False, compute_dtype=compute_dtype)
        self.q, self.kv, self.out = dense(H, H), dense(H, 2 * H), dense(H, H)
        self.q_norm, self.k_norm = RMSNorm(config.head_dim), RMSNorm(config.head_dim)

    def keys_values(self, x: jax.Array, turns: Turns) -> KeysValues:
        """Of x (B, positions, H)."""
        keys, values = jnp.moveaxis(self.kv(x).reshape(*x.shape[:2], 2, self.heads, self.head_dim), 2, 0)
        dtype = self.kv.compute_dtype
        return rotate(self.k_norm(keys), *turns).astype(dtype), values.astype(dtype)

    def __call__(self, x: jax.Array, keys_values: KeysValues, visible: jax.Array, turns: Turns) -> jax.Array:
        """`visible` says which key each query may see, and broadcasts to (B, heads, queries, keys)."""
        keys, values = keys_values
        dtype = self.q.compute_dtype
        queries = rotate(self.q_norm(self.q(x).reshape(*x.shape[:2], self.heads, self.head_dim)), *turns).astype(dtype)
        scores = jnp.einsum("bqhd,bkhd->bhqk", queries, keys, preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(jnp.where(visible, scores * self.head_dim**-0.5, MASKED), axis=-1).astype(dtype)
        mixed = jnp.einsum("bhqk,bkhd->bqhd", weights, values, preferred_element_type=jnp.float32)
        return self.out(mixed.reshape(x.shape))


class SwiGLU(nnx.Module):
    def __init__(self, config: TranslatorConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        dense = partial(Dense, rngs=rngs, use_bias=False, compute_dtype=compute_dtype)
        self.w12 = dense(config.hidden_size, 2 * config.feed_forward_size)
        self.w3 = dense(config.feed_forward_size, config.hidden_size)

    def __call__(self, x: jax.Array) -> jax.Array:
        a, b = jnp.split(self.w12(x), 2, axis=-1)
        return self.w3(jax.nn.silu(a) * b)


class EncoderBlock(nnx.Module):
    def __init__(self, config: TranslatorConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.norm1, self.norm2 = RMSNorm(config.hidden_size), RMSNorm(config.hidden_size)
        self.attn = Attention(config, compute_dtype, rngs)
        self.mlp = SwiGLU(config, compute_dtype, rngs)

    def __call__(self, x: jax.Array, visible: jax.Array, turns: Turns, drop: Drop) -> jax.Array:
        normed = self.norm1(x)
        x = x + drop(self.attn(normed, self.attn.keys_values(normed, turns), visible, turns))
        return x + drop(self.mlp(self.norm2(x)))


class DecoderBlock(nnx.Module):
    def __init__(self, config: TranslatorConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        H = config.hidden_size
        self.norm1, self.norm2, self.norm3 = RMSNorm(H), RMSNorm(H), RMSNorm(H)
        self.attn = Attention(config, compute_dtype, rngs)
        self.cross = Attention(config, compute_dtype, rngs)
        self.mlp = SwiGLU(config, compute_dtype, rngs)

    def after_itself(self, x: jax.Array, source: KeysValues, real: jax.Array, turns: Turns, drop: Drop) -> jax.Array:
        """What follows the attention of the target to itself. `source` is of `cross`, `real` (B, 1, 1, S)."""
        x = x + drop(self.cross(self.norm2(x), source, real, turns))
        return x + drop(self.mlp(self.norm3(x)))


class Translator(nnx.Module):
    def __init__(self, config: TranslatorConfig, *, rngs: nnx.Rngs, compute_dtype: jnp.dtype = jnp.float32):
        self.config, self.compute_dtype = config, compute_dtype
        # As in T5: embeddings of unit variance, and logits scaled down by √H to match.
        table = jax.nn.initializers.normal(1.0)(rngs.params(), (config.vocabulary_size, config.hidden_size))
        self.embedding = nnx.Param(table)
        for i in range(config.encoder_layers):
            setattr(self, f"encoder_{i}", EncoderBlock(config, compute_dtype, rngs))
        for i in range(config.decoder_layers):
            setattr(self, f"decoder_{i}", DecoderBlock(config, compute_dtype, rngs))
        self.encoder_norm, self.decoder_norm = RMSNorm(config.hidden_size), RMSNorm(config.hidden_size)

    @property
    def decoder(self) -> list[DecoderBlock]:
        return [getattr(self, f"decoder_{i}") for i in range(self.config.decoder_layers)]

    def turns(self, length: int) -> tuple[np.ndarray, np.ndarray]:
        return rotary_tables(0, length, self.config.head_dim)

    def embed(self, ids: jax.Array) -> jax.Array:
        return self.embedding[...][ids]

    def encode(self, source: jax.Array, real: jax.Array, drop: Drop = nothing_dropped) -> list[KeysValues]:
        """source (B, S), `real` (B, S) bool where it is not filling → what each decoder block reads of it."""
        x, turns = drop(self.embed(source)), self.turns(source.shape[1])
        for i in range(self.config.encoder_layers):
            x = getattr(self, f"encoder_{i}")(x, real[:, None, None], turns, drop)
        return self.read(x)

    def read(self, embeddings: jax.Array) -> list[KeysValues]:
        """What each decoder block reads of a source's embeddings (B, S, H), its own encoder's or another's."""
        x, turns = self.encoder_norm(embeddings), self.turns(embeddings.shape[1])
        return [block.cross.keys_values(x, turns) for block in self.decoder]

    def logits(self, source: jax.Array, real: jax.Array, target: jax.Array, drop: Drop = nothing_dropped) -> jax.Array:
        """Of every target token (B, T), given the source and the target tokens before it: (B, T, V) float32."""
        return self.logits_after(self.encode(source, real, drop), real, target, drop)

    def logits_after(
        self, memory: list[KeysValues], real: jax.Array, target: jax.Array, drop: Drop = nothing_dropped
    ) -> jax.Array:
        """As `logits`, of a source that `read` has read."""
        length = target.shape[1]
        before = jnp.pad(target[:, :-1], ((0, 0), (1, 0)), constant_values=PAD)
        x, turns = drop(self.embed(before)), self.turns(length)
        earlier = jnp.asarray(np.tri(length, dtype=bool))
        for block, keys_values in zip(self.decoder, memory, strict=True):
            normed = block.norm1(x)
            x = x + drop(block.attn(normed, block.attn.keys_values(normed, turns), earlier, turns))
            x = block.after_itself(x, keys_values, real[:, None, None], turns, drop)
        return self.head(x)

    def head(self, x: jax.Array) -> jax.Array:
        """(…, H) → logits (…, V)."""
        h = self.decoder_norm(x) * self.config.hidden_size**-0.5
        return matmul(h, self.embedding[...].T, self.compute_dtype)


# --- A yardstick at rest: a training's model folder, or an exported one, with names of its own ----------------------
#
# For the graphs queries and keys have their pairs (2i, 2i + 1) moved apart, first all even and then all odd numbers, so
# that they turn by halves.

EMBEDDING = "yardstick/embedding/kernel"
"""(H, V): a column for each token, read as it is by the tied head."""

KIND = "yardstick"
HINT = "the output folder of `elf yardstick train`, its `model`, or what `elf yardstick export` wrote"


@dataclass(frozen=True)
class StoredTranslator:
    config: TranslatorConfig
    params: dict[str, np.ndarray]
    """By the names of the network above, float32: the averaged weights of a training."""
    tokenizer: Path
    training: dict[str, Any] = field(default_factory=dict)
    """Corpus, licence, command, steps, cost."""


def save_translator(model: StoredTranslator, folder: Path) -> None:
    """Each file is there whole, or as it was before. Raises DiskFullError."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "model.safetensors") as file:
        save_file(model.params, file)
    copy_tokenizer(model.tokenizer, folder)
    # Written last: a folder with a config.json is a whole model.
    facts = {"kind": KIND, "network": asdict(model.config), "training": model.training}
    with written_whole(folder / "config.json") as file:
        file.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_translator(folder: Path) -> StoredTranslator:
    """The model in `folder`, in the `model` of a training's output folder, or of an exported one.

    Raises CheckpointError for what is missing or broken, StoredWeightsError for exported weights that are, and
    CheckpointMismatchError for weights that do not fit.
    """
    if is_exported(folder):
        return _exported_translator(folder)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no yardstick: {path.name} is missing", f"Give {HINT}.")
    try:
        facts = json_value(path.read_text(encoding="utf-8"))
        if facts.get("kind") != KIND:
            raise CheckpointError(f"{folder} holds a model of another kind", f"Give {HINT}; `elf evaluate` takes ELFs.")
        config, training = TranslatorConfig(**facts["network"]), facts["training"]
        path = folder / "model.safetensors"
        params = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Copy the folder again, or train on.") from error
    return _checked(StoredTranslator(config, params, folder / "tokenizer.json", training))


def _checked(model: StoredTranslator) -> StoredTranslator:
    shapes = {name: value.shape for name, value in abstract(Translator, model.config)[1].items()}
    check_parameters(model.params, shapes, "this model")
    return model


def _exported_translator(folder: Path) -> StoredTranslator:
    """Its weights as they are stored for the page."""
    path = folder / MANIFEST
    try:
        manifest = json_value(path.read_text(encoding="utf-8"))
        if "source" not in manifest:
            raise CheckpointError(f"{folder} holds a judge of another kind", f"Give {HINT}.")
        shape, dtype = manifest["architecture"], manifest["weights"]["dtype"]
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r}")
        weights = StoredWeights(folder / "onnx", dtype)
        # The manifest names what a reader of the graphs needs; the weights have the rest.
        blocks = {name.split("/")[1] for name in weights}
        encoders, decoders = (
            sum(name.startswith(part) and name != f"{part}norm" for name in blocks) for part in ("encoder_", "decoder_")
        )
        if decoders != shape["layers"]:
            raise ValueError(f"{decoders} blocks, where it says {shape['layers']}")
        config = TranslatorConfig(
            hidden_size=shape["width"],
            heads=shape["heads"],
            encoder_layers=encoders,
            decoder_layers=decoders,
            feed_forward_size=len(weights["yardstick/decoder_0/mlp/w3/kernel"]),
            vocabulary_size=shape["vocabularySize"],
            max_input_length=manifest["source"]["maxLength"],
            max_output_length=shape["maxLength"] - 1,
        )
        params = params_of(config, weights)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ConfigError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Export the yardstick again.") from error
    facts = {name: manifest.get(name) for name in ("corpus", "licence")}
    return _checked(StoredTranslator(config, params, folder / "tokenizer.json", facts))


def graph_weights(config: TranslatorConfig, params: FlatParams) -> dict[str, np.ndarray]:
    """The tensors of both graphs, by name, of those of the network above."""
    return {
        EMBEDDING if name == "embedding" else f"yardstick/{name}": _laid_out(config, name, np.asarray(value), _apart)
        for name, value in params.items()
    }


def params_of(config: TranslatorConfig, weights: Mapping[str, np.ndarray]) -> FlatParams:
    """The reverse of `graph_weights`."""
    names = {name: "embedding" if name == EMBEDDING else name.removeprefix("yardstick/") for name in weights}
    return {ours: _laid_out(config, ours, weights[name], _together) for name, ours in names.items()}


Order = Callable[[int], np.ndarray]
"""Where each of so many numbers comes from."""


def _laid_out(config: TranslatorConfig, name: str, value: np.ndarray, order: Order) -> np.ndarray:
    if name == "embedding":
        return value.T
    if name.endswith(("q_norm/weight", "k_norm/weight")):
        return value[order(config.head_dim)]
    if name.endswith("/q/kernel"):
        return value[:, _in_heads(config, order)]
    if name.endswith("/kv/kernel"):
        H = config.hidden_size
        return np.concatenate([value[:, _in_heads(config, order)], value[:, H:]], axis=1)
    return value


def _in_heads(config: TranslatorConfig, order: Order) -> np.ndarray:
    """Of all heads' numbers, side by side."""
    return np.concatenate([head * config.head_dim + order(config.head_dim) for head in range(config.heads)])


def _apart(count: int) -> np.ndarray:
    return np.r_[0:count:2, 1:count:2]


def _together(count: int) -> np.ndarray:
    return np.argsort(_apart(count))
