"""Time and FLOPs of a denoise training step, ours against the literal formulation of the specification."""

import json
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np

from elf.bench.cost_model import denoise_flops, encoder_flops, muon_flops
from elf.bench.machine import Timings, interleaved, machine_facts, matmul_peak, median_ratio
from elf.config import PRESETS, ElfConfig, FlowConfig, T5Config
from elf.config_file import load_config
from elf.dev.make_random import random_params
from elf.devices import global_rows, make_mesh, state_shardings
from elf.errors import UsageError
from elf.network.model import ELF
from elf.network.modules import Params, Remat, abstract, bind
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes
from elf.progress import say
from elf.training.memory_estimate import planned_step
from elf.training.objective import DENOISING, denoise_errors
from elf.training.optimizer import OptimizerConfig
from elf.training.recipe import RowsBy
from elf.training.step import Rows, TrainState
from elf.training.step_inputs import FrozenEncoder, draw_denoise
from elf.training.train_config import TrainConfig

# --- The two formulations compiled for the same model: loss and gradient alone, and the whole step ------------------

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
    def of(cls, lowered: Any, devices: int = 1) -> "Compiled":
        """`devices` are those that it runs on, each counted for by XLA as one of them."""
        compiled = lowered.compile()
        memory = compiled.memory_analysis()
        temporary, donated = memory.temp_size_in_bytes, memory.alias_size_in_bytes
        kept = memory.argument_size_in_bytes + memory.output_size_in_bytes - donated
        flops = compiled.cost_analysis()["flops"] * devices
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
    return WholeStep(Compiled.of(lowered, mesh.size), step.init, inputs)


# --- Their time and FLOPs -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Arguments:
    config: Path | None = None
    """YAML of an experiment: its model, batch, flow and optimizer are measured; its data are not needed."""
    overrides: tuple[str, ...] = ()
    """Fields of the experiment, given bare on the command line: accumulation=2 optimizer.optimizer=adamw …"""
    preset: str = "stories-mini"
    """Without --config: stories-mini, ELF-B, ELF-M or ELF-L."""
    batch_size: int | None = None
    """16 unless given, or that of the experiment."""
    length: int | None = None
    """Text tokens of a row; those of the model unless given."""
    compute_dtype: Literal["bfloat16", "float32"] | None = None
    remat: Remat | None = None
    repeats: int = 5
    whole_step: bool = True
    """Measure the steps of `elf train` too: with encoder, clip, optimizer and EMA, which both formulations share."""
    variants: bool = False
    """Measure what else a step's time and memory depend on: encoder, remat, number format."""
    json: bool = False
    """Print one JSON object instead of lines to read."""


def settled(arguments: Arguments) -> TrainConfig:
    """The configuration to measure. Raises UsageError or ConfigError for what cannot be."""
    if arguments.repeats < 1:
        raise UsageError(f"--repeats is {arguments.repeats}", "Give at least 1.")
    if arguments.config:
        config = load_config(TrainConfig, arguments.config, arguments.overrides)
    elif arguments.preset in MEASURABLE:
        config = bench_config(MEASURABLE[arguments.preset])
        if arguments.overrides:
            raise UsageError("overrides need an experiment to stand over", "Give --config FILE too.")
    else:
        raise UsageError(f"there is no preset {arguments.preset!r}", f"Choose one of {', '.join(MEASURABLE)}.")
    given = {name: getattr(arguments, name) for name in ("batch_size", "compute_dtype", "remat")}
    config = replace(config, **{name: value for name, value in given.items() if value is not None})
    if arguments.length is not None:
        config = replace(config, elf=replace(config.elf, max_length=arguments.length))
    return config


def compare(literal: Compiled, shared: Compiled, timings: dict[str, Timings], unit: float) -> dict[str, Any]:
    """The two formulations side by side; `unit` is the FLOPs of one forward of the batch."""
    row: dict[str, Any] = {}
    for name, compiled in (("literal", literal), ("shared", shared)):
        row[name] = {
            "flops": compiled.flops,
            "forward_equivalents": compiled.flops / unit,
            "seconds": statistics.median(timings[name].wall),
            "processor_seconds": statistics.median(timings[name].processor),
            "temporary_bytes": compiled.temporary_bytes,
            "bytes": compiled.bytes,
            "donated_bytes": compiled.donated_bytes,
        }
    row["flops_ratio"] = literal.flops / shared.flops
    row["time_ratio"] = median_ratio(timings["literal"].wall, timings["shared"].wall)
    if jax.default_backend() == "cpu":
        row["processor_time_ratio"] = median_ratio(timings["literal"].processor, timings["shared"].processor)
    return row


def bench_gradient(config: TrainConfig, repeats: int, unit: float) -> dict[str, Any]:
    """Loss and gradient from latents on: where the formulations differ."""
    say("compiling loss and gradient of both formulations")
    compiled = {name: compile_gradient(config, name) for name in FORMULATIONS}
    inputs = gradient_inputs(config)
    calls = {str(name): partial(run.call, *inputs) for name, run in compiled.items()}
    return compare(compiled["literal"], compiled["shared"], interleaved(calls, repeats), unit)


def gradient_inputs(config: TrainConfig) -> tuple[Any, ...]:
    params = jax.device_put(random_params(parameter_shapes(config.elf), seed=0))
    shape = config.batch_size, config.elf.max_length, config.elf.latent_size
    return params, jax.random.normal(jax.random.key(1), shape), jax.random.key(2)


def bench_step(config: TrainConfig, repeats: int, unit: float) -> dict[str, Any]:
    """The steps that `elf train` runs, with encoder, optimizer and EMA."""
    say("compiling the whole step of both formulations")
    steps = {name: compile_step(config, name) for name in FORMULATIONS}
    state = steps["shared"].init()

    def run(step: WholeStep) -> TrainState:
        # A step reuses the memory of the state it is given, so one state goes through both.
        nonlocal state
        state = step(state)
        return state

    timings = interleaved({str(name): partial(run, step) for name, step in steps.items()}, repeats)
    return compare(steps["literal"].compiled, steps["shared"].compiled, timings, unit)


def bench_variants(config: TrainConfig, repeats: int) -> list[dict[str, Any]]:
    """Loss and gradient of our formulation with one thing changed at a time, and the encoder by itself."""
    changes: dict[str, dict[str, Any]] = {
        "as configured": {},
        **{f"remat {remat}": {"remat": remat} for remat in ("none", "dots", "blocks") if remat != config.remat},
        **{dtype: {"compute_dtype": dtype} for dtype in ("bfloat16", "float32") if dtype != config.compute_dtype},
    }
    inputs = gradient_inputs(config)
    compiled: dict[str, Compiled] = {}
    calls: dict[str, Callable[[], Any]] = {}
    for name, change in changes.items():
        say(f"compiling: {name}")
        compiled[name] = compile_gradient(replace(config, **change), "shared")
        calls[name] = partial(compiled[name].call, *inputs)
    compiled["encoder alone"], encoder_params = compile_encoder(config)
    ids, real, _ = random_rows(config)
    calls["encoder alone"] = partial(compiled["encoder alone"].call, encoder_params, ids, real)
    timings = interleaved(calls, repeats)
    configured = timings["as configured"]
    return [
        {
            "name": name,
            "flops": run.flops,
            "seconds": statistics.median(timings[name].wall),
            "time_over_configured": median_ratio(timings[name].wall, configured.wall),
            "temporary_bytes": run.temporary_bytes,
        }
        for name, run in compiled.items()
    ]


def bench(arguments: Arguments) -> dict[str, Any]:
    config = settled(arguments)
    elf, B, L = config.elf, config.batch_size, config.elf.max_length
    peak = matmul_peak(config.compute_dtype)
    say("compiling one forward")
    forward = compile_forward(config).flops
    gradient = bench_gradient(config, arguments.repeats, forward)
    parts = {"loss_and_gradient": gradient}
    if arguments.whole_step:
        parts["whole_step"] = bench_step(config, arguments.repeats, forward)
    by_hand = denoise_flops(elf, B, L)
    for part_name, part in parts.items():
        # Loss and gradient are computed on one device, the whole step on all.
        of_all = peak["flops_per_second"] * (jax.device_count() if part_name == "whole_step" else 1)
        for row in (part[name] for name in FORMULATIONS):
            row["tokens_per_second"] = B * L / row["seconds"]
            row["share_of_matmul_peak"] = row["flops"] / row["seconds"] / of_all
    report = {
        # Of loss and gradient, the whole of what the formulations differ in.
        "flops_ratio": gradient["flops_ratio"],
        "time_ratio": gradient["time_ratio"],
        "machine": machine_facts() | {"matmul_peak": peak, "compute_dtype": config.compute_dtype},
        "model": vars(elf) | {"batch_size": B, "length": L, "remat": config.remat},
        "flops_by_hand": {
            "forward": by_hand,
            "encoder": encoder_flops(encoder_for(elf), B, L),
            "muon": muon_flops(elf) if config.optimizer.optimizer == "muon" else 0,
        },
        "forward_flops": forward,
        "forward_flops_over_count_by_hand": forward / by_hand,
        **parts,
    }
    if arguments.variants:
        report["variants"] = bench_variants(config, arguments.repeats)
    return report


def main(arguments: Arguments) -> None:
    """Time and FLOPs of a denoise training step, ours against the literal formulation of the specification.

    Ours makes a pass that the loss needs twice only once, and self-conditions half of each batch's rows instead of
    tossing a coin for each after a pass of all. FLOPs are XLA's count of the compiled step, after it has merged
    equal passes; times are medians of runs taken in turns. Ratios are literal / ours.
    """
    report = bench(arguments)
    if arguments.json:
        print(json.dumps(report))
        return
    for title in [title for title in ("loss_and_gradient", "whole_step") if title in report]:
        print(title.replace("_", " "))
        for name in FORMULATIONS:
            row = report[title][name]
            print(
                f"  {name:8} {row['forward_equivalents']:5.2f} forwards  {row['seconds']:7.3f} s"
                f"  {row['tokens_per_second']:9,.0f} tokens/s  {row['share_of_matmul_peak']:4.0%} of matmul peak"
            )
        ratios = {name: value for name, value in report[title].items() if name.endswith("_ratio")}
        print("  literal / shared:", ", ".join(f"{name} {value:.3f}" for name, value in ratios.items()))
    for row in report.get("variants", []):
        print(
            f"  {row['name']:14} {row['seconds']:7.3f} s  × {row['time_over_configured']:.2f}"
            f"  {row['temporary_bytes'] / 2**20:8.0f} MiB"
        )
