"""The two formulations of a denoise step compiled for the same model: loss and gradient alone, and the whole step."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import PRESETS, ElfConfig, FlowConfig, T5Config
from elf.dev.make_random import random_params
from elf.devices import global_rows, make_mesh, state_shardings
from elf.network.model import ELF
from elf.network.modules import Params, abstract, bind
from elf.network.parameters import encoder_parameter_shapes
from elf.training.memory_estimate import planned_step
from elf.training.objective import DENOISING, denoise_errors
from elf.training.optimizer import OptimizerConfig
from elf.training.recipe import RowsBy
from elf.training.step import Rows, TrainState
from elf.training.step_inputs import FrozenEncoder, draw_denoise
from elf.training.train_config import TrainConfig

Formulation = Literal["literal", "shared"]
FORMULATIONS: tuple[Formulation, ...] = ("literal", "shared")

STORIES_MINI = ElfConfig(
    depth=6, hidden_size=256, heads=4, latent_size=128, bottleneck_size=64, vocabulary_size=4096, max_length=64
)
"""The project's first model (configs/stories-mini.yml): small enough to be measured in seconds on two cores."""

MEASURABLE = {"stories-mini": STORIES_MINI, **PRESETS}


def bench_config(elf: ElfConfig = STORIES_MINI, batch_size: int = 16) -> TrainConfig:
    """A run whose step can be measured; it names no data, because the step's cost does not depend on them."""
    return TrainConfig(
        name="bench", data="", encoder="", tokenizer="", out=Path(), steps=1000, batch_size=batch_size, elf=elf,
        flow=FlowConfig(), optimizer=OptimizerConfig(), pad_token="eos",
    )  # fmt: skip


def encoder_for(elf: ElfConfig) -> T5Config:
    """T5-small where the latents are as wide as its own, else the shape of `elf pretrain-encoder`."""
    if elf.latent_size == T5Config().d_model:
        return T5Config()
    return T5Config(elf.vocabulary_size, elf.latent_size, d_kv=32, d_ff=4 * elf.latent_size, layers=4, heads=4)


@dataclass(frozen=True)
class Compiled:
    """A compiled computation with what XLA says about it."""

    call: Callable[..., Any]
    flops: float
    """Of all devices together, as XLA counts them: a loop's body once."""
    temporary_bytes: int
    """Memory on a device beside inputs and outputs."""
    bytes: int
    """Memory on a device, inputs and outputs included."""
    donated_bytes: int
    """Inputs whose memory the outputs take over; without that, so much more would be needed."""

    @classmethod
    def of(cls, lowered: Any) -> "Compiled":
        compiled = lowered.compile()
        memory = compiled.memory_analysis()
        temporary, donated = memory.temp_size_in_bytes, memory.alias_size_in_bytes
        kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - donated
        flops = compiled.cost_analysis()["flops"] * jax.device_count()
        return cls(compiled, flops, temporary, kept + temporary, donated)


def random_rows(config: TrainConfig) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """ids and real (B, L), source_length (B,) of a full batch; sources are half as long as they may be."""
    shape = config.batch_size, config.elf.max_length
    ids = np.random.default_rng(0).integers(3, config.elf.vocabulary_size, shape).astype(np.int32)
    return ids, np.ones(shape, bool), np.full(shape[:1], config.elf.max_input_length // 2, np.int32)


def compile_forward(config: TrainConfig) -> Compiled:
    """One forward of the denoise branch for the whole batch."""
    graphdef, params = abstract(ELF, config.elf, jnp.dtype(config.compute_dtype))
    row = jax.ShapeDtypeStruct((config.batch_size,), jnp.float32)
    z = jax.ShapeDtypeStruct((config.batch_size, config.elf.max_length, config.elf.latent_size), jnp.float32)
    return Compiled.of(
        jax.jit(lambda params, *inputs: bind(graphdef, params).denoise(*inputs)).lower(params, z, z, row, row)
    )


def compile_encoder(config: TrainConfig) -> tuple[Compiled, Params]:
    """The frozen encoder on the whole batch, and random weights for it."""
    t5 = encoder_for(config.elf)
    params = random_params(encoder_parameter_shapes(t5), seed=0)
    encoder = FrozenEncoder(t5, params, 0.0, 0.2)

    def latents(params: Params, ids: jax.Array, real: jax.Array) -> jax.Array:
        dtype = jnp.dtype(config.compute_dtype)
        return encoder.latents(params, ids, real, None, None, see_padding=True, compute_dtype=dtype)[0]

    ids, real, _ = random_rows(config)
    return Compiled.of(jax.jit(latents).lower(params, ids, real)), jax.device_put(params)


def compile_gradient(config: TrainConfig, formulation: Formulation) -> Compiled:
    """(params, x (B, L, D), key) → loss and gradient, from latents on: no encoder and no optimizer."""
    graphdef, params = abstract(ELF, config.elf, jnp.dtype(config.compute_dtype), remat=config.remat)
    shape = config.batch_size, config.elf.max_length, config.elf.latent_size

    def loss(params: Params, x: jax.Array, key: jax.Array) -> jax.Array:
        draws = draw_denoise(key, shape, config.flow)
        held = jnp.zeros(shape[:2], bool)
        network = bind(graphdef, params)
        rows: RowsBy = "coin" if formulation == "literal" else "share"
        return denoise_errors(DENOISING[formulation](network, x, held, draws, config.flow, rows), network).mean()

    x = jax.ShapeDtypeStruct(shape, jnp.float32)
    return Compiled.of(jax.jit(jax.value_and_grad(loss)).lower(params, x, jax.random.key(0)))


@dataclass(frozen=True)
class WholeStep:
    """The denoise step of `elf train` itself: encoder, loss, gradient, clip, optimizer and EMA."""

    compiled: Compiled
    init: Callable[[], TrainState]
    inputs: tuple[Params, Rows, np.int32]
    """What follows the state in a call."""

    def __call__(self, state: TrainState) -> TrainState:
        return self.compiled.call(state, *self.inputs)[0]


def compile_step(config: TrainConfig, formulation: Formulation) -> WholeStep:
    """Raises ConfigError for a batch that does not split over the devices."""
    encoder, mesh = encoder_for(config.elf), make_mesh(config.fsdp)
    step = planned_step(replace(config, objective=formulation), mesh, encoder)
    params = random_params(encoder_parameter_shapes(encoder), seed=0)
    weights = jax.device_put(params, state_shardings(mesh, params))
    inputs = weights, Rows(*global_rows(mesh, random_rows(config))), np.int32(0)
    lowered = step.jitted.lower(step.abstract_state, *inputs, decode=False)
    return WholeStep(Compiled.of(lowered), step.init, inputs)
