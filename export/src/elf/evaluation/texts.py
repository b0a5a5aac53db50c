"""The texts of an evaluation on disk: generated ones and their references, and real ones to measure them against."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from elf.data.corpus import JSON_LINES, Row, evenly_spread, stream_corpus
from elf.data.evaluation_rows import TEXT_COLUMNS
from elf.data.rows import TokenDataset, check_ids, open_arrow, token_dataset
from elf.data.tables import check_column, json_of, text_of
from elf.data.tokenizer import Tokenizer
from elf.errors import CheckpointError, CorpusFormatError, EmptyCorpusError, GenerationsError
from elf.paths import sha256
from elf.text_file import read_lines, read_text

DIGESTED = 20_000
"""By so many rows one set of texts is told from another, however many it has."""


def digest_of(value: object) -> str:
    """Sixteen hexadecimal digits that tell numbers and texts, in lists and tuples, from others."""
    return hashlib.sha256(repr(value).encode()).hexdigest()[:16]


class RealTexts(ABC):
    """Texts that generated ones are measured against, to go through any number of times, or to take some of.

    They may be more than the memory holds, billions of tokens: texts are read, or decoded, as they are asked for.
    """

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def at(self, places: Sequence[int]) -> Iterator[str]:
        """Those at these places, which ascend."""

    def __iter__(self) -> Iterator[str]:
        return self.at(range(len(self)))

    def evenly(self, count: int) -> list[str]:
        """At most `count` of them, from all over, in their order."""
        return [*self.at(evenly_spread(len(self), count))]

    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell them from others."""
        return digest_of((len(self), self.evenly(DIGESTED)))

    def __eq__(self, other: object) -> bool:
        """Whether `other` has the same texts in the same order."""
        return isinstance(other, list | RealTexts) and [*self] == [*other]

    __hash__ = None  # type: ignore[assignment]


@dataclass(frozen=True, eq=False)
class FileTexts(RealTexts):
    """Of a corpus file, which is read anew every time."""

    path: Path
    of_row: Callable[[Row], str] = lambda row: row[-1]
    """Which text of a row: the target of pairs unless given."""

    @cached_property
    def _length(self) -> int:
        return sum(1 for _ in stream_corpus(self.path))

    def digest(self) -> str:
        return sha256(self.path)[:16]

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[str]:
        return (self.of_row(row) for row in stream_corpus(self.path))

    def at(self, places: Sequence[int]) -> Iterator[str]:
        wanted = iter(places)
        place = next(wanted, None)
        for number, text in enumerate(self):
            while number == place:
                yield text
                place = next(wanted, None)
            if place is None:
                return


@dataclass(frozen=True, eq=False)
class DatasetTexts(RealTexts):
    """Of a dataset: its own column `target`, or its ids, decoded."""

    name: Path
    targets: Any
    """The dataset's column `target`, where it has one."""
    dataset: TokenDataset
    tokenizer: Tokenizer
    rows: np.ndarray
    """(n,) Which rows of the dataset."""

    def __len__(self) -> int:
        return len(self.rows)

    def at(self, places: Sequence[int]) -> Iterator[str]:
        for place in places:
            row = int(self.rows[place])
            if self.targets is not None:
                where = f"column target of {self.name}, row {row + 1}"
                text = text_of(self.targets[row]["target"], where, CorpusFormatError, TEXT_COLUMNS)
                assert text is not None  # rows has none with null
                yield text
                continue
            ids = self.dataset.input_ids[row]
            check_ids(ids, self.tokenizer.get_vocab_size())
            yield self.tokenizer.decode(ids.tolist())


@dataclass(frozen=True, eq=False)
class SomeTexts(RealTexts):
    """Some of others."""

    texts: RealTexts
    places: Sequence[int]

    def digest(self) -> str:
        return digest_of((len(self), self.texts.digest()))

    def __len__(self) -> int:
        return len(self.places)

    def at(self, places: Sequence[int]) -> Iterator[str]:
        return self.texts.at([self.places[place] for place in places])


@dataclass(frozen=True, eq=False)
class ListedTexts(RealTexts):
    """Of a list."""

    texts: Sequence[str] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def at(self, places: Sequence[int]) -> Iterator[str]:
        return (self.texts[place] for place in places)


NO_TEXTS = ListedTexts()


def real_texts(
    name: Path, tokenizer: Tokenizer | None = None, free: bool = False, most: int | None = None
) -> RealTexts:
    """The texts, or the targets of pairs, of a corpus file or a dataset of token ids, at most `most` of them, evenly
    spread. Raises what reading them does, EmptyCorpusError where there are none.

    `free`: to stand beside texts that were written without a source. Of a dataset that has rows with a source and rows
    without (`elf prepare --packing continuations`), only the latter: a continuation alone is harder to foretell.
    """
    if name.is_file():
        return corpus_texts(name, most=most)
    if tokenizer is None:
        raise CheckpointError(f"this model has no tokenizer.json to read {name} with", "Give a file of texts.")
    arrow = open_arrow(name)
    dataset = token_dataset(arrow, name)
    chosen = np.ones(len(dataset), bool)
    lengths = None if dataset.condition_input_ids is None else dataset.condition_input_ids.lengths()
    for column in ("target", "input"):
        if column in arrow.column_names:
            missing = ~np.asarray(arrow.data.column(column).is_valid())
            # Of an input it matters only where there are ids of one.
            chosen &= ~(missing if column == "target" else missing & (lengths is not None and lengths > 0))
    if free and lengths is not None and (chosen & (lengths == 0)).any():
        chosen &= lengths == 0
    rows = np.flatnonzero(chosen)
    if not len(rows):
        raise EmptyCorpusError(f"{name} has no rows: all are null", "Prepare it again from a corpus with text.")
    targets = None
    if "target" in arrow.column_names:
        check_column(arrow, "target")
        targets = arrow.select_columns(["target"])
    return _spread(DatasetTexts(name, targets, dataset, tokenizer, rows), most)


def corpus_texts(path: Path, of_row: Callable[[Row], str] = lambda row: row[-1], most: int | None = None) -> RealTexts:
    """Those of a corpus file alone. Raises EmptyCorpusError where there are none, and what reading it does."""
    if next(stream_corpus(path), None) is None:
        raise EmptyCorpusError(f"{path} holds no text", "Give a file with at least one non-empty text.")
    return _spread(FileTexts(path, of_row), most)


def _spread(texts: RealTexts, most: int | None) -> RealTexts:
    return texts if most is None or len(texts) <= most else SomeTexts(texts, evenly_spread(len(texts), most))


def cut_texts(texts: Sequence[str], tokenizer: Tokenizer | None, length: int) -> list[str]:
    """Each text's first `length` tokens; as it is without a tokenizer."""
    if tokenizer is None:
        return [*texts]
    encoded = tokenizer.encode_batch([*texts], add_special_tokens=False)
    return [tokenizer.decode(each.ids[:length]) for each in encoded]


# --- Generated texts and their references on disk, matched by id ----------------------------------------------------
#
# Generations are the official `all_generated_*.jsonl`: `{"id": 0, "generated": "…"}`, one a line (spec section 6).

T = TypeVar("T")

ROW = 'Write {"id": 0, "generated": "…"} on every line.'
REFERENCE_ROW = 'Write {"output": "…"} on every line, with an "id" of its own where the line number is not the id.'
REFERENCES = "Give one reference a line, or JSONL rows with an output."
TABLES = (".csv", ".parquet", ".arrow")
SOURCE_ROW = 'Give a .jsonl with {"input": "…", "output": "…"} on every line.'


def read_generations(path: Path) -> dict[str, str]:
    """Generated texts by id, in the order of the file. Ids are kept as text, so that 3 and "3" are the same.

    Empty texts are kept: a model that writes nothing is scored for it.
    Raises GenerationsError naming the line, for rows of another shape, an id given twice, or a file without rows.
    """
    generations: dict[str, str] = {}
    for number, row in _json_rows(path, ROW):
        text = _text(row, "generated", path, number, ROW)
        if "id" not in row or text is None:
            raise GenerationsError(f'{path}, line {number} has no "id" or no text as "generated"', ROW)
        _put(generations, _key(row["id"], path, number), text, path, number)
    return _not_empty(generations, path, ROW)


def read_references(path: Path) -> dict[str, str | None]:
    """Reference texts by id, None for null.

    `.jsonl`, `.ndjson`: the `output` of each row, under the row's own `id` if it has one. `.json`: a list of texts.
    `.tsv`: one text a line, or a source and a text. Any other ending: one text a line. Without an `id`, a row's id is
    its line number, or its place in the list, counted from 0.
    Raises GenerationsError naming the line, and for tables, whose first line is none of their rows.
    """
    kind = path.suffix.lower()
    if kind in JSON_LINES:
        references = _texts_by_id(path, "output", REFERENCE_ROW)
    elif kind == ".json":
        references = _listed(path)
    elif kind in TABLES:
        raise GenerationsError(f"{path} is a table, and references are texts", REFERENCES)
    else:
        lines = ((str(number - 1), line) for number, line in read_lines(path, GenerationsError))
        references = {key: _target(line, path, key) if kind == ".tsv" else line for key, line in lines}
    return _not_empty(references, path, REFERENCES)


def _listed(path: Path) -> dict[str, str | None]:
    texts = json_of(read_text(path, GenerationsError), str(path), GenerationsError, REFERENCES)
    if not isinstance(texts, list):
        raise GenerationsError(f"{path} is not a list of texts", REFERENCES)
    places = enumerate(texts)
    return {str(i): text_of(text, f"{path}, item {i + 1}", GenerationsError) for i, text in places}


def _target(line: str, path: Path, key: str) -> str:
    """The last of one or two columns."""
    if line.count("\t") > 1:
        raise GenerationsError(f"{path}, line {int(key) + 1} has {line.count(chr(9)) + 1} columns", REFERENCES)
    return line.rpartition("\t")[2]


def read_sources(path: Path) -> dict[str, str | None]:
    """The `input` of each row of a `.jsonl`, ids as in `read_references`. Raises GenerationsError naming the line."""
    if path.suffix.lower() not in JSON_LINES:
        raise GenerationsError(f"{path} holds no sources", SOURCE_ROW)
    return _not_empty(_texts_by_id(path, "input", SOURCE_ROW), path, SOURCE_ROW)


def _texts_by_id(path: Path, name: str, remedy: str) -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for rows, (number, row) in enumerate(_json_rows(path, remedy)):
        if name not in row:
            raise GenerationsError(f'{path}, line {number} has no text as "{name}"', remedy)
        text = _text(row, name, path, number, remedy)
        if "id" not in row and number - 1 != rows:
            # A reader of the same file as a dataset does not count blank lines: the ids would not mean the same.
            raise GenerationsError(
                f"{path}, line {number} comes after a blank line, so its number is no safe id",
                'Delete the blank lines, or give every row an "id".',
            )
        _put(texts, _key(row.get("id", number - 1), path, number), text, path, number)
    return texts


def _text(row: dict[str, Any], name: str, path: Path, number: int, remedy: str) -> str | None:
    return text_of(row.get(name), f"{path}, line {number}, {name}", GenerationsError, remedy)


def match_references(generations: Mapping[str, str], references: Mapping[str, T], path: Path) -> list[T]:
    """The reference of each generation, in the order of the generations. `path` is the references' file, for errors.

    References without a generation are left out: an evaluation may have been stopped midway.
    Raises GenerationsError when a generation has no reference.
    """
    missing = [key for key in generations if key not in references]
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise GenerationsError(
            f"{path} has no reference for the generation of id {missing[0]}{more}; its ids are {_some(references)}",
            "Give the reference file that these texts were generated for; without an id, a row's id is its line "
            "number from 0.",
        )
    return [references[key] for key in generations]


def _some(keys: Iterable[str]) -> str:
    first, *rest = keys
    return f"{first} to {rest[-1]}" if rest else first


def _json_rows(path: Path, remedy: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number from 1 and object of every line that is not blank."""
    lines = [(number, line) for number, line in read_lines(path, GenerationsError) if line.strip()]
    for number, line in lines:
        cut = " It is the last line: if writing was interrupted, delete it." if number == lines[-1][0] else ""
        row = json_of(line, f"{path}, line {number}", GenerationsError, remedy + cut)
        if not isinstance(row, dict):
            raise GenerationsError(f"{path}, line {number} is no JSON object", remedy)
        yield number, row


def _key(id: Any, path: Path, number: int) -> str:
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise GenerationsError(f"{path}, line {number} has the id {id!r}", "Give a whole number or a string as id.")
    if isinstance(id, str):
        text_of(id, f"{path}, line {number}, id", GenerationsError)
    return str(id)


def _put(texts: dict[str, T], key: str, text: T, path: Path, number: int) -> None:
    if key in texts:
        raise GenerationsError(
            f"{path}, line {number} has the id {key} for a second time", "Give one row for each id; delete the others."
        )
    texts[key] = text


def _not_empty(texts: dict[str, T], path: Path, remedy: str) -> dict[str, T]:
    if not texts:
        raise GenerationsError(f"{path} holds no rows", remedy)
    return texts
