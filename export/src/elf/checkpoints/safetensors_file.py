"""Safetensors files, their tensors left where they are."""

import json
import math
from pathlib import Path

from elf.checkpoints.stored import DTYPES, FileTensor, Tree

MAX_HEADER = 100_000_000
"""Bytes, as the format itself demands."""

TYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "BOOL": "bool"} | {
    f"{sign}{bits}": f"{name}{bits}" for sign, name in (("I", "int"), ("U", "uint")) for bits in (8, 16, 32, 64)
}


def read_safetensors(path: Path) -> Tree:
    """Name → tensor. Raises ValueError for a file that breaks the format's rules, and OSError."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(MAX_HEADER, size - 8):
            raise ValueError(f"its header would be {length} bytes long")
        header = json.loads(file.read(length))
    start = 8 + length
    tree = {}
    for name, facts in header.items():
        if name == "__metadata__":
            continue
        try:
            dtype, shape, (first, end) = facts["dtype"], tuple(facts["shape"]), facts["data_offsets"]
        except (TypeError, KeyError, ValueError) as error:
            raise ValueError(f"its header does not describe {name}") from error
        if dtype not in TYPES:
            raise ValueError(f"{name} is of type {dtype}")
        kind = DTYPES[TYPES[dtype]]
        if not 0 <= first <= end <= size - start or end - first != math.prod(shape) * kind.itemsize:
            raise ValueError(f"{name} of shape {shape} lies outside the file")
        tree[name] = FileTensor(path, start + first, kind, shape)
    return tree
