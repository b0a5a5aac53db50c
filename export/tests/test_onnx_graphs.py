"""The ONNX graphs in ONNX Runtime, against the JAX network and encoder."""

from dataclasses import replace

import numpy as np
import onnx
import pytest

from elf.config import ElfConfig, T5Config
from elf.network.make_random import TINY, random_model
from elf.onnx_export.graphs import build_graphs, half_split, padded_swiglu_size
from elf.onnx_export.weights import ALIGNMENT
from elf.sampling.networks import GraphSession, JaxEncoder, JaxNetwork, OnnxNetwork

# Head width 10 is no multiple of 4, inner width 53 is odd, the three kinds of prefix tokens differ in number.
ODD = ElfConfig(
    depth=2,
    hidden_size=20,
    heads=2,
    latent_size=12,
    bottleneck_size=7,
    vocabulary_size=37,
    max_length=9,
    time_tokens=1,
    self_cond_cfg_tokens=3,
    mode_tokens=2,
)
NO_SCALE = replace(ODD, depth=1, self_cond_cfg_tokens=0)
CONFIGS = {"tiny": TINY, "odd": ODD, "without self-cond CFG tokens": NO_SCALE}


def built(model, folder):
    graphs = build_graphs(
        model.elf, model.params, model.encoder, model.encoder_params, model.latent_mean, model.latent_std
    )
    graphs.write(folder)
    return graphs


def exported(model, folder):
    return OnnxNetwork(folder, built(model, folder).weights.tensors)


def inputs(config, batch, length, seed=0):
    generator = np.random.default_rng(seed)
    z, x_hat_prev = (generator.standard_normal((batch, length, config.latent_size), np.float32) for _ in range(2))
    t = generator.uniform(0, 1, batch).astype(np.float32)
    return z, x_hat_prev, t, generator.uniform(0.5, 5, batch).astype(np.float32)


def relative_error(expected, actual):
    assert expected.shape == actual.shape
    return np.abs(expected - actual).max() / np.abs(expected).max()


@pytest.mark.parametrize("name", CONFIGS)
def test_denoiser_and_decoder_compute_the_network(name, tmp_path):
    config = CONFIGS[name]
    model = random_model(config, encoder=False)
    jax_network, onnx_network = JaxNetwork(model), exported(model, tmp_path)
    for batch, length in ((1, config.max_length), (3, 2)):
        z, x_hat_prev, t, scale = inputs(config, batch, length)
        expected = jax_network.denoise(z, x_hat_prev, t, scale)
        assert relative_error(expected, onnx_network.denoise(z, x_hat_prev, t, scale)) < 5e-6
        assert relative_error(jax_network.decode(z, scale), onnx_network.decode(z, scale)) < 5e-6


def test_every_weight_shows_in_an_output(tmp_path):
    """A weight that a graph drops, or reads twice, would go unnoticed if its change did not matter."""
    config = replace(ODD, depth=1)
    model = random_model(config, encoder=False)
    z, x_hat_prev, t, scale = inputs(config, 2, 5)
    network = exported(model, tmp_path / "before")
    before = network.denoise(z, x_hat_prev, t, scale), network.decode(z, scale)
    only = {"denoise": ("final_layer/",), "decode": ("mode_tokens", "proj_", "unembed_")}
    for name in model.params:
        changed = replace(model, params={**model.params, name: model.params[name] * np.float32(1.5)})
        network = exported(changed, tmp_path / "after")
        denoised = not np.array_equal(network.denoise(z, x_hat_prev, t, scale), before[0])
        decoded = not np.array_equal(network.decode(z, scale), before[1])
        assert denoised == (not name.startswith(only["decode"])), name
        assert decoded == (not name.startswith(only["denoise"])), name


def test_decoder_names_the_best_tokens_with_probability_and_entropy(tmp_path):
    model = random_model(ODD, encoder=False)
    network = exported(model, tmp_path)
    latent, _, _, scale = inputs(ODD, 2, 5)
    names = ["top_tokens", "top_probabilities", "entropy", "logits"]
    tokens, top, entropy, logits = network.decoder.run(names, {"latent": latent, "self_cond_scale": scale})
    exact = logits.astype(np.float64)
    probabilities = np.exp(exact - exact.max(-1, keepdims=True))
    probabilities /= probabilities.sum(-1, keepdims=True)
    order = np.argsort(-probabilities, axis=-1)[..., :5]
    assert tokens.dtype == np.int64
    np.testing.assert_array_equal(tokens, order)
    np.testing.assert_allclose(top, np.take_along_axis(probabilities, order, -1), rtol=1e-5)
    np.testing.assert_allclose(entropy, -(probabilities * np.log(probabilities)).sum(-1), rtol=1e-5)


def test_entropy_survives_certainty(tmp_path):
    """Logits far apart: the naive p·log p would be 0·(−∞)."""
    model = random_model(ODD, encoder=False)
    bias = np.zeros(ODD.vocabulary_size, np.float32)
    bias[4] = 1000
    network = exported(replace(model, params={**model.params, "unembed_bias": bias}), tmp_path)
    latent, _, _, scale = inputs(ODD, 1, 3)
    tokens, top, entropy = network.decoder.run(
        ["top_tokens", "top_probabilities", "entropy"], {"latent": latent, "self_cond_scale": scale}
    )
    assert (tokens[..., 0] == 4).all() and (top[..., 0] == 1).all() and (entropy == 0).all()


def test_weights_lie_once_each_and_aligned_in_files_that_their_graphs_share(tmp_path):
    model = random_model(TINY)
    layout = built(model, tmp_path).weights
    places = {}
    for path in sorted(tmp_path.glob("*.onnx")):
        graph = onnx.load(str(path), load_external_data=False).graph
        for tensor in graph.initializer:
            if tensor.data_location != onnx.TensorProto.EXTERNAL:
                assert len(tensor.raw_data) <= 4096, (path.name, tensor.name)
                continue
            assert tensor.data_type == onnx.TensorProto.FLOAT
            entry = {e.key: e.value for e in tensor.external_data}
            assert entry["location"] == ("weights-1.bin" if path.name == "encoder.onnx" else "weights-0.bin")
            place = entry["location"], int(entry["offset"]), int(entry["length"])
            assert places.setdefault(tensor.name, place) == place
            assert place[2] == 4 * np.prod(tensor.dims)
    assert set(places) == set(layout.tensors)
    assert len(places) > len(model.params) + len(model.encoder_params)
    ends = {"weights-0.bin": 0, "weights-1.bin": 0}
    for file, offset, length in sorted(places.values()):
        assert offset % ALIGNMENT == 0 and offset >= ends[file]
        ends[file] = offset + length
    assert layout.file_sizes == [*ends.values()]
    stored = sum(value.nbytes for value in (*model.params.values(), *model.encoder_params.values()))
    assert sum(ends.values()) < 1.05 * stored


def test_graphs_use_only_operators_that_webgpu_runs_itself(tmp_path):
    """Others fall back to the CPU in the middle of a pass, or (fused attention) gave wrong numbers."""
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
    for name in ("denoiser", "decoder"):
        model = onnx.load(str(tmp_path / f"{name}.onnx"), load_external_data=False)
        assert {node.op_type for node in model.graph.node} <= known
        assert [(o.domain, o.version) for o in model.opset_import] == [("", 21)]


def test_graph_signatures_are_those_of_the_format(tmp_path):
    weights = built(random_model(TINY), tmp_path).weights.tensors

    def signature(name, weights=weights):
        session = GraphSession(tmp_path / f"{name}.onnx", weights)
        return [(v.name, v.shape, v.type) for v in (*session.get_inputs(), *session.get_outputs())]

    f32, i64 = "tensor(float)", "tensor(int64)"
    assert signature("denoiser") == [
        ("z", ["B", "L", 32], f32),
        ("x_hat_prev", ["B", "L", 32], f32),
        ("t", ["B"], f32),
        ("self_cond_scale", ["B"], f32),
        ("x_hat", ["B", "L", 32], f32),
    ]
    assert signature("decoder") == [
        ("latent", ["B", "L", 32], f32),
        ("self_cond_scale", ["B"], f32),
        ("top_tokens", ["B", "L", 5], i64),
        ("top_probabilities", ["B", "L", 5], f32),
        ("entropy", ["B", "L"], f32),
        ("logits", ["B", "L", 128], f32),
    ]
    others = built(random_model(NO_SCALE), tmp_path / "no scale").weights.tensors
    assert [name for name, *_ in signature("no scale/denoiser", others)] == ["z", "x_hat_prev", "t", "x_hat"]
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


def test_half_split_brings_pairs_half_a_head_apart():
    order = half_split(heads=2, head_dim=6)
    assert order.tolist() == [0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11]


def test_swiglu_is_padded_to_vector_loads():
    assert ODD.swiglu_size == 53 and padded_swiglu_size(ODD) == 56
    assert padded_swiglu_size(ElfConfig()) == ElfConfig().swiglu_size == 2048
