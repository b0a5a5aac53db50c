"""Signs of life on standard error, so that standard output stays free for results."""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sized
from typing import Protocol, TypeVar

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


class SizedIterable(Sized, Iterable[T_co], Protocol[T_co]):
    """Anything that can be counted and gone through."""


def say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def ticker(deed: str, total: int, every_seconds: float = 2.0) -> Callable[[int], None]:
    """A function to call with how many of `total` are done; it says so now and then: "comparing runs: 12 of 32"."""
    last = time.monotonic()

    def tick(done: int) -> None:
        nonlocal last
        if time.monotonic() - last >= every_seconds:
            say(f"{deed}: {done} of {total}")
            last = time.monotonic()

    return tick


def told(things: SizedIterable[T], deed: str, every_seconds: float = 2.0) -> Iterator[T]:
    """Goes through `things` under a `ticker`."""
    tick = ticker(deed, len(things), every_seconds)
    for done, thing in enumerate(things):
        tick(done)
        yield thing
