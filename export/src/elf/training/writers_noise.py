"""Keeps from being printed what Orbax and tensorstore say of a full disk besides the error that they raise: a thousand
lines, none of which says what to do, where that error is named and told (`Checkpoints`)."""

import logging
import sys
import warnings

from elf.paths import is_full


def _passes(record: logging.LogRecord) -> bool:
    """Whether neither a record's message nor the error that it holds tells of a full disk."""
    error = record.exc_info[1] if record.exc_info else None
    return not (is_full(record.getMessage()) or is_full(error))


def _is_late(error: BaseException | None) -> bool:
    """Whether a write of tensorstore ended after the loop that waited for it had been ended by another's error."""
    return isinstance(error, RuntimeError) and str(error) == "Event loop is closed"


def hush() -> None:
    """From now on neither is printed. Calling it again changes nothing."""
    orbax, asyncio = (logging.getLogger(name) for name in ("absl", "asyncio"))
    if _passes in orbax.filters:
        return
    orbax.addFilter(_passes)
    asyncio.addFilter(_passes)  # of errors that nobody waited for any more
    warnings.filterwarnings("ignore", "coroutine 'async_serialize_from_host", RuntimeWarning)  # of writes not begun
    before = sys.unraisablehook

    def unraisablehook(unraisable: "sys.UnraisableHookArgs") -> None:
        # Errors of tensorstore's own threads, which nobody can catch.
        if not _is_late(unraisable.exc_value):
            before(unraisable)

    sys.unraisablehook = unraisablehook
