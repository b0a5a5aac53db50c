"""Safetensors files: read with their tensors left where they are, written one tensor after the other."""

import json
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.stored_tensors import DTYPES, FileTensor, Tree, Unread
from elf.paths import file_size

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
        header = json.loads(file.read(length))
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
