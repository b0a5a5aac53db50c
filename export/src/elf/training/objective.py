"""What a training step minimises (spec section 4): the denoise branch and the decode branch, as errors by position.

The denoise branch has two forms. `literal` makes every network pass that the official code words, one after the other.
`shared` finds v₀ and v₁ of the self-cond CFG target among the passes that are made anyway: v₀ in the one that
self-conditioning starts from, v₁ in the training pass itself; without dropout they are the same numbers. Where a fixed
share of the rows self-conditions instead of a coin each, only those rows pay for their first pass: at a share of one
half a denoise step then costs 3.5 forward-equivalents where the literal one costs 5.

Random draws are made apart from the errors, for the whole batch at once: a batch taken in parts, or spread over many
devices, then sees the same numbers as one taken whole, and a test can put draws of its own in their place.
"""

from collections.abc import Callable
from fractions import Fraction
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from elf.config import FlowConfig
from elf.network.dropout import Dropout
from elf.network.model import ELF
from elf.training.recipe import Coin, RowsBy


class DenoiseDraws(NamedTuple):
    t: jax.Array
    """(B,), the time of each example."""
    w: jax.Array
    """(B,), its self-cond CFG scale."""
    noise: jax.Array
    """(B, L, D), ε ~ N(0, 1)."""
    coin: jax.Array
    """(B,), uniform in [0, 1): where rows throw coins, one self-conditions if this is below `self_cond_prob`."""


class DecodeDraws(NamedTuple):
    clean: jax.Array
    """(B, L), λ: the share of the true latent in each token's input."""
    w: jax.Array
    """(B,)"""
    noise: jax.Array
    """(B, L, D)"""


class StepDraws(NamedTuple):
    """The draws of one branch, or of both, used or not, and then which of them every row takes."""

    decodes: jax.Array | None = None
    """(B,) bool"""
    denoise: DenoiseDraws | None = None
    decode: DecodeDraws | None = None
    dropout: jax.Array | None = None
    """(B, 2) uint32, a key's data for each row: rows that are one mean leave out by the key of their first."""


def draw_self_cond_scale(key: jax.Array, batch_size: int, flow: FlowConfig) -> jax.Array:
    """w (B,) with 1 + w log-uniform between its bounds."""
    low, high = jnp.log1p(flow.self_cond_cfg_min), jnp.log1p(flow.self_cond_cfg_max)
    return jnp.expm1(jax.random.uniform(key, (batch_size,), minval=low, maxval=high))


def draw_times(key: jax.Array, shape: tuple[int, ...], flow: FlowConfig, *, uniform: bool = False) -> jax.Array:
    """Times in (0, 1) by the flow's logit-normal, or even."""
    if uniform:
        return jax.random.uniform(key, shape)
    return jax.nn.sigmoid(flow.p_mean + flow.p_std * jax.random.normal(key, shape))


def draw_denoise(key: jax.Array, shape: tuple[int, int, int], flow: FlowConfig) -> DenoiseDraws:
    """The draws of a denoise step for latents of `shape` (B, L, D)."""
    t_key, noise_key, scale_key, coin_key = jax.random.split(key, 4)
    t = draw_times(t_key, shape[:1], flow, uniform=flow.time_schedule == "uniform")
    w = draw_self_cond_scale(scale_key, shape[0], flow)
    return DenoiseDraws(t, w, jax.random.normal(noise_key, shape), jax.random.uniform(coin_key, shape[:1]))


def draw_decode(key: jax.Array, shape: tuple[int, int, int], flow: FlowConfig) -> DecodeDraws:
    """The draws of a decode step for latents of `shape` (B, L, D)."""
    mix_key, noise_key, scale_key = jax.random.split(key, 3)
    clean = jax.nn.sigmoid(flow.decoder_p_mean + flow.decoder_p_std * jax.random.normal(mix_key, shape[:2]))
    return DecodeDraws(clean, draw_self_cond_scale(scale_key, shape[0], flow), jax.random.normal(noise_key, shape))


def draw_coins(key: jax.Array, rows: int, flow: FlowConfig, coin: Coin, groups: int = 1, parts: int = 1) -> jax.Array:
    """Whether each row decodes, (rows,) bool. The rows are `groups` runs, each of `parts` runs: a coin for every part
    of every group, for every part of the batch, or for every example."""
    if coin == "example":
        return jax.random.uniform(key, (rows,)) < flow.decoder_prob
    thrown = jax.random.uniform(key, (groups if coin == "device" else 1, parts)) < flow.decoder_prob
    return jnp.repeat(jnp.broadcast_to(thrown, (groups, parts)).reshape(-1), rows // (groups * parts))


def is_decode_step(seed: int, step: int, decoder_prob: float) -> bool:
    """One coin for the whole batch, a function of the step, so that a resumed run and every process throw the same."""
    return bool(np.random.default_rng([seed, step, 1]).random() < decoder_prob)


def velocity(x_hat: jax.Array, z: jax.Array, t: jax.Array, flow: FlowConfig) -> jax.Array:
    """v = (x̂ − z) / max(1 − t, t_eps); t (B,)."""
    return (x_hat - z) / jnp.maximum(1 - t, flow.t_eps)[:, None, None]


def noised(x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig) -> jax.Array:
    """z at time t: t·x + (1 − t)·s·ε, and the clean x where `held`."""
    t = draws.t[:, None, None]
    return jnp.where(held[..., None], x, t * x + (1 - t) * flow.noise_scale * draws.noise)


def noised_for_decoding(x: jax.Array, held: jax.Array, draws: DecodeDraws, flow: FlowConfig) -> jax.Array:
    """λ·x + (1 − λ)·σ·ε; whether the condition is noised too, `flow.decoder_condition` says."""
    clean = draws.clean[..., None]
    latent = clean * x + (1 - clean) * flow.decoder_noise_scale * draws.noise
    return jnp.where(held[..., None], x, latent) if flow.decoder_condition == "clean" else latent


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


class Denoising(NamedTuple):
    """A denoise step but for its training pass, x̂ = network(inputs)."""

    inputs: tuple[jax.Array, jax.Array, jax.Array, jax.Array]
    """z and x̂_prev (B, L, D), t and w (B,)."""
    errors: Callable[[jax.Array], jax.Array]
    """x̂ (B, L, D) → squared velocity error at every position, the mean over D: (B, L)."""


def literal_denoising(
    network: ELF, x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig, rows: RowsBy = "coin"
) -> Denoising:
    """Every pass by itself, over all rows. Arguments as of `shared_denoising`."""
    z = noised(x, held, draws, flow)
    t, w = draws.t, draws.w
    empty, target = before_any_guess(x, held, flow), velocity(x, z, t, flow)
    x_hat_prev = empty
    if flow.self_cond_prob:

        def passed(x_hat_prev: jax.Array) -> jax.Array:
            return jax.lax.stop_gradient(network.denoise(z, x_hat_prev, t, w))

        first = jnp.where(held[..., None], x, passed(empty))
        chosen = self_conditioned(draws, flow, rows)[:, None, None]
        x_hat_prev = jnp.where(chosen, first, empty)
        if network.config.self_cond_cfg_tokens:
            v0, v1 = velocity(passed(empty), z, t, flow), velocity(passed(first), z, t, flow)
            target = target + jnp.where(chosen, (1 - 1 / w)[:, None, None] * (v1 - v0), 0.0)

    def errors(x_hat: jax.Array) -> jax.Array:
        return jnp.mean((velocity(x_hat, z, t, flow) - target) ** 2, axis=-1)

    return Denoising((z, x_hat_prev, t, w), errors)


def shared_denoising(
    network: ELF, x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig, rows: RowsBy = "share"
) -> Denoising:
    """Passes that the loss needs twice are made once.

    x: clean latents (B, L, D). held: (B, L) bool, positions of the condition, which keep their clean embeddings.
    rows: whether each row's coin decides if it self-conditions, or its place.
    """
    z = noised(x, held, draws, flow)
    t, w = draws.t, draws.w
    empty, target = before_any_guess(x, held, flow), velocity(x, z, t, flow)
    # With a coin each, all rows make the first pass, and the coins choose from it.
    a, b = (1, 1) if rows == "coin" and flow.self_cond_prob else self_cond_rows(flow.self_cond_prob, len(x))
    if a == 0:
        return Denoising((z, empty, t, w), lambda x_hat: jnp.mean((velocity(x_hat, z, t, flow) - target) ** 2, axis=-1))

    z_a, t_a, w_a, empty_a, x_a, held_a = (take_rows(of, a, b) for of in (z, t, w, empty, x, held))
    first = jax.lax.stop_gradient(network.denoise(z_a, empty_a, t_a, w_a))
    chosen = self_conditioned(draws, flow, rows)[:, None, None]
    x_hat_prev = jnp.where(chosen, put_rows(jnp.where(held_a[..., None], x_a, first), a, b), empty)
    v0 = put_rows(velocity(first, z_a, t_a, flow), a, b)

    def errors(x_hat: jax.Array) -> jax.Array:
        v = velocity(x_hat, z, t, flow)
        guided = jnp.where(chosen, (1 - 1 / w)[:, None, None] * (jax.lax.stop_gradient(v) - v0), 0.0)
        return jnp.mean((v - target - (guided if network.config.self_cond_cfg_tokens else 0.0)) ** 2, axis=-1)

    return Denoising((z, x_hat_prev, t, w), errors)


DENOISING = {"literal": literal_denoising, "shared": shared_denoising}


def self_conditioned(draws: DenoiseDraws, flow: FlowConfig, rows: RowsBy) -> jax.Array:
    """(B,) bool: the rows whose x̂ half holds a guess."""
    if rows == "coin":
        return draws.coin < flow.self_cond_prob
    a, b = self_cond_rows(flow.self_cond_prob, len(draws.t))
    return jnp.arange(len(draws.t)) % b < a


def denoise_errors(denoising: Denoising, network: ELF, dropout: Dropout | None = None) -> jax.Array:
    """Squared velocity error at every position, the mean over D: (B, L)."""
    return denoising.errors(network.denoise(*denoising.inputs, dropout))


def decode_errors(
    network: ELF,
    x: jax.Array,
    held: jax.Array,
    ids: jax.Array,
    draws: DecodeDraws,
    flow: FlowConfig,
    dropout: Dropout | None = None,
) -> jax.Array:
    """Cross-entropy (B, L) of the tokens `ids` (B, L), read from latents with a noise strength of its own per token.

    x, held: as in `shared_denoising`.
    """
    latent = noised_for_decoding(x, held, draws, flow)
    return optax.softmax_cross_entropy_with_integer_labels(network.decode(latent, draws.w, dropout), ids)


def mixed_errors(
    network: ELF,
    denoising: Denoising,
    latent: jax.Array,
    half: jax.Array,
    decodes: jax.Array,
    ids: jax.Array,
    dropout: Dropout | None = None,
) -> jax.Array:
    """Errors (B, L) where every row takes a branch of its own: one training pass, read by both heads.

    latent: what decode rows read (B, L, D). half: what their x̂ half holds (B, L, D). decodes: (B,) bool.
    """
    z, x_hat_prev, t, w = denoising.inputs
    at = decodes[:, None, None]
    h = network.trunk(
        jnp.where(at, latent, z),
        jnp.where(at, half, x_hat_prev),
        jnp.where(decodes, 1.0, t),
        w,
        decodes.astype(jnp.float32),
        dropout,
    )
    nll = optax.softmax_cross_entropy_with_integer_labels(network.logits(h), ids)
    return jnp.where(decodes[:, None], nll, denoising.errors(network.final_layer(h)))
