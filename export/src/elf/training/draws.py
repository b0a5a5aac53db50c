"""The random draws of a training step, made for the whole batch at once and apart from what is made of them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import FlowConfig
from elf.training.recipe import Coin


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
