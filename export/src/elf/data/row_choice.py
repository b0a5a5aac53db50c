"""Which rows of a corpus: those that are held out, and a few of many, from all over them."""

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

from elf.data.corpus import Row
from elf.errors import EmptyCorpusError
from elf.progress import say

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
