"""A few of many, from all over them: a corpus is often sorted, by length or by story, so its first rows say little."""

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np

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
