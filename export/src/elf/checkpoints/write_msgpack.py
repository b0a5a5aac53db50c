"""Writes Flax msgpack files tensor by tensor; `flax.serialization` would hold the whole file in memory twice."""

import struct
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgpack
import numpy as np

NDARRAY = 1
"""Flax's extension type."""


def write_msgpack(path: Path, tree: Mapping[str, Any]) -> None:
    """Writes nested mappings whose leaves are numbers, small arrays, or iterators of (name, array) pairs.

    Such an iterator stands for a whole subtree; its names are joined by '/', and those with a common start follow each
    other. Its `shapes` say beforehand what will come: see `RandomWeights`.
    """
    with path.open("wb") as file:
        _Writer(file).item(tree)


class _Writer:
    def __init__(self, file: BinaryIO):
        self.file, self.packer = file, msgpack.Packer()

    def item(self, value: Any) -> None:
        if hasattr(value, "shapes"):
            arrays = iter(value)
            self._subtree(_nested(value.shapes), arrays)
        elif isinstance(value, Mapping):
            self.file.write(self.packer.pack_map_header(len(value)))
            for name, each in value.items():
                self.file.write(self.packer.pack(name))
                self.item(each)
        elif isinstance(value, np.ndarray):
            self._array(value)
        else:
            self.file.write(self.packer.pack(value))

    def _subtree(self, names: dict[str, Any], arrays: Iterator[tuple[str, np.ndarray]]) -> None:
        self.file.write(self.packer.pack_map_header(len(names)))
        for name, below in names.items():
            self.file.write(self.packer.pack(name))
            if below is None:
                self._array(next(arrays)[1])
            else:
                self._subtree(below, arrays)

    def _array(self, array: np.ndarray) -> None:
        head = self.packer.pack_array_header(3) + self.packer.pack(array.shape) + self.packer.pack(array.dtype.name)
        head += struct.pack(">BI", 0xC6, array.nbytes)
        self.file.write(struct.pack(">BIb", 0xC9, len(head) + array.nbytes, NDARRAY) + head)
        self.file.write(np.ascontiguousarray(array).data)


def _nested(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Names by their parts; None at the ends."""
    tree: dict[str, Any] = {}
    for name in shapes:
        *path, last = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = None
    return tree
