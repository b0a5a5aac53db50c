"""Whether the index of a dtype agrees with its shards, with itself, and with the graphs that name its virtual files."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import onnx_ir as ir

from elf.errors import ExportedModelError
from elf.models.exported.encodings import BITS, Dtype, encoded_bytes
from elf.models.exported.shards import GREATEST_SHARD
from elf.models.exported.weight_index import PackedSlots, WeightIndex, read_index
from elf.models.exported.weights import Slot
from elf.onnx_export.packed_graphs import SCALES, VALUES

EXPORT_AGAIN = "Export the model again."


def check_index(folder: Path, dtype: Dtype, entry: dict[str, Any]) -> WeightIndex:
    """The index of `dtype`, whose entry in the manifest is `entry`. Raises ExportedModelError, StoredWeightsError."""
    index, path = read_index(folder / entry["index"]), entry["index"]
    sizes = [(folder / shard).stat().st_size for shard in entry["shards"]]
    if max(sizes) > GREATEST_SHARD:
        raise ExportedModelError(f"{entry['shards'][0]} or another shard is above 64 MB", EXPORT_AGAIN)
    if not index.dtype == dtype or not index.bytes == sum(sizes) == entry["bytes"]:
        raise _wrong(path, f"it is not of {dtype}, or of other shards than those of {sum(sizes)} bytes")
    for tensor in index.tensors:
        if tensor.bytes != encoded_bytes(tensor.shape, tensor.encoding, tensor.block):
            raise _wrong(path, f"{tensor.name} takes {tensor.bytes} bytes")
        if (tensor.encoding in BITS) != bool(tensor.block):
            raise _wrong(path, f"{tensor.name} has a wrong block")
    _check_places(path, "the shards", index.bytes, ((t.offset, t.bytes, t.name) for t in index.tensors))
    for files, places in ((index.files, plain_places(index)), (index.packed_files, packed_places(index))):
        for number, file in enumerate(files):
            inside = ((slot.offset, slot.length, name) for name, slot in places.items() if slot.file == number)
            _check_places(path, file.path, file.bytes, inside)
    return index


def _check_places(path: str, where: str, size: int, places: Iterable[tuple[int, int, str]]) -> None:
    end = 0
    for offset, length, name in sorted(places):
        if offset < end or offset + length > size:
            raise _wrong(path, f"{name} lies over another tensor of {where}, or behind their end")
        end = offset + length


def check_graph(path: Path, graph: str, index: WeightIndex, *, packed: bool) -> None:
    """Whether every tensor that a graph keeps outside lies where the index says. `graph` is its name, without that of
    a variant. Raises ExportedModelError."""
    try:
        model = ir.load(path)
    except Exception as error:  # protobuf raises its own kinds
        raise ExportedModelError(f"{path.name} is no ONNX graph: {error}", EXPORT_AGAIN) from error
    places, files = (packed_places(index), index.packed_files) if packed else (plain_places(index), index.files)
    for name, value in model.graph.initializers.items():
        outside = value.const_value
        if not isinstance(outside, ir.ExternalTensor):
            continue
        slot = places.get(name)
        if slot is None or slot.file >= len(files):
            raise ExportedModelError(f"{path.name} reads {name}, which the index of {index.dtype} lacks", EXPORT_AGAIN)
        file = files[slot.file]
        named = outside.location, outside.offset or 0, outside.length, tuple(outside.shape.numpy())
        if named != (file.path, slot.offset, slot.length, slot.shape) or graph not in file.graphs:
            raise ExportedModelError(
                f"{path.name} looks for {name} elsewhere than the index of {index.dtype} puts it", EXPORT_AGAIN
            )


def plain_places(index: WeightIndex) -> dict[str, Slot]:
    return {tensor.name: tensor.slot for tensor in index.tensors}


def packed_places(index: WeightIndex) -> dict[str, Slot]:
    """The same of packed graphs, which name a kernel's values and scales apart."""
    places: dict[str, Slot] = {}
    for tensor in index.tensors:
        if isinstance(tensor.packed, PackedSlots):
            places |= {f"{tensor.name}{VALUES}": tensor.packed.values, f"{tensor.name}{SCALES}": tensor.packed.scales}
        elif tensor.packed:
            places[tensor.name] = tensor.packed
    return places


def _wrong(path: str, detail: str) -> ExportedModelError:
    return ExportedModelError(f"{path} is wrong: {detail}", EXPORT_AGAIN)
