"""Flax's msgpack files, `checkpoint_<step>`: the tree of `flax.serialization`, its arrays left in the file.

Flax itself would read everything, the optimizer's state too, which is twice the weights. Here only the headers are
read; an array is a place in the file. What Flax would not write, or is of a type that is not read, is passed over.
"""

import mmap
import struct
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.stored import DTYPES, MAX_DEPTH, FileTensor, Joined, Tree, Unread

NDARRAY, COMPLEX, SCALAR = 1, 2, 3
"""Flax's extension types."""

FIXED = {0xCA: ">f", 0xCB: ">d", 0xCC: ">B", 0xCD: ">H", 0xCE: ">I", 0xCF: ">Q"} | {
    0xD0: ">b",
    0xD1: ">h",
    0xD2: ">i",
    0xD3: ">q",
}
"""Tag of a number → how it is packed."""
LENGTHS = {0xC4: ">B", 0xC5: ">H", 0xC6: ">I", 0xC7: ">B", 0xC8: ">H", 0xC9: ">I", 0xD9: ">B", 0xDA: ">H", 0xDB: ">I"}
LENGTHS |= {0xDC: ">H", 0xDD: ">I", 0xDE: ">H", 0xDF: ">I"}
"""Tag of bytes, text, an extension, a list or a map → how its length is packed."""


def read_msgpack(path: Path) -> Tree:
    """The tree of a file. Raises ValueError for what Flax does not write, and OSError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        walker = _Walker(path, data)
        tree = walker.item(0)
        if walker.position != len(data):
            raise ValueError(f"{len(data) - walker.position} bytes follow its end")
        if not isinstance(tree, dict):
            raise ValueError("it holds no tree of names")
        return tree


class _Walker:
    """Goes through packed values one after the other; `position` is where the next one starts."""

    def __init__(self, path: Path, data: mmap.mmap):
        self.path, self.data, self.position = path, data, 0

    def item(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("its tree is too deep")
        tag = self._unpack(">B")
        if tag <= 0x7F:
            return tag
        if tag <= 0x8F:
            return self._map(tag & 0x0F, depth)
        if tag <= 0x9F:
            return self._list(tag & 0x0F, depth)
        if tag <= 0xBF:
            return self._text(tag & 0x1F)
        if tag >= 0xE0:
            return tag - 0x100
        if tag in (0xC0, 0xC2, 0xC3):
            return {0xC0: None, 0xC2: False, 0xC3: True}[tag]
        if tag in FIXED:
            return self._unpack(FIXED[tag])
        if 0xD4 <= tag <= 0xD8:
            return self._extension(1 << (tag - 0xD4))
        if tag not in LENGTHS:
            raise ValueError(f"byte {self.position - 1} starts nothing that msgpack knows")
        length = self._unpack(LENGTHS[tag])
        if tag <= 0xC6:
            return self._take(length)
        if tag <= 0xC9:
            return self._extension(length)
        if tag <= 0xDB:
            return self._text(length)
        return self._list(length, depth) if tag <= 0xDD else self._map(length, depth)

    def _map(self, count: int, depth: int) -> Any:
        tree: dict[str, Any] = {}
        for _ in range(count):
            name = self.item(depth + 1)
            # Flax writes names only; other programs number their layers.
            tree[name if isinstance(name, str) else f"{name}"[:100]] = self.item(depth + 1)
        return _joined(tree) if "__msgpack_chunked_array__" in tree else tree

    def _list(self, count: int, depth: int) -> list[Any]:
        return [self.item(depth + 1) for _ in range(count)]

    def _extension(self, length: int) -> Any:
        kind = self._unpack(">b")
        end = self.position + length
        if end > len(self.data):
            raise ValueError(f"it ends {end - len(self.data)} bytes early")
        found: Any = Unread(f"it is an extension of type {kind}, which Flax does not write")
        if kind == COMPLEX:
            found = Unread("it is a complex number")
        if kind in (NDARRAY, SCALAR):
            try:
                found = self._array(end)
            except (ValueError, struct.error) as error:
                found = Unread(str(error), damaged=True)
        self.position = end
        # Steps and counts of an optimizer; a scalar's bytes are those of an array without axes.
        return float(found.read()) if kind == SCALAR and isinstance(found, FileTensor) else found

    def _array(self, end: int) -> FileTensor | Unread:
        """Inside the extension: the shape, the type's name and the numbers' bytes."""
        if self._unpack(">B") != 0x93:
            raise ValueError("it does not start as Flax's arrays do")
        shape, name = self.item(1), self.item(1)
        name = name.decode() if isinstance(name, bytes) else name
        if not (isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)):
            raise ValueError(f"it is an array of shape {shape!r}")
        # Flax's older name for bfloat16 is what NumPy calls a type it does not know.
        name = "bfloat16" if name == "V2" else name
        if name not in DTYPES:
            return Unread(f"it is an array of type {name!r}", tuple(shape))
        tag = self._unpack(">B")
        if tag not in (0xC4, 0xC5, 0xC6):
            raise ValueError("it is an array without bytes")
        length = self._unpack(LENGTHS[tag])
        tensor = FileTensor(self.path, self.position, DTYPES[name], tuple(shape))
        if length != tensor.span * tensor.dtype.itemsize or self.position + length != end:
            raise ValueError(f"it is an array of shape {tuple(shape)} and has {length} bytes")
        return tensor

    def _text(self, length: int) -> str:
        return self._take(length).decode(errors="replace")

    def _unpack(self, form: str) -> Any:
        return struct.unpack(form, self._take(struct.calcsize(form)))[0]

    def _take(self, length: int) -> bytes:
        start, self.position = self.position, self.position + length
        if self.position > len(self.data):
            raise ValueError(f"it ends {self.position - len(self.data)} bytes early")
        return self.data[start : self.position]


def _joined(tree: dict[str, Any]) -> Joined | Unread:
    """What Flax makes of an array above its size for one piece: {"shape": {"0": …}, "chunks": {"0": …}}."""
    shape, chunks = tree.get("shape"), tree.get("chunks")
    if not (isinstance(shape, dict) and isinstance(chunks, dict)):
        return Unread("it is an array in pieces that lacks its shape or its pieces", damaged=True)
    sizes, parts = _in_order(shape), _in_order(chunks)
    unread = next((part for part in parts if isinstance(part, Unread)), None)
    if unread:
        return unread
    if not all(isinstance(part, FileTensor) for part in parts) or not all(isinstance(size, int) for size in sizes):
        return Unread("it is an array in pieces with something else among them", damaged=True)
    if sum(part.span for part in parts) != np.prod(sizes, dtype=np.int64):
        return Unread(f"it is an array of shape {sizes} that lacks pieces", damaged=True)
    return Joined(parts, sizes)


def _in_order(numbered: dict[str, Any]) -> tuple[Any, ...]:
    """The values of {"0": …, "1": …}, None for a number that is missing."""
    return tuple(numbered.get(str(i)) for i in range(len(numbered)))
