"""Flax's msgpack files, `checkpoint_<step>`: the tree of `flax.serialization`, its arrays left in the file."""

import math
import mmap
from pathlib import Path
from typing import Any

import msgpack

from elf.checkpoints.stored_tensors import DTYPES, MAX_DEPTH, FileTensor, Joined, Tree, Unread

# Flax itself would read everything, the optimizer's state too, which is twice the weights. Here an array is a place in
# the file: msgpack's streaming Unpacker reads what lies before it, and begins anew behind it. What Flax would not
# write, or is of a type that is not read, is passed over.

NDARRAY, COMPLEX, SCALAR = 1, 2, 3
"""Flax's extension types."""

MAPS = frozenset((*range(0x80, 0x90), 0xDE, 0xDF))
LISTS = frozenset((*range(0x90, 0xA0), 0xDC, 0xDD))
"""First bytes of maps and lists, which are gone through item by item."""

EXTENSIONS = {
    **{0xD4 + i: (0, 1 << i) for i in range(5)},
    **{0xC7 + i: (1 << i, 0) for i in range(3)},
}
"""First byte of an extension → bytes of its length, or the length itself where it has none."""

BYTES = {0xC4: 1, 0xC5: 2, 0xC6: 4}
"""First byte of bytes → bytes of their length."""

READ_AHEAD = 4096
"""Bytes that the Unpacker reads at a time: a few of them lie between two arrays."""


def read_msgpack(path: Path) -> Tree:
    """The tree of a file. Raises ValueError for what Flax does not write, and OSError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        reader = _Reader(path, data)
        try:
            tree = reader.item(0)
        except msgpack.OutOfData:
            raise ValueError("it ends early") from None
        except msgpack.FormatError:
            raise ValueError(f"byte {reader.position} starts nothing that msgpack knows") from None
        if reader.position != len(data):
            raise ValueError(f"{len(data) - reader.position} bytes follow its end")
        if not isinstance(tree, dict):
            raise ValueError("it holds no tree of names")
        return tree


class _Reader:
    """Goes through packed values one after the other."""

    def __init__(self, path: Path, data: mmap.mmap):
        self.path, self.data = path, data
        self._begin(0)

    def _begin(self, position: int) -> None:
        self.data.seek(position)
        self._start, self._unpacker = position, _unpacker(self.data, read_size=READ_AHEAD)

    @property
    def position(self) -> int:
        """Where the next value starts."""
        return self._start + self._unpacker.tell()

    def item(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise ValueError("its tree is too deep")
        if self.position >= len(self.data):
            raise msgpack.OutOfData
        first = self.data[self.position]
        if first in MAPS:
            return self._map(self._unpacker.read_map_header(), depth)
        if first in LISTS:
            return [self.item(depth + 1) for _ in range(self._unpacker.read_array_header())]
        return self._extension() if first in EXTENSIONS else self._unpacker.unpack()

    def _map(self, count: int, depth: int) -> Any:
        tree: dict[str, Any] = {}
        for _ in range(count):
            name = self.item(depth + 1)
            # Flax writes names only; other programs number their layers.
            tree[name if isinstance(name, str) else f"{name}"[:100]] = self.item(depth + 1)
        return _joined(tree) if "__msgpack_chunked_array__" in tree else tree

    def _extension(self) -> Any:
        width, length = EXTENSIONS[self.data[self.position]]
        at = self.position + 1
        if width:
            length = int.from_bytes(self.data[at : at + width], "big")
        start, end = at + width + 1, at + width + 1 + length
        if end > len(self.data):
            raise ValueError(f"it ends {end - len(self.data)} bytes early")
        kind = int.from_bytes(self.data[start - 1 : start], "big", signed=True)
        found: Any = Unread(f"it is an extension of type {kind}, which Flax does not write")
        if kind == COMPLEX:
            found = Unread("it is a complex number")
        if kind in (NDARRAY, SCALAR):
            try:
                found = self._array(start, end)
            except (ValueError, TypeError, msgpack.OutOfData) as error:
                found = Unread(str(error), damaged=True)
        self._begin(end)
        # Steps and counts of an optimizer; a scalar's bytes are those of an array without axes.
        return float(found.read()) if kind == SCALAR and isinstance(found, FileTensor) else found

    def _array(self, start: int, end: int) -> FileTensor | Unread:
        """Inside the extension: the shape, the type's name and the numbers' bytes."""
        head = self.data[start : min(end, start + READ_AHEAD)]
        if head[:1] != b"\x93":
            raise ValueError("it does not start as Flax's arrays do")
        unpacker = _unpacker()
        unpacker.feed(head)
        unpacker.read_array_header()
        shape, name = unpacker.unpack(), unpacker.unpack()
        name = name.decode() if isinstance(name, bytes) else name
        if not (isinstance(shape, list) and all(isinstance(size, int) and size >= 0 for size in shape)):
            raise ValueError(f"it is an array of shape {shape!r}")
        # Flax's older name for bfloat16 is what NumPy calls a type it does not know.
        name = "bfloat16" if name == "V2" else name
        if name not in DTYPES:
            return Unread(f"it is an array of type {name!r}", tuple(shape))
        at = unpacker.tell()
        width = BYTES.get(head[at] if at < len(head) else 0)
        if width is None:
            raise ValueError("it is an array without bytes")
        length = int.from_bytes(head[at + 1 : at + 1 + width], "big")
        tensor = FileTensor(self.path, start + at + 1 + width, DTYPES[name], tuple(shape))
        if length != tensor.span * tensor.dtype.itemsize or tensor.offset + length != end:
            raise ValueError(f"it is an array of shape {tuple(shape)} and has {length} bytes")
        return tensor


def _unpacker(file: Any = None, **options: Any) -> Any:
    return msgpack.Unpacker(file, strict_map_key=False, unicode_errors="replace", max_buffer_size=0, **options)


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
    if sum(part.span for part in parts) != math.prod(sizes):
        return Unread(f"it is an array of shape {sizes} that lacks pieces", damaged=True)
    return Joined(parts, sizes)


def _in_order(numbered: dict[str, Any]) -> tuple[Any, ...]:
    """The values of {"0": …, "1": …}, None for a number that is missing."""
    return tuple(numbered.get(str(i)) for i in range(len(numbered)))
