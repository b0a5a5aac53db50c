"""Read a corpus row by row: one text (stories) or two (source and target). A corpus may be larger than the memory."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from elf.data.arrow_folder import load_arrow_folder
from elf.data.hub import holds_parquet, is_hub_name, stream_files
from elf.errors import CorpusFormatError, EmptyCorpusError

Row = tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the texts are in a dataset that has columns: on the hub, or saved by `datasets`."""

    text_column: str = "text"
    """Column with the texts; for pairs, with the targets. `translation.en` is field `en` of column `translation`."""
    source_column: str | None = None
    """Column with the sources, for pairs."""
    split: str | None = None
    """Split to read; may be left out where there is only one."""
    subset: str | None = None
    """Configuration of a hub dataset that has several, such as `de-en` of wmt/wmt14."""
    revision: str | None = None
    """Branch, tag or commit of a hub dataset."""


def read_corpus(path: Path) -> list[Row]:
    """All rows of `stream_corpus`. Raises EmptyCorpusError when there are none."""
    rows = list(stream_corpus(path))
    if not rows:
        raise EmptyCorpusError(f"{path} holds no text", "Give a file with at least one non-empty text.")
    return rows


def stream_corpus(corpus: Path, columns: Columns = Columns()) -> Iterator[Row]:
    """Rows of `corpus`, each (text,) or (source, target), in the same order every time. Empty rows are left out.

    A file is read by its ending:
    - `.json`: a list of strings
    - `.jsonl`: strings, `{"text": …}` or `{"input": …, "output": …}`, one a line
    - `.tsv`: one or two columns
    - anything else: plain text, one text a line

    A folder holds a dataset that `datasets` saved, or Parquet files; what is neither is the name of one on the hub.
    They are read by `columns`. Raises CorpusFormatError naming the line, or the columns there are, and DatasetError.
    """
    for row in _rows(corpus, columns):
        if all(text.strip() for text in row):
            yield row


def _rows(corpus: Path, columns: Columns) -> Iterator[Row]:
    if corpus.is_dir() and not holds_parquet(corpus):
        return _column_rows(corpus, load_arrow_folder(corpus, columns.split), columns)
    if corpus.is_dir() or (not corpus.exists() and is_hub_name(str(corpus))):
        records = stream_files(str(corpus), columns.split, columns.subset, columns.revision)
        return _column_rows(corpus, records, columns)
    read = {".json": _json, ".jsonl": _jsonl, ".tsv": _tsv}.get(corpus.suffix, _lines)
    return _file_rows(corpus, read)


def _file_rows(path: Path, read: Callable[[Path, TextIO], Iterator[Row]]) -> Iterator[Row]:
    try:
        with path.open(encoding="utf-8") as content:
            yield from read(path, content)
    except OSError as error:
        raise CorpusFormatError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise CorpusFormatError(f"{path} is not UTF-8 text: {error}", "Convert it to UTF-8.") from error


def _json(path: Path, content: TextIO) -> Iterator[Row]:
    try:
        texts = json.load(content)
    except json.JSONDecodeError as error:
        raise CorpusFormatError(f"{path} is not JSON: {error}", "Give a JSON list of strings.") from error
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise CorpusFormatError(f"{path} is not a list of strings", "Give a JSON list of strings.")
    return ((text,) for text in texts)


def _jsonl(path: Path, content: TextIO) -> Iterator[Row]:
    width = 0
    for number, line in enumerate(content, 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if isinstance(value, str):
                row: Row = (value,)
            elif "text" in value:
                row = (str(value["text"]),)
            else:
                row = (str(value["input"]), str(value["output"]))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise CorpusFormatError(
                f"{path}, line {number} is neither a string, a text, nor an input with an output",
                'Write {"text": …} or {"input": …, "output": …} on every line.',
            ) from error
        width = _same_width(row, width, f"{path}, line {number}")
        yield row


def _tsv(path: Path, content: TextIO) -> Iterator[Row]:
    width = 0
    for number, line in enumerate(content, 1):
        if line.strip():
            row = tuple(line.removesuffix("\n").split("\t"))
            width = _same_width(row, width, f"{path}, row {number}")
            yield row


def _same_width(row: Row, width: int, place: str) -> int:
    if len(row) > 2 or width not in (0, len(row)):
        raise CorpusFormatError(f"{place} has {len(row)} columns", "Give one or two texts, the same in every row.")
    return len(row)


def _lines(path: Path, content: TextIO) -> Iterator[Row]:
    return ((line.removesuffix("\n"),) for line in content)


def _column_rows(corpus: Path, records: Any, columns: Columns) -> Iterator[Row]:
    """Rows of `records`, which are dicts by column."""
    wanted = [name for name in (columns.source_column, columns.text_column) if name]
    for record in records:
        yield tuple(_field(corpus, record, name) for name in wanted)


def _field(corpus: Path, record: dict[str, Any], name: str) -> str:
    value: Any = record
    for word in name.split("."):
        if not isinstance(value, dict) or word not in value:
            there = ", ".join(value) if isinstance(value, dict) else "nothing below it"
            raise CorpusFormatError(
                f"{corpus} has no column {name}, only {there}", "Name one by --text-column (and --source-column)."
            )
        value = value[word]
    if not isinstance(value, str):
        raise CorpusFormatError(
            f"column {name} of {corpus} holds {type(value).__name__}, not text", "Name another by --text-column."
        )
    return value
