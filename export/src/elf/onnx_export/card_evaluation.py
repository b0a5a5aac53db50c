"""The evaluation on a model card: the rows of `elf evaluate` as a table, real text beside the generated."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePath

import numpy as np

from elf.errors import ConfigError
from elf.evaluation.output_files import Row, read_metrics, setting_of
from elf.models.fingerprint import fingerprint

MOST_ROWS = 8

FIGURES = {
    "gen_ppl": ("perplexity under the judge", ".1f"),
    "entropy": ("unigram entropy, nats", ".2f"),
    "bleu": ("BLEU", ".1f"),
    "rouge1": ("ROUGE-1", ".1f"),
    "rouge2": ("ROUGE-2", ".1f"),
    "rougeL": ("ROUGE-L", ".1f"),
    "kept_names": ("the source's names that the text has", ".2f"),
    "kept_names_chance": ("… by chance", ".2f"),
    "kept_things": ("the source's things that the text has", ".2f"),
    "kept_things_chance": ("… by chance", ".2f"),
    "distinct2": ("distinct bigrams", ".2f"),
    "repetition_adjacent": ("words said twice in a row", ".4f"),
    "repetition_4gram": ("4-grams said before in the text", ".4f"),
    "memorised_8grams": ("8-grams found in the training text", ".4f"),
    "longest_copy": ("longest copy from it, words", "d"),
    "tokens_mean": ("tokens of a text", ".1f"),
}
"""Figure of metrics.jsonl → what it is called on a card, and how it is written."""


def evaluation_tables(paths: Sequence[Path], params: Mapping[str, np.ndarray]) -> str:
    """A table for each metrics.jsonl, or folder with one. Raises GenerationsError for what cannot be read, ConfigError
    for too many rows and for an evaluation of other weights than `params`."""
    weights = fingerprint(params)
    return "\n\n".join(_table(path, weights) for path in paths)


def kept_tables(before: str, given: str, *, same_settings: bool, same_start: bool) -> str:
    """The tables of a card's evaluation `before` that still hold, and those `given` now in the place of their kind.

    Texts to sources are others when either the settings or the start is, texts without only when the settings are.
    """
    kinds = {_kind(table) for table in _tables(given)}
    kept = [table for table in _tables(before) if _kind(table) not in kinds]
    kept = [table for table in kept if same_settings and (same_start or "sources" not in _kind(table))]
    return "\n\n".join([*kept, *_tables(given)])


def _tables(evaluation: str) -> list[str]:
    """Each with the note before it."""
    found = re.findall(r"^[^|\n].*\n\n(?:\|.*(?:\n|\Z))+", evaluation, re.MULTILINE)
    return [table.rstrip("\n") for table in found]


def _kind(table: str) -> str:
    """What its texts are, from its note."""
    return table.partition(" texts")[2].partition(";")[0]


def _table(path: Path, weights: str) -> str:
    rows = read_metrics(path)
    of_others = [setting_of(row) for row in rows if row.get("weights") != weights]
    if of_others:
        raise ConfigError(
            f"{path} measured other weights than those exported: {of_others[0]}",
            "Evaluate this checkpoint, into an --out of its own.",
        )
    if not 1 <= len(rows) <= MOST_ROWS:
        raise ConfigError(
            f"{path} has {len(rows)} rows; a card has room for 1 to {MOST_ROWS}", "Evaluate fewer settings for it."
        )
    columns = [(setting_of(row), row, "") for row in rows]
    if any(name.startswith("held_out_") for name in rows[0]):
        columns.append(("real text, held out", rows[0], "held_out_"))
    lines = [f"| | {' | '.join(name for name, _, _ in columns)} |", f"|---|{'---|' * len(columns)}"]
    for figure, (title, shape) in FIGURES.items():
        if any(row.get(figure) is not None for row in rows):
            cells = [_cell(row, prefix + figure, shape) for _, row, prefix in columns]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([_note(rows), "", *lines])


def _cell(row: Row, name: str, shape: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    interval = row.get(f"{name}_ci")
    return f"{value:{shape}}" + (f" [{interval[0]:{shape}}, {interval[1]:{shape}}]" if interval else "")


def _note(rows: list[Row]) -> str:
    first = rows[0]
    numbers = [*dict.fromkeys(f"{row['n']:,}" for row in rows)]
    after = " that go on from their sources" if first.get("continuation") else " to sources" if first["data"] else ""
    note = f"{' and '.join(numbers)} texts{after}; in brackets 95 % confidence intervals over the texts."
    if first.get("judge"):
        told = ", of the text's tokens after its source" if first.get("continuation") else ""
        note += f" Judge: {PurePath(first['judge']).name}{told}."
    return note
