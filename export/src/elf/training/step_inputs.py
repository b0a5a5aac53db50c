"""What a training step is given: the latents of its rows, by the frozen text encoder, and its random draws."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import FlowConfig, T5Config
from elf.network.encoder import T5Encoder, conditional_visibility
from elf.network.modules import Params, abstract, bind
from elf.network.parameters import check_parameters, encoder_parameter_shapes
from elf.training.recipe import Coin

# A burst has neither files of data nor what reads them.
if TYPE_CHECKING:
    from elf.data.rows import TokenDataset
    from elf.models.run_folder import Statistics
    from elf.models.text_encoder import Normalisation
    from elf.models.trained_model import FlatParams


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


# --- Token ids in, normalised latents out (spec sections 1, 3 and 4) ------------------------------------------------


@dataclass(frozen=True)
class FrozenEncoder:
    """x = (encoder(ids) − mean) / std."""

    config: T5Config
    params: "FlatParams"
    mean: float | np.ndarray
    std: float | np.ndarray

    @classmethod
    def make(
        cls,
        config: T5Config,
        params: "FlatParams",
        normalisation: "Normalisation",
        dataset: "TokenDataset",
        length: int,
        max_input_length: int | None = None,
        see_padding: bool = True,
        known: "Statistics | None" = None,
    ) -> "FrozenEncoder":
        """`see_padding` and the lengths as in training, for the measured normalisation, unless that is `known`.

        Raises CheckpointMismatchError where the weights are not those of `config`."""
        from elf.models.text_encoder import latent_statistics

        check_parameters(params, encoder_parameter_shapes(config), "the encoder")
        if normalisation == "official":
            return cls(config, params, 0.0, 0.2)
        measured = known or latent_statistics(config, params, dataset, length, max_input_length, see_padding)
        return cls(config, params, *measured)

    def latents(
        self,
        params: Params,
        ids: jax.Array,
        real: jax.Array,
        source_length: jax.Array | None,
        dropped: jax.Array | None,
        *,
        see_padding: bool,
        compute_dtype: jnp.dtype,
    ) -> tuple[jax.Array, jax.Array]:
        """Latents x (B, L, D) and which positions hold the condition (B, L), inside `jax.jit`.

        ids (B, L), real (B, L) bool, source_length (B,) and dropped (B,) bool, both None for unconditional data. The
        weights come as the argument `params`: closed over, T5-small's 140 MB would be copied into each compiled branch.
        A `dropped` condition is zero and unseen by its target. Unless `see_padding`, filling is unseen too.
        """
        graphdef, _ = abstract(T5Encoder, self.config, compute_dtype)
        B, L = ids.shape
        visible = None if see_padding else jnp.broadcast_to(real[:, None, :], (B, L, L))
        held = jnp.zeros((B, L), bool)
        if source_length is not None:
            held = jnp.arange(L)[None, :] < source_length[:, None]
            ordered = training_visibility(source_length, dropped, L)
            visible = ordered if visible is None else visible & ordered
        x = (bind(graphdef, params)(ids, visible) - self.mean) / self.std
        if source_length is not None and dropped is not None:
            x = jnp.where((held & dropped[:, None])[..., None], 0.0, x)
        return x, held


def training_visibility(source_length: jax.Array, dropped: jax.Array | None, length: int) -> jax.Array:
    """`conditional_visibility`, (B, L, L); besides, where a condition is `dropped` (B,), its target does not see it."""
    visible = conditional_visibility(source_length, length)
    if dropped is None:
        return visible
    held = jnp.arange(length)[None, :] < source_length[:, None]
    return visible & ~(dropped[:, None, None] & ~held[:, :, None] & held[:, None, :])
