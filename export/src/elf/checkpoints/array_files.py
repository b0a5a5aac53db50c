"""Plain files of arrays: safetensors, NumPy's `.npz`, and pickles of arrays in dicts, as Flax's T5 is published."""

import json
import math
import zipfile
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np

from elf.checkpoints.restricted_unpickler import Allowed, StandIn, unpickle
from elf.checkpoints.stored_tensors import (
    BROKEN_ZIP,
    DTYPES,
    FileTensor,
    PackedTensor,
    Tree,
    Unread,
    UnsupportedError,
    data_offset,
    plain_tree,
)
from elf.paths import file_size
from elf.text_file import json_value

# A pickle holds containers and arrays, nothing else. Arrays of JAX and Flax's FrozenDict are such arrays and dicts in a
# wrapping, and are unwrapped.

MAX_HEADER = 100_000_000
"""Bytes, as the format itself demands."""

TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"} | {
    f"{sign}{bits}": f"{name}{bits}" for sign, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}
TYPES |= {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "F8_E8M0": "float8_e8m0fnu"}
TYPES |= {"F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E5M2FNUZ": "float8_e5m2fnuz"}


def read_safetensors(path: Path) -> Tree:
    """Name → tensor. Raises ValueError for a file without a header of this form, or that ends early, and OSError."""
    size = file_size(path)
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise ValueError(f"its header would be {length} bytes long")
        header = json_value(file.read(length))
    if not isinstance(header, dict):
        raise ValueError("its header describes no tensors")
    start = 8 + length
    return {name: _tensor(path, name, facts, start, size) for name, facts in header.items() if name != "__metadata__"}


def _tensor(path: Path, name: str, facts: Any, start: int, size: int) -> FileTensor | Unread:
    try:
        dtype, shape, (first, end) = facts["dtype"], tuple(facts["shape"]), facts["data_offsets"]
        if not all(isinstance(number, int) and number >= 0 for number in (*shape, first, end)):
            raise ValueError("one of its numbers is none")
    except (TypeError, KeyError, ValueError):
        return Unread("its header does not describe it", damaged=True)
    if end > size - start:
        # Of a file that was cut short nothing is taken, whatever is still there.
        raise ValueError(f"{name} of shape {shape} lies outside the file")
    if dtype not in TYPES:
        return Unread(f"it is of type {dtype}", shape)
    kind = DTYPES[TYPES[dtype]]
    if end - first != math.prod(shape) * kind.itemsize:
        return Unread(f"it has the shape {shape}, but {end - first} bytes", shape, damaged=True)
    return FileTensor(path, start + first, kind, shape)


def write_safetensors(path: Path, shapes: Mapping[str, tuple[int, ...]], arrays: Iterable[np.ndarray]) -> None:
    """Float32 arrays, in the order of their `shapes`; only one of them is needed at a time."""
    header: dict[str, Any] = {}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for _, array in zip(shapes, arrays, strict=True):
            file.write(np.ascontiguousarray(array, np.float32).data)


NUMBERS = {f"{kind}{size}": np.dtype(f"{kind}{size}") for kind in "iuf" for size in (2, 4, 8)} | {
    "i1": np.dtype("i1"),
    "u1": np.dtype("u1"),
    "b1": np.dtype("b1"),
    "bfloat16": np.dtype(ml_dtypes.bfloat16),
}
"""What a pickle may call a type: integers, floats, booleans; no objects and no records."""


class PickledType:
    """Stands in for numpy.dtype."""

    def __init__(self, code: Any, align: bool = False, copy: bool = True):
        self.dtype = NUMBERS.get(code) if isinstance(code, str) else None
        self.what = f"it is an array of {code!r}"

    def __setstate__(self, state: Any) -> None:
        if state[1] not in ("<", "|"):
            self.dtype, self.what = None, f"it is an array in byte order {state[1]!r}"


class PickledArray:
    """Stands in for an array; a StoredTensor, though it is read with its file. It gets its numbers last."""

    held: np.ndarray | Unread = Unread("it is an array that never got its numbers", damaged=True)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.held.shape

    @property
    def dtype(self) -> np.dtype | None:
        return self.held.dtype if isinstance(self.held, np.ndarray) else None

    def read(self) -> np.ndarray:
        return self.held if isinstance(self.held, np.ndarray) else self.held.read()

    def __setstate__(self, state: Any) -> None:
        _, shape, kind, fortran, data = state
        self.held = _held(data, kind, shape, "F" if fortran else "C")


def _held(data: Any, kind: Any, shape: Any, order: Any) -> np.ndarray | Unread:
    try:
        return _pickled_array(data, kind, shape, order)
    except (ValueError, TypeError) as error:
        return Unread(f"it is an array whose bytes are not those of its shape: {error}", damaged=True)


def _pickled_array(data: Any, kind: Any, shape: Any, order: Any = "C") -> np.ndarray | Unread:
    """Raises ValueError where there are more or fewer bytes than numbers."""
    if isinstance(kind, PickledType) and kind.dtype is None:
        return Unread(kind.what)
    if not isinstance(kind, PickledType) or not isinstance(data, bytes | bytearray):
        return Unread("it is an array of something else than numbers")
    if order not in ("C", "F"):
        return Unread(f"it is an array laid out as {order!r}")
    sizes = tuple(shape)
    if not all(isinstance(size, int) and size >= 0 for size in sizes):
        raise ValueError(f"shape {shape!r}")
    return np.frombuffer(data, kind.dtype).reshape(sizes, order=order)


def _reconstruct(subtype: Any, shape: Any, kind: Any) -> PickledArray:
    return PickledArray()


def _from_buffer(data: Any, kind: Any, shape: Any, order: Any, axis_order: Any = None) -> PickledArray:
    found = PickledArray()
    if axis_order is None:
        found.held = _held(data, kind, shape, order)
    else:
        found.held = Unread("it is an array with its axes in an order of their own")
    return found


def _scalar(kind: Any, data: Any) -> Any:
    found = _held(data, kind, (), "C")
    return found.item() if isinstance(found, np.ndarray) else found


def _encode(text: Any, encoding: Any) -> Any:
    """How protocol 2 writes bytes."""
    if not isinstance(text, str) or encoding != "latin1":
        return Unread("it is bytes in another encoding than latin1")
    return text.encode("latin1")


def _no_bytes() -> bytes:
    """How protocol 2 writes bytes where there are none."""
    return b""


def _jax_array(function: Any, arguments: Any, state: Any, aval_state: Any) -> Any:
    """An array of JAX is pickled as the NumPy array of the same numbers."""
    if not isinstance(function, StandIn) or function[0] is not _reconstruct:
        return Unread("it is an array of JAX made in an unknown way")
    array = PickledArray()
    array.__setstate__(state)
    return array


ALLOWED: Allowed = {
    ("collections", "OrderedDict"): OrderedDict,
    ("flax.core.frozen_dict", "FrozenDict"): dict,
    ("numpy", "dtype"): PickledType,
    ("numpy", "ndarray"): "numpy.ndarray",
    ("_codecs", "encode"): _encode,
    ("__builtin__", "bytes"): _no_bytes,
    ("jax._src.array", "_reconstruct_array"): _jax_array,
    ("ml_dtypes", "bfloat16"): "bfloat16",
    # NumPy 1 and 2 call the same functions by other names.
    ("numpy.core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy.core.multiarray", "scalar"): _scalar,
    ("numpy.core.numeric", "_frombuffer"): _from_buffer,
    ("numpy._core.multiarray", "_reconstruct"): _reconstruct,
    ("numpy._core.multiarray", "scalar"): _scalar,
    ("numpy._core.numeric", "_frombuffer"): _from_buffer,
}


def read_numpy_pickle(path: Path) -> Tree:
    """The tree of a pickle, its arrays read with it. Raises ValueError for a pickle that is broken or holds no tree."""
    with path.open("rb") as file:
        found = unpickle(file, ALLOWED)
    return plain_tree(found)


SUFFIX = ".npy"


def read_npz(path: Path) -> Tree:
    """Name → array. Raises ValueError for a file that is broken, and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                entry.filename.removesuffix(SUFFIX): _array(path, archive, entry)
                for entry in archive.infolist()
                if entry.filename.endswith(SUFFIX)
            }
    except BROKEN_ZIP as error:
        raise ValueError(str(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a method that zipfile lacks, or a password
        raise UnsupportedError(f"it cannot be unpacked: {error}", "Unpack it, and save it again.") from error


def _array(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    try:
        with archive.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            start = file.tell()
    except BROKEN_ZIP:
        raise
    except Exception as error:  # NumPy reads what a header says as Python, and raises whatever Python's parser does
        return Unread(f"it is no array: {error}", damaged=True)
    if dtype.hasobject or dtype.kind not in "iufb":
        return Unread(f"it is an array of type {dtype}", shape)
    if start + math.prod(shape) * dtype.itemsize > entry.file_size:
        return Unread(f"it is an array of shape {shape} that ends early", shape, damaged=True)
    if entry.compress_type == zipfile.ZIP_STORED:
        return FileTensor(path, data_offset(path, entry) + start, dtype, shape, fortran=fortran)
    return PackedTensor(path, entry.filename, start, dtype, shape, fortran=fortran)
