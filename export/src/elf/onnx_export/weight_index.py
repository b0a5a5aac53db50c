"""`onnx/weights-<dtype>.json`: where each tensor lies in a dtype's shards and in the graphs' virtual files."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from elf.errors import StoredWeightsError
from elf.onnx_export.encodings import BITS, Dtype
from elf.onnx_export.weights import Slot

SCHEMA_VERSION = 1


@dataclass(frozen=True)
class VirtualFile:
    """A file that the graphs name as the home of weights and that their reader makes."""

    path: str
    bytes: int
    graphs: tuple[str, ...]
    """The graphs that read it."""


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

    def json(self) -> dict[str, Any]:
        block = {"block": self.block} if self.encoding in BITS else {}
        return {
            "name": self.name,
            "shape": list(self.shape),
            "encoding": self.encoding,
            **block,
            "offset": self.offset,
            "bytes": self.bytes,
            "plain": {"file": self.slot.file, "offset": self.slot.offset},
        }


@dataclass(frozen=True)
class WeightIndex:
    dtype: Dtype
    bytes: int
    """Of the stream: all shards end to end."""
    files: tuple[VirtualFile, ...]
    tensors: tuple[StoredTensor, ...]

    def write(self, path: Path) -> None:
        """One tensor a line, so that a person can read it."""
        head = {
            "schemaVersion": SCHEMA_VERSION,
            "dtype": self.dtype,
            "bytes": self.bytes,
            "files": [asdict(file) for file in self.files],
        }
        lines = ",\n".join(json.dumps(tensor.json()) for tensor in self.tensors)
        path.write_text(f'{json.dumps(head)[:-1]}, "tensors": [\n{lines}\n]}}\n', encoding="utf-8")


def read_index(path: Path) -> WeightIndex:
    """Reads what `WeightIndex.write` wrote. Raises StoredWeightsError naming the file."""
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
        if index["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {index['schemaVersion']}, not {SCHEMA_VERSION}")
        return WeightIndex(
            dtype=index["dtype"],
            bytes=index["bytes"],
            files=tuple(VirtualFile(f["path"], f["bytes"], tuple(f["graphs"])) for f in index["files"]),
            tensors=tuple(_tensor(tensor) for tensor in index["tensors"]),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoredWeightsError(f"{path} cannot be read: {error}", "Export the model again.") from error


def _tensor(tensor: dict[str, Any]) -> StoredTensor:
    shape, plain = tuple(tensor["shape"]), tensor["plain"]
    length = 4
    for size in shape:
        length *= size
    slot = Slot(plain["file"], plain["offset"], length, shape)
    return StoredTensor(
        name=tensor["name"],
        shape=shape,
        encoding=tensor["encoding"],
        block=tensor.get("block", 0),
        offset=tensor["offset"],
        bytes=tensor["bytes"],
        slot=slot,
    )
