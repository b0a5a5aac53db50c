"""Pairs whose targets a yardstick has written: the corpus of sequence-level distillation (Kim & Rush 2016)."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import jax.numpy as jnp
import numpy as np
import tyro

from elf.data.prepare import RowWriter
from elf.data.rows import TokenRow, check_vocabulary, open_pairs
from elf.data.tokenizer import EOS
from elf.errors import EmptyCorpusError, UsageError
from elf.network.modules import abstract
from elf.progress import ticker
from elf.yardstick.greedy import compile_greedy
from elf.yardstick.stored import load_translator
from elf.yardstick.translator import Translator


@dataclass(frozen=True)
class Arguments:
    model: Annotated[Path, tyro.conf.Positional]
    """The output folder of `elf yardstick train`, or its `model`."""
    data: str
    """Pairs to translate anew: a dataset of `elf prepare`, its `train` folder."""
    out: Path
    """Folder to write: the sources as they are, each with its translation. Ready once the command has ended."""
    apart: tuple[str, ...] = ()
    """Datasets of `elf prepare` to keep apart from: no translation that is a target there is written."""
    max_length: int | None = None
    """Most tokens of a row, source, translation and its end together: the `max_length` of the model to train."""
    at_once: int = 256
    """Sources translated together."""


def main(arguments: Arguments) -> None:
    """Pairs whose targets a yardstick has written: the corpus of sequence-level distillation (Kim & Rush 2016).

    People say one thing in many ways. A model that writes all positions at once learns to mix them; a greedy
    translator always says it in the same way, so its translations are easier to learn from (Gu et al. 2018, Zhou et
    al. 2020).
    """
    if arguments.at_once < 1:
        raise UsageError(f"--at-once is {arguments.at_once}", "Give at least 1, such as 256.")
    if arguments.max_length is not None and arguments.max_length < 3:
        raise UsageError(
            f"--max-length is {arguments.max_length}", "Give at least 3: one token of each side, and the end."
        )
    model = load_translator(arguments.model)
    pairs = open_pairs(arguments.data)
    check_vocabulary(pairs, model.config.vocabulary_size)
    reserved = {tuple(ids) for name in arguments.apart for ids in targets(name)}
    sources = [pairs[row][0] for row in range(len(pairs))]
    graphdef, _ = abstract(Translator, model.config)
    translate = compile_greedy(graphdef, model.config, arguments.at_once)
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    written = translate(params, sources, ticker("translating", len(sources)))
    rows, left_out = usable(zip(sources, written, strict=True), reserved, arguments.max_length)
    if not rows:
        raise EmptyCorpusError(f"none of the {len(sources):,} translations is of use", "Train the yardstick further.")
    with RowWriter(arguments.out, ("input_ids", "condition_input_ids")) as writer:
        writer.write(rows)
        writer.save()
    unchanged = sum(np.array_equal(ids[:-1], pairs[row][1]) for row, ids in enumerate(written))
    print(json.dumps({"examples": len(rows), "tokens": writer.tokens, **left_out, "as_before": unchanged}))


def targets(name: str) -> list[list[int]]:
    pairs = open_pairs(name)
    return [pairs[row][1].tolist() for row in range(len(pairs))]


def usable(
    pairs: Iterable[TokenRow], reserved: set[tuple[int, ...]], max_length: int | None = None
) -> tuple[list[tuple[list[int], ...]], dict[str, int]]:
    """Rows of (translation without its end, source), and how many pairs were left out for which reason.

    `pairs` are (source ids, ids written); what came to no end is half a sentence, and no translation.
    """
    rows: list[tuple[list[int], ...]] = []
    left_out = {"unended": 0, "empty": 0, "too_long": 0, "reserved": 0}
    for source, ids in pairs:
        text = ids[:-1].tolist()
        if not len(ids) or ids[-1] != EOS:
            left_out["unended"] += 1
        elif not text:
            left_out["empty"] += 1
        elif max_length is not None and len(source) + len(ids) > max_length:
            left_out["too_long"] += 1
        elif tuple(text) in reserved:
            left_out["reserved"] += 1
        else:
            rows.append((text, source.tolist()))
    return rows, left_out
