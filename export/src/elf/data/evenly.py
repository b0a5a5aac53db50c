"""A few of many, from all over them: a corpus is often sorted, by length or by story, so its first rows say little."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

Item = TypeVar("Item")


def take_evenly(items: Sequence[Item], count: int) -> list[Item]:
    """At most `count` of them, in their order, the first and the last among them."""
    return [items[int(at)] for at in np.linspace(0, len(items) - 1, min(count, len(items))).round()]
