"""All graphs of a model over one layout of weights, plain and packed, with the T5 encoder's (export/FORMAT.md)."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig, T5Config
from elf.models.encodings import BITS, values_and_scales
from elf.models.exported_folder import StoredWeights, readers, weights_stem
from elf.models.rearranged import T5_BIAS_BY_DISTANCE, encoder_weights, exact_tables, grouped, network_weights
from elf.models.trained_model import TrainedModel
from elf.models.weight_places import (
    ALIGNMENT,
    GREATEST_FILE,
    PackedSlots,
    Slot,
    StoredTensor,
    VirtualFile,
    WeightIndex,
    WeightLayout,
    aligned,
    packed_file,
    packed_shapes,
)
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.network_graphs import decoder_graph, denoiser_graph, prefix_graph

# In packed graphs each product with a quantised kernel is one MatMulNBits. Other weights are float32 as in the plain
# ones. Both lie in virtual files of their own, `packed-0.bin`, …, so that a device with little memory never holds the
# expanded ones.


def encoder_graph(
    config: T5Config, weights: WeightLayout, mean: float | np.ndarray, std: float | np.ndarray
) -> ir.Model:
    """(input_ids, attention_mask (B, S) int64) → normalised latents (B, S, D): (T5 output − mean) / std.

    `mean` and `std` are numbers or (D,). Positions with mask 0 are seen by none. S is free.
    """
    g = GraphBuilder("encoder", weights)
    ids = g.input("input_ids", ["B", "S"], ir.DataType.INT64)
    mask = g.input("attention_mask", ["B", "S"], ir.DataType.INT64)

    hidden_keys = g.op("Sub", scalar(1.0), g.op("Cast", mask, to=int(ir.DataType.FLOAT)))
    hidden_keys = g.op("Unsqueeze", g.op("Mul", hidden_keys, scalar(-1e9)), ints(1, 2))
    bias = g.op("Add", _relative_bias(g, config, ids), hidden_keys)

    x = g.op("Gather", g.weight("shared/embedding"), ids, axis=0)
    for i in range(config.layers):
        x = g.op("Add", x, _t5_attention(g, config, f"encoder/block_{i}/layer_0", x, bias))
        layer = f"encoder/block_{i}/layer_1"
        inner = g.product(g.rms_norm(x, f"{layer}/layer_norm"), f"{layer}/DenseReluDense/wi")
        x = g.op("Add", x, g.product(g.op("Relu", inner), f"{layer}/DenseReluDense/wo"))
    x = g.rms_norm(x, "encoder/final_layer_norm")
    latent = g.op("Div", g.op("Sub", x, np.asarray(mean, np.float32)), np.asarray(std, np.float32))
    g.output(latent, "latent", ["B", "S", config.d_model])
    return g.model()


def _relative_bias(g: GraphBuilder, config: T5Config, ids: ir.Value) -> ir.Value:
    """(1, heads, S, S): looked up by key position − query position, beyond the maximum distance as at it."""
    reach = config.relative_max_distance
    length = g.op("Squeeze", g.op("Shape", ids, start=1, end=2))
    positions = g.op("Range", np.asarray(0, np.int64), length, np.asarray(1, np.int64))
    distance = g.op("Sub", g.op("Unsqueeze", positions, ints(0)), g.op("Unsqueeze", positions, ints(1)))
    near = g.op("Clip", distance, np.asarray(-reach, np.int64), np.asarray(reach, np.int64))
    row = g.op("Add", near, np.asarray(reach, np.int64))
    table = g.op("Gather", g.weight(T5_BIAS_BY_DISTANCE), row, axis=0)
    return g.op("Unsqueeze", g.op("Transpose", table, perm=[2, 0, 1]), ints(0))


def _t5_attention(g: GraphBuilder, config: T5Config, layer: str, x: ir.Value, bias: ir.Value) -> ir.Value:
    """Unscaled attention with the shared bias; (B, S, D) → (B, S, D)."""
    normed = g.rms_norm(x, f"{layer}/layer_norm")
    orders = {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}
    heads = {}
    for which, order in orders.items():
        part = g.product(normed, f"{layer}/SelfAttention/{which}")
        heads[which] = g.op("Transpose", g.op("Reshape", part, ints(0, 0, config.heads, config.d_kv)), perm=order)
    scores = g.op("Add", g.op("MatMul", heads["q"], heads["k"]), bias)
    mixed = g.attend(scores, heads["v"], config.heads * config.d_kv)
    return g.product(mixed, f"{layer}/SelfAttention/o")


FUSED = "-fused"
"""Ends the names of the graphs whose attention is one node."""


@dataclass(frozen=True)
class Graphs:
    """The graphs of a model, by name, and where the weights lie that they read. They hold none themselves: what several
    read lies once, in virtual files."""

    models: dict[str, ir.Model]
    weights: WeightLayout

    def write(self, folder: Path) -> None:
        """Writes `<name>.onnx` for each graph into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, model in self.models.items():
            ir.save(model, folder / f"{name}.onnx")


def graphs_of(model: TrainedModel) -> Graphs:
    """`build_graphs` of a model, its encoder's included where it has one."""
    return build_graphs(
        model.elf, model.params, model.encoder, model.encoder_params, model.latent_mean, model.latent_std
    )


def build_graphs(
    config: ElfConfig,
    params: Mapping[str, np.ndarray],
    encoder: T5Config | None = None,
    encoder_params: Mapping[str, np.ndarray] | None = None,
    latent_mean: float | np.ndarray = 0.0,
    latent_std: float | np.ndarray = 0.2,
) -> Graphs:
    """All graphs of a model over one layout of weights, which are read later, one at a time."""
    groups: list[Mapping[str, np.ndarray]] = [*grouped(network_weights(config, params)), exact_tables(config)]
    if encoder:
        groups.append(encoder_weights(encoder, encoder_params or {}))
    weights = WeightLayout(*groups)
    models = {
        "prefix": prefix_graph(config, weights),
        "denoiser": denoiser_graph(config, weights),
        f"denoiser{FUSED}": denoiser_graph(config, weights, fused=True),
        "decoder": decoder_graph(config, weights),
        f"decoder{FUSED}": decoder_graph(config, weights, fused=True),
    }
    if encoder:
        models["encoder"] = encoder_graph(encoder, weights, latent_mean, latent_std)
    return Graphs(models, weights)


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


TAP = "inputs of "
"""Before a kernel's name: the output that gives what is multiplied with it."""


@contextmanager
def tapped_graphs(onnx_folder: Path, kernels: Mapping[str, Any]) -> Iterator[Path]:
    """A folder of the same graphs, which give what is multiplied with each of `kernels` as outputs of their own too."""
    with TemporaryDirectory() as scratch:
        for path in onnx_folder.glob("*.onnx"):
            model = ir.load(path)
            for node in [*model.graph]:
                kernel = node.inputs[1].name if node.op_type == "MatMul" and node.inputs[1] else None
                if kernel in kernels:
                    tap = ir.node("Identity", [node.inputs[0]], name=f"{TAP}{kernel}")
                    tap.outputs[0].name = f"{TAP}{kernel}"
                    tap.outputs[0].type = ir.TensorType(ir.DataType.FLOAT)
                    model.graph.append(tap)
                    model.graph.outputs.append(tap.outputs[0])
            ir.save(model, Path(scratch) / path.name)
        yield Path(scratch)
