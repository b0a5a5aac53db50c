"""A disk that is full, known by whatever the many writers say of it, and said by name."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from elf.errors import DiskFullError

SIGNS = ("no space left", "quota exceeded", "file too large", "errno 28", "os error 28", "resource_exhausted")


def is_full(error: BaseException) -> bool:
    return any(sign in str(error).lower() for sign in SIGNS)


@contextmanager
def named_when_full(describe: Callable[[str], DiskFullError]) -> Iterator[None]:
    """Turns an error that means a full disk into `describe(its first line)`; others pass."""
    try:
        yield
    except Exception as error:  # the writers raise many kinds: OSError, SafetensorError, tensorstore's ValueError
        if not is_full(error):
            raise
        raise describe(str(error).splitlines()[0]) from error
