"""Which parameters a configuration asks for, by official name and shape (spec section 2), and a configuration read off
them."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from elf.config import ElfConfig, T5Config
from elf.errors import CheckpointMismatchError, ConfigError

Shapes = dict[str, tuple[int, ...]]

TIMESTEP_FEATURES = 256
"""Width of the sinusoidal embedding of t and of the self-cond CFG scale."""


def parameter_shapes(config: ElfConfig) -> Shapes:
    """Name → shape of every weight of an ELF network. Dense kernels are (in, out)."""
    D, H, V = config.latent_size, config.hidden_size, config.vocabulary_size
    shapes: Shapes = {}

    def dense(name: str, inputs: int, outputs: int, bias: bool = True) -> None:
        shapes[f"{name}/kernel"] = (inputs, outputs)
        if bias:
            shapes[f"{name}/bias"] = (outputs,)

    if config.self_conditioning:
        dense("self_cond_proj", 2 * D, D)
    dense("text_proj/proj1", D, config.bottleneck_size, bias=False)
    dense("text_proj/proj2", config.bottleneck_size, H)

    dense("t_embedder/mlp_0", TIMESTEP_FEATURES, H)
    dense("t_embedder/mlp_2", H, H)
    shapes["t_emb_tokens"] = (1, config.time_tokens, H)
    if config.self_cond_cfg_tokens:
        dense("self_cond_cfg_embedder/mlp_0", TIMESTEP_FEATURES, H)
        dense("self_cond_cfg_embedder/mlp_2", H, H)
        shapes["self_cond_cfg_tokens"] = (1, config.self_cond_cfg_tokens, H)
    shapes["mode_tokens"] = (1, config.mode_tokens, H)

    for i in range(config.depth):
        block = f"blocks_{i}"
        shapes[f"{block}/norm1/weight"] = (H,)
        dense(f"{block}/attn/qkv", H, 3 * H)
        shapes[f"{block}/attn/q_norm/weight"] = (config.head_dim,)
        shapes[f"{block}/attn/k_norm/weight"] = (config.head_dim,)
        dense(f"{block}/attn/proj", H, H)
        shapes[f"{block}/norm2/weight"] = (H,)
        dense(f"{block}/mlp/w12", H, 2 * config.swiglu_size)
        dense(f"{block}/mlp/w3", config.swiglu_size, H)

    shapes["final_layer/norm_final/weight"] = (H,)
    dense("final_layer/linear", H, D)
    shapes |= {"proj_kernel": (H, D), "proj_bias": (D,), "unembed_kernel": (D, V), "unembed_bias": (V,)}
    return shapes


def encoder_parameter_shapes(config: T5Config) -> Shapes:
    """Name → shape of every weight of a T5 v1.0 encoder, named as in Flax checkpoints."""
    inner = config.heads * config.d_kv
    shapes: Shapes = {"shared/embedding": (config.vocabulary_size, config.d_model)}
    for i in range(config.layers):
        attention, feed_forward = f"encoder/block_{i}/layer_0", f"encoder/block_{i}/layer_1"
        shapes[f"{attention}/layer_norm/weight"] = (config.d_model,)
        for name in "qkv":
            shapes[f"{attention}/SelfAttention/{name}/kernel"] = (config.d_model, inner)
        shapes[f"{attention}/SelfAttention/o/kernel"] = (inner, config.d_model)
        if i == 0:
            bias = f"{attention}/SelfAttention/relative_attention_bias/rel_embedding"
            shapes[bias] = (config.relative_buckets, config.heads)
        shapes[f"{feed_forward}/layer_norm/weight"] = (config.d_model,)
        shapes[f"{feed_forward}/DenseReluDense/wi/kernel"] = (config.d_model, config.d_ff)
        shapes[f"{feed_forward}/DenseReluDense/wo/kernel"] = (config.d_ff, config.d_model)
    shapes["encoder/final_layer_norm/weight"] = (config.d_model,)
    return shapes


def shapes_of(params: Mapping[str, np.ndarray]) -> Shapes:
    """The shape of every weight. Weights that lie in files know theirs (LazyWeights), and none of them is read."""
    known = getattr(params, "shapes", None)
    return {name: tuple(value.shape) for name, value in params.items()} if known is None else known


def check_parameters(
    params: Mapping[str, np.ndarray],
    shapes: Shapes,
    whose: str,
    action: str = "Give the config.json that belongs to these weights; it must come from the same training run.",
) -> None:
    """Raises CheckpointMismatchError naming the first parameter that is missing, unknown or of another shape.

    `whose` starts the message: "the ELF network", "the encoder". No weight that lies in a file is read.
    """
    found = shapes_of(params)
    for name, shape in shapes.items():
        if name not in found:
            raise CheckpointMismatchError(f"{whose} needs {name} of shape {shape}, which the checkpoint lacks", action)
        if found[name] != shape:
            raise CheckpointMismatchError(
                f"{whose} needs {name} of shape {shape}, the checkpoint has {found[name]}", action
            )
    for name in found:
        if name not in shapes:
            raise CheckpointMismatchError(
                f"the checkpoint has {name} of shape {found[name]}, unknown to {whose}", action
            )


# --- The shape of a network, read off its weights: no configuration of the training run is needed -------------------

WHOLE_FILE = "Give a whole checkpoint of an official ELF; fetch it again if it should be one."
WHOLE_T5 = "Give a T5 v1.0 such as google-t5/t5-small, or the official t5_small_encoder_jax.pkl."


def elf_config(params: Mapping[str, np.ndarray], max_length: int, max_input_length: int) -> ElfConfig:
    """The architecture of an ELF network from its weights; lengths are no weights, so they have to be given.

    Raises CheckpointMismatchError naming the parameter that is missing or does not fit the others.
    """
    sizes = _Sizes(params, "the ELF network", WHOLE_FILE)
    H = sizes.of("proj_kernel", 2)[0]
    head_dim = sizes.of("blocks_0/attn/q_norm/weight", 1)[0]
    if not head_dim or H % head_dim:
        raise CheckpointMismatchError(
            f"blocks_0/attn/q_norm/weight has {head_dim} values, of which the width {H} of proj_kernel is no multiple",
            WHOLE_FILE,
        )
    self_cond = "self_cond_cfg_tokens"
    config = sizes.config(
        ElfConfig,
        depth=sizes.count(r"blocks_(\d+)/"),
        hidden_size=H,
        heads=H // head_dim,
        latent_size=sizes.of("proj_kernel", 2)[1],
        bottleneck_size=sizes.of("text_proj/proj1/kernel", 2)[1],
        vocabulary_size=sizes.of("unembed_kernel", 2)[1],
        max_length=max_length,
        max_input_length=max_input_length,
        self_conditioning="self_cond_proj/kernel" in sizes.shapes,
        time_tokens=sizes.of("t_emb_tokens", 3)[1],
        self_cond_cfg_tokens=sizes.of(self_cond, 3)[1] if self_cond in sizes.shapes else 0,
        mode_tokens=sizes.of("mode_tokens", 3)[1],
    )
    check_parameters(params, parameter_shapes(config), "the ELF network", WHOLE_FILE)
    return config


def t5_config(params: Mapping[str, np.ndarray], relative_max_distance: int) -> T5Config:
    """The architecture of a T5 v1.0 encoder from its weights, by Flax's names; raises as above.

    `relative_max_distance` is no weight, so it has to be given.
    """
    sizes = _Sizes(params, "the encoder", WHOLE_T5)
    attention = "encoder/block_0/layer_0/SelfAttention"
    buckets, heads = sizes.of(f"{attention}/relative_attention_bias/rel_embedding", 2)
    inner = sizes.of(f"{attention}/q/kernel", 2)[1]
    if not heads or inner % heads:
        raise CheckpointMismatchError(
            f"{attention}/q/kernel is {inner} wide, which does not split into the {heads} heads of the relative bias",
            WHOLE_T5,
        )
    config = sizes.config(
        T5Config,
        vocabulary_size=sizes.of("shared/embedding", 2)[0],
        d_model=sizes.of("shared/embedding", 2)[1],
        d_kv=inner // heads,
        d_ff=sizes.of("encoder/block_0/layer_1/DenseReluDense/wi/kernel", 2)[1],
        layers=sizes.count(r"encoder/block_(\d+)/"),
        heads=heads,
        relative_buckets=buckets,
        relative_max_distance=relative_max_distance,
    )
    check_parameters(params, encoder_parameter_shapes(config), "the encoder", WHOLE_T5)
    return config


class _Sizes:
    """Shapes by name, with errors that say whose they are."""

    def __init__(self, params: Mapping[str, np.ndarray], whose: str, action: str):
        self.shapes, self.whose, self.action = shapes_of(params), whose, action

    def of(self, name: str, axes: int) -> tuple[int, ...]:
        if name not in self.shapes:
            raise CheckpointMismatchError(f"{self.whose} needs {name}, which the checkpoint lacks", self.action)
        shape = self.shapes[name]
        if len(shape) != axes:
            raise CheckpointMismatchError(f"{name} has the shape {shape}; {axes} axes were expected", self.action)
        return shape

    def count(self, pattern: str) -> int:
        """How many numbers, from 0, stand in the names. A gap shows as a parameter that is missing."""
        return 1 + max((int(match[1]) for name in self.shapes if (match := re.match(pattern, name))), default=-1)

    def config(self, kind: Any, **fields: int) -> Any:
        try:
            return kind(**fields)
        except ConfigError as error:
            raise CheckpointMismatchError(f"{self.whose} does not add up: {error}", self.action) from error
