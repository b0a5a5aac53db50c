"""Writes Flax msgpack files and archives of torch tensor by tensor: their own libraries hold a whole file in memory."""

import io
import struct
import zipfile
from collections.abc import Iterable, Iterator, Mapping
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
            self._subtree(_by_parts(value.shapes), arrays)
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


def _by_parts(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Names by their parts; None at the ends."""
    tree: dict[str, Any] = {}
    for name in shapes:
        *path, last = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = None
    return tree


STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}


def write_torch_archive(path: Path, groups: Mapping[str, Any], numbers: Mapping[str, int | float]) -> None:
    """Writes a dict of `numbers` and of `groups`: name → something with `shapes` that yields (name, array) pairs, as
    `RandomWeights` does. The names of a group are torch's already, and so is the layout. An unnamed group ("") stands
    for the dict itself."""
    root = "archive"  # as torch names it where the file has no name
    pickle = _Pickle()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for group, weights in groups.items():
            if group:
                pickle.open(group)
            for name, values in weights:
                array = np.ascontiguousarray(values)
                key = str(pickle.storages)
                pickle.tensor(name, key, array)
                with archive.open(f"{root}/data/{key}", "w", force_zip64=True) as file:
                    file.write(array.data)
            if group:
                pickle.close()
        for name, number in numbers.items():
            pickle.number(name, number)
        archive.writestr(f"{root}/data.pkl", pickle.finish())
        archive.writestr(f"{root}/byteorder", "little")
        archive.writestr(f"{root}/version", "3\n")


class _Pickle:
    """A pickle of protocol 2, spelt out: it names classes of torch, which need not be there."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.stream.write(b"\x80\x02}(")
        self.storages = 0

    def open(self, name: str) -> None:
        """Starts a dict within the dict."""
        self._text(name)
        self.stream.write(b"}(")

    def close(self) -> None:
        self.stream.write(b"u")

    def number(self, name: str, value: int | float) -> None:
        self._text(name)
        if isinstance(value, int):
            self._integers([value])
        else:
            self.stream.write(b"G" + struct.pack(">d", value))

    def tensor(self, name: str, key: str, array: np.ndarray) -> None:
        """A call of torch's function with its storage, offset, shape, strides, and no gradient."""
        self._text(name)
        self.stream.write(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        self._text("storage")
        self.stream.write(f"ctorch\n{STORAGES[array.dtype.name]}\n".encode())
        self._text(key)
        self._text("cpu")
        self._integers([array.size])
        self.stream.write(b"tQK\x00")
        strides = [stride // array.itemsize for stride in array.strides]
        for sizes in (list(array.shape), strides):
            self.stream.write(b"(")
            self._integers(sizes)
            self.stream.write(b"t")
        self.stream.write(b"\x89ccollections\nOrderedDict\n)RtR")
        self.storages += 1

    def finish(self) -> bytes:
        self.stream.write(b"u.")
        return self.stream.getvalue()

    def _text(self, text: str) -> None:
        data = text.encode()
        self.stream.write(b"X" + struct.pack("<I", len(data)) + data)

    def _integers(self, values: Iterable[int]) -> None:
        for value in values:
            self.stream.write(b"J" + struct.pack("<i", int(value)))
