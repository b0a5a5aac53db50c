"""A pickle's operations, gone through before they are carried out.

Python's own reader takes a pickle at its word: it makes room for as many bytes as one is said to have, and for as many
remembered objects as the number of one says. Sixteen bytes can ask for all of the memory.
"""

import pickle
import pickletools
from typing import Any

COUNTS = {
    pickletools.TAKEN_FROM_ARGUMENT1: 1,
    pickletools.TAKEN_FROM_ARGUMENT4: 4,
    pickletools.TAKEN_FROM_ARGUMENT4U: 4,
    pickletools.TAKEN_FROM_ARGUMENT8U: 8,
}
"""Python's names for how an operation says the length of what follows it → the bytes of that length."""


def _follows(operation: Any) -> tuple[int, int, int]:
    if operation.arg is None:
        return 0, 0, 0
    if operation.arg.n == pickletools.UP_TO_NEWLINE:
        return 0, 0, 2 if operation.arg is pickletools.stringnl_noescape_pair else 1
    return (0, COUNTS[operation.arg.n], 0) if operation.arg.n < 0 else (operation.arg.n, 0, 0)


FOLLOWS = {ord(operation.code): _follows(operation) for operation in pickletools.opcodes}
"""An operation's byte → what follows it: so many bytes, a length of so many bytes, so many lines."""

STOP, FRAME, PUT, LONG_PUT = (code[0] for code in (pickle.STOP, pickle.FRAME, pickle.PUT, pickle.LONG_BINPUT))


def check_operations(data: Any, at: int = 0) -> None:
    """Raises ValueError unless the pickle that starts at `at` of `data`, bytes or a map of a file, ends within it, with
    all that it says it has, and remembers no object under a number that is greater than the pickle is long."""
    try:
        while (code := data[at]) != STOP:
            at += 1
            fixed, width, lines = FOLLOWS[code]
            if code == LONG_PUT:
                _check_place(int.from_bytes(data[at : at + 4], "little"), data)
            if width:
                fixed = width + int.from_bytes(data[at : at + width], "little")
            elif code == FRAME and at + 8 + int.from_bytes(data[at : at + 8], "little") > len(data):
                raise IndexError
            for _ in range(lines):
                end = data.find(b"\n", at)
                if end < 0:
                    raise IndexError
                if code == PUT:
                    _check_place(int(data[at:end]), data)
                at = end + 1
            at += fixed
    except IndexError:
        raise ValueError("it ends early") from None
    except KeyError:
        raise ValueError(f"byte {at - 1} is no operation of a pickle") from None


def _check_place(number: int, data: Any) -> None:
    if number > len(data):
        raise ValueError(f"it remembers an object under the number {number:,}")
