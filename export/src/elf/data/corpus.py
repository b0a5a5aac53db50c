"""Read a corpus row by row, one text (stories) or two (source and target), and choose among its rows; it may be larger
than the memory."""

import hashlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from elf.data.stored_datasets import holds_parquet, is_hub_name, load_arrow_folder, parquet_files, stream_files
from elf.data.tables import (
    AT_ONCE,
    NAME_ANOTHER,
    LeftOut,
    Texts,
    arrow_texts,
    described,
    json_of,
    parquet_texts,
    read_records,
    record_texts,
    table_texts,
    text_of,
)
from elf.errors import CorpusFormatError, DatasetError, EmptyCorpusError
from elf.progress import say
from elf.text_file import read_lines, read_text

Row = tuple[str, ...]

JSON_LINES = (".jsonl", ".ndjson")
"""Two names of one kind of file."""

HAVE_COLUMNS = (*JSON_LINES, ".csv", ".parquet", ".arrow")
"""Files whose columns have names."""

ROW = 'Write "…", {"text": "…"} or {"input": "…", "output": "…"} on every line, or null for a text that is missing.'


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Where the texts are in a file or a dataset that has columns with names."""

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

    @property
    def wanted(self) -> list[str]:
        return [name for name in (self.source_column, self.text_column) if name]


def read_corpus(path: Path) -> Iterator[Row]:
    """The rows of `stream_corpus`, none of which is held; says at the end what was left out.

    Raises EmptyCorpusError when there are none.
    """
    left_out, row = LeftOut(), None
    for row in stream_corpus(path, left_out=left_out):
        yield row
    if row is None:
        nulls = f": {left_out.null:,} rows are null" if left_out.null else ""
        raise EmptyCorpusError(f"{path} holds no text{nulls}", "Give a file with at least one non-empty text.")
    left_out.tell(path)


def stream_corpus(corpus: Path, columns: Columns = Columns(), left_out: LeftOut | None = None) -> Iterator[Row]:
    """Rows of `corpus`, each (text,) or (source, target), in the same order every time.

    A row with null in place of a text is left out, and so is one with a blank text; `left_out` counts them.

    A file is read by its ending, in small letters or capitals:
    - `.json`: a list of strings
    - `.jsonl`, `.ndjson`: strings, `{"text": …}` or `{"input": …, "output": …}`, one a line; where `columns` has other
      names, objects with these
    - `.tsv`: one or two columns, without names
    - `.csv`, `.parquet`, `.arrow`: columns with names
    - anything else: plain text, one text a line

    A folder holds a dataset that `datasets` saved, or Parquet files; what is neither is the name of one on the hub.
    What has names is read by `columns`. Raises CorpusFormatError naming the line or row of what is no text, or the
    columns there are, and DatasetError; either where `columns` asks for what the corpus cannot have.
    """
    count = left_out or LeftOut()
    for texts in _rows(corpus, columns, is_told=left_out is not None):
        row = tuple(text for text in texts if text is not None)
        if not texts or len(row) < len(texts):
            count.null += 1
        elif all(text.strip() for text in row):
            yield row
        else:
            count.blank += 1


def _rows(corpus: Path, columns: Columns, is_told: bool) -> Iterator[Texts]:
    """As `stream_corpus`, with None for null, and () for a row that is null as a whole."""
    is_parquet = corpus.is_dir() and holds_parquet(corpus)
    if corpus.exists():
        _check_asked(corpus, columns, is_parquet)
    if corpus.is_dir() and not is_parquet:
        dataset = load_arrow_folder(corpus, columns.split)
        yield from table_texts(dataset.with_format("arrow").iter(AT_ONCE), columns.wanted, corpus)
    elif is_parquet:
        for file in parquet_files(corpus, columns.split, columns.subset):
            yield from parquet_texts(file, columns.wanted)
    elif not corpus.exists() and is_hub_name(str(corpus)):
        with closing(stream_files(str(corpus), columns.split, columns.subset, columns.revision)) as records:
            for number, record in enumerate(records, 1):
                yield record_texts(record, columns.wanted, corpus, f"row {number}")
    else:
        yield from _file_rows(corpus, columns, is_told)


def _check_asked(corpus: Path, columns: Columns, is_parquet: bool) -> None:
    """Raises CorpusFormatError for columns, and DatasetError for parts, that the corpus on this machine has no names
    for. Passed over in silence they would be taken for heard, and pairs be learnt in the wrong direction."""
    is_file = not corpus.is_dir()
    if is_file and columns.wanted != ["text"] and corpus.suffix.lower() not in HAVE_COLUMNS:
        raise CorpusFormatError(
            f"{corpus} has no columns with names", "Leave --text-column and --source-column out; --reverse swaps pairs."
        )
    refused = {"--split": is_file, "--subset": is_file or not is_parquet, "--revision": True}
    given = {"--split": columns.split, "--subset": columns.subset, "--revision": columns.revision}
    if idle := [option for option, value in given.items() if value is not None and refused[option]]:
        raise DatasetError(
            f"{idle[0]} is given, but {corpus} is a {'file' if is_file else 'folder'} on this machine", "Leave it out."
        )


def _file_rows(path: Path, columns: Columns, is_told: bool) -> Iterator[Texts]:
    kind = path.suffix.lower()
    if kind == ".parquet":
        return parquet_texts(path, columns.wanted)
    if kind == ".arrow":
        return arrow_texts(path, columns.wanted)
    if kind == ".csv":
        records = read_records(path, columns.wanted)
        return (record_texts(each, columns.wanted, path, f"line {number}") for number, each in records)
    if kind in JSON_LINES and columns.wanted != ["text"]:
        return _json_records(path, columns.wanted)
    readers: dict[str, Callable[[Path], Iterator[Texts]]] = {".json": _json, ".tsv": _tsv, ".txt": _lines}
    readers |= dict.fromkeys(JSON_LINES, _jsonl)
    if kind not in readers and is_told:
        say(f"{path} is taken for plain text, one text a line")
    return readers.get(kind, _lines)(path)


def _json(path: Path) -> Iterator[Texts]:
    remedy = "Give a JSON list of strings. Where every line is a value of its own, name the file .jsonl."
    texts = json_of(read_text(path, CorpusFormatError), str(path), CorpusFormatError, remedy)
    if not isinstance(texts, list):
        raise CorpusFormatError(f"{path} is not a list of strings", remedy)
    remedy = "Give a JSON list of strings, with null for a text that is missing."
    return (
        (text_of(text, f"{path} is not a list of strings: item {number}", CorpusFormatError, remedy),)
        for number, text in enumerate(texts, 1)
    )


def _jsonl(path: Path) -> Iterator[Texts]:
    width = 0
    for number, line in read_lines(path, CorpusFormatError):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        texts = _json_row(json_of(line, place, CorpusFormatError, ROW), place)
        if texts:
            width = _same_width(texts, width, place)
        yield texts


def _json_records(path: Path, columns: list[str]) -> Iterator[Texts]:
    for number, line in read_lines(path, CorpusFormatError):
        if not line.strip():
            continue
        place = f"{path}, line {number}"
        record = json_of(line, place, CorpusFormatError, ROW)
        if not isinstance(record, dict | None):
            raise CorpusFormatError(f"{place} holds {described(record)}, not columns", NAME_ANOTHER)
        yield () if record is None else record_texts(record, columns, path, f"line {number}")


def _json_row(value: Any, place: str) -> Texts:
    """() for a row that is null, or has null in place of a text."""
    if not isinstance(value, dict):
        text = text_of(value, place, CorpusFormatError, ROW)
        return () if text is None else (text,)
    is_pair = "input" in value and "output" in value
    # A table of both kinds has null in the columns that a row does not use.
    names = ("input", "output") if is_pair and value.get("text") is None else ("text",)
    if names[0] not in value:
        raise CorpusFormatError(f"{place} is neither a string, a text, nor an input with an output", ROW)
    texts = tuple(text_of(value[name], f"{place}, {name}", CorpusFormatError, ROW) for name in names)
    return () if None in texts else texts


def _tsv(path: Path) -> Iterator[Texts]:
    width = 0
    for number, line in read_lines(path, CorpusFormatError):
        if line.strip():
            row = tuple(line.split("\t"))
            width = _same_width(row, width, f"{path}, row {number}")
            yield row


def _same_width(row: Texts, width: int, place: str) -> int:
    if len(row) > 2 or width not in (0, len(row)):
        raise CorpusFormatError(f"{place} has {len(row)} columns", "Give one or two texts, the same in every row.")
    return len(row)


def _lines(path: Path) -> Iterator[Texts]:
    return ((line,) for _, line in read_lines(path, CorpusFormatError))


# --- Rows that are held out, and a few of many, from all over them --------------------------------------------------

Item = TypeVar("Item")


def take_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, in their order, the first and the last among them."""
    return [items[at] for at in evenly_spread(len(items), count)]


def pick_evenly(items: Iterable[Item], total: int, *counts: int) -> list[list[Item]]:
    """`take_evenly` of `total` items for each of the counts, in one pass that holds no others."""
    places = [set(evenly_spread(total, count)) for count in counts]
    picked: list[list[Item]] = [[] for _ in counts]
    for at, item in enumerate(items):
        for kept, wanted in zip(picked, places, strict=True):
            if at in wanted:
                kept.append(item)
    return picked


def evenly_spread(items: int, count: int) -> list[int]:
    """At most `count` places among so many items, ascending, the first and the last among them."""
    return [int(at) for at in np.linspace(0, items - 1, min(count, items)).round()]


TRAIN, HELD_OUT, DROPPED = 0, 1, 2

SAY_EVERY = 500_000


def assign_rows(rows: Iterable[Row], share: float, seed: int) -> np.ndarray:
    """TRAIN, HELD_OUT or DROPPED for each of `rows`, (n,) uint8, a function of the texts and `seed`.

    About `share` of the different texts, by the order of their hashes, and at least one, are held out: equal texts fall
    on the same side. Pairs go by their source; where the source or the target of another pair is one of a held-out
    pair, the other is dropped (a sentence translated in three ways would otherwise be known from two of them). Texts
    are equal when they differ in case and spaces only: translations are scored in lower case.

    Needs 8 bytes a text. Raises EmptyCorpusError when there are no two different texts.
    """
    source_hashes, target_hashes = array("Q"), array("Q")
    for number, row in enumerate(rows, 1):
        source_hashes.append(_hash(row[0], seed))
        if len(row) > 1:
            target_hashes.append(_hash(row[1], seed))
        if number % SAY_EVERY == 0:
            say(f"read {number:,} rows")
    sources, targets = (np.frombuffer(hashes, np.uint64) for hashes in (source_hashes, target_hashes))
    different = np.unique(sources)
    if len(different) < 2:
        raise EmptyCorpusError("the corpus is too small to hold anything out", "Give at least two different texts.")
    count = min(max(1, round(share * len(different))), len(different) - 1)
    is_held_out = sources <= different[count - 1]
    fate = np.where(is_held_out, HELD_OUT, TRAIN).astype(np.uint8)
    if len(targets):
        known = np.unique(np.concatenate([sources[is_held_out], targets[is_held_out]]))
        fate[~is_held_out & (np.isin(sources, known) | np.isin(targets, known))] = DROPPED
    return fate


def _hash(text: str, seed: int) -> int:
    same = " ".join(text.casefold().split()).encode()
    return int.from_bytes(
        hashlib.blake2b(same, digest_size=8, key=seed.to_bytes(8, "big", signed=True)).digest(), "big"
    )
