"""The weights as the graphs read them: rearranged without a change to what they compute, and the way back."""

from dataclasses import replace

import numpy as np
import pytest
from small_graphs import ODD

from elf.config import PRESETS, T5Config
from elf.dev.make_random import TINY, random_model, random_params
from elf.errors import ConfigError
from elf.models import rearranged
from elf.models.rearranged import (
    T5_BIAS,
    encoder_weights,
    exact_tables,
    head_order,
    official_encoder_params,
    official_params,
    padded_head_dim,
    padded_swiglu_size,
    vocabulary_parts,
)
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes
from elf.sampling.networks import JaxNetwork


def derived(config, **changes):
    params = random_params(parameter_shapes(config), 0) | changes
    return params, rearranged.network_weights(config, params)


@pytest.mark.parametrize("name", PRESETS)
def test_the_published_sizes(name):
    """Without weights: only shapes are asked for."""
    config = PRESETS[name]
    weights = rearranged.network_weights(config, {})
    head, inner = {"ELF-B": (64, 2048), "ELF-M": (68, 2816), "ELF-L": (80, 3456)}[name]
    H, heads = config.hidden_size, config.heads
    assert weights.shapes["blocks_0/attn/qkv/kernel"] == (H, 3 * heads * head)
    assert weights.shapes["blocks_3/attn/proj/kernel"] == (heads * head, H)
    assert weights.shapes["blocks_3/attn/q_norm/weight"] == (head,)
    assert weights.shapes["blocks_3/mlp/w12/kernel"] == (H, 2 * inner)
    assert weights.shapes["blocks_3/mlp/w3/kernel"] == (inner, H)
    assert weights.shapes["text_proj/x_hat_prev/kernel"] == (512, 128)
    assert [weights.shapes[f"unembed_{i}/kernel"] for i in range(4)] == [(512, 8028)] * 3 + [(512, 8016)]
    assert "unembed_4/kernel" not in weights and "self_cond_proj/kernel" not in weights
    # Two rows of the greatest length fit twice into WebGPU's default largest binding.
    assert 2 * config.max_length * 8028 * 4 <= 2**26


def test_shapes_are_those_of_the_tensors():
    for config in (TINY, ODD, replace(ODD, self_cond_cfg_tokens=0)):
        _, weights = derived(config)
        assert {name: value.shape for name, value in weights.items()} == dict(weights.shapes)
        assert all(value.dtype == np.float32 for value in weights.values())


def test_a_tensor_is_made_only_when_it_is_asked_for():
    params, _ = derived(ODD)
    asked = []

    class Watched(dict):
        def __getitem__(self, name):
            asked.append(name)
            return super().__getitem__(name)

    weights = rearranged.network_weights(ODD, Watched(params))
    assert asked == []
    assert weights["blocks_1/mlp/w12/kernel"].shape == (20, 128)
    assert asked == ["blocks_1/mlp/w12/kernel"]


def test_pairs_of_a_head_come_to_lie_half_the_padded_head_apart():
    six = replace(ODD, hidden_size=12, heads=2)
    assert head_order(six, half_split=True).tolist() == [0, 2, 4, -1, 1, 3, 5, -1]
    assert head_order(six, half_split=False).tolist() == [0, 1, 2, 3, 4, 5, -1, -1]
    assert head_order(replace(six, heads=3), half_split=True).tolist() == [0, 2, 1, 3]
    params, weights = derived(six)
    kernel, official = weights["blocks_0/attn/qkv/kernel"], params["blocks_0/attn/qkv/kernel"]
    # Second head of q, of k, of v.
    np.testing.assert_array_equal(kernel[:, 8:12], np.pad(official[:, [6, 8, 10]], [(0, 0), (0, 1)]))
    np.testing.assert_array_equal(kernel[:, 28:32], np.pad(official[:, [19, 21, 23]], [(0, 0), (0, 1)]))
    np.testing.assert_array_equal(kernel[:, 40:48], np.pad(official[:, 30:36], [(0, 0), (0, 2)]))
    np.testing.assert_array_equal(weights["blocks_0/attn/proj/kernel"][8:14], params["blocks_0/attn/proj/kernel"][6:])
    np.testing.assert_allclose(
        weights["blocks_0/attn/q_norm/weight"],
        np.sqrt(6 / 8) * np.pad(params["blocks_0/attn/q_norm/weight"], (0, 1))[[0, 2, 4, 6, 1, 3, 5, 6]],
        rtol=1e-6,
    )


def test_padding_does_not_turn():
    tables = exact_tables(ODD)
    assert tables["tables/cos"].shape == (9, 6) and padded_head_dim(ODD) == 12
    assert (tables["tables/cos"][:, 5] == 1).all() and (tables["tables/sin"][:, 5] == 0).all()
    np.testing.assert_allclose(tables["tables/sin"][8, 1], np.sin(8 * 10000 ** (-2 / 10)), rtol=1e-6)


def test_the_folded_product_is_that_of_float64():
    params, weights = derived(ODD)
    x = np.random.default_rng(1).standard_normal((5, 24))
    exact = (x @ params["self_cond_proj/kernel"].astype(np.float64) + params["self_cond_proj/bias"]) @ params[
        "text_proj/proj1/kernel"
    ].astype(np.float64)
    folded = x[:, :12] @ weights["text_proj/z/kernel"] + x[:, 12:] @ weights["text_proj/x_hat_prev/kernel"]
    np.testing.assert_allclose(folded + weights["text_proj/bias"], exact, rtol=1e-5, atol=1e-6)
    with pytest.raises(ConfigError, match="wider than the latents"):
        rearranged.network_weights(replace(ODD, bottleneck_size=13), {})


def test_swiglu_is_padded_to_tiles():
    assert (ODD.swiglu_size, padded_swiglu_size(ODD)) == (53, 64)
    _, weights = derived(ODD)
    assert not weights["blocks_0/mlp/w12/kernel"][:, 53:64].any() and not weights["blocks_0/mlp/w12/bias"][117:].any()
    assert not weights["blocks_0/mlp/w3/kernel"][53:].any()


def test_the_vocabulary_is_cut_into_equal_parts_of_whole_vectors(monkeypatch):
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * 9 * 4 * 15)
    assert [(part.start, part.stop) for part in vocabulary_parts(ODD)] == [(0, 12), (12, 24), (24, 36), (36, 37)]
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * 9 * 4 * 37 - 1)
    assert [len(part) for part in vocabulary_parts(ODD)] == [20, 17]


@pytest.mark.parametrize("parts", [1, 3])
def test_the_way_back_computes_the_same_network(parts, monkeypatch):
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * 9 * 4 * -(-37 // parts + 3))
    model = random_model(ODD, encoder=False)
    back = official_params(ODD, rearranged.network_weights(ODD, model.params))
    assert {name: value.shape for name, value in back.items()} == parameter_shapes(ODD)
    before, after = JaxNetwork(model), JaxNetwork(replace(model, params=back))
    generator = np.random.default_rng(2)
    z, x_hat_prev = (generator.standard_normal((2, 5, 12), np.float32) for _ in range(2))
    t, scale = np.float32([0.2, 0.7]), np.float32([1, 4])
    for a, b in (
        (before.denoise(z, x_hat_prev, t, scale), after.denoise(z, x_hat_prev, t, scale)),
        (before.decode(z, scale), after.decode(z, scale)),
    ):
        assert np.abs(a - b).max() < 2e-6 * np.abs(a).max()


def test_the_way_back_of_the_encoder():
    config = T5Config(37, 12, 8, 64, 2, 4, relative_buckets=8, relative_max_distance=20)
    params = random_params(encoder_parameter_shapes(config), 0)
    back = official_encoder_params(config, encoder_weights(config, params))
    assert set(back) == set(params)
    # No key lies behind its query by nothing.
    params[T5_BIAS][4] = 0
    for name, value in params.items():
        np.testing.assert_array_equal(back[name], value)
