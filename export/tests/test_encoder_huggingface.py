"""Our T5 encoders, JAX and ONNX, against Hugging Face's: tests/fixtures/make_t5_tiny.py wrote what it computes."""

from pathlib import Path

import numpy as np
import pytest

from elf.config import ElfConfig, FlowConfig, T5Config
from elf.dev.make_random import random_params
from elf.models.trained_model import TrainedModel
from elf.network.parameters import parameter_shapes
from elf.onnx_export.graphs import build_graphs
from elf.sampling.networks import GraphSession, JaxEncoder


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).parent / "fixtures" / "t5_tiny.npz") as file:
        arrays = dict(file)
    params = {name.removeprefix("params/"): array for name, array in arrays.items() if name.startswith("params/")}
    # Any flow will do: only the encoder is asked.
    elf = ElfConfig(
        depth=1, hidden_size=8, heads=2, latent_size=32, bottleneck_size=4, vocabulary_size=64, max_length=8
    )
    model = TrainedModel(
        name="t5-tiny",
        elf=elf,
        flow=FlowConfig(),
        params=random_params(parameter_shapes(elf), 0),
        encoder=T5Config(vocabulary_size=64, d_model=32, d_kv=8, d_ff=64, layers=2, heads=4),
        encoder_params=params,
        latent_mean=0.0,
        latent_std=1.0,
    )
    return model, arrays["input_ids"], arrays["attention_mask"], arrays["last_hidden_state"]


def assert_close(expected, actual):
    assert expected.std() > 0.5
    assert np.abs(expected - actual).max() / np.abs(expected).max() < 1e-5


def test_jax_encoder_is_hugging_faces(reference):
    model, ids, mask, expected = reference
    assert_close(expected, JaxEncoder(model).encode(ids, mask))


def test_onnx_encoder_is_hugging_faces(reference, tmp_path):
    model, ids, mask, expected = reference
    graphs = build_graphs(
        model.elf, model.params, model.encoder, model.encoder_params, model.latent_mean, model.latent_std
    )
    graphs.write(tmp_path)
    session = GraphSession(tmp_path / "encoder.onnx", graphs.weights.tensors)
    assert_close(expected, session.run(None, {"input_ids": ids, "attention_mask": mask})[0])
