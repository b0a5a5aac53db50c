"""Evaluate a model: write texts in every way that a sampling file names, on all devices, and measure them.

For each way there is a folder with `all_generated_<epoch>_<step>.jsonl`, and a row in `metrics.jsonl`. Killed at any
moment, the same command goes on with the missing texts; what is finished is not done again.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated

import jax
import tyro

from elf.devices import make_mesh
from elf.evaluation.evaluation import Evaluation, sample_count
from elf.evaluation.metrics_file import Row
from elf.evaluation.options import EvaluationOptions
from elf.evaluation.sampling_grid import Sampling, load_samplings
from elf.models.find_checkpoint import CHECKPOINT
from elf.models.open_model import open_model
from elf.models.options import CheckpointOptions
from elf.paths import AnyPath
from elf.processes import ProcessArguments


@dataclass(frozen=True, kw_only=True)
class Arguments(ProcessArguments, CheckpointOptions, EvaluationOptions):
    checkpoint: Annotated[AnyPath, tyro.conf.Positional]
    """A trained model's folder; the output folder of a training, finished or not; one of its
    checkpoints/checkpoint_N; or an official checkpoint."""
    config: AnyPath | None = None
    """YAML of the training, where the checkpoint has neither a `model` folder nor a config.yml beside it."""
    overrides: tuple[str, ...] = ()
    """Sampling settings, set in every entry of --sampling, given bare: steps=8 gamma=[0.5,1.5] …"""
    fsdp: int = 1
    """Devices that share one copy of the weights."""
    out: AnyPath | None = None
    """Output folder; `evaluation` in the training's, or in the model's, unless given."""
    json: bool = False
    """Print the rows of metrics.jsonl instead of lines to read."""


def main(arguments: Arguments) -> None:
    samplings = load_samplings(arguments.sampling, arguments.overrides)
    sample_count(arguments.samples, 0)  # refuses what cannot be before anything is opened
    arguments.join_processes()
    model = open_model(arguments.checkpoint, arguments.config, arguments).in_memory()
    out = arguments.out or default_out(arguments.checkpoint)
    evaluation = Evaluation(model, arguments, make_mesh(arguments.fsdp), out)
    for sampling in samplings:
        evaluation.generator.check(sampling)
    for position, sampling in enumerate(samplings):
        row = evaluation.carry_out(sampling, position).row
        if jax.process_index() == 0:
            print(json.dumps(row, ensure_ascii=False) if arguments.json else line(row), flush=True)


def default_out(checkpoint: Path) -> Path:
    """`evaluation` in the training's output folder, or in the folder of a model or a checkpoint that stands alone."""
    if checkpoint.is_file() or checkpoint.name == "model" or CHECKPOINT.fullmatch(checkpoint.name):
        checkpoint = checkpoint.parent
    return (checkpoint.parent if checkpoint.name == "checkpoints" else checkpoint) / "evaluation"


def line(row: Row) -> str:
    """The figures of a row, those of held-out text in brackets."""
    shown = [f"n {row['n']}"]
    for name, value in row.items():
        if isinstance(value, float) and not name.startswith("held_out_") and name not in FIELDS:
            real = row.get(f"held_out_{name}")
            shown.append(f"{name} {value:.4g}" + (f" [held-out {real:.4g}]" if isinstance(real, float) else ""))
    return f"{row['combination']}: {', '.join(shown)}"


FIELDS = set(asdict(Sampling()))
