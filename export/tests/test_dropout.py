"""Dropout and networks without self-conditioning: what the official code has besides."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elf.config import ElfConfig
from elf.dev.make_random import random_params
from elf.models.rearranged import network_weights, official_params
from elf.network.model import ELF
from elf.network.modules import Dropout, abstract, bind, dropped_blocks
from elf.network.parameters import parameter_shapes

SHAPE = {"hidden_size": 16, "heads": 2, "latent_size": 6, "bottleneck_size": 4, "vocabulary_size": 11, "max_length": 5}


def test_values_that_stay_make_up_for_those_left_out() -> None:
    dropout = Dropout(jax.random.key(0), projection=0.25)
    left = np.asarray(dropout.of(1, jnp.ones((400, 50)), dropout.projection))
    assert set(np.unique(left)) == {0.0, np.float32(1 / 0.75)}
    assert left.mean() == pytest.approx(1, abs=0.02)
    assert np.abs(left - dropout.of(2, jnp.ones((400, 50)), 0.25)).max() > 0
    np.testing.assert_array_equal(dropout.of(0, jnp.ones(9), dropout.attention), 1)


def test_only_the_middle_half_of_the_blocks_leaves_out() -> None:
    assert [*dropped_blocks(12)] == [3, 4, 5, 6, 7, 8]
    # As the official code counts: a quarter is rounded down before it is taken three times.
    assert [*dropped_blocks(6)] == [1, 2]
    assert not dropped_blocks(2)


@pytest.mark.parametrize("rates", [(0.5, 0.0), (0.0, 0.5)])
def test_a_training_pass_leaves_out_by_its_key(rates: tuple[float, float]) -> None:
    config = ElfConfig(depth=4, **SHAPE)
    graph, _ = abstract(ELF, config)
    params = random_params(parameter_shapes(config), seed=0)
    latent, w = jax.random.normal(jax.random.key(1), (2, 5, 6)), jnp.ones(2)

    @jax.jit
    def decoded(params, seed):
        return bind(graph, params).decode(latent, w, Dropout(jax.random.key(seed), *rates))

    whole = jax.jit(lambda params: bind(graph, params).decode(latent, w))(params)
    once, again, other = (decoded(params, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(once, again)
    assert np.abs(once - other).max() > 1e-4 and np.abs(once - whole).max() > 1e-4


def test_a_network_without_self_conditioning_reads_z_alone_and_exports_as_such() -> None:
    config = ElfConfig(depth=1, self_conditioning=False, **SHAPE)
    assert not any(name.startswith("self_cond_proj") for name in parameter_shapes(config))
    params = random_params(parameter_shapes(config), seed=1)
    graph, _ = abstract(ELF, config)
    z, t = jax.random.normal(jax.random.key(1), (2, 5, 6)), jnp.array([0.2, 0.7])
    run = jax.jit(lambda params, half: bind(graph, params).denoise(z, half, t, jnp.ones(2)))
    np.testing.assert_array_equal(run(params, jnp.zeros_like(z)), run(params, jnp.ones_like(z)))

    weights = network_weights(config, params)
    assert not weights["text_proj/x_hat_prev/kernel"].any() and not weights["text_proj/bias"].any()
    back = official_params(config, weights)
    assert back.keys() == params.keys()
    for name, value in params.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-6, err_msg=name)
    # A folder knows nothing of it: read back as any other network, it computes the same.
    usual = ElfConfig(depth=1, **SHAPE)
    usual_graph, _ = abstract(ELF, usual)
    same = jax.jit(lambda params: bind(usual_graph, params).denoise(z, jnp.ones_like(z), t, jnp.ones(2)))
    np.testing.assert_allclose(same(dict(official_params(usual, weights))), run(params, jnp.zeros_like(z)), atol=1e-5)
