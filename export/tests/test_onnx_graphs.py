"""The ONNX graphs in ONNX Runtime, against the JAX network and encoder."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from small_graphs import CONFIGS, NO_SCALE, ODD, built, exported, inputs, relative_error

from elf.config import T5Config
from elf.dev.make_random import TINY, random_model
from elf.models.weight_places import ALIGNMENT
from elf.onnx_export.graphs import FUSED
from elf.sampling import networks
from elf.sampling.networks import GraphSession, JaxEncoder, JaxNetwork, OnnxNetwork


@pytest.mark.parametrize("name", CONFIGS)
def test_denoiser_and_decoder_compute_the_network(name, tmp_path):
    config = CONFIGS[name]
    model = random_model(config, encoder=False)
    jax_network, onnx_network = JaxNetwork(model), exported(model, tmp_path)
    for batch, length in ((1, config.max_length), (3, 2)):
        z, x_hat_prev, t, scale = inputs(config, batch, length)
        expected = jax_network.denoise(z, x_hat_prev, t, scale)
        assert relative_error(expected, onnx_network.denoise(z, x_hat_prev, t, scale)) < 5e-6
        scale = np.linspace(1, 4, batch, dtype=np.float32)
        assert relative_error(jax_network.decode(z, scale), onnx_network.decode(z, scale)["logits"]) < 5e-6


@pytest.mark.parametrize("name", CONFIGS)
def test_fused_graphs_compute_what_the_plain_ones_do(name, tmp_path):
    config = CONFIGS[name]
    weights = built(random_model(config, encoder=False), tmp_path).weights.tensors
    plain, fused = OnnxNetwork(tmp_path, weights), OnnxNetwork(tmp_path, weights)
    fused.denoiser, fused.decoder = (
        GraphSession(tmp_path / f"{graph}{FUSED}.onnx", weights) for graph in ("denoiser", "decoder")
    )
    for batch, length in ((1, config.max_length), (3, 2)):
        z, x_hat_prev, t, scale = inputs(config, batch, length)
        expected = plain.denoise(z, x_hat_prev, t, scale)
        assert relative_error(expected, fused.denoise(z, x_hat_prev, t, scale)) < 2e-6
        for output, value in plain.decode(z, scale).items():
            assert relative_error(value, fused.decode(z, scale)[output]) < 2e-6


@pytest.mark.parametrize("name", ["odd", "without self-cond CFG tokens"])
def test_the_prefixes_of_a_run_are_those_of_its_passes_one_by_one(name, tmp_path):
    config = CONFIGS[name]
    model = random_model(config, encoder=False)
    network = exported(model, tmp_path)
    t, scale = np.float32([0, 0.25, 1]), np.float32([1, 3, 0.5])
    feeds = {"t": t, "self_cond_scale": scale} if network.takes_self_cond_scale else {"t": t}
    together = network.prefix.run(["prefix"], feeds)[0]
    assert together.shape == (3, config.prefix_length, config.hidden_size)
    # The mode tokens are off: of zeros.
    assert not together[:, config.prefix_length - config.mode_tokens :].any()
    z, x_hat_prev, _, _ = inputs(config, 1, 4)
    jax_network = JaxNetwork(model)
    for i in range(3):
        feeds = {"z": z, "x_hat_prev": x_hat_prev, "prefix": together[i : i + 1]}
        x_hat = network.denoiser.run(["x_hat"], feeds)[0]
        assert relative_error(jax_network.denoise(z, x_hat_prev, t[i : i + 1], scale[i : i + 1]), x_hat) < 5e-6


@pytest.mark.parametrize("name", ["odd", "without self-cond CFG tokens"])
def test_samples_of_a_batch_have_a_prefix_each_or_one_for_all(name, tmp_path):
    config = CONFIGS[name]
    weights = built(random_model(config, encoder=False), tmp_path).weights.tensors
    network = OnnxNetwork(tmp_path, weights)
    t, scale = np.float32([0, 0.25, 1]), np.float32([1, 3, 0.5])
    feeds = {"t": t, "self_cond_scale": scale} if network.takes_self_cond_scale else {"t": t}
    prefixes = network.prefix.run(["prefix"], feeds)[0]
    z, x_hat_prev, _, _ = inputs(config, 3, 4)
    for denoiser in (network.denoiser, GraphSession(tmp_path / f"denoiser{FUSED}.onnx", weights)):
        mixed = denoiser.run(["x_hat"], {"z": z, "x_hat_prev": x_hat_prev, "prefix": prefixes})[0]
        for i, prefix in enumerate(prefixes):
            shared = denoiser.run(["x_hat"], {"z": z, "x_hat_prev": x_hat_prev, "prefix": prefix[None]})[0]
            assert relative_error(shared[i], mixed[i]) < 2e-6
            assert relative_error(shared[(i + 1) % 3], mixed[(i + 1) % 3]) > 1e-3


def test_every_weight_shows_in_an_output(tmp_path):
    """A weight that a graph drops, or reads twice, would go unnoticed if its change did not matter."""
    config = replace(ODD, depth=1)
    model = random_model(config, encoder=False)
    z, x_hat_prev, t, scale = inputs(config, 2, 5)
    network = exported(model, tmp_path / "before")
    before = network.denoise(z, x_hat_prev, t, scale), network.decode(z, scale)["logits"]
    only = {"denoise": ("final_layer/",), "decode": ("mode_tokens", "proj_", "unembed_")}
    for name in model.params:
        changed = replace(model, params={**model.params, name: model.params[name] * np.float32(1.5)})
        network = exported(changed, tmp_path / "after")
        denoised = not np.array_equal(network.denoise(z, x_hat_prev, t, scale), before[0])
        decoded = not np.array_equal(network.decode(z, scale)["logits"], before[1])
        assert denoised == (not name.startswith(only["decode"])), name
        assert decoded == (not name.startswith(only["denoise"])), name


def test_weights_lie_once_each_and_aligned_in_files_that_their_graphs_share(tmp_path):
    model = random_model(TINY)
    layout = built(model, tmp_path).weights
    places, read = {}, {}
    for path in sorted(tmp_path.glob("*.onnx")):
        graph = onnx.load(str(path), load_external_data=False).graph
        for tensor in graph.initializer:
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                assert len(tensor.raw_data) <= 4096, (path.name, tensor.name)
                continue
            assert tensor.data_type == onnx.TensorProto.FLOAT
            entry = {e.key: e.value for e in tensor.external_data}
            read.setdefault(path.stem.removesuffix(FUSED), set()).add(entry["location"])
            place = entry["location"], int(entry["offset"]), int(entry["length"])
            assert places.setdefault(tensor.name, place) == place
            assert place[2] == 4 * np.prod(tensor.dims)
    assert set(places) == set(layout.tensors)
    assert len(places) > len(model.params) + len(model.encoder_params)
    # Trunk, tokens of numbers, the decoder's own, tables, encoder: none is made for a graph that does not read it.
    files = {"denoiser": (0, 3), "decoder": (0, 1, 2, 3), "prefix": (1,), "encoder": (4,)}
    assert read == {graph: {f"weights-{number}.bin" for number in numbers} for graph, numbers in files.items()}
    ends = {f"weights-{number}.bin": 0 for number in range(5)}
    for file, offset, length in sorted(places.values()):
        assert offset % ALIGNMENT == 0 and offset >= ends[file]
        ends[file] = offset + length
    assert layout.file_sizes == [*ends.values()]
    stored = sum(value.nbytes for value in (*model.params.values(), *model.encoder_params.values()))
    # Padding of the SwiGLU costs most: 170 of 192 are the network's.
    assert sum(ends.values()) < 1.1 * stored


def test_graphs_use_only_operators_that_webgpu_runs_itself(tmp_path):
    """Others fall back to the CPU in the middle of a pass."""
    exported(random_model(TINY), tmp_path)
    known = set(
        [
            "Add",
            "Concat",
            "Cos",
            "Div",
            "Exp",
            "Expand",
            "Log",
            "MatMul",
            "Mul",
            "Neg",
            "ReduceSum",
            "Reshape",
            "Shape",
            "Sigmoid",
            "SimplifiedLayerNormalization",
            "Sin",
            "Slice",
            "Softmax",
            "Split",
            "Squeeze",
            "Sub",
            "Tanh",
            "TopK",
            "Transpose",
            "Unsqueeze",
        ]
    )
    for name in ("prefix", "denoiser", "decoder"):
        model = onnx.load(str(tmp_path / f"{name}.onnx"), load_external_data=False)
        assert {node.op_type for node in model.graph.node} <= known
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]
    for name in ("denoiser", "decoder"):
        model = onnx.load(str(tmp_path / f"{name}{FUSED}.onnx"), load_external_data=False)
        kinds = [node.op_type for node in model.graph.node]
        assert set(kinds) <= known - {"Softmax", "Transpose"} | {"MultiHeadAttention"}
        assert kinds.count("MultiHeadAttention") == TINY.depth
        assert {(o.domain, o.version) for o in model.opset_import} == {("", 21), ("com.microsoft", 1)}


def test_graph_signatures_are_those_of_the_format(tmp_path):
    weights = built(random_model(TINY), tmp_path).weights.tensors

    def signature(name, weights=weights):
        session = GraphSession(tmp_path / f"{name}.onnx", weights)
        return [(v.name, v.shape, v.type) for v in (*session.get_inputs(), *session.get_outputs())]

    f32, i64 = "tensor(float)", "tensor(int64)"
    assert signature("prefix") == [
        ("t", ["N"], f32),
        ("self_cond_scale", ["N"], f32),
        ("prefix", ["N", 12, 64], f32),
    ]
    denoiser = [
        ("z", ["B", "L", 32], f32),
        ("x_hat_prev", ["B", "L", 32], f32),
        ("prefix", ["N", 12, 64], f32),
        ("x_hat", ["B", "L", 32], f32),
    ]
    assert signature("denoiser") == signature(f"denoiser{FUSED}") == denoiser
    assert signature("decoder") == signature(f"decoder{FUSED}")
    assert signature("decoder") == [
        ("latent", ["B", "L", 32], f32),
        ("self_cond_scale", ["B"], f32),
        ("top_tokens", ["B", "L", 5], i64),
        ("top_probabilities", ["B", "L", 5], f32),
        ("entropy", ["B", "L"], f32),
        ("logits", ["B", "L", 128], f32),
    ]
    others = built(random_model(NO_SCALE), tmp_path / "no scale").weights.tensors
    assert [name for name, *_ in signature("no scale/prefix", others)] == ["t", "prefix"]
    assert [name for name, *_ in signature("no scale/decoder", others)][:2] == ["latent", "top_tokens"]
    assert signature("encoder") == [
        ("input_ids", ["B", "S"], i64),
        ("attention_mask", ["B", "S"], i64),
        ("latent", ["B", "S", 32], f32),
    ]


@pytest.mark.parametrize("statistics", ["numbers", "vectors"])
def test_encoder_computes_t5_and_normalises(statistics, tmp_path):
    model = random_model(ODD)
    if statistics == "numbers":
        model = replace(model, latent_mean=0.0, latent_std=0.2)
    model = replace(model, encoder=T5Config(37, 12, 8, 64, 2, 4, relative_buckets=8, relative_max_distance=20))
    table = "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/rel_embedding"
    params = {**model.encoder_params, table: np.random.default_rng(5).standard_normal((8, 4), np.float32)}
    model = replace(model, encoder_params=params)
    session = GraphSession(tmp_path / "encoder.onnx", built(model, tmp_path).weights.tensors)
    jax_encoder = JaxEncoder(model)
    ids = np.random.default_rng(0).integers(0, 37, (2, 45))
    mask = np.ones_like(ids)
    mask[1, 6:] = 0
    latent = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    assert relative_error(jax_encoder.encode(ids, mask), latent) < 5e-6
    # What the mask hides does not matter, nor does how much of it there is.
    alone = session.run(None, {"input_ids": ids[1:, :6], "attention_mask": mask[1:, :6]})[0]
    np.testing.assert_allclose(latent[1, :6], alone[0], rtol=1e-4, atol=1e-5)


def test_a_large_models_sessions_share_its_weights_and_compute_the_same(tmp_path, monkeypatch):
    """Also where ONNX Runtime could compute with weights beforehand: the decoder's time is a constant."""
    monkeypatch.setattr(networks, "MOST_COPIED", 0)
    model = random_model(TINY, encoder=False)
    network = exported(model, tmp_path)
    z, _, _, scale = inputs(TINY, 2, 5)
    assert relative_error(JaxNetwork(model).decode(z, scale), network.decode(z, scale)["logits"]) < 5e-6
    # The files that graphs name are nowhere.
    assert {path.suffix for path in tmp_path.iterdir()} == {".onnx"}
