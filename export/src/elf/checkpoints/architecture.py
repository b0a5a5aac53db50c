"""The shape of a network, read off its weights: no configuration of the training run is needed."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np

from elf.config import ElfConfig, T5Config
from elf.errors import CheckpointMismatchError, ConfigError
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes, shapes_of

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
