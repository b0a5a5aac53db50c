"""What the decoder graph says of its logits, whole or in parts, against NumPy in float64."""

from dataclasses import replace

import numpy as np
import onnx
import pytest
from small_graphs import ODD, built, exported, inputs

from elf.dev.make_random import random_model
from elf.models import rearranged
from elf.sampling.networks import JaxNetwork


@pytest.fixture(params=[1, 2, 10], ids=lambda parts: f"{parts} parts")
def parts(request, monkeypatch):
    """How many parts the 37 tokens of ODD are read in; with 10 a part is smaller than the five best."""
    size = {1: 37, 2: 20, 10: 4}[request.param]
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * ODD.max_length * 4 * size)
    assert len(rearranged.vocabulary_parts(ODD)) == request.param
    return request.param


def float64_reading(logits):
    """Tokens in falling order of probability, all probabilities, entropies."""
    exact = logits.astype(np.float64)
    probabilities = np.exp(exact - exact.max(-1, keepdims=True))
    probabilities /= probabilities.sum(-1, keepdims=True)
    logarithms = np.log(np.maximum(probabilities, 1e-300))
    return np.argsort(-probabilities, axis=-1), probabilities, -(probabilities * logarithms).sum(-1)


def test_decoder_names_the_best_tokens_with_probability_and_entropy(parts, tmp_path):
    model = random_model(ODD, encoder=False)
    latent, _, _, _ = inputs(ODD, 2, 5)
    scale = np.float32([1, 4])
    order, probabilities, entropy = float64_reading(JaxNetwork(model).decode(latent, scale))
    read = exported(model, tmp_path).decode(latent, scale)
    assert read["top_tokens"].dtype == np.int64
    np.testing.assert_array_equal(read["top_tokens"], order[..., :5])
    np.testing.assert_allclose(read["top_probabilities"], np.sort(probabilities)[..., :-6:-1], rtol=1e-5)
    np.testing.assert_allclose(read["entropy"], entropy, rtol=1e-5)
    assert ("logits" in read) == (parts == 1)


@pytest.mark.parametrize("certain", [4, 36])
def test_entropy_survives_certainty(certain, parts, tmp_path):
    """Logits far apart: the naive p·log p would be 0·(−∞)."""
    model = random_model(ODD, encoder=False)
    bias = np.zeros(ODD.vocabulary_size, np.float32)
    bias[certain] = 1000
    network = exported(replace(model, params={**model.params, "unembed_bias": bias}), tmp_path)
    latent, _, _, scale = inputs(ODD, 1, 3)
    read = network.decode(latent, scale)
    assert (read["top_tokens"][..., 0] == certain).all() and (read["top_probabilities"][..., 0] == 1).all()
    assert (read["entropy"] == 0).all()


def test_equal_tokens_share_the_chances_wherever_they_lie(parts, tmp_path):
    model = random_model(ODD, encoder=False)
    changes = {"unembed_kernel": np.zeros((12, 37), np.float32), "unembed_bias": np.zeros(37, np.float32)}
    network = exported(replace(model, params=model.params | changes), tmp_path)
    latent, _, _, scale = inputs(ODD, 1, 3)
    read = network.decode(latent, scale)
    np.testing.assert_allclose(read["entropy"], np.log(37), rtol=1e-6)
    np.testing.assert_allclose(read["top_probabilities"], 1 / 37, rtol=1e-6)
    for tokens in read["top_tokens"].reshape(-1, 5):
        assert len(set(tokens)) == 5 and tokens.min() >= 0 and tokens.max() < 37


def test_integers_are_only_indices(monkeypatch, tmp_path):
    """On WebGPU every node that computes with 64-bit integers would wait for the CPU."""
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * ODD.max_length * 4 * 20)
    built(random_model(ODD, encoder=False), tmp_path)
    nodes = onnx.load(str(tmp_path / "decoder.onnx"), load_external_data=False).graph.node
    found = [node.output[1] for node in nodes if node.op_type == "TopK"]
    assert len(found) == 3
    uses = [(node.op_type, [*node.input].index(name)) for name in found for node in nodes if name in node.input]
    assert uses == [("Gather", 1), ("Gather", 1), ("GatherElements", 1)]
