"""Floating-point operations counted by hand, from shapes: the matrix products of a pass, two for each multiply-add.

Sums, norms, softmax and rotary are left out: about 1 % of a small network, less of a large one. The counts check XLA's
own, which sees a loop's body once however often it runs, and they are what a machine's share of its peak is taken from.
"""

import math
from typing import Literal

from jax.sharding import Mesh

from elf.config import ElfConfig, T5Config
from elf.network.parameters import TIMESTEP_FEATURES, parameter_shapes
from elf.training.optimizer import takes_muon
from elf.training.shared_newton_schulz import flops_of_a_device, turning_flops


def product(rows: int, inner: int, columns: int) -> int:
    """FLOPs of (rows, inner) · (inner, columns)."""
    return 2 * rows * inner * columns


def trunk_flops(config: ElfConfig, batch: int, length: int) -> int:
    """Everything but the heads, for `batch` rows of `length` text tokens; the prefix tokens come on top."""
    D, H, S = config.latent_size, config.hidden_size, length + config.prefix_length
    halves = product(1, 2 * D, D) if config.self_conditioning else 0
    text = length * (halves + product(1, D, config.bottleneck_size) + product(1, config.bottleneck_size, H))
    embedders = 1 + bool(config.self_cond_cfg_tokens)
    numbers = embedders * (product(1, TIMESTEP_FEATURES, H) + product(1, H, H))
    attention = product(S, H, 3 * H) + 2 * product(S, H, S) + product(S, H, H)
    feed_forward = product(S, H, 2 * config.swiglu_size) + product(S, config.swiglu_size, H)
    return batch * (text + numbers + config.depth * (attention + feed_forward))


def denoise_flops(config: ElfConfig, batch: int, length: int) -> int:
    """One forward of the denoise branch: the unit of "forward-equivalents"."""
    return trunk_flops(config, batch, length) + batch * product(length, config.hidden_size, config.latent_size)


def decode_flops(config: ElfConfig, batch: int, length: int) -> int:
    """One forward of the decode branch, vocabulary head included."""
    D, H, V = config.latent_size, config.hidden_size, config.vocabulary_size
    return trunk_flops(config, batch, length) + batch * (product(length, H, D) + product(length, D, V))


def encoder_flops(config: T5Config, batch: int, length: int) -> int:
    """One pass of the frozen encoder."""
    D, inner = config.d_model, config.heads * config.d_kv
    attention = 3 * product(length, D, inner) + 2 * product(length, inner, length) + product(length, inner, D)
    return batch * config.layers * (attention + 2 * product(length, D, config.d_ff))


def muon_flops(
    config: ElfConfig, matrices: Literal["matrices", "kernels"] = "matrices", mesh: Mesh | None = None
) -> int:
    """Newton–Schulz of one update, whole, or on the device of `mesh` that has most to do. Independent of the batch.

    matrices: what Muon takes, as in OptimizerConfig."""
    shapes = [shape for name, shape in parameter_shapes(config).items() if takes_muon(name, len(shape), matrices)]
    return sum(map(turning_flops, shapes)) if mesh is None else flops_of_a_device(shapes, mesh)


def parameter_count(config: ElfConfig) -> int:
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())
