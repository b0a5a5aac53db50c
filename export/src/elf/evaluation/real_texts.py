"""Real texts that generated ones are measured against: those a model was trained on, and those it was not.

They may be more than the memory holds, billions of tokens: texts are read, or decoded, as they are asked for.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from elf.data.corpus import Row, stream_corpus
from elf.data.evaluation_rows import TEXT_COLUMNS
from elf.data.row_choice import evenly_spread
from elf.data.rows import TokenDataset, check_ids, open_arrow, token_dataset
from elf.data.tables import check_column
from elf.data.text_value import text_of
from elf.data.tokenizer import Tokenizer
from elf.errors import CheckpointError, CorpusFormatError, EmptyCorpusError


class RealTexts(ABC):
    """Texts to go through, any number of times, or to take some of."""

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
    return _some(DatasetTexts(name, targets, dataset, tokenizer, rows), most)


def corpus_texts(path: Path, of_row: Callable[[Row], str] = lambda row: row[-1], most: int | None = None) -> RealTexts:
    """Those of a corpus file alone. Raises EmptyCorpusError where there are none, and what reading it does."""
    if next(stream_corpus(path), None) is None:
        raise EmptyCorpusError(f"{path} holds no text", "Give a file with at least one non-empty text.")
    return _some(FileTexts(path, of_row), most)


def _some(texts: RealTexts, most: int | None) -> RealTexts:
    return texts if most is None or len(texts) <= most else SomeTexts(texts, evenly_spread(len(texts), most))


def cut_texts(texts: Sequence[str], tokenizer: Tokenizer | None, length: int) -> list[str]:
    """Each text's first `length` tokens; as it is without a tokenizer."""
    if tokenizer is None:
        return [*texts]
    encoded = tokenizer.encode_batch([*texts], add_special_tokens=False)
    return [tokenizer.decode(each.ids[:length]) for each in encoded]
