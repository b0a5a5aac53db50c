"""From the texts of a corpus to rows of ids: what is tokenised as one, and how rows are cut from it.

Ids carry no special tokens but the eos between concatenated texts: filling and the end of a row are added when a batch
is collated (spec section 5).
"""

import re
from dataclasses import dataclass, field
from itertools import accumulate, chain
from typing import Protocol

from elf.data.corpus import Row
from elf.data.tokenizer import EOS

SENTENCE_END = re.compile(r"(?<=[.!?…][\"'”’])\s+|(?<=[.!?…])\s+")

Ids = list[int]


class Packing(Protocol):
    """One row of the corpus after the other goes in, rows of the dataset come out: one list of ids per column."""

    def pieces(self, row: Row) -> list[str]:
        """The texts that are tokenised, each by itself."""

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        """Rows of the dataset from the ids of the pieces."""


@dataclass
class Windows:
    """Runs of whole sentences of fewer than `max_length` tokens, so that each ends with room for eos.

    A single sentence that is longer is cut hard.
    """

    max_length: int

    def pieces(self, row: Row) -> list[str]:
        return SENTENCE_END.split(row[0])

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        windows: list[Ids] = []
        current: Ids = []
        for ids in pieces:
            if current and len(current) + len(ids) >= self.max_length:
                windows.append(current)
                current = []
            current = current + ids
            while len(current) > self.max_length:
                windows.append(current[: self.max_length])
                current = current[self.max_length :]
        return [(window,) for window in [*windows, current] if window]


@dataclass
class Documents:
    """One row a text, cut at `max_length` tokens."""

    max_length: int

    def pieces(self, row: Row) -> list[str]:
        return [row[0]]

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        return [(pieces[0][: self.max_length],)] if pieces[0] else []


@dataclass
class Concatenated:
    """Texts one after the other, eos after each, in full rows of exactly `max_length` tokens.

    Nothing is filled and nothing cut away, but the tokens after the last full row.
    """

    max_length: int
    rest: Ids = field(default_factory=list)

    def pieces(self, row: Row) -> list[str]:
        return [row[0]]

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        text = [*self.rest, *pieces[0], EOS]
        full = len(text) // self.max_length * self.max_length
        self.rest = text[full:]
        return [(text[at : at + self.max_length],) for at in range(0, full, self.max_length)]


@dataclass
class Pairs:
    """(target, source). Longer pairs are left out, not cut: half a sentence is no translation."""

    max_length: int
    """Most tokens of a target."""
    max_input_length: int
    """Most tokens of a source."""

    def pieces(self, row: Row) -> list[str]:
        return list(row)

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        source, target = pieces
        fits = 0 < len(source) <= self.max_input_length and 0 < len(target) <= self.max_length
        return [(target, source)] if fits else []


@dataclass
class Continuations:
    """(target, source) from one text: a run of whole sentences, and the one to three sentences before it, in turn.

    The targets of a text follow each other without a gap. Besides, its beginning is a row with an empty source, as long
    as source and target together, so that a model learns to write without a source too. Texts leave room for eos.
    Left out: a sentence too long for a target, and a target after a sentence too long for a source.
    """

    max_length: int
    """Most tokens of a target, eos included."""
    max_input_length: int
    """Most tokens of a source."""
    turn: int = 0

    def pieces(self, row: Row) -> list[str]:
        return SENTENCE_END.split(row[0])

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        beginning = leading(pieces, self.max_length + self.max_input_length - 1)
        rows: list[tuple[Ids, ...]] = [(joined(beginning), [])] if beginning else []
        at = 1 + self.turn % 3
        while at < len(pieces):
            before = pieces[max(0, at - 1 - self.turn % 3) : at]
            source = leading(before[::-1], self.max_input_length)[::-1]
            target = leading(pieces[at:], self.max_length - 1)
            if source and target:
                rows.append((joined(target), joined(source)))
                self.turn += 1
            at += max(1, len(target))
        return rows


def leading(pieces: list[Ids], most: int) -> list[Ids]:
    """As many of the first pieces as have `most` tokens together."""
    for count, total in enumerate(accumulate(map(len, pieces))):
        if total > most:
            return pieces[:count]
    return pieces


def joined(pieces: list[Ids]) -> Ids:
    return list(chain.from_iterable(pieces))
