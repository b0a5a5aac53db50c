"""What a model is evaluated on: a source, or none, and the text that a person would expect, with the row's id."""

import typing
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.data.rows import check_ids, open_arrow, token_dataset
from elf.data.tables import LeftOut, check_column, described, json_of, text_of
from elf.data.tokenizer import Tokenizer
from elf.errors import CorpusFormatError, EmptyCorpusError
from elf.paths import path_of
from elf.text_file import read_lines

if typing.TYPE_CHECKING:
    from datasets import Dataset

READ_AT_ONCE = 1000

FIELDS = ("input", "output")

ROW = 'Write {"input": "text", "output": "text"} on every line; "id" may be a number or a text.'
TEXT_COLUMNS = "Columns input and target are taken for texts: give them another name, or leave them out."


@dataclass(frozen=True)
class EvaluationRow:
    id: int | str
    """By which generations and references find each other: its own, or its line number from 0."""
    source_text: str | None
    """None for unconditional data."""
    source_ids: np.ndarray
    """(n,) int32, cut at max_input_length; empty for unconditional data."""
    reference: str


def stream_evaluation_rows(
    name: str | Path,
    tokenizer: Tokenizer,
    max_input_length: int,
    split: str | None = None,
    revision: str | None = None,
    quiet: bool = False,
) -> Generator[EvaluationRow, None, None]:
    """The rows, each read when it is asked for, of a JSONL file (`{"input": …, "output": …}` a line, the source
    tokenised without special tokens), or of a dataset as `open_dataset` takes it.

    `input` may be missing from a line, for unconditional models, and `id` may be given. A dataset's own columns
    `input`, `target` and `index` are taken for the texts and the id, as the official ones have them; without them the
    ids are decoded, and rows counted from 0. Its source ids stay as they are: the official ones end with eos. Rows with
    null in place of the text to write, or of a source that has ids, are left out, which is said unless `quiet`.

    Raises CorpusFormatError naming the line, DatasetError, also for ids that the tokenizer does not know, and
    EmptyCorpusError.
    """
    file = path_of(name)
    if file.is_file():
        read = _jsonl_rows(file, tokenizer, max_input_length)
    else:
        read = _dataset_rows(name, tokenizer, max_input_length, split, revision)
    seen: set[int | str] = set()
    left_out = LeftOut()
    try:
        for row in read:
            if row is None:
                left_out.null += 1
                continue
            if row.id in seen:
                raise CorpusFormatError(
                    f"{name} has the id {row.id!r} twice", "Give every row an id of its own, or none."
                )
            seen.add(row.id)
            yield row
        if not seen:
            nulls = f": {left_out.null:,} are null" if left_out.null else ""
            raise EmptyCorpusError(f"{name} has no rows{nulls}", 'Write {"input": …, "output": …} on every line.')
    finally:
        # Of the rows that were asked for, which need not be all.
        if seen and not quiet:
            left_out.tell(name)


def _jsonl_rows(path: Path, tokenizer: Tokenizer, max_input_length: int) -> Iterator[EvaluationRow | None]:
    """None for a row without a text."""
    for number, line in read_lines(path, CorpusFormatError):
        if line.strip():
            yield _jsonl_row(line, f"{path}, line {number}", number - 1, tokenizer, max_input_length)


def _jsonl_row(line: str, place: str, number: int, tokenizer: Tokenizer, max_input_length: int) -> EvaluationRow | None:
    value = json_of(line, place, CorpusFormatError, ROW)
    if value is None:
        return None
    if not isinstance(value, dict) or "output" not in value:
        raise CorpusFormatError(f"{place} is no input with an output", ROW)
    source, reference = (text_of(value.get(name), f"{place}, {name}", CorpusFormatError, ROW) for name in FIELDS)
    own_id = _id(value.get("id", number), f"{place}, id")
    if reference is None:
        return None
    ids = [] if source is None else tokenizer.encode(source, add_special_tokens=False).ids
    return EvaluationRow(own_id, source, np.asarray(ids[:max_input_length], np.int32), reference)


def _id(value: Any, place: str) -> int | str:
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise CorpusFormatError(
            f"{place} holds {described(value)}", "Give a whole number or a text as id, or none at all."
        )
    if isinstance(value, str):
        text_of(value, place, CorpusFormatError)
    return value


def _dataset_rows(
    name: str | Path, tokenizer: Tokenizer, max_input_length: int, split: str | None, revision: str | None
) -> Iterator[EvaluationRow | None]:
    """None for a row with null in one of its own texts."""
    arrow = open_arrow(name, split, revision)
    dataset = token_dataset(arrow, name)
    for i, own in enumerate(own_columns(arrow)):
        source, text = dataset[i]
        for ids in (source, text):
            check_ids(ids, tokenizer.get_vocab_size())
        texts = {
            column: text_of(own[column], f"column {column} of {name}, row {i + 1}", CorpusFormatError, TEXT_COLUMNS)
            if column in own
            else tokenizer.decode(ids.tolist())
            for column, ids in (("input", source), ("target", text))
        }
        source_text, reference = texts["input"] if len(source) else None, texts["target"]
        if reference is None or (source_text is None and len(source)):
            yield None
            continue
        id = _id(own["index"], f"column index of {name}, row {i + 1}") if "index" in own else i
        yield EvaluationRow(id, source_text, source[:max_input_length].astype(np.int32), reference)


def own_columns(arrow: "Dataset") -> Iterator[dict[str, Any]]:
    """Of every row what it holds beside ids, READ_AT_ONCE rows in memory. Raises DatasetError for what is broken."""
    names = [name for name in ("input", "target", "index") if name in arrow.column_names]
    for name in names:
        check_column(arrow, name)
    columns = arrow.select_columns(names)
    for start in range(0, len(arrow), READ_AT_ONCE):
        count = min(READ_AT_ONCE, len(arrow) - start)
        read = columns[start : start + count] if names else {}
        for i in range(count):
            yield {name: read[name][i] for name in names}
