"""The stored self-test: what it holds, that JAX agrees, and that it tells graphs that compute something else."""

import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file
from small_graphs import NO_SCALE, ODD, built

from elf.dev.make_random import TINY, random_model
from elf.errors import ExportedModelError, ParityError
from elf.models.exported_folder import StoredWeights, write_weights
from elf.onnx_export import parity
from elf.onnx_export.check import check_outputs
from elf.onnx_export.graphs import FUSED
from elf.onnx_export.parity import write_self_test
from elf.sampling.networks import GraphSession, JaxEncoder, JaxNetwork


@pytest.fixture(scope="module")
def model():
    return random_model(TINY)


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """Graphs, weights of two dtypes, a self-test of each."""
    folder = tmp_path_factory.mktemp("onnx")
    graphs = built(model, folder)
    for dtype in ("f32", "q8"):
        write_weights(graphs.weights, graphs.models, dtype, folder)
        write_self_test(model, folder, StoredWeights(folder, dtype), dtype)
    return folder


def test_it_holds_every_input_and_output_under_the_graphs_names(model, folder):
    tensors = load_file(folder / "self-test-f32.safetensors")
    shapes = {name: (value.shape, str(value.dtype)) for name, value in tensors.items()}
    latent = ((1, 16, 32), "float32")
    assert shapes == {
        "prefix.t": ((2,), "float32"),
        "prefix.self_cond_scale": ((2,), "float32"),
        "prefix.prefix": ((2, 12, 64), "float32"),
        "denoiser.z": latent,
        "denoiser.x_hat_prev": latent,
        "denoiser.prefix": ((1, 12, 64), "float32"),
        "denoiser.x_hat": latent,
        "decoder.latent": latent,
        "decoder.self_cond_scale": ((1,), "float32"),
        "decoder.top_tokens": ((1, 16, 5), "int64"),
        "decoder.top_probabilities": ((1, 16, 5), "float32"),
        "decoder.entropy": ((1, 16), "float32"),
        "encoder.input_ids": ((1, 16), "int64"),
        "encoder.attention_mask": ((1, 16), "int64"),
        "encoder.latent": latent,
    }
    np.testing.assert_array_equal(tensors["denoiser.prefix"], tensors["prefix.prefix"][1:])
    jax_network, t, w = JaxNetwork(model), tensors["prefix.t"][1:], tensors["prefix.self_cond_scale"][1:]
    x_hat = jax_network.denoise(tensors["denoiser.z"], tensors["denoiser.x_hat_prev"], t, w)
    np.testing.assert_allclose(tensors["denoiser.x_hat"], x_hat, atol=1e-5)
    best = jax_network.decode(tensors["decoder.latent"], tensors["decoder.self_cond_scale"]).argmax(-1)
    np.testing.assert_array_equal(tensors["decoder.top_tokens"][..., 0], best)
    latent = JaxEncoder(model).encode(tensors["encoder.input_ids"], tensors["encoder.attention_mask"])
    np.testing.assert_allclose(tensors["encoder.latent"], latent, atol=1e-4)


def passes(folder, dtype, weights):
    tensors = load_file(folder / f"self-test-{dtype}.safetensors")
    graphs = [path for path in folder.glob("*.onnx")]
    return [
        check_outputs(path.name, path.stem.removesuffix(FUSED), GraphSession(path, weights), tensors) for path in graphs
    ]


def test_it_passes_where_it_was_made_and_knows_its_own_weights(folder):
    for dtype, other in (("f32", "q8"), ("q8", "f32")):
        assert max(passes(folder, dtype, StoredWeights(folder, dtype))) < 1e-5
        with pytest.raises(ExportedModelError, match="computes another"):
            passes(folder, dtype, StoredWeights(folder, other))


@pytest.mark.parametrize("config", [ODD, NO_SCALE], ids=["without an encoder", "without a scale"])
def test_other_models_have_what_their_graphs_take(config, tmp_path):
    model = random_model(config, encoder=False)
    weights = built(model, tmp_path).weights.tensors
    path = tmp_path / write_self_test(model, tmp_path, weights, "f32")
    names = set(load_file(path))
    assert not any(name.startswith("encoder.") for name in names)
    assert ("decoder.self_cond_scale" in names) == (config is ODD)


def test_weights_that_are_others_than_jax_is_told_of_are_refused(model, folder, monkeypatch):
    weights = StoredWeights(folder, "f32")
    right = parity.official_params

    def wrong(config, params):
        changed = right(config, params)
        return dict(changed) | {"proj_bias": changed["proj_bias"] + np.float32(0.01)}

    monkeypatch.setattr(parity, "official_params", wrong)
    with pytest.raises(ParityError, match="decoder"):
        write_self_test(model, folder, weights, "f32")


def test_large_logits_are_allowed_what_their_rounding_makes(model, folder, monkeypatch):
    """As in the proof before it: elsewhere no two ways to sum agree on such probabilities."""
    weights = StoredWeights(folder, "f32")
    tensors = parity.self_test(model, folder, weights)
    tensors["decoder.entropy"] = tensors["decoder.entropy"] * np.float32(1.01)
    with pytest.raises(ParityError, match="entropy differs"):
        parity.check_against_jax(model, weights, tensors)
    monkeypatch.setattr(parity, "LOGIT_ROUNDING", 1.0)  # as if the logits were 2²⁴ times as large
    parity.check_against_jax(model, weights, tensors)
    tensors["denoiser.x_hat"] = tensors["denoiser.x_hat"] * np.float32(1.01)
    with pytest.raises(ParityError, match="x_hat differs"):
        parity.check_against_jax(model, weights, tensors)


def test_a_fused_graph_that_computes_something_else_is_refused(model, tmp_path):
    weights = built(model, tmp_path).weights.tensors
    path = tmp_path / f"denoiser{FUSED}.onnx"
    graph = onnx.load(str(path), load_external_data=False)
    attention = next(node for node in graph.graph.node if node.op_type == "MultiHeadAttention")
    next(attribute for attribute in attention.attribute if attribute.name == "scale").f = 0.9
    onnx.save(graph, str(path))
    with pytest.raises(ExportedModelError, match=r"denoiser-fused\.onnx computes another x_hat"):
        write_self_test(model, tmp_path, weights, "f32")
