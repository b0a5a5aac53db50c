"""Pickles of nothing but data: a pickle is a program, which names functions and calls them, and here it can name only
ours."""

import io
import mmap
import pickle
import pickletools
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, BinaryIO

# A pickle is a program: it names functions and calls them; here it can name only ours. What a pickle names is looked up
# in a fixed table from (module, name) to stand-ins written in this project, which build plain data and check it.
# Whatever is not in the table is a Stranger: a stand-in too, which does nothing but remember that it was named, and
# what it was given. So nothing is ever imported for a pickle, or called: it can reach neither `os.system` nor anything
# dangerous in NumPy, and what it holds beside the weights cannot keep them from being read.
#
# Written here on purpose: torch's own `weights_only` would bring torch, and refuses a whole file for one unknown
# object.

Allowed = Mapping[tuple[str, str], Any]
"""(module, name) in a pickle → what stands in for it: something to call, or a plain value."""

ASKED = "it asks for {}; only plain data are read from a pickle"


class StandIn(tuple):
    """A function as a pickle gets it: to be called, and of no attribute that the pickle could replace."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        return self[0](*arguments)


class Stranger:
    """What stands in for an object that is unknown here: a scheduler, settings, a function.

    It may be a container all the same, a defaultdict or a Namespace: `inside` is what the pickle put into it.
    """

    __slots__ = ("_arguments", "_items", "_list", "_name", "_state")

    def __init__(self, name: str, arguments: tuple[Any, ...]):
        self._name, self._arguments = name, arguments
        self._items: dict[Any, Any] = {}
        self._list: list[Any] = []
        self._state: Any = None

    def __repr__(self) -> str:
        return self._name

    def __call__(self, *arguments: Any) -> "Stranger":
        return Stranger(self._name, arguments)

    def __setstate__(self, state: Any) -> None:
        self._state = state

    def __setitem__(self, name: Any, value: Any) -> None:
        self._items[name] = value

    def append(self, value: Any) -> None:
        self._list.append(value)

    def extend(self, values: Iterable[Any]) -> None:
        self._list.extend(values)

    add = append

    def inside(self) -> Any:
        """Its items and attributes by name, or what it was made of; None where there is nothing."""
        found: dict[Any, Any] = {}
        # A pickle tells an object's attributes as a dict, or as two where some have slots of their own.
        states = self._state if isinstance(self._state, tuple) else (self._state,)
        for mapping in (*self._arguments, *states, self._items):
            if isinstance(mapping, Mapping):
                found |= mapping
        if not found and self._list:
            return self._list
        if not found and any(_may_hold(each) for each in self._arguments):
            return self._arguments
        return found or None

    @property
    def what(self) -> str:
        return ASKED.format(self._name)


def _may_hold(value: Any) -> bool:
    """Whether tensors may be in it."""
    if isinstance(value, list | tuple):
        return not all(isinstance(each, int | float | str | bytes | None) for each in value)
    return isinstance(value, Stranger)


class Unchangeable(type):
    def __setattr__(cls, name: str, value: Any) -> None:
        raise AttributeError(f"no attribute {name} can be set")


class StrangerClass(metaclass=Unchangeable):
    """The same before it is called. A class, because pickles also make instances without calling, by `__new__`."""

    name, what = "", ""

    def __new__(cls, *arguments: Any, **named: Any) -> Any:
        return Stranger(cls.name, (*arguments, named) if named else arguments)


class RestrictedUnpickler(pickle.Unpickler):
    def __init__(self, file: BinaryIO, allowed: Allowed, persistent: Callable[[Any], Any] | None = None):
        super().__init__(file)
        self._allowed, self._persistent = allowed, persistent

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            full = f"{module}.{name}"[:100]
            return Unchangeable("Unknown", (StrangerClass,), {"name": full, "what": ASKED.format(full)})
        found = self._allowed[module, name]
        return StandIn((found,)) if callable(found) else found

    def persistent_load(self, key: Any) -> Any:
        if self._persistent is None:
            raise pickle.UnpicklingError("it refers to something outside itself")
        return self._persistent(key)


def unpickle(file: BinaryIO | bytes, allowed: Allowed, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The data of a pickle: of bytes, or of a file from where it stands, which then stands behind it. Raises ValueError
    for a pickle that is broken."""
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    with nullcontext(file) if isinstance(file, bytes) else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        check_operations(data, stream.tell())
    try:
        return RestrictedUnpickler(stream, allowed, persistent).load()
    except ValueError:
        raise
    except Exception as error:  # a broken or hostile pickle makes its reader raise almost anything
        raise ValueError(str(error) or type(error).__name__) from error


# --- A pickle's operations, gone through before they are carried out ------------------------------------------------
#
# Python's own reader takes a pickle at its word: it makes room for as many bytes as one is said to have, and for as
# many remembered objects as the number of one says. Sixteen bytes can ask for all of the memory.

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
