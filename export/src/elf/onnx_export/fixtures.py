"""Write the sampler's reference numbers for the TypeScript tests: whole runs of a toy network and of a tiny model.

The toy network is one line in any language, so a difference can only come from the sampler:

    x̂ = 0.6·z + 0.3·x̂_prev + 0.1·t + 0.01·w      (element by element, float32)
"""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.config import FlowConfig
from elf.errors import UsageError
from elf.network.trained_model import TrainedModel, load_trained_model
from elf.sampling.networks import JaxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import SamplerSettings, named_settings, run_flow, sample

Array = np.ndarray

LENGTH, WIDTH, STEPS = 3, 4, 6
FLOW = FlowConfig(noise_scale=2.0)
METHODS = (("ode", 0.0), ("sde", 0.5), ("sde", 1.5))
SEEDS = (0, 7, 4294967295)


@dataclass(frozen=True)
class Arguments:
    out: Path
    """JSON file to write the toy network's runs into."""
    checkpoint: Path | None = None
    """Folder of a trained model, usually of `elf make-random`, whose runs to write as well."""
    checkpoint_out: Path | None = None
    """JSON file for those runs."""


def toy_denoise(z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
    """The toy network of the module's text; arguments and result as sampling.Denoise."""
    z_part = np.float32(0.6) * z + np.float32(0.3) * x_hat_prev
    number = np.float32(0.1) * t + np.float32(0.01) * self_cond_scale
    return z_part + number[:, None, None]


def run_of(settings: SamplerSettings) -> dict[str, Any]:
    """One run's settings (names of the manifest), times (N + 1), states z (N + 1, L·D) and predictions x̂ (N, L·D)."""
    states = list(run_flow(toy_denoise, settings, FLOW, (1, LENGTH, WIDTH)))
    return {
        "settings": named_settings(settings, LENGTH),
        "t": _numbers(np.asarray([state.t for state in states])),
        "z": [_numbers(state.z) for state in states],
        "xHat": [_numbers(state.x_hat) for state in states[1:]],
    }


def _numbers(array: Array) -> list[float]:
    """Nine significant digits give every float32 back exactly."""
    return [float(f"{value:.9g}") for value in array.reshape(-1).tolist()]


def flow_fixture() -> dict[str, Any]:
    """Every method, schedule and bit layout for a few seeds, and a run of one step."""
    runs = []
    for rng, schedule, (method, gamma) in itertools.product(
        ("original", "partitionable"), ("uniform", "logit_normal"), METHODS
    ):
        for seed in SEEDS if schedule == "logit_normal" else SEEDS[:1]:
            runs.append(run_of(SamplerSettings(STEPS, method, gamma, 3.0, schedule, rng, seed)))  # type: ignore[arg-type]
    runs.append(run_of(SamplerSettings(1, "sde", 1.5, 3.0, "logit_normal", "original", 1)))
    return {
        "network": "xHat = 0.6 z + 0.3 xHatPrev + 0.1 t + 0.01 selfCondScale",
        "shape": [1, LENGTH, WIDTH],
        "flow": {"noiseScale": FLOW.noise_scale, "tEps": FLOW.t_eps, "pMean": FLOW.p_mean, "pStd": FLOW.p_std},
        "runs": runs,
    }


def model_fixture(model: TrainedModel) -> dict[str, Any]:
    """Whole runs of a model in JAX: tokens before the cut at eos, final latents z (L·D), and the text."""
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


def write_fixture(path: Path, fixture: dict[str, Any]) -> None:
    """As JSON with one run a line, so that a changed number shows as one changed line."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "".join(f'  "{name}": {json.dumps(value)},\n' for name, value in fixture.items() if name != "runs")
    runs = ",\n    ".join(json.dumps(run, ensure_ascii=False) for run in fixture["runs"])
    path.write_text(f'{{\n{head}  "runs": [\n    {runs}\n  ]\n}}\n', encoding="utf-8")
    print(f"wrote {path}")


def main(arguments: Arguments) -> None:
    if (arguments.checkpoint is None) != (arguments.checkpoint_out is None):
        raise UsageError("--checkpoint and --checkpoint-out belong together", "Give both or neither.")
    write_fixture(arguments.out, flow_fixture())
    if arguments.checkpoint and arguments.checkpoint_out:
        write_fixture(arguments.checkpoint_out, model_fixture(load_trained_model(arguments.checkpoint)))
