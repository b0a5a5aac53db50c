"""Records of a CSV file by the names in its first line.

Python's own reader ends a line at a lone carriage return, which here is part of a text.
"""

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from elf.errors import CorpusFormatError
from elf.text_file import read_lines

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
    start, record = 0, ""
    for number, line in read_lines(path, CorpusFormatError):
        start, record = (start, f"{record}\n{line}") if start else (number, line)
        if record.count('"') % 2:
            if len(record) > LONGEST_RECORD:
                break
            continue
        if record:
            yield start, record
        start = 0
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
