"""What readers of checkpoints give: trees of names with tensors still in their files, and weights read one by one."""

import lzma
import math
import struct
import zipfile
import zlib
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import ml_dtypes
import numpy as np

from elf.errors import CheckpointError
from elf.paths import is_address

# A file may hold much that nobody asks for: schedulers, settings, tensors of rare kinds. Whatever of it cannot be read
# stays in the tree as Unread, and refuses only those who ask for it.


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
        except (OSError, ValueError, TypeError, LookupError) as error:
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


BROKEN_ZIP = (zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, EOFError)
"""What is raised of an archive that is damaged."""

LOCAL_HEADER = 30
"""Bytes before the name of a file inside a zip."""


def data_offset(path: Path, entry: zipfile.ZipInfo) -> int:
    """Where a file's bytes start; the lengths before them are those of its local header, which may differ."""
    with path.open("rb") as file:
        file.seek(entry.header_offset)
        header = file.read(LOCAL_HEADER)
    if not header.startswith(b"PK\x03\x04"):
        raise ValueError(f"{entry.filename} is not where its table of contents says")
    name, extra = struct.unpack("<HH", header[26:30])
    return entry.header_offset + LOCAL_HEADER + name + extra


MOST_UNPACKED, MOST_TIMES = 2**26, 200
"""Bytes that may come of a compressed file in an archive: so many in any case, and so many of each of its bytes.
Weights become a tenth smaller, zeros a thousandth of what they are."""


def check_packing(entry: zipfile.ZipInfo) -> None:
    """Raises UnsupportedError for a file that would fill the memory when it is unpacked."""
    if entry.file_size > max(MOST_UNPACKED, MOST_TIMES * entry.compress_size):
        raise UnsupportedError(
            f"{entry.file_size:,} bytes would come of {entry.compress_size:,}",
            "Unpack the archive yourself, and save the weights again without compression, if you trust it.",
        )


Tree = Mapping[str, Any]
"""Nested mappings whose leaves are StoredTensor, Unread, int, float, bool, str, bytes or None."""

MAX_DEPTH, MAX_PARTS = 64, 200_000
"""Of a tree; weights lie some six names deep, and the largest models have a few thousand."""

MANY = 1000
"""More plain values than that in one container are not gone through."""

TOO_LARGE = "its tree is too large, or contains itself"

DTYPES = {
    "bool": np.dtype(np.bool_),
    **{name: np.dtype(name) for name in ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")},
    **{name: np.dtype(name) for name in ("float16", "float32", "float64")},
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
    "float8_e4m3fn": np.dtype(ml_dtypes.float8_e4m3fn),
    "float8_e4m3fnuz": np.dtype(ml_dtypes.float8_e4m3fnuz),
    "float8_e5m2": np.dtype(ml_dtypes.float8_e5m2),
    "float8_e5m2fnuz": np.dtype(ml_dtypes.float8_e5m2fnuz),
    "float8_e8m0fnu": np.dtype(ml_dtypes.float8_e8m0fnu),
}
"""Types of numbers that checkpoints hold, by NumPy's names."""

SAVE_OTHERWISE = "Save the weights again as plain float32, float16 or bfloat16 tensors."


class UnsupportedError(ValueError):
    """Something that is whole and can't be read here; `action` says what to do instead."""

    def __init__(self, message: str, action: str = SAVE_OTHERWISE):
        super().__init__(message)
        self.action = action


class Unread(NamedTuple):
    """A leaf that was passed over. A StoredTensor, so that whoever asks for it learns why it cannot be had."""

    what: str
    """"it is a sparse tensor"."""
    shape: tuple[int, ...] = ()
    damaged: bool = False
    """Whether the file is broken here; otherwise it is only of a kind that is not read."""

    def read(self) -> np.ndarray:
        raise ValueError(self.what) if self.damaged else UnsupportedError(self.what)


def span(shape: tuple[int, ...], strides: tuple[int, ...] | None) -> int:
    """How many numbers from the first to the last of a tensor, both counted."""
    if 0 in shape:
        return 0
    if strides is None:
        return math.prod(shape)
    return 1 + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))


class FileTensor(NamedTuple):
    """Numbers of one type at a place in a file."""

    path: Path
    offset: int
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    """In numbers, as torch counts them; None for row-major, or column-major if `fortran`."""
    fortran: bool = False

    @property
    def span(self) -> int:
        return span(self.shape, self.strides)

    def read(self) -> np.ndarray:
        with self.path.open("rb") as file:
            file.seek(self.offset)
            if is_address(self.path):
                data = file.read(self.span * self.dtype.itemsize)
                numbers = np.frombuffer(data[: len(data) // self.dtype.itemsize * self.dtype.itemsize], self.dtype)
            else:
                numbers = np.fromfile(file, self.dtype, self.span)
        return laid_out(numbers, self)


def laid_out(numbers: np.ndarray, tensor: "FileTensor | PackedTensor") -> np.ndarray:
    """The numbers of a tensor, which lie one after the other, in its shape."""
    if numbers.size != span(tensor.shape, tensor.strides):
        raise ValueError(f"{tensor.path.name} ends within it")
    if tensor.strides is None:
        return numbers.reshape(tensor.shape, order="F" if tensor.fortran else "C")
    strides = [stride * tensor.dtype.itemsize for stride in tensor.strides]
    # NumPy's strides know its own types only.
    plain = numbers.view(f"u{tensor.dtype.itemsize}")
    return np.lib.stride_tricks.as_strided(plain, tensor.shape, strides, writeable=False).view(tensor.dtype)


class PackedTensor(NamedTuple):
    """Numbers at a place in a file of a zip archive which is compressed there."""

    path: Path
    entry: str
    offset: int
    """In the file, once it is unpacked."""
    dtype: np.dtype
    shape: tuple[int, ...]
    strides: tuple[int, ...] | None = None
    """As of a FileTensor."""
    fortran: bool = False

    def read(self) -> np.ndarray:
        size = span(self.shape, self.strides) * self.dtype.itemsize
        try:
            with zipfile.ZipFile(self.path) as archive, archive.open(self.entry) as file:
                check_packing(archive.getinfo(self.entry))
                file.seek(self.offset)
                data = file.read(size)
        except (*BROKEN_ZIP, NotImplementedError, RuntimeError) as error:
            raise ValueError(str(error)) from error
        return laid_out(np.frombuffer(data[: len(data) // self.dtype.itemsize * self.dtype.itemsize], self.dtype), self)


@dataclass(frozen=True)
class Joined:
    """A large tensor kept as several pieces of its numbers, in order."""

    parts: tuple[StoredTensor, ...]
    shape: tuple[int, ...]

    @property
    def dtype(self) -> np.dtype | None:
        return getattr(self.parts[0], "dtype", None) if self.parts else None

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
    """What a pickle held, as a tree: lists by their numbers, names of several parts joined by '/'.

    Gone through level by level, so that what lies deep in something large, or contains itself, costs nothing that lies
    nearer: it is Unread. Raises UnsupportedError for what is no tree.
    """
    root: dict[str, Any] = {}
    children = _children(found)
    if children is None:
        what = getattr(found, "what", None) or "it holds no tree of names"
        raise UnsupportedError(what, "Give a checkpoint: a dict of names and tensors.")
    parts, waiting = 0, deque([(children, root, 1)])
    while waiting:
        mapping, place, depth = waiting.popleft()
        for name, value in mapping.items():
            text = "/".join(map(str, name)) if isinstance(name, tuple) else str(name)
            children = _children(value)
            parts += 1
            if children is None:
                place[text] = _leaf(value)
            elif len(children) > MANY and all(isinstance(each, Leaf) for each in children.values()):
                # The losses of a training, the words of a vocabulary: no names of weights.
                place[text] = Unread(f"it is a list of {len(children):,}")
            elif depth >= MAX_DEPTH or parts + len(children) > MAX_PARTS:
                place[text] = Unread(TOO_LARGE)
            else:
                place[text] = {}
                waiting.append((children, place[text], depth + 1))
    return root


Leaf = int | float | str | bytes | None
"""What a tree holds besides tensors; a bool is an int."""


def _children(value: Any) -> Mapping[Any, Any] | None:
    """What is inside a container; None for what is none."""
    inside = getattr(value, "inside", None)
    if inside is not None:
        value = inside()
    # What stands in for something is a tuple of a kind of its own, which no pickle can change.
    if type(value) in (list, tuple):
        return dict(enumerate(value))
    return value if isinstance(value, Mapping) else None


def _leaf(value: Any) -> Any:
    if isinstance(getattr(value, "held", None), Unread):
        return value.held
    if isinstance(value, Leaf) or hasattr(value, "read"):
        return value
    return Unread(getattr(value, "what", None) or f"it is of Python's type {type(value).__name__}")


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
