"""The networks against the specification read a second time (numpy_elf.py); no weight is silent, none left out."""

import jax
import numpy as np
import numpy_elf
from flax import nnx

from elf.config import ElfConfig, T5Config
from elf.dev.make_random import random_params
from elf.network.encoder import T5Encoder, encoder_from_params
from elf.network.model import ELF
from elf.network.modules import abstract, bind
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes

CONFIG = ElfConfig(
    depth=2, hidden_size=24, heads=2, latent_size=10, bottleneck_size=6, vocabulary_size=17, max_length=9, time_tokens=3
)
T5 = T5Config(vocabulary_size=17, d_model=10, d_kv=4, d_ff=14, layers=2, heads=3, relative_max_distance=16)


def float64(params: dict[str, np.ndarray]) -> numpy_elf.Weights:
    return {name: value.astype(np.float64) for name, value in params.items()}


def test_denoise_and_decode_are_the_specifications() -> None:
    params = random_params(parameter_shapes(CONFIG), seed=3)
    graphdef, _ = abstract(ELF, CONFIG)
    network = bind(graphdef, params)
    draws = np.random.default_rng(0)
    z, x_hat_prev = draws.normal(size=(2, 3, 9, 10))
    t, w = np.array([0.02, 0.4, 0.93]), np.array([0.5, 3.0, 5.0])

    x_hat = nnx.jit(ELF.denoise)(network, *(jax.numpy.float32(a) for a in (z, x_hat_prev, t, w)))
    expected = numpy_elf.denoise(float64(params), CONFIG.heads, z, x_hat_prev, t, w)
    np.testing.assert_allclose(x_hat, expected, rtol=1e-4, atol=2e-5)

    logits = nnx.jit(ELF.decode)(network, jax.numpy.float32(z), jax.numpy.float32(w))
    expected = numpy_elf.decode(float64(params), CONFIG.heads, z, w)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_the_encoder_is_the_specifications() -> None:
    params = random_params(encoder_parameter_shapes(T5), seed=4)
    # Longer than relative_max_distance, so that the last bucket is reached, and with a source that sees only itself.
    ids = np.random.default_rng(1).integers(0, 17, (2, 20))
    visible = np.ones((2, 20, 20), bool)
    visible[1, :6, 6:] = False
    encoded = nnx.jit(T5Encoder.__call__)(encoder_from_params(T5, params), ids, visible)
    expected = numpy_elf.t5_encode(float64(params), T5.heads, ids, visible, farthest=16)
    np.testing.assert_allclose(encoded, expected, rtol=1e-4, atol=2e-5)
