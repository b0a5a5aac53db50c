"""Rounding to 8 and 4 bits, and what it makes of products with the inputs of real runs."""

from dataclasses import replace

import numpy as np
import pytest

from elf.config import SamplerSettings
from elf.dev.make_random import TINY, random_model
from elf.models.encodings import best_scales, decode, encode, quantised
from elf.models.exported_folder import StoredWeights
from elf.onnx_export import calibration, dtypes
from elf.onnx_export.calibration import InputProducts, input_products
from elf.onnx_export.dtypes import Trial, by_harm, first_share, write_dtype
from elf.onnx_export.graphs import build_graphs
from elf.sampling.networks import JaxNetwork
from elf.sampling.sampler import sample


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def correlated_inputs(count, width):
    """A few directions carry most of them, as in networks."""
    return random(count, 6, seed=1) @ random(6, width, seed=2) + 0.1 * random(count, width, seed=3)


@pytest.mark.parametrize(("bits", "gain"), [(8, 2.5), (4, 2.5)])
def test_rounding_by_inputs_spares_the_product(bits, gain):
    kernel, inputs = random(96, 40), correlated_inputs(500, 96)

    def error(products):
        back = decode(encode(kernel, f"q{bits}", 32, products), kernel.shape, f"q{bits}", 32)
        return np.linalg.norm(inputs @ (back - kernel)) / np.linalg.norm(inputs @ kernel)

    assert error(inputs.T @ inputs) * gain < error(None)
    # Inputs that say nothing of each other, or none at all, leave plain rounding.
    assert error(np.eye(96, dtype=np.float32)) == error(np.zeros((96, 96), np.float32)) == error(None)


@pytest.mark.parametrize("bits", [8, 4])
def test_each_weight_is_rounded_to_the_nearest_step_of_its_block(bits):
    kernel = random(70, 9)
    values, scales = quantised(kernel, bits, 32)
    middle = 2 ** (bits - 1)
    assert values.shape == (9, 3, 32) and scales.shape == (9, 3) and scales.dtype == np.float16
    assert values.max() < 2**bits and (values[:, 2, 6:] == middle).all()
    steps = np.arange(-middle, middle)
    for k, n in ((0, 0), (31, 8), (69, 4)):
        grid = steps * np.float32(scales[n, k // 32])
        chosen = grid[values[n, k // 32, k % 32]]
        assert abs(chosen - kernel[k, n]) == np.abs(grid - kernel[k, n]).min()


def test_scales_have_less_error_than_those_that_just_reach_the_largest_weight():
    rows = random(32, 200)
    for bits, least in ((4, 0.8), (8, 0.97)):
        top = 2 ** (bits - 1) - 1

        def squared(scales, top=top):
            return ((np.clip(np.rint(rows / scales), -top - 1, top) * scales - rows) ** 2).sum()

        found = best_scales(rows, bits).astype(np.float32)
        assert squared(found) < least * squared(np.abs(rows).max(0) / top)


def test_products_are_measured_a_few_at_a_time_and_in_order(monkeypatch):
    monkeypatch.setattr(calibration, "GREATEST_HELD", 4 * (3**2 + 5**2))
    asked = []

    def measure(names):
        asked.append(names)
        return {name: np.eye(sizes[name]) for name in names}

    sizes = {"a": 3, "b": 5, "c": 50, "d": 2}
    products = InputProducts(measure, sizes)
    for name in ("a", "b", "c", "d"):
        assert products[name].shape == (sizes[name],) * 2
    assert asked == [["a", "b"], ["c"], ["d"]]
    assert products.get("e") is None and list(products) == list(sizes)


@pytest.fixture(scope="module")
def trial(tmp_path_factory):
    folder = tmp_path_factory.mktemp("onnx")
    model = random_model(TINY, encoder=False)
    graphs = build_graphs(model.elf, model.params)
    graphs.write(folder)
    return Trial(model, graphs, folder, SamplerSettings(steps=2), 4, {0: [1, 2, 3, 4]})


def test_inputs_of_the_models_own_runs(trial, monkeypatch):
    """Of the kernel that multiplies z: every state that JAX's sampler shows its network, and the last once more."""
    monkeypatch.setattr(calibration, "RUNS", 1)
    nodes = trial.graphs.models["denoiser"].graph
    name = next(node.inputs[1].name for node in nodes if node.op_type == "MatMul" and node.inputs[0].name == "z")
    width, weights = trial.model.elf.latent_size, trial.graphs.weights.tensors
    products = input_products(trial.model, trial.folder, weights, {name: width}, trial.settings, trial.length)[name]

    seen = []

    class Noted(JaxNetwork):
        def denoise(self, z, *rest):
            seen.append(z[0])
            return super().denoise(z, *rest)

    settings = replace(trial.settings, seed=calibration.FIRST_SEED)
    run = sample(Noted(trial.model), settings, trial.model.flow, (1, trial.length, width))
    rows = np.concatenate([*seen, run.z[0]])
    assert len(seen) == trial.settings.steps
    np.testing.assert_allclose(products, rows.T @ rows, rtol=1e-3, atol=1e-3 * np.abs(products).max())


def test_the_kernel_that_is_stored_worst_does_the_most_harm(trial):
    trained = trial.graphs.weights.tensors
    names = ["blocks_0/attn/qkv/kernel", "blocks_1/mlp/w3/kernel", "unembed_0/kernel"]
    kernels = {name: trained[name].shape for name in names}
    noise = {names[0]: 0.01, names[1]: 0.3, names[2]: 0.0001}
    stored = {name: trained[name] * (1 + noise[name] * random(*kernels[name])) for name in names}
    assert by_harm(trial, stored, kernels) == [names[1], names[0], names[2]]
    assert first_share(["a", "b", "c"], {"a": 5, "b": 4, "c": 1}, 0.6) == ["a", "c"]


def test_more_kernels_stay_in_float16_until_the_text_is_kept(trial, monkeypatch):
    """The text asked for cannot be kept: each share is tried, the last one stays."""
    tried = []
    write = dtypes.write_weights

    def noted(*arguments, **options):
        tried.append(arguments[5] if len(arguments) > 5 else [])
        return write(*arguments, **options)

    monkeypatch.setattr(dtypes, "write_weights", noted)
    _, figures = write_dtype(trial, "q8", calibrated=False, gated=True)
    assert not figures.passes and [len(kernels) for kernels in tried] == sorted(map(len, tried))
    assert len(tried) == 4 and not tried[0] and tried[1]
    encodings = {tensor.name: tensor.encoding for tensor in StoredWeights(trial.folder, "q8").index.tensors}
    assert {encodings[name] for name in tried[-1]} == {"f16"} and "q8" in encodings.values()
    tried.clear()
    write_dtype(trial, "q4", calibrated=False, gated=True)
    write_dtype(trial, "q8", calibrated=False, gated=False)
    assert tried == [[], []]
