"""Write the sampler's reference numbers for the TypeScript tests: whole runs of toy networks and of a tiny model."""

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.config import FlowConfig, Layout, SamplerSettings, SelfCondStart, named_settings
from elf.errors import UsageError
from elf.models.exported_folder import stored_model
from elf.models.open_model import open_model
from elf.models.trained_model import TrainedModel
from elf.sampling.condition import Condition, Denoise, encode_sources, spread_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import Towards, run_flow, sample, start_noise, time_schedule, written

# --- Whole runs of a toy network in every way the sampler has -------------------------------------------------------
#
# Batches, conditions, guidance, solvers, schedules. Its positions see the one before them, cyclically (z⁻, x̂⁻_prev),
# so that a condition shows in what stands behind it:
#
#     x̂ = ((0.5·z + 0.2·x̂_prev) + (0.2·z⁻ + 0.1·x̂⁻_prev)) + (0.1·t + 0.01·w)      (element by element, float32)
#
# and a toy that does not take the scale w has 0 for it.

Array = np.ndarray

TOY_LENGTH, TOY_WIDTH, TOY_STEPS = 5, 2, 5
SOURCE_LENGTHS = (1, 3, 2)
NETWORK = (
    "xHat = ((0.5 z + 0.2 xHatPrev) + (0.2 zBefore + 0.1 xHatPrevBefore)) + (0.1 t + 0.01 w); before: the position "
    "before, of the first the last; w is 0 where takesSelfCondScale is false"
)
WAYS: tuple[dict[str, Any], ...] = (
    {"method": "ode", "gamma": 0.0, "solver": "euler"},
    {"method": "ode", "gamma": 0.0, "solver": "multistep"},
    {"method": "sde", "gamma": 1.2, "solver": "euler"},
)


def toy_with_neighbours(takes_self_cond_scale: bool = True) -> Denoise:
    """The toy network above."""

    def denoise(z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        own = np.float32(0.5) * z + np.float32(0.2) * x_hat_prev
        before = np.float32(0.2) * np.roll(z, 1, axis=1) + np.float32(0.1) * np.roll(x_hat_prev, 1, axis=1)
        scale = self_cond_scale if takes_self_cond_scale else np.zeros_like(self_cond_scale)
        number = np.float32(0.1) * t + np.float32(0.01) * scale
        return (own + before) + number[:, None, None]

    return denoise


def toy_condition(batch: int) -> Condition:
    """Sources of different lengths, their latents any numbers."""
    latents = np.random.default_rng(4).normal(size=(batch, TOY_LENGTH, TOY_WIDTH)).astype(np.float32)
    held = np.arange(TOY_LENGTH) < np.asarray(SOURCE_LENGTHS[:batch])[:, None]
    return Condition(np.where(held[..., None], latents, np.float32(0)), held[..., None])


def toy_runs(flow: FlowConfig) -> dict[str, Any]:
    """Runs with a condition, with either start, and without, each way of WAYS with every guidance; schedules and bit
    layouts in turn."""
    schedules = itertools.cycle(("logit_normal", "quantile", "uniform"))
    layouts = itertools.cycle(("original", "partitionable"))
    seeds = itertools.count(20)
    # A start at zero is another run only where there is a condition. These come last: seeds are taken in turn.
    starts: tuple[SelfCondStart, ...] = ("condition", "zero")
    runs = []
    for start, takes, batch, way in itertools.product(starts, (True, False), (3, 1), WAYS):
        for cfg_scale in (None, 1.0, 2.0):
            conditional = cfg_scale is not None
            if (batch == 1 and cfg_scale == 1) or (start == "zero" and not conditional):
                continue
            # With w = 1 a network that does not take it needs one pass only.
            scale = 1.0 if not takes and cfg_scale == 1 and way["method"] == "sde" else 2.5
            settings = SamplerSettings(
                steps=TOY_STEPS,
                self_cond_scale=scale,
                schedule=next(schedules),  # type: ignore[arg-type]
                rng=next(layouts),  # type: ignore[arg-type]
                seed=next(seeds),
                cfg_scale=cfg_scale if cfg_scale is not None else 1.0,
                **way,
            )
            runs.append(toy_run(settings, replace(flow, self_cond_start=start), batch, conditional, takes))
    latents = toy_condition(len(SOURCE_LENGTHS)).latents
    return {
        "network": NETWORK,
        "length": TOY_LENGTH,
        "width": TOY_WIDTH,
        "condition": {"lengths": SOURCE_LENGTHS, "latents": [numbers(row) for row in latents]},
        "runs": runs,
    }


def toy_run(
    settings: SamplerSettings, flow: FlowConfig, batch: int, conditional: bool, takes_self_cond_scale: bool
) -> dict[str, Any]:
    """One run; `calls` is how often the network was asked, states z (N + 1) and predictions x̂ (N + 1) are B·L·D."""
    toy, calls = toy_with_neighbours(takes_self_cond_scale), 0

    def denoise(*inputs: Array) -> Array:
        nonlocal calls
        calls += 1
        return toy(*inputs)

    condition = toy_condition(batch) if conditional else None
    shape = (batch, TOY_LENGTH, TOY_WIDTH)
    states = [*run_flow(denoise, settings, flow, shape, condition, takes_self_cond_scale=takes_self_cond_scale)]
    return {
        "settings": named_settings(settings, TOY_LENGTH),
        "batch": batch,
        "conditional": conditional,
        "takesSelfCondScale": takes_self_cond_scale,
        "selfCondStart": flow.self_cond_start,
        "calls": calls,
        "t": numbers(np.asarray([state.t for state in states])),
        "z": [numbers(state.z) for state in states],
        "xHat": [numbers(state.x_hat) for state in states],
    }


def numbers(array: Array) -> list[float]:
    """Row-major. Nine significant digits give every float32 back exactly."""
    return [float(f"{value:.9g}") for value in array.reshape(-1).tolist()]


# --- The numbers of the sampler's tests: whole runs of toy networks and of a tiny model -----------------------------

LENGTH, WIDTH, STEPS = 3, 4, 6
FLOW = FlowConfig(noise_scale=2.0)
METHODS = (("ode", 0.0), ("sde", 0.5), ("sde", 1.5))
SEEDS = (0, 7, 4294967295)
LAYOUTS: tuple[Layout, ...] = ("original", "partitionable")
QUANTILE_STEPS = (1, 2, 3, 8, 32, 129)


@dataclass(frozen=True)
class Arguments:
    out: Path
    """JSON file to write the toy network's runs into."""
    checkpoint: Path | None = None
    """Folder of a trained model, usually of `elf make-random`, whose runs to write as well."""
    checkpoint_out: Path | None = None
    """JSON file for those runs."""
    rounded: bool = False
    """Round the checkpoint's weights to float16 first, as `elf export --dtype f16` stores them."""


def toy_denoise(z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
    """The toy network that `main` tells of; arguments and result as sampling.Denoise."""
    z_part = np.float32(0.6) * z + np.float32(0.3) * x_hat_prev
    number = np.float32(0.1) * t + np.float32(0.01) * self_cond_scale
    return z_part + number[:, None, None]


def run_of(settings: SamplerSettings) -> dict[str, Any]:
    """One run's settings (names of the manifest), times (N + 1), states z (N + 1, L·D) and predictions x̂ (N, L·D)."""
    states = list(run_flow(toy_denoise, settings, FLOW, (1, LENGTH, WIDTH)))
    return {
        "settings": named_settings(settings, LENGTH),
        "t": numbers(np.asarray([state.t for state in states])),
        "z": [numbers(state.z) for state in states],
        "xHat": [numbers(state.x_hat) for state in states[1:]],
    }


def flow_fixture() -> dict[str, Any]:
    """Every method, schedule and bit layout for a few seeds, and a run of one step; the quantile schedule; toy_runs."""
    runs = []
    for rng, schedule, (method, gamma) in itertools.product(
        ("original", "partitionable"), ("uniform", "logit_normal"), METHODS
    ):
        for seed in SEEDS if schedule == "logit_normal" else SEEDS[:1]:
            runs.append(run_of(SamplerSettings(STEPS, method, gamma, 3.0, schedule, rng, seed)))  # type: ignore[arg-type]
    runs.append(run_of(SamplerSettings(1, "sde", 1.5, 3.0, "logit_normal", "original", 1)))
    for schedule, curve in (
        ("uniform", ((0.0, 0.5), (0.4, 3.0), (1.0, 0.0))),
        ("logit_normal", ((0.2, 4.0), (0.3, 0.0))),
    ):
        settings = SamplerSettings(STEPS, "sde", 1.5, 3.0, schedule, "original", 1)  # type: ignore[arg-type]
        runs.append(run_of(replace(settings, gamma_curve=curve)))
    return {
        "network": "xHat = 0.6 z + 0.3 xHatPrev + 0.1 t + 0.01 selfCondScale",
        "shape": [1, LENGTH, WIDTH],
        "flow": {"noiseScale": FLOW.noise_scale, "tEps": FLOW.t_eps, "pMean": FLOW.p_mean, "pStd": FLOW.p_std},
        "runs": runs,
        "quantileTimes": [
            numbers(time_schedule(SamplerSettings(steps, schedule="quantile"), FLOW, None)) for steps in QUANTILE_STEPS
        ],
        "batches": toy_runs(FLOW),
        "starts": [
            {
                "settings": {"seed": 7, "rng": rng},
                "towards": {"seed": 8, "weight": weight},
                "z": numbers(
                    start_noise(
                        SamplerSettings(rng=rng, seed=7),
                        np.float32(FLOW.noise_scale),
                        (1, LENGTH, WIDTH),
                        Towards(8, weight),
                    )
                ),
            }
            for rng in LAYOUTS
            for weight in (0.0, 0.25, 0.5, 1.0)
        ],
    }


def model_fixture(model: TrainedModel) -> dict[str, Any]:
    """Whole runs of a model in JAX: tokens before the cut at eos, final latents z (L·D), and the text."""
    if model.elf.max_input_length:
        return conditional_fixture(model)
    read = text_reader(model)
    longest = model.elf.max_length
    cases = (
        (SamplerSettings(16, "sde", 1.5, 3.0, "logit_normal", "original", 7), longest),
        (SamplerSettings(8, "sde", 0.5, 1.0, "uniform", "original", 1), longest),
        (SamplerSettings(8, "ode", 0.0, 3.0, "logit_normal", "partitionable", 2), longest),
        (SamplerSettings(5, "sde", 1.0, 2.5, "logit_normal", "partitionable", 4294967295), max(1, longest // 2)),
        (SamplerSettings(1, "sde", 1.5, 2.5, "logit_normal", "original", 3), 1),
    )
    network = JaxNetwork(model)
    runs = []
    for settings, length in cases:
        run = sample(network, settings, model.flow, (1, length, model.elf.latent_size))
        runs.append(
            {
                "settings": named_settings(settings, length),
                "tokens": run.tokens[0].tolist(),
                "text": read(run.tokens[0]) if model.tokenizer else None,
                "z": [float(f"{value:.5g}") for value in run.z.reshape(-1).tolist()],
            }
        )
    return {"model": model.name, "runs": runs}


def conditional_fixture(model: TrainedModel) -> dict[str, Any]:
    """Runs of a conditional model: the sources' tokens, one a row, tokens (B, L), z (B·L·D), and what they wrote. As
    many again without sources, where the model may do without."""
    read = text_reader(model)
    longest, half = model.elf.max_length, model.elf.max_length // 2
    ode = SamplerSettings(8, "ode", 0.0, 1.0, "logit_normal", "original", 7, cfg_scale=2.0)
    second = replace(ode, schedule="quantile", solver="multistep", self_cond_scale=2.5)
    third = replace(ode, schedule="uniform", solver="multistep", cfg_scale=1.0, seed=1)
    sde = SamplerSettings(6, "sde", 1.0, 3.0, "logit_normal", "partitionable", 3, cfg_scale=1.5)
    fifth = SamplerSettings(4, "sde", 1.5, 1.0, "quantile", "original", 2)
    cases: tuple[tuple[SamplerSettings, int, list[list[int]], int], ...] = (
        (ode, longest, [[5, 6, 7]], 1),
        (second, longest, [[9], [40, 8, 21, 77, 30, 4]], 2),
        (third, half, [[12, 90]], 3),
        (sde, longest, [[33, 5], [101, 102, 103, 104], [64]], 3),
        (fifth, longest, [[17, 18, 19, 20, 21, 22]], 1),
    )
    if model.elf.source_optional:
        cases += tuple((replace(settings, cfg_scale=1.0), length, [], batch) for settings, length, _, batch in cases)
    network, encoder = JaxNetwork(model), JaxEncoder(model)
    runs = []
    for settings, length, prompts, batch in cases:
        condition = encode_sources(encoder, spread_sources(prompts, batch), length) if prompts else None
        run = sample(network, settings, model.flow, (batch, length, model.elf.latent_size), condition)
        targets = written(run.tokens, model.elf, condition)
        runs.append(
            {
                "settings": named_settings(settings, length),
                "batch": batch,
                "promptIds": prompts,
                "tokens": run.tokens.tolist(),
                "written": targets,
                "text": [*map(read, targets)] if model.tokenizer else None,
                "z": [float(f"{value:.5g}") for value in run.z.reshape(-1).tolist()],
            }
        )
    return {"model": model.name, "runs": runs}


def write_fixture(path: Path, fixture: dict[str, Any]) -> None:
    """As JSON with one run a line, so that a changed number shows as one changed line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{_laid_out(fixture)}\n", encoding="utf-8")
    print(f"wrote {path}")


def _laid_out(fixture: dict[str, Any], indent: str = "") -> str:
    fields = []
    for name, value in fixture.items():
        if name == "runs":
            lines = f",\n{indent}    ".join(json.dumps(run, ensure_ascii=False) for run in value)
            text = f"[\n{indent}    {lines}\n{indent}  ]"
        else:
            text = _laid_out(value, f"{indent}  ") if isinstance(value, dict) and "runs" in value else json.dumps(value)
        fields.append(f'{indent}  "{name}": {text}')
    return "{\n" + ",\n".join(fields) + f"\n{indent}}}"


def main(arguments: Arguments) -> None:
    """Write the sampler's reference numbers for the TypeScript tests: whole runs of toy networks and of a tiny
    model.

    A toy network is one line in any language, so a difference can only come from the sampler. Element by element,
    float32:

        x̂ = 0.6·z + 0.3·x̂_prev + 0.1·t + 0.01·w

    and for runs with a condition one whose positions see their neighbours (`toy_with_neighbours`).
    """
    if (arguments.checkpoint is None) != (arguments.checkpoint_out is None):
        raise UsageError("--checkpoint and --checkpoint-out belong together", "Give both or neither.")
    write_fixture(arguments.out, flow_fixture())
    if arguments.checkpoint and arguments.checkpoint_out:
        model = stored_model(open_model(arguments.checkpoint).in_memory(), "f16" if arguments.rounded else "f32")
        write_fixture(arguments.checkpoint_out, model_fixture(model))
