"""The network's graphs for weights that stay packed: each product with a quantised kernel is one MatMulNBits.

Other weights are float32 as in the plain graphs. Both lie in virtual files of their own, `packed-0.bin`, …, so that a
device with little memory never holds the expanded ones.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx_ir as ir

from elf.models.exported.encodings import BITS, values_and_scales
from elf.models.exported.places import (
    ALIGNMENT,
    GREATEST_FILE,
    PackedSlots,
    Slot,
    StoredTensor,
    VirtualFile,
    WeightIndex,
    aligned,
    packed_file,
    packed_shapes,
)
from elf.models.exported.stored_weights import StoredWeights, readers, weights_stem

MICROSOFT = "com.microsoft"
PACKED_GRAPHS = ("denoiser", "decoder")
"""The others run once, and their weights are small or not quantised."""
VALUES, SCALES = "/values", "/scales"
"""End the names of a kernel's two tensors."""


def write_packed_graphs(graphs: Mapping[str, ir.Model], index: WeightIndex, folder: Path) -> dict[str, str]:
    """Writes `<graph>-<dtype>.onnx` for the graphs that can be packed, and the index once more, with the places of what
    they read. Returns their names by graph."""
    plain = {name: graphs[name] for name in PACKED_GRAPHS}
    read = {
        name
        for model in plain.values()
        for name, value in model.graph.initializers.items()
        if isinstance(value.const_value, ir.ExternalTensor)
    }
    layout = PackedLayout(tensor for tensor in index.tensors if tensor.name in read)
    packed = {name: packed_graph(model, layout) for name, model in plain.items()}
    names = {name: f"{name}-{index.dtype}.onnx" for name in packed}
    for name, model in packed.items():
        ir.save(model, folder / names[name])
    files = tuple(
        VirtualFile(packed_file(number), size, readers(packed, packed_file(number)))
        for number, size in enumerate(layout.file_sizes)
    )
    tensors = tuple(layout.tensors.get(tensor.name, tensor) for tensor in index.tensors)
    replace(index, tensors=tensors, packed_files=files).write(folder / f"{weights_stem(index.dtype)}.json")
    return names


class PackedWeights(Mapping[str, np.ndarray]):
    """What packed graphs read, by name: a quantised kernel's values and scales, other tensors in float32."""

    def __init__(self, stored: StoredWeights):
        self._stored = stored
        self._tensors: dict[str, StoredTensor] = {}
        for tensor in stored.index.tensors:
            if isinstance(tensor.packed, PackedSlots):
                self._tensors |= {f"{tensor.name}{VALUES}": tensor, f"{tensor.name}{SCALES}": tensor}
            elif tensor.packed:
                self._tensors[tensor.name] = tensor

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        if isinstance(tensor.packed, Slot):
            return self._stored[name]
        data = self._stored.stored_bytes(tensor.name)
        values, scales = values_and_scales(data, tensor.shape, tensor.encoding, tensor.block)
        return scales.reshape(-1) if name.endswith(SCALES) else np.ascontiguousarray(values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


class PackedLayout:
    """Gives each tensor its place in the packed virtual files, in the order of `tensors`."""

    def __init__(self, tensors: Iterable[StoredTensor]):
        self.file_sizes = [0]
        self.tensors: dict[str, StoredTensor] = {}
        for tensor in tensors:
            self.tensors[tensor.name] = replace(tensor, packed=self._slots(tensor))

    def _slots(self, tensor: StoredTensor) -> Slot | PackedSlots:
        if tensor.encoding not in BITS:
            return self._slot(tensor.shape, 4)
        values, scales = packed_shapes(tensor)
        return PackedSlots(self._slot(values, 1), self._slot(scales, 4))

    def _slot(self, shape: tuple[int, ...], width: int) -> Slot:
        length = width * int(np.prod(shape, dtype=np.int64))
        offset = aligned(self.file_sizes[-1], ALIGNMENT)
        if offset and offset + length > GREATEST_FILE:
            self.file_sizes.append(0)
            offset = 0
        self.file_sizes[-1] = offset + length
        return Slot(len(self.file_sizes) - 1, offset, length, shape)


def packed_graph(plain: ir.Model, layout: PackedLayout) -> ir.Model:
    """The graph that computes the same as `plain` with the tensors of `layout`."""
    model = plain.clone()
    graph = model.graph
    for name, value in list(graph.initializers.items()):
        if not isinstance(value.const_value, ir.ExternalTensor):
            continue
        tensor = layout.tensors[name]
        if isinstance(tensor.packed, Slot):
            _place(value, tensor.packed, ir.DataType.FLOAT)
        elif isinstance(tensor.packed, PackedSlots):
            _pack(graph, value, tensor, tensor.packed)
    graph.opset_imports[MICROSOFT] = 1
    return model


def _pack(graph: ir.Graph, kernel: ir.Value, tensor: StoredTensor, slots: PackedSlots) -> None:
    """Puts MatMulNBits in the place of every product with `kernel`."""
    values, scales = ir.Value(name=f"{tensor.name}{VALUES}"), ir.Value(name=f"{tensor.name}{SCALES}")
    _place(values, slots.values, ir.DataType.UINT8)
    _place(scales, slots.scales, ir.DataType.FLOAT)
    inputs, outputs = tensor.shape
    attributes = {"K": inputs, "N": outputs, "bits": BITS[tensor.encoding], "block_size": tensor.block}
    for node, _ in list(kernel.uses()):
        assert node.op_type == "MatMul", f"{tensor.name} is read by {node.op_type}"
        product = ir.node("MatMulNBits", [node.inputs[0], values, scales], attributes, domain=MICROSOFT, name=node.name)
        ir.convenience.replace_nodes_and_values(graph, node, [node], [product], node.outputs, product.outputs)
    graph.initializers.pop(tensor.name)
    graph.register_initializer(values)
    graph.register_initializer(scales)


def _place(value: ir.Value, slot: Slot, kind: ir.DataType) -> None:
    shape = ir.Shape(slot.shape)
    value.const_value = ir.ExternalTensor(
        packed_file(slot.file), slot.offset, slot.length, kind, shape=shape, name=value.name or ""
    )
    value.shape, value.type = shape, ir.TensorType(kind)
