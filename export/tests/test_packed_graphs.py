"""Graphs whose weights stay packed compute what the plain ones do with the same weights, expanded."""

import itertools

import numpy as np
import onnx_ir as ir
import pytest

from elf.dev.make_random import TINY, random_model
from elf.models.exported_folder import StoredWeights, write_weights
from elf.models.weight_places import PackedSlots
from elf.onnx_export.graphs import PackedWeights, build_graphs, write_packed_graphs
from elf.sampling.networks import GraphSession


@pytest.fixture(scope="module", params=["q8", "q4"])
def packed(request, tmp_path_factory):
    """A folder of a tiny model's graphs with its weights in one dtype, one kernel of them in float16."""
    folder = tmp_path_factory.mktemp(request.param)
    model = random_model(TINY)
    graphs = build_graphs(model.elf, model.params, model.encoder, model.encoder_params)
    graphs.write(folder)
    write_weights(graphs.weights, graphs.models, request.param, folder, None, ["blocks_1/mlp/w3/kernel"])
    paths = write_packed_graphs(graphs.models, StoredWeights(folder, request.param).index, folder)
    assert paths == {graph: f"{graph}-{request.param}.onnx" for graph in ("denoiser", "decoder")}
    return folder, StoredWeights(folder, request.param)


def feeds_of(session):
    generator = np.random.default_rng(0)
    sizes = {"B": 2, "N": 2, "L": 5}
    shapes = {value.name: [sizes.get(size, size) for size in value.shape] for value in session.get_inputs()}
    return {name: generator.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("graph", ["denoiser", "decoder"])
def test_packed_graphs_compute_the_same(packed, graph):
    folder, stored = packed
    plain = GraphSession(folder / f"{graph}.onnx", stored)
    narrow = GraphSession(folder / f"{graph}-{stored.index.dtype}.onnx", PackedWeights(stored))
    feeds = feeds_of(plain)
    names = [value.name for value in plain.get_outputs()]
    assert names == [value.name for value in narrow.get_outputs()]
    for name, a, b in zip(names, plain.run(names, feeds), narrow.run(names, feeds), strict=True):
        if name == "top_tokens":
            np.testing.assert_array_equal(a[..., 0], b[..., 0])
        else:
            assert np.abs(a - b).max() < 1e-4 * np.abs(a).max(), name


def test_every_quantised_kernel_is_packed_and_lies_where_the_index_says(packed):
    folder, stored = packed
    index = stored.index
    tensors = {tensor.name: tensor for tensor in index.tensors}
    seen, nodes = set(), 0
    for graph in ("denoiser", "decoder"):
        model = ir.load(folder / f"{graph}-{index.dtype}.onnx")
        nodes += sum(node.op_type == "MatMulNBits" for node in model.graph)
        for name, value in model.graph.initializers.items():
            if not isinstance(value.const_value, ir.ExternalTensor):
                continue
            kernel = name.removesuffix("/values").removesuffix("/scales")
            slot = tensors[kernel].packed
            if isinstance(slot, PackedSlots):
                slot = slot.values if name.endswith("/values") else slot.scales
            outside = value.const_value
            assert (outside.location, outside.offset, outside.length) == (
                index.packed_files[slot.file].path,
                slot.offset,
                slot.length,
            )
            seen.add(kernel)
    quantised = {name for name in seen if tensors[name].encoding == index.dtype}
    assert len(quantised) > 4 and all(isinstance(tensors[name].packed, PackedSlots) for name in quantised)
    assert "blocks_1/mlp/w3/kernel" in seen - quantised
    assert nodes >= len(quantised)
    assert seen == {tensor.name for tensor in index.tensors if tensor.packed is not None}
    # What the encoder reads is not packed: it runs once.
    assert not any(tensor.packed for tensor in index.tensors if tensor.name.startswith("encoder/"))
    spaces = sorted(
        (slot.file, slot.offset, slot.length)
        for tensor in index.tensors
        for slot in ([tensor.packed.values, tensor.packed.scales] if isinstance(tensor.packed, PackedSlots) else [])
    )
    assert all(offset % 64 == 0 for _, offset, _ in spaces)
    assert all(a[1] + a[2] <= b[1] for a, b in itertools.pairwise(spaces) if a[0] == b[0])
    assert {file.graphs for file in index.packed_files} == {("denoiser", "decoder")}
