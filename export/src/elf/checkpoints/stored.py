"""What the readers of checkpoints give: a tree of names, with numbers and tensors still in their files at its ends."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from elf.checkpoints.lazy_weights import StoredTensor

Tree = Mapping[str, Any]
"""Nested mappings whose leaves are StoredTensor, int, float, bool, str, bytes or None."""

MAX_DEPTH, MAX_PARTS = 64, 100_000
"""Of a tree; weights lie some six names deep, and the largest models have a few thousand."""

DTYPES = {
    "bool": np.dtype(np.bool_),
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    **{name: np.dtype(name) for name in ("float16", "float32", "float64")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
"""Types of numbers that checkpoints hold, by NumPy's names."""


@dataclass(frozen=True)
class FileTensor:
    """Numbers of one type at a place in a file, little-endian."""

    path: Path
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    """In numbers, as torch counts them; None for row-major."""

    @property
    def span(self) -> int:
        """How many numbers from the first to the last, both counted."""
        if 0 in self.shape:
            return 0
        if self.strides is None:
            return int(np.prod(self.shape, dtype=np.int64))
        return 1 + sum((size - 1) * stride for size, stride in zip(self.shape, self.strides, strict=True))

    def read(self) -> np.ndarray:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            numbers = np.fromfile(file, self.dtype, self.span)
        if numbers.size != self.span:
            raise ValueError(f"{self.path.name} ends within it")
        if self.strides is None:
            return numbers.reshape(self.shape)
        strides = [stride * self.dtype.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(numbers, self.shape, strides, writeable=False)


@dataclass(frozen=True)
class Joined:
    """A large tensor kept as several pieces of its numbers, in order."""

    parts: tuple[StoredTensor, ...]
    shape: tuple[int, ...]

    def read(self) -> np.ndarray:
        return np.concatenate([part.read().ravel() for part in self.parts]).reshape(self.shape)


@dataclass(frozen=True)
class Transposed:
    """A matrix (rows, columns) as (columns, rows)."""

    tensor: StoredTensor

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(reversed(self.tensor.shape))

    def read(self) -> np.ndarray:
        return self.tensor.read().T


def plain_tree(found: Any) -> Tree:
    """What a pickle held, as a tree: lists by their numbers, names of several parts joined by '/'. Raises ValueError
    for what is no tree, contains itself, or has more parts than any checkpoint."""
    parts = 0

    def plain(value: Any, depth: int) -> Any:
        nonlocal parts
        parts += 1
        if depth > MAX_DEPTH or parts > MAX_PARTS:
            raise ValueError("its tree is too large, or contains itself")
        if isinstance(value, list | tuple):
            value = dict(enumerate(value))
        if isinstance(value, Mapping):
            return {
                "/".join(map(str, name)) if isinstance(name, tuple) else str(name): plain(each, depth + 1)
                for name, each in value.items()
            }
        return value

    if not isinstance(found, Mapping):
        raise ValueError("it holds no tree of names")
    return plain(found, 0)


def leaves(tree: Tree, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every leaf with its names joined by '/'."""
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{name}/")
        else:
            yield f"{path}{name}", value


def tensors(tree: Tree) -> dict[str, StoredTensor]:
    """The leaves that are tensors."""
    return {name: value for name, value in leaves(tree) if hasattr(value, "read")}
