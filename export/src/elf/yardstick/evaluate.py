"""Translate held-out pairs with a yardstick, and measure: BLEU as `elf evaluate` takes it, and cross-entropy."""

import json
import time
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import tyro

from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.tokenizer import load_tokenizer
from elf.disk import written_whole
from elf.errors import UsageError
from elf.evaluation.output_files import write_generation
from elf.progress import ticker
from elf.yardstick.greedy import HeldOut, check_sources
from elf.yardstick.stored import load_translator


@dataclass(frozen=True)
class Arguments:
    model: Annotated[Path, tyro.conf.Positional]
    """The output folder of `elf yardstick train`, or its `model`."""
    data: str
    """Pairs that were not learnt: a dataset of `elf prepare` (its `held_out` folder), or JSONL of input and output."""
    samples: int | None = None
    """At most so many, the first ones, as `elf evaluate` takes them; all unless given."""
    generations: Path | None = None
    """JSONL file to write the translations to, as `elf score` reads it."""
    json: bool = False
    """Print one JSON object instead of a line to read."""


def main(arguments: Arguments) -> None:
    if arguments.samples is not None and arguments.samples < 1:
        raise UsageError(f"--samples is {arguments.samples}", "Give at least 1.")
    model = load_translator(arguments.model)
    tokenizer = load_tokenizer(model.tokenizer)
    with closing(stream_evaluation_rows(arguments.data, tokenizer, model.config.max_input_length)) as read:
        rows = [*islice(read, arguments.samples)]
    check_sources(rows, arguments.data)
    held_out = HeldOut(model.config, tokenizer)
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    begin = time.monotonic()
    figures, texts = held_out.bleu(params, rows, ticker("translating", len(rows)))
    seconds = time.monotonic() - begin
    if arguments.generations:
        arguments.generations.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(arguments.generations) as path, path.open("w", encoding="utf-8") as file:
            for row, text in zip(rows, texts, strict=True):
                write_generation(file, row.id, text)
    trained = {name: model.training.get(name) for name in ("steps", "update_seconds", "processor_seconds")}
    report = {
        "n": len(rows),
        **figures,
        "held_out_loss": held_out.cross_entropy(params, rows),
        "seconds": round(seconds, 1),
        **trained,
    }
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        low, high = report["bleu_ci"]
        print(
            f"BLEU {report['bleu']:.2f} [{low:.2f}, {high:.2f}] on {len(rows):,} pairs, "
            f"held-out loss {report['held_out_loss']:.4f} nats a token, after {report['steps']} updates"
        )
