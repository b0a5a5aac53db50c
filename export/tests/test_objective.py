"""The training objective against the literal formulation of spec section 4."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from elf.config import ElfConfig, FlowConfig
from elf.network.model import ELF
from elf.network.modules import bind, split
from elf.training.objective import decode_loss, denoise_loss, draw_self_cond_scale, velocity

CONFIG = ElfConfig(depth=1, hidden_size=16, heads=2, latent_size=6, bottleneck_size=4, vocabulary_size=11, max_length=5)
FLOW = FlowConfig(noise_scale=1.3)


def network() -> ELF:
    graphdef, params = split(ELF(CONFIG, rngs=nnx.Rngs(0)))
    keys = jax.random.split(jax.random.key(1), len(params))
    loud = {n: v + 0.2 * jax.random.normal(k, v.shape) for k, (n, v) in zip(keys, params.items(), strict=True)}
    return bind(graphdef, loud)


def test_free_velocities_equal_the_separate_passes_of_the_literal_formulation() -> None:
    net, key = network(), jax.random.key(7)
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    mask = jnp.ones((4, 5)).at[0, 3:].set(0)
    loss = jax.jit(lambda x: denoise_loss(net, x, mask, jnp.zeros((4, 5), bool), key, FLOW))(x)
    expected = jax.jit(lambda x: literal_denoise_loss(net, x, mask, key))(x)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)


def literal_denoise_loss(net: ELF, x: jax.Array, mask: jax.Array, key: jax.Array) -> jax.Array:
    """Spec section 4 word by word, with a network pass of its own for every velocity."""
    t_key, noise_key, scale_key = jax.random.split(key, 3)
    t = jax.nn.sigmoid(-1.5 + 0.8 * jax.random.normal(t_key, (4,)))
    w = draw_self_cond_scale(scale_key, 4, FLOW)
    z = t[:, None, None] * x + (1 - t)[:, None, None] * 1.3 * jax.random.normal(noise_key, x.shape)
    first = net.denoise(z, jnp.zeros_like(z), t, w)
    conditioned = jnp.array([True, True, False, False])
    previous = jnp.where(conditioned[:, None, None], first, 0)
    v0 = velocity(net.denoise(z, jnp.zeros_like(z), t, w), z, t, FLOW)
    v1 = velocity(net.denoise(z, first, t, w), z, t, FLOW)
    target = velocity(x, z, t, FLOW)
    target = jnp.where(conditioned[:, None, None], target + (1 - 1 / w)[:, None, None] * (v1 - v0), target)
    v = velocity(net.denoise(z, previous, t, w), z, t, FLOW)
    return (((v - target) ** 2).mean(-1) * mask).sum() / mask.sum()


def test_no_gradient_flows_through_the_target_or_the_first_pass() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    mask, held = jnp.ones((4, 5)), jnp.zeros((4, 5), bool)

    def loss(params, fixed):
        # The same loss with the stopped passes made by another copy of the weights.
        trainable, frozen = bind(graphdef, params), bind(graphdef, fixed)
        t_key, noise_key, scale_key = jax.random.split(jax.random.key(7), 3)
        t = jax.nn.sigmoid(-1.5 + 0.8 * jax.random.normal(t_key, (4,)))
        w = draw_self_cond_scale(scale_key, 4, FLOW)
        z = t[:, None, None] * x + (1 - t)[:, None, None] * 1.3 * jax.random.normal(noise_key, x.shape)
        first = frozen.denoise(z, jnp.zeros_like(z), t, w)
        previous = first.at[2:].set(0)
        v1 = velocity(frozen.denoise(z, previous, t, w), z, t, FLOW)
        target = velocity(x, z, t, FLOW)
        guided = (1 - 1 / w)[:2, None, None] * (v1[:2] - velocity(first, z, t, FLOW)[:2])
        target = target.at[:2].add(guided)
        return jnp.mean((velocity(trainable.denoise(z, previous, t, w), z, t, FLOW) - target) ** 2)

    expected = jax.jit(jax.grad(loss))(params, params)
    ours = jax.grad(lambda p: denoise_loss(bind(graphdef, p), x, mask, held, jax.random.key(7), FLOW))
    actual = jax.jit(ours)(params)
    for name in params:
        np.testing.assert_allclose(actual[name], expected[name], rtol=2e-3, atol=1e-5, err_msg=name)


def test_held_positions_stay_clean_and_masked_ones_do_not_count() -> None:
    net, key = network(), jax.random.key(9)
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held = jnp.zeros((4, 5), bool).at[:, :2].set(True)
    mask = 1.0 - held
    loss = denoise_loss(net, x, mask, held, key, FLOW)
    assert np.isfinite(loss)
    # The condition is heard: another source gives another loss.
    assert float(denoise_loss(net, x.at[:, 0].add(1.0), mask, held, key, FLOW)) != pytest.approx(float(loss), rel=1e-4)


def test_self_conditioning_scale_stays_within_its_bounds_and_is_log_uniform() -> None:
    w = np.asarray(draw_self_cond_scale(jax.random.key(0), 20000, FLOW))
    assert w.min() >= 0.5 - 1e-5 and w.max() <= 5 + 1e-4
    assert np.median(np.log1p(w)) == pytest.approx((np.log(1.5) + np.log(6)) / 2, abs=0.02)


def test_decode_loss_starts_near_chance_and_falls_with_the_right_bias() -> None:
    graphdef, params = split(ELF(CONFIG, rngs=nnx.Rngs(0)))
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    ids = jnp.full((4, 5), 3)
    mask = jnp.ones((4, 5))
    before = decode_loss(bind(graphdef, params), x, ids, mask, jax.random.key(0), FLOW)
    assert float(before) == pytest.approx(np.log(11), abs=1.0)
    params["unembed_bias"] = params["unembed_bias"].at[3].add(20.0)
    after = decode_loss(bind(graphdef, params), x, ids, mask, jax.random.key(0), FLOW)
    assert float(after) < 0.01
