"""The T5 encoder: relative positions and visibility."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from elf.config import T5Config
from elf.dev.make_random import random_params
from elf.network.encoder import T5Encoder, conditional_visibility, encoder_from_params, relative_buckets
from elf.network.parameters import encoder_parameter_shapes

TINY = T5Config(vocabulary_size=30, d_model=16, d_kv=4, d_ff=24, layers=2, heads=4)


@pytest.fixture(scope="module")
def encoder() -> Callable[..., jax.Array]:
    network = encoder_from_params(TINY, random_params(encoder_parameter_shapes(TINY), seed=3))
    call = nnx.jit(T5Encoder.__call__)
    return lambda *inputs: call(network, *inputs)


def test_near_offsets_have_buckets_of_their_own_and_far_ones_share() -> None:
    buckets = relative_buckets(300, T5Config())
    assert list(buckets[0, :9]) == [0, 17, 18, 19, 20, 21, 22, 23, 24]
    assert list(buckets[:9, 0]) == [0, 1, 2, 3, 4, 5, 6, 7, 8]
    assert buckets[0, 128] == buckets[0, 299] == 31 and buckets[299, 0] == 15


def test_positions_matter_only_by_distance_and_hidden_ones_not_at_all(encoder: Callable[..., jax.Array]) -> None:
    ids = jnp.array([[4, 9, 9, 7, 2, 5]])
    visible = jnp.array([[1, 1, 1, 1, 0, 0]])
    alone = encoder(ids[:, :4])
    np.testing.assert_allclose(encoder(ids, visible)[:, :4], alone, atol=1e-5)
    assert np.abs(encoder(ids)[:, :4] - alone).max() > 1e-3


def test_a_source_is_encoded_as_if_alone_while_the_target_sees_both(encoder: Callable[..., jax.Array]) -> None:
    ids = jnp.array([[4, 9, 8, 7, 2, 5], [3, 3, 6, 11, 12, 13]])
    lengths = jnp.array([3, 2])
    whole = encoder(ids, conditional_visibility(lengths, 6))
    np.testing.assert_allclose(whole[:1, :3], encoder(ids[:1, :3]), atol=1e-5)
    np.testing.assert_allclose(whole[1:, :2], encoder(ids[1:, :2]), atol=1e-5)
    other = encoder(ids.at[:, 0].set(20), conditional_visibility(lengths, 6))
    assert np.abs(other - whole)[:, 3:].max(axis=(0, 2)).min() > 1e-4
