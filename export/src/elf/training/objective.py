"""What a training step minimises (spec section 4): the denoise branch and the decode branch, as errors by position.

Self-conditioning takes a fixed share of the rows of each (shuffled) batch instead of a coin per example, so its extra
pass costs only those rows; and the velocities v₀ and v₁ of the self-cond CFG target are by-products of the passes made
anyway: v₀ of the self-conditioning pass, v₁ of the training pass itself. A denoise step thus costs 3.5
forward-equivalents at a share of one half where the literal formulation (literal_objective.py) costs 5.

Random draws are made apart from the errors, for the whole batch at once: a batch taken in parts, or spread over many
devices, then sees the same numbers as one taken whole.
"""

from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from elf.config import FlowConfig
from elf.network.model import ELF


class DenoiseDraws(NamedTuple):
    t: jax.Array
    """(B,), the logit-normal time of each example."""
    w: jax.Array
    """(B,), its self-cond CFG scale."""
    noise: jax.Array
    """(B, L, D), ε ~ N(0, 1)."""
    coin: jax.Array
    """(B,), uniform in [0, 1); for the literal formulation, which throws it for self-conditioning."""


class DecodeDraws(NamedTuple):
    clean: jax.Array
    """(B, L), λ: the share of the true latent in each token's input."""
    w: jax.Array
    """(B,)"""
    noise: jax.Array
    """(B, L, D)"""


def draw_self_cond_scale(key: jax.Array, batch_size: int, flow: FlowConfig) -> jax.Array:
    """w (B,) with 1 + w log-uniform between its bounds."""
    low, high = jnp.log1p(flow.self_cond_cfg_min), jnp.log1p(flow.self_cond_cfg_max)
    return jnp.expm1(jax.random.uniform(key, (batch_size,), minval=low, maxval=high))


def draw_denoise(key: jax.Array, shape: tuple[int, int, int], flow: FlowConfig) -> DenoiseDraws:
    """The draws of a denoise step for latents of `shape` (B, L, D)."""
    t_key, noise_key, scale_key, coin_key = jax.random.split(key, 4)
    t = jax.nn.sigmoid(flow.p_mean + flow.p_std * jax.random.normal(t_key, shape[:1]))
    w = draw_self_cond_scale(scale_key, shape[0], flow)
    return DenoiseDraws(t, w, jax.random.normal(noise_key, shape), jax.random.uniform(coin_key, shape[:1]))


def draw_decode(key: jax.Array, shape: tuple[int, int, int], flow: FlowConfig) -> DecodeDraws:
    """The draws of a decode step for latents of `shape` (B, L, D)."""
    mix_key, noise_key, scale_key = jax.random.split(key, 3)
    clean = jax.nn.sigmoid(flow.decoder_p_mean + flow.decoder_p_std * jax.random.normal(mix_key, shape[:2]))
    return DecodeDraws(clean, draw_self_cond_scale(scale_key, shape[0], flow), jax.random.normal(noise_key, shape))


def velocity(x_hat: jax.Array, z: jax.Array, t: jax.Array, flow: FlowConfig) -> jax.Array:
    """v = (x̂ − z) / max(1 − t, t_eps); t (B,)."""
    return (x_hat - z) / jnp.maximum(1 - t, flow.t_eps)[:, None, None]


def noised(x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig) -> jax.Array:
    """z at time t: t·x + (1 − t)·s·ε, and the clean x where `held`."""
    t = draws.t[:, None, None]
    return jnp.where(held[..., None], x, t * x + (1 - t) * flow.noise_scale * draws.noise)


def before_any_guess(x: jax.Array, held: jax.Array, flow: FlowConfig) -> jax.Array:
    """What the x̂ half holds where there is no x̂ yet, (B, L, D): zeros, but at the source's places what
    `flow.self_cond_start` says. Sampling starts in the same way."""
    nothing = jnp.zeros_like(x)
    return jnp.where(held[..., None], x, nothing) if flow.self_cond_start == "condition" else nothing


def self_cond_rows(probability: float, batch_size: int) -> tuple[int, int]:
    """(a, b): of every b consecutive rows the first a self-condition, a / b = `probability` as nearly as b ≤ 16 can.

    Small groups rather than the first half of the batch: where rows lie on several devices, each finds its share among
    its own. A batch that b does not divide is one group.
    """
    share = Fraction(probability).limit_denominator(16)
    if batch_size % share.denominator:
        return round(probability * batch_size), batch_size
    return share.numerator, share.denominator


def take_rows(rows: jax.Array, a: int, b: int) -> jax.Array:
    """The first a of every b rows."""
    return rows.reshape(-1, b, *rows.shape[1:])[:, :a].reshape(-1, *rows.shape[1:])


def put_rows(rows: jax.Array, a: int, b: int) -> jax.Array:
    """The inverse of `take_rows`, zeros elsewhere."""
    groups = rows.reshape(-1, a, *rows.shape[1:])
    return jnp.pad(groups, [(0, 0), (0, b - a)] + [(0, 0)] * (rows.ndim - 1)).reshape(-1, *rows.shape[1:])


def denoise_errors(network: ELF, x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig) -> jax.Array:
    """Squared velocity error at every position, the mean over D: (B, L).

    x: clean latents (B, L, D). held: (B, L) bool, positions of the condition, which keep their clean embeddings.
    """
    z = noised(x, held, draws, flow)
    t, w = draws.t, draws.w
    target = velocity(x, z, t, flow)
    empty = before_any_guess(x, held, flow)
    a, b = self_cond_rows(flow.self_cond_prob, len(x))
    if a == 0:
        return jnp.mean((velocity(network.denoise(z, empty, t, w), z, t, flow) - target) ** 2, axis=-1)

    z_a, t_a, w_a, empty_a = (take_rows(rows, a, b) for rows in (z, t, w, empty))
    first = network.denoise(z_a, empty_a, t_a, w_a)
    first = jax.lax.stop_gradient(jnp.where(take_rows(held, a, b)[..., None], take_rows(x, a, b), first))
    v = velocity(network.denoise(z, empty + put_rows(first - empty_a, a, b), t, w), z, t, flow)
    v0 = velocity(first, z_a, t_a, flow)
    v1 = jax.lax.stop_gradient(take_rows(v, a, b))
    guided = (1 - 1 / w_a)[:, None, None] * (v1 - v0)
    return jnp.mean((v - target - put_rows(guided, a, b)) ** 2, axis=-1)


def decode_errors(
    network: ELF, x: jax.Array, held: jax.Array, ids: jax.Array, draws: DecodeDraws, flow: FlowConfig
) -> jax.Array:
    """Cross-entropy (B, L) of the tokens `ids` (B, L), read from latents with a noise strength of its own per token.

    x, held: as in `denoise_errors`; whether the condition is noised too, `flow.decoder_condition` says.
    """
    clean = draws.clean[..., None]
    latent = clean * x + (1 - clean) * flow.decoder_noise_scale * draws.noise
    if flow.decoder_condition == "clean":
        latent = jnp.where(held[..., None], x, latent)
    return optax.softmax_cross_entropy_with_integer_labels(network.decode(latent, draws.w), ids)
