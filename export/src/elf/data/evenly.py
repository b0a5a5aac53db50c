"""A few of many, from all over them: a corpus is often sorted, by length or by story, so its first rows say little."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def take_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, in their order, the first and the last among them."""
    return [items[at] for at in evenly_spread(len(items), count)]


def evenly_spread(items: int, count: int) -> list[int]:
    """At most `count` places among so many items, ascending, the first and the last among them."""
    return [int(at) for at in np.linspace(0, items - 1, min(count, items)).round()]
