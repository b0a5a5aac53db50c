"""Where each weight of a model lies: in the virtual files that its graphs name, and in a dtype's shards."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.errors import StoredWeightsError
from elf.models.encodings import BITS, DTYPES, Dtype
from elf.network.parameters import shapes_of
from elf.text_file import json_value

ALIGNMENT = 64
"""Bytes; a tensor can be viewed in place as any typed array, and starts a cache line."""
GREATEST_FILE = 512 * 2**20
"""Bytes of one virtual file: a browser hands out no single buffer of some gigabytes."""


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies: bytes from `offset` on in the virtual file of number `file`."""

    file: int
    offset: int
    length: int
    shape: tuple[int, ...]


class WeightLayout:
    """Gives each tensor its place, as float32, in virtual files, which exist nowhere on disk: whoever opens a graph
    makes them from the shards of the dtype that was chosen, so that one set of graphs serves every dtype.

    Every mapping of `groups` starts a virtual file of its own: one that a graph does
    not read need not be made for it.

    Mappings may load their tensors only when asked, and forget them again: nothing is kept here but shapes.
    """

    def __init__(self, *groups: Mapping[str, np.ndarray]):
        self.groups = groups
        self.slots: dict[str, Slot] = {}
        self.file_sizes: list[int] = []
        for group in groups:
            self.file_sizes.append(0)
            for name, shape in shapes_of(group).items():
                self._place(name, shape)

    def _place(self, name: str, shape: tuple[int, ...]) -> None:
        length = 4 * int(np.prod(shape, dtype=np.int64))
        offset = aligned(self.file_sizes[-1], ALIGNMENT)
        if offset and offset + length > GREATEST_FILE:
            self.file_sizes.append(0)
            offset = 0
        self.slots[name] = Slot(len(self.file_sizes) - 1, offset, length, shape)
        self.file_sizes[-1] = offset + length

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """All tensors by name, float32, loaded when asked for."""
        return _Joined(self.groups)


class _Joined(Mapping[str, np.ndarray]):
    """Mappings without a name in common, as one; values as float32 in C order."""

    def __init__(self, parts: tuple[Mapping[str, np.ndarray], ...]):
        # Asking a mapping whether it has a name could load the tensor.
        self._part_of = {name: part for part in parts for name in part}

    def __getitem__(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(self._part_of[name][name], np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._part_of)

    def __len__(self) -> int:
        return len(self._part_of)


def virtual_file(number: int) -> str:
    """The name by which graphs know the virtual file of this number."""
    return f"weights-{number}.bin"


def packed_file(number: int) -> str:
    """The same of the packed graphs' virtual files."""
    return f"packed-{number}.bin"


def aligned(offset: int, alignment: int) -> int:
    """The next multiple of `alignment`."""
    return -(-offset // alignment) * alignment


SCHEMA_VERSION = 1


@dataclass(frozen=True)
class VirtualFile:
    """A file that the graphs name as the home of weights and that their reader makes."""

    path: str
    bytes: int
    graphs: tuple[str, ...]
    """The graphs that read it."""


@dataclass(frozen=True)
class PackedSlots:
    """Where a packed graph looks for a quantised kernel: its values as they are stored, its scales as float32."""

    values: Slot
    scales: Slot


@dataclass(frozen=True)
class StoredTensor:
    """One tensor: its bytes in the stream of all shards, and its place among the virtual files."""

    name: str
    shape: tuple[int, ...]
    encoding: Dtype
    block: int
    """Weights to a scale; 0 where the encoding has none."""
    offset: int
    bytes: int
    slot: Slot
    packed: Slot | PackedSlots | None = None
    """Place among the files of the packed graphs, where they read it."""

    def json(self) -> dict[str, Any]:
        block = {"block": self.block} if self.encoding in BITS else {}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "encoding": self.encoding,
            **block,
            "offset": self.offset,
            "bytes": self.bytes,
            "plain": _place(self.slot),
            **({} if self.packed is None else {"packed": _packed(self.packed)}),
        }


@dataclass(frozen=True)
class WeightIndex:
    """`onnx/weights-<dtype>.json`: where each tensor lies in a dtype's shards and in the graphs' virtual files."""

    dtype: Dtype
    bytes: int
    """Of the stream: all shards end to end."""
    files: tuple[VirtualFile, ...]
    tensors: tuple[StoredTensor, ...]
    packed_files: tuple[VirtualFile, ...] = ()

    def write(self, path: Path) -> None:
        """One tensor a line, so that a person can read it."""
        head = {
            "schemaVersion": SCHEMA_VERSION,
            "dtype": self.dtype,
            "bytes": self.bytes,
            "files": [asdict(file) for file in self.files],
            **({"packedFiles": [asdict(file) for file in self.packed_files]} if self.packed_files else {}),
        }
        lines = ",\n".join(json.dumps(tensor.json()) for tensor in self.tensors)
        path.write_text(f'{json.dumps(head)[:-1]}, "tensors": [\n{lines}\n]}}\n', encoding="utf-8")


def read_index(path: Path) -> WeightIndex:
    """Reads what `WeightIndex.write` wrote. Raises StoredWeightsError naming the file."""
    try:
        index = json_value(path.read_text(encoding="utf-8"))
        if index["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {index['schemaVersion']}, not {SCHEMA_VERSION}")
        return WeightIndex(
            dtype=_text(index["dtype"]),  # type: ignore[arg-type]
            bytes=_count(index["bytes"]),
            files=_files(index["files"]),
            tensors=tuple(_tensor(tensor) for tensor in index["tensors"]),
            packed_files=_files(index.get("packedFiles", [])),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoredWeightsError(f"{path} cannot be read: {error}", "Export the model again.") from error


def _files(files: list[dict[str, Any]]) -> tuple[VirtualFile, ...]:
    return tuple(
        VirtualFile(_text(file["path"]), _count(file["bytes"]), tuple(map(_text, file["graphs"]))) for file in files
    )


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} stands in the place of a text")
    return value


def _count(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError(f"{value!r} stands in the place of a count")
    return value


def _place(slot: Slot) -> dict[str, int]:
    return {"file": slot.file, "offset": slot.offset}


def _packed(packed: Slot | PackedSlots) -> dict[str, Any]:
    if isinstance(packed, Slot):
        return _place(packed)
    return {"values": _place(packed.values), "scales": _place(packed.scales)}


def _tensor(tensor: dict[str, Any]) -> StoredTensor:
    name, shape, block = _text(tensor["name"]), tuple(map(_count, tensor["shape"])), _count(tensor.get("block", 0))
    if tensor["encoding"] not in DTYPES or (tensor["encoding"] in BITS and not block):
        raise ValueError(f"{name} is stored in a way that there is not")
    stored = StoredTensor(
        name=name,
        shape=shape,
        encoding=tensor["encoding"],
        block=block,
        offset=_count(tensor["offset"]),
        bytes=_count(tensor["bytes"]),
        slot=_slot(tensor["plain"], shape, 4),
    )
    packed = tensor.get("packed")
    if packed is None:
        return stored
    if "values" not in packed:
        return replace(stored, packed=_slot(packed, shape, 4))
    values, scales = packed_shapes(stored)
    slots = PackedSlots(_slot(packed["values"], values, 1), _slot(packed["scales"], scales, 4))
    return replace(stored, packed=slots)


def packed_shapes(tensor: StoredTensor) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Of the values (bytes) and the scales of a quantised kernel (K, N), as MatMulNBits takes them."""
    inputs, outputs = tensor.shape
    blocks = -(-inputs // tensor.block)
    return (outputs, blocks, tensor.block * BITS[tensor.encoding] // 8), (outputs * blocks,)


def _slot(place: dict[str, int], shape: tuple[int, ...], width: int) -> Slot:
    return Slot(_count(place["file"]), _count(place["offset"]), width * math.prod(shape), shape)
