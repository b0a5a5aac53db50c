"""Pickles of nothing but data. A pickle is a program: it names functions and calls them; here it can name only ours.

What a pickle may name is a fixed table from (module, name) to stand-ins written in this project, which build plain data
and check it. Nothing is imported for a pickle, so it can reach neither `os.system` nor anything dangerous in NumPy.
"""

import io
import pickle
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

Allowed = Mapping[tuple[str, str], Any]
"""(module, name) in a pickle → what stands in for it: something to call, or a plain value."""


class StandIn(tuple):
    """A function as a pickle gets it: to be called, and of no attribute that the pickle could replace."""

    __slots__ = ()

    def __call__(self, *arguments: Any) -> Any:
        return self[0](*arguments)


class RestrictedUnpickler(pickle.Unpickler):
    """Raises pickle.UnpicklingError for every name outside the table."""

    def __init__(self, file: BinaryIO, allowed: Allowed, persistent: Callable[[Any], Any] | None = None):
        super().__init__(file)
        self._allowed, self._persistent = allowed, persistent

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._allowed:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}; only plain data are read from a pickle")
        found = self._allowed[module, name]
        return StandIn((found,)) if callable(found) else found

    def persistent_load(self, key: Any) -> Any:
        if self._persistent is None:
            raise pickle.UnpicklingError("it refers to something outside itself")
        return self._persistent(key)


def unpickle(file: BinaryIO | bytes, allowed: Allowed, persistent: Callable[[Any], Any] | None = None) -> Any:
    """The data of a pickle. Raises ValueError for a name outside the table and for a pickle that is broken."""
    stream = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        return RestrictedUnpickler(stream, allowed, persistent).load()
    except ValueError:
        raise
    except Exception as error:  # a broken or hostile pickle makes its reader raise almost anything
        raise ValueError(str(error) or type(error).__name__) from error
