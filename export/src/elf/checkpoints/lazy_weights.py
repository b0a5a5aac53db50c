"""Weights that lie in files and are read one at a time: a model of gigabytes is gone through without being held."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import numpy as np

from elf.errors import CheckpointError


class StoredTensor(Protocol):
    """A tensor that knows its shape and can be read, now or later."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def read(self) -> np.ndarray:
        """Its values, of any float type and memory layout. May raise OSError or ValueError."""


class LazyWeights(Mapping[str, np.ndarray]):
    """Name → float32 array, row-major, read anew at every access; `shapes` are known without reading."""

    def __init__(self, tensors: Mapping[str, StoredTensor]):
        self._tensors = dict(tensors)
        self.shapes = {name: tuple(tensor.shape) for name, tensor in self._tensors.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        """Raises CheckpointError for a tensor that cannot be read, or holds what is no finite number."""
        tensor = self._tensors[name]
        try:
            with np.errstate(over="ignore"):  # told below
                array = np.require(tensor.read(), np.float32, ["C_CONTIGUOUS", "ALIGNED"])
        except (OSError, ValueError, TypeError) as error:
            # What is whole and of a kind that is not read has another remedy.
            action = getattr(error, "action", "The file is damaged, or not all of it is there: copy it again, whole.")
            raise CheckpointError(f"{name} cannot be read: {error}", action) from error
        if not np.isfinite(array).all():
            raise CheckpointError(
                f"{name} holds values that are no finite numbers", "The file is damaged, or its training had diverged."
            )
        return array

    def only(self, names: Iterable[str]) -> "LazyWeights":
        """Some of them, still unread."""
        return LazyWeights({name: self._tensors[name] for name in names})

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)
