"""What a model is evaluated on: a source, or none, and the text that a person would expect, with the row's id."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.data.collation import check_ids
from elf.data.dataset import open_arrow, token_dataset
from elf.data.tokenizer import Tokenizer
from elf.errors import CorpusFormatError, EmptyCorpusError


@dataclass(frozen=True)
class EvaluationRow:
    id: int | str
    """By which generations and references find each other: its own, or its line number from 0."""
    source_text: str | None
    """None for unconditional data."""
    source_ids: np.ndarray
    """(n,) int32, cut at max_input_length; empty for unconditional data."""
    reference: str


def evaluation_rows(
    name: str | Path,
    tokenizer: Tokenizer,
    max_input_length: int,
    split: str | None = None,
    revision: str | None = None,
) -> list[EvaluationRow]:
    """All rows of a JSONL file (`{"input": …, "output": …}` a line, the source tokenised without special tokens), or of
    a dataset as `open_dataset` takes it.

    `input` may be missing from a line, for unconditional models, and `id` may be given. A dataset's own columns
    `input`, `target` and `index` are taken for the texts and the id, as the official ones have them; without them the
    ids are decoded, and rows counted from 0. Its source ids stay as they are: the official ones end with eos.

    Raises CorpusFormatError naming the line, DatasetError, also for ids that the tokenizer does not know, and
    EmptyCorpusError.
    """
    if Path(name).is_file():
        rows = _jsonl_rows(Path(name), tokenizer, max_input_length)
    else:
        rows = _dataset_rows(name, tokenizer, max_input_length, split, revision)
    if not rows:
        raise EmptyCorpusError(f"{name} has no rows", 'Write {"input": …, "output": …} on every line.')
    seen: set[int | str] = set()
    for row in rows:
        if row.id in seen:
            raise CorpusFormatError(f"{name} has the id {row.id!r} twice", "Give every row an id of its own, or none.")
        seen.add(row.id)
    return rows


def _jsonl_rows(path: Path, tokenizer: Tokenizer, max_input_length: int) -> list[EvaluationRow]:
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CorpusFormatError(f"{path} cannot be read: {error}", "Give a JSONL file in UTF-8.") from error
    return [
        _jsonl_row(path, number, line, tokenizer, max_input_length) for number, line in enumerate(lines) if line.strip()
    ]


def _jsonl_row(path: Path, number: int, line: str, tokenizer: Tokenizer, max_input_length: int) -> EvaluationRow:
    try:
        value: Any = json.loads(line)
        source, reference, own_id = value.get("input"), value["output"], value.get("id", number)
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise _line_error(path, number) from error
    if not isinstance(reference, str) or not isinstance(source, str | None) or not isinstance(own_id, int | str):
        raise _line_error(path, number)
    ids = [] if source is None else tokenizer.encode(source, add_special_tokens=False).ids
    return EvaluationRow(own_id, source, np.asarray(ids[:max_input_length], np.int32), reference)


def _line_error(path: Path, number: int) -> CorpusFormatError:
    return CorpusFormatError(
        f"{path}, line {number + 1} is no input with an output",
        'Write {"input": "text", "output": "text"} on every line; "id" may be a number or a text.',
    )


def _dataset_rows(
    name: str | Path, tokenizer: Tokenizer, max_input_length: int, split: str | None, revision: str | None
) -> list[EvaluationRow]:
    arrow = open_arrow(name, split, revision)
    dataset = token_dataset(arrow, name)
    columns = {name: list(arrow[name]) for name in ("input", "target", "index") if name in arrow.column_names}
    rows = []
    for i in range(len(dataset)):
        source, text = dataset[i]
        for ids in (source, text):
            check_ids(ids, tokenizer.get_vocab_size())
        source_text = columns["input"][i] if "input" in columns else tokenizer.decode(source.tolist())
        rows.append(
            EvaluationRow(
                id=columns["index"][i] if "index" in columns else i,
                source_text=source_text if len(source) else None,
                source_ids=source[:max_input_length].astype(np.int32),
                reference=columns["target"][i] if "target" in columns else tokenizer.decode(text.tolist()),
            )
        )
    return rows
