"""How many passes each way of following the ODE needs: agreement of tokens with the same ODE in very many steps."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, get_args

import numpy as np
import tyro

from elf.errors import UsageError
from elf.models.open_model import open_model
from elf.progress import told
from elf.sampler_settings import SamplerSettings, Schedule, Solver
from elf.sampling.networks import JaxNetwork
from elf.sampling.sampler import sample


@dataclass(frozen=True)
class Arguments:
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """A model that writes without a source, as `elf evaluate` takes it."""
    passes: tuple[int, ...] = (8, 16, 32, 64)
    reference_steps: int = 256
    seeds: tuple[int, ...] = (1, 2)
    batch: int = 8
    """Texts of each seed."""
    self_cond_cfg: float = 3.0
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Arguments) -> None:
    """How many passes each way of following the ODE needs: agreement of tokens with the same ODE in very many steps.

    Every run starts from the same noise. The reference is Euler's method on evenly spaced times. One with quantile
    times and as many steps is compared with it as well: each pass also feeds the next one its prediction, so that
    even very many steps do not settle every token.
    """
    model = open_model(arguments.checkpoint).in_memory()
    if model.elf.needs_source:
        raise UsageError("the model writes to a source", "Give one that writes without: from a seed alone.")
    network = JaxNetwork(model)
    shape = (arguments.batch, model.elf.max_length, model.elf.latent_size)

    def tokens(steps: int, schedule: Schedule, solver: Solver, seed: int) -> np.ndarray:
        settings = SamplerSettings(steps, "ode", 0.0, arguments.self_cond_cfg, schedule, seed=seed, solver=solver)
        return sample(network, settings, model.flow, shape).tokens

    many = arguments.reference_steps
    references = {seed: tokens(many, "uniform", "euler", seed) for seed in told(arguments.seeds, "following the ODE")}

    def agreement(steps: int, schedule: Schedule, solver: Solver) -> float:
        return float(np.mean([tokens(steps, schedule, solver, seed) == of for seed, of in references.items()]))

    def rows() -> Iterator[dict[str, Any]]:
        ways = [(schedule, solver) for schedule in get_args(Schedule) for solver in get_args(Solver)]
        for schedule, solver in told(ways, "following it in few steps"):
            found = {steps: agreement(steps, schedule, solver) for steps in arguments.passes}
            yield {"schedule": schedule, "solver": solver, "agreement": found}

    report = {
        "reference": {"steps": many, "schedule": "uniform", "solver": "euler"},
        "texts": len(arguments.seeds) * arguments.batch,
        "length": model.elf.max_length,
        "self_cond_scale": arguments.self_cond_cfg,
        "quantile_reference_agreement": agreement(many, "quantile", "euler"),
        "rows": [*rows()],
    }
    print(json.dumps(report) if arguments.json else table(report))


def table(report: dict[str, Any]) -> str:
    """Markdown: a way a line, a number of passes a column."""
    passes = [*report["rows"][0]["agreement"]]
    lines = [f"| schedule | solver | {' | '.join(map(str, passes))} |", f"|---|---|{'---|' * len(passes)}"]
    for row in report["rows"]:
        figures = " | ".join(f"{row['agreement'][count]:.3f}" for count in passes)
        lines.append(f"| {row['schedule']} | {row['solver']} | {figures} |")
    return "\n".join(lines)
