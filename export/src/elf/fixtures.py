"""Write the sampler's reference numbers for the TypeScript tests: whole runs of a toy network, as JSON.

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
from elf.sampling import SamplerSettings, run_flow

Array = np.ndarray

LENGTH, WIDTH, STEPS = 3, 4, 6
FLOW = FlowConfig(noise_scale=2.0)
METHODS = (("ode", 0.0), ("sde", 0.5), ("sde", 1.5))
SEEDS = (0, 7, 4294967295)


@dataclass(frozen=True)
class Arguments:
    out: Path
    """JSON file to write."""


def toy_denoise(z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
    """The toy network of the module's text; arguments and result as sampling.Denoise."""
    z_part = np.float32(0.6) * z + np.float32(0.3) * x_hat_prev
    number = np.float32(0.1) * t + np.float32(0.01) * self_cond_scale
    return z_part + number[:, None, None]


def run_of(settings: SamplerSettings) -> dict[str, Any]:
    """One run's settings (names of the manifest), times (N + 1), states z (N + 1, L·D) and predictions x̂ (N, L·D)."""
    states = list(run_flow(toy_denoise, settings, FLOW, (1, LENGTH, WIDTH)))
    return {
        "settings": {
            "steps": settings.steps,
            "method": settings.method,
            "gamma": settings.gamma,
            "selfCondScale": settings.self_cond_scale,
            "schedule": settings.schedule,
            "rng": settings.rng,
            "seed": settings.seed,
            "length": LENGTH,
        },
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


def main(arguments: Arguments) -> None:
    fixture = flow_fixture()
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    # One run a line: a changed number shows as one changed line.
    runs = ",\n    ".join(json.dumps(run) for run in fixture.pop("runs"))
    head = "".join(f'  "{name}": {json.dumps(value)},\n' for name, value in fixture.items())
    arguments.out.write_text(f'{{\n{head}  "runs": [\n    {runs}\n  ]\n}}\n')
    print(f"wrote {arguments.out}")
