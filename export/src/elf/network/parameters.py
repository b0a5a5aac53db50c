"""Which parameters a configuration asks for, by official name and shape (spec section 2)."""

from collections.abc import Mapping

import numpy as np

from elf.config import ElfConfig, T5Config
from elf.errors import CheckpointMismatchError

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
