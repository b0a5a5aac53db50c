"""Pickles of nothing but data. A pickle is a program: it names functions and calls them; here it can name only ours.

What a pickle names is looked up in a fixed table from (module, name) to stand-ins written in this project, which build
plain data and check it. Whatever is not in the table is a Stranger: a stand-in too, which does nothing but remember
that it was named, and what it was given. So nothing is ever imported for a pickle, or called: it can reach neither
`os.system` nor anything dangerous in NumPy, and what it holds beside the weights cannot keep them from being read.

Written here on purpose: torch's own `weights_only` would bring torch, and refuses a whole file for one unknown object.
"""

import io
import mmap
import pickle
from collections.abc import Callable, Iterable, Mapping
from contextlib import nullcontext
from typing import Any, BinaryIO

from elf.checkpoints.pickle_operations import check_operations

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
