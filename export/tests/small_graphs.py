"""Small networks whose sizes divide by nothing, as graphs, for the tests of the export."""

from dataclasses import replace

import numpy as np

from elf.config import ElfConfig
from elf.dev.make_random import TINY
from elf.onnx_export.graphs import build_graphs
from elf.sampling.networks import OnnxNetwork

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
    t, scale = generator.uniform(0, 1), generator.uniform(0.5, 5)
    return z, x_hat_prev, np.full(batch, t, np.float32), np.full(batch, scale, np.float32)


def relative_error(expected, actual):
    assert expected.shape == actual.shape
    return np.abs(expected - actual).max() / np.abs(expected).max()
