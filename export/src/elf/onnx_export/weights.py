"""The one file of weights that all graphs of a model read: each tensor stored once, aligned, float32 or float16."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from elf.network.trained_model import FlatParams

WEIGHTS_FILE = "weights.bin"
ALIGNMENT = 64
"""Bytes; a tensor can be viewed in place as any typed array, and starts a cache line."""


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies in the weights file."""

    offset: int
    length: int
    dtype: ir.DataType
    shape: tuple[int, ...]


class WeightFile:
    """The one file of all graphs' weights: gives each tensor its place, then writes them.

    `dtype` is how they are stored, "f32" or "f16". Tensors named in `keep_f32` are stored as float32 regardless.
    """

    def __init__(self, tensors: FlatParams, dtype: str = "f32", keep_f32: frozenset[str] = frozenset()):
        self.tensors: FlatParams = {}
        self.slots: dict[str, Slot] = {}
        self.size = 0
        for name, value in tensors.items():
            stored = np.float16 if dtype == "f16" and name not in keep_f32 else np.float32
            array = np.ascontiguousarray(value, stored)
            offset = -(-self.size // ALIGNMENT) * ALIGNMENT
            kind = ir.DataType.FLOAT16 if stored is np.float16 else ir.DataType.FLOAT
            self.tensors[name] = array
            self.slots[name] = Slot(offset, array.nbytes, kind, array.shape)
            self.size = offset + array.nbytes

    def write(self, path: Path) -> None:
        """Writes the tensors at their offsets, zeros between them. Little-endian, as ONNX asks."""
        with path.open("wb") as file:
            for name, array in self.tensors.items():
                file.write(bytes(self.slots[name].offset - file.tell()))
                file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())
