"""Texts in tables, CSV, Parquet and Arrow: each value checked where it stands, as in every other file."""

import json
import re
import typing
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from elf.data.stored_datasets import COPY_AGAIN
from elf.errors import CorpusFormatError, DatasetError, ElfError, first_line
from elf.progress import say
from elf.text_file import describe_half, half_character, json_value, read_lines, refuse_pointer

if typing.TYPE_CHECKING:
    from datasets import Dataset

FIELD = re.compile(r'(?:"((?:[^"]|"")*)"|([^",]*))(,|\Z)')
"""One field, in quotes or not, and what ends it."""

LONGEST_RECORD = 1 << 26
"""Characters; a quote that nobody closes would take in the rest of the file."""

QUOTES = 'Put a field with commas, quotes or line ends into "quotes", and write each quote within it twice.'


def read_records(path: Path, wanted: Sequence[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """Number of the first line and fields of each record. Raises CorpusFormatError naming the line, or the column of
    those `wanted` that there are several of."""
    names: list[str] | None = None
    for number, record in _records(path):
        fields = _fields(record, f"{path}, line {number}")
        if names is None:
            names = fields
            if twice := next((name for name in wanted if names.count(name) > 1), None):
                raise CorpusFormatError(f"{path} has several columns {twice}", "Give each a name of its own.")
            continue
        if len(fields) != len(names):
            raise CorpusFormatError(
                f"{path}, line {number} has {len(fields)} fields, and the first line names {len(names)}", QUOTES
            )
        yield number, dict(zip(names, fields, strict=True))


def _records(path: Path) -> Iterator[tuple[int, str]]:
    """Lines, those joined that a quoted field goes across; without the empty ones between them."""
    # Joined at its end, not line by line: what a quote takes in may be a million of them.
    start, lines, length, is_open = 0, [], 0, False
    for number, line in read_lines(path, CorpusFormatError):
        start = start or number
        lines.append(line)
        length += len(line)
        is_open ^= line.count('"') % 2 == 1
        if is_open:
            if length > LONGEST_RECORD:
                break
            continue
        if record := "\n".join(lines):
            yield start, record
        start, lines, length = 0, [], 0
    if start:
        raise CorpusFormatError(f"{path}, line {start} has a quote that is never closed", QUOTES)


def _fields(record: str, place: str) -> list[str]:
    fields, at = [], 0
    while True:
        found = FIELD.match(record, at)
        if found is None:
            raise CorpusFormatError(f"{place} has a quote within a field", QUOTES)
        quoted, plain, end = found.groups()
        fields.append(plain if quoted is None else quoted.replace('""', '"'))
        at = found.end()
        if not end:
            return fields


Texts = tuple[str | None, ...]
"""One for each column asked for; None for null."""

AT_ONCE = 1000
"""Rows of a table that are in memory together."""

BYTES = (
    (pa.types.is_string, pa.binary),
    (pa.types.is_large_string, pa.large_binary),
    (pa.types.is_string_view, pa.binary_view),
)
"""Tests for each of Arrow's types of texts, and the type of bytes that lie as such texts do."""

NAME_ANOTHER = "Name another by --text-column (and --source-column)."


def record_texts(record: Any, columns: Sequence[str], corpus: object, place: str) -> Texts:
    """Of a record, which is a dict; `translation.en` is a field within a field. Raises CorpusFormatError, naming its
    `place` in the corpus."""
    return tuple(_field(record, name, corpus, place) for name in columns)


def _field(record: Any, name: str, corpus: object, place: str) -> str | None:
    value = record
    # A column may have a dot in its own name.
    for word in [name] if name in record else name.split("."):
        if value is None:
            return None
        if not isinstance(value, dict) or word not in value:
            raise _no_column(f"{corpus}, {place}", name, list(value) if isinstance(value, dict) else [])
        value = value[word]
    return text_of(value, f"column {name} of {corpus}, {place}", CorpusFormatError, NAME_ANOTHER)


def _no_column(corpus: object, name: str, there: Sequence[str]) -> CorpusFormatError:
    names = ", ".join(each if each.isprintable() else repr(each) for each in there)
    return CorpusFormatError(
        f"{corpus} has no column {name}, only {names or 'nothing below it'}",
        "Name one by --text-column (and --source-column).",
    )


def parquet_texts(file: Path, columns: Sequence[str]) -> Iterator[Texts]:
    """Rows of a Parquet file. Raises CorpusFormatError naming the row, DatasetError for a broken file."""
    refuse_pointer(file, DatasetError)
    with _named(file), pq.ParquetFile(file) as opened:
        there = opened.schema_arrow.names
        wanted = [name for name in there if any(name in (each, each.split(".")[0]) for each in columns)]
        batches = (pa.Table.from_batches([batch]) for batch in opened.iter_batches(AT_ONCE, columns=wanted))
        # Also for a file without rows, so that a column that is not there is named.
        for column in columns:
            _column(opened.schema_arrow.empty_table(), column, file)
        yield from table_texts(batches, columns, file)


def arrow_texts(file: Path, columns: Sequence[str]) -> Iterator[Texts]:
    """Rows of an Arrow file, in either of its two forms. Raises as above."""
    refuse_pointer(file, DatasetError)
    with _named(file), pa.memory_map(str(file)) as content:
        try:
            table = pa.ipc.open_stream(content).read_all()
        except pa.ArrowInvalid:
            table = pa.ipc.open_file(content).read_all()
        yield from table_texts(_slices(table), columns, file)


@contextmanager
def _named(corpus: object) -> Iterator[None]:
    """Raises DatasetError in place of whatever Arrow has to say of a broken file."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DatasetError(f"{corpus} cannot be read: {first_line(error)}", COPY_AGAIN) from error


def _slices(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(start, AT_ONCE) for start in range(0, max(1, table.num_rows), AT_ONCE))


def table_texts(tables: Iterable[pa.Table], columns: Sequence[str], corpus: object) -> Iterator[Texts]:
    """Rows of tables that follow each other; they are counted from 1 through all. Raises CorpusFormatError, and
    DatasetError for tables whose bytes are wrong."""
    before = 0
    with _named(corpus):
        for table in tables:
            texts = [_texts(_column(table, name, corpus), name, corpus, before) for name in columns]
            yield from zip(*texts, strict=True)
            before += table.num_rows


def _column(table: pa.Table, name: str, corpus: object) -> pa.ChunkedArray:
    first, *rest = [name] if name in table.column_names else name.split(".")
    if first not in table.column_names:
        raise _no_column(corpus, name, table.column_names)
    if table.column_names.count(first) > 1:
        raise CorpusFormatError(f"{corpus} has several columns {first}", "Give each a name of its own.")
    column = table.column(first)
    column.validate()
    for word in rest:
        kind = column.type
        if pa.types.is_null(kind):
            break
        fields = [field.name for field in kind] if pa.types.is_struct(kind) else []
        if word not in fields:
            raise _no_column(corpus, name, fields)
        if fields.count(word) > 1:
            raise CorpusFormatError(f"{corpus} has several fields {word} in {first}", "Give each a name of its own.")
        column = pc.struct_field(column, word)
    return column


def _check_places(column: pa.ChunkedArray) -> None:
    """Raises ArrowInvalid for a column with places outside of it: reading there would end the program, not fail."""
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        # Texts that are not UTF-8 are refused by it as well. They harm nobody, and their row is named later.
        for chunk in column.chunks:
            chunk.cast(_as_bytes(chunk.type)).validate(full=True)


def check_column(dataset: "Dataset", name: str) -> None:
    """Raises DatasetError for a column of a dataset with places outside of it, or texts that are not UTF-8, before
    anybody reads it."""
    with _named(f"column {name} of the dataset"):
        dataset.data.column(name).validate(full=True)


def _as_bytes(kind: pa.DataType) -> pa.DataType:
    """The type with bytes in the place of texts."""
    if pa.types.is_dictionary(kind):
        return pa.dictionary(kind.index_type, _as_bytes(kind.value_type), kind.ordered)
    for is_text, as_bytes in BYTES:
        if is_text(kind):
            return as_bytes()
    return kind


def _texts(column: pa.ChunkedArray, name: str, corpus: object, before: int) -> list[str | None]:
    if column.null_count == len(column):
        # Whatever its kind: programs give a column without values any.
        return [None] * len(column)
    _check_places(column)
    place = f"column {name} of {corpus}, row {{}}"
    kind = column.type
    if not _is_text(kind.value_type if pa.types.is_dictionary(kind) else kind):
        row, value = next((row, value) for row, value in enumerate(column) if value.is_valid)
        try:
            shown = described(value.as_py())
        except Exception:  # of a value that Python cannot hold: a moment in an unknown time zone, a year 100,000
            shown = f"{value.type}"
        raise CorpusFormatError(f"{place.format(before + row + 1)} holds {kind}, not a text: {shown}", NAME_ANOTHER)
    try:
        return column.to_pylist()
    except UnicodeDecodeError:
        for row, value in enumerate(column):
            try:
                value.as_py()
            except UnicodeDecodeError as error:
                raise CorpusFormatError(
                    f"{place.format(before + row + 1)} is not UTF-8: {error}", "Write the column again as UTF-8 text."
                ) from error
        raise


def _is_text(kind: pa.DataType) -> bool:
    return any(is_text(kind) for is_text, _ in BYTES)


# --- The one step from what a file holds to a text ------------------------------------------------------------------
#
# What is missing is None, and what is no text is refused by its place. A program that wants a text from everything gets
# the words "None", "5" and "['a']" and trains on them.

HALF = "Write the whole character there, or delete what is left of it."
NULL_OR_TEXT = "Write a text there, or null, and the row is left out."


@dataclass
class LeftOut:
    """Rows of a corpus that hold no text."""

    null: int = 0
    """Null in place of a text, or of one of two."""
    blank: int = 0
    """A text of nothing but spaces."""

    def tell(self, corpus: object) -> None:
        """Says how many have null: somebody may have wanted a text there. Blank lines are usual."""
        if self.null:
            say(f"{rows(self.null)} of {corpus} with null in place of a text: left out")


def rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def text_of(value: Any, place: str, error: type[ElfError], remedy: str = NULL_OR_TEXT) -> str | None:
    """A text as it is, and None for null. Raises `error`, naming the `place`, for every other kind of value, and for a
    text with half of a character."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise error(f"{place} holds {described(value)}, not a text", remedy)
    if (at := half_character(value)) is not None:
        raise error(f"{place}: {describe_half(value, at)}", HALF)
    return value


def described(value: Any) -> str:
    """A value's kind and its beginning, for people."""
    kinds = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "fields", bytes: "bytes"}
    shown = str(value) if isinstance(value, bool | int | float) else repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    return f"{kinds.get(type(value), type(value).__name__)} ({shown})"


def json_of(text: str, place: str, error: type[ElfError], remedy: str) -> Any:
    """The value that a JSON text holds. Raises `error` for what is no JSON, and for a field given twice."""
    try:
        return json_value(text, _each_once)
    except json.JSONDecodeError as problem:
        # `place` names the line of a file already; the library counts lines within the text.
        line = f"line {problem.lineno}, " if "\n" in text else ""
        raise error(f"{place} is not JSON: {problem.msg}, at {line}character {problem.colno}", remedy) from problem
    except ValueError as problem:
        raise error(f"{place} is not JSON: {problem}", remedy) from problem


def _each_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the field {twice!r} twice")
    return fields
