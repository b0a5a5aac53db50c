"""What a training step minimises (spec section 4): the denoise branch and the decode branch, as errors by position."""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from elf.config import FlowConfig
from elf.errors import ConfigError
from elf.network.model import ELF
from elf.network.modules import Dropout, Params, abstract, bind
from elf.training.recipe import RowsBy
from elf.training.step_inputs import (
    DecodeDraws,
    DenoiseDraws,
    StepDraws,
    draw_coins,
    draw_decode,
    draw_denoise,
)

# A burst has neither settings of a training nor what reads models.
if TYPE_CHECKING:
    from elf.models.trained_model import FlatParams
    from elf.training.train_config import GuessConfig, TrainConfig

# The denoise branch has two forms. `literal` makes every network pass that the official code words, one after the
# other. `shared` finds v₀ and v₁ of the self-cond CFG target among the passes that are made anyway: v₀ in the one that
# self-conditioning starts from, v₁ in the training pass itself; without dropout they are the same numbers. Where a
# fixed share of the rows self-conditions instead of a coin each, only those rows pay for their first pass: at a share
# of one half a denoise step then costs 3.5 forward-equivalents where the literal one costs 5.
#
# Random draws are made apart from the errors, for the whole batch at once: a batch taken in parts, or spread over many
# devices, then sees the same numbers as one taken whole, and a test can put draws of its own in their place.


class Share(NamedTuple):
    """A figure that only some of a step's rows measured: its sum over them, and how much of the step they are."""

    total: jax.Array
    weight: jax.Array


Metrics = Mapping[str, jax.Array | Share]
"""By name. A step names only what it measured, or says so by a share of weight 0."""


@dataclass(frozen=True)
class Objective:
    """What a step minimises, once the latents are there."""

    draw: Callable[[jax.Array, tuple[int, int, int], bool | None], Any]
    """(key, shape (B, L, D), decode) → the random draws for a whole batch, each array with its rows first."""
    loss: Callable[..., tuple[jax.Array, Metrics]]
    """(params, frozen, x (B, L, D), held (B, L), ids (B, L), draws, weight (B, L), decode) → what is minimised, and
    what is logged: sums over rows, so that the parts of a batch add up to the whole. `decode` is None where the draws
    tell every row's branch."""
    weigh: Callable[[jax.Array], jax.Array]
    """Positions that count, 1 or 0 (B, L) → their weights in the loss of rows that are one mean."""
    group: int
    """So many consecutive rows stay together when a batch is taken in parts."""
    decode_prob: float | None = 0.0
    """Share of steps that are given decode = True; None where the draws tell the branch."""
    frozen: "FlatParams | None" = None
    """Further weights that the loss reads: a teacher's."""


def row_keys(key: jax.Array, rows: int) -> jax.Array:
    """(rows, 2) uint32, the data of a key for each row."""
    return jax.random.key_data(jax.random.split(key, rows))


def mean_over_positions(counts: jax.Array) -> jax.Array:
    """Weights (B, L) of positions that count alike, 1 in all."""
    return counts / jnp.maximum(counts.sum(), 1.0)


def flow_objective(config: "TrainConfig", groups: int = 1) -> Objective:
    """That of spec section 4. `groups`: of rows with a coin of their own, where `coin` is `device`.

    Raises ConfigError where a part of the batch does not hold its share of rows whole.
    """
    check_row_shares(config, groups)
    flow, choices = config.flow, config.choices
    graphdef, _ = abstract(
        ELF, config.elf, jnp.dtype(config.compute_dtype), remat=config.remat, scan=config.scan_blocks
    )
    assert choices.objective is not None  # only distillation, which does not come here, has none
    denoising = DENOISING[choices.objective]
    drops = config.attention_dropout or config.projection_dropout

    def draw(key: jax.Array, shape: tuple[int, int, int], decode: bool | None) -> Any:
        dropout = row_keys(jax.random.fold_in(key, 1), shape[0]) if drops else None
        if decode is not None:
            if decode:
                return StepDraws(decode=draw_decode(key, shape, flow), dropout=dropout)
            return StepDraws(denoise=draw_denoise(key, shape, flow), dropout=dropout)
        coin_key, denoise_key, decode_key = jax.random.split(key, 3)
        coins = draw_coins(coin_key, shape[0], flow, choices.coin, groups, config.accumulation)
        return StepDraws(coins, draw_denoise(denoise_key, shape, flow), draw_decode(decode_key, shape, flow), dropout)

    def left_out(draws: StepDraws) -> Dropout | None:
        if draws.dropout is None:
            return None
        key = jax.random.wrap_key_data(draws.dropout[0])
        return Dropout(key, config.attention_dropout, config.projection_dropout)

    def loss(params: Params, frozen: None, x, held, ids, draws, weight, decode: bool | None) -> Any:
        network = bind(graphdef, params)

        def of_branch(decodes: bool, draws: StepDraws) -> tuple[jax.Array, Metrics]:
            if decodes:
                assert draws.decode is not None
                errors = decode_errors(network, x, held, ids, draws.decode, flow, left_out(draws), config.guesses)
            else:
                assert draws.denoise is not None
                parts = denoising(network, x, held, draws.denoise, flow, choices.self_conditioned_rows)
                errors = denoise_errors(parts, network, left_out(draws))
            value = (errors * weight).sum()
            return value, {"decode_loss" if decodes else "loss": value}

        if decode is not None:
            return of_branch(decode, draws)
        if choices.coin == "example":
            return loss_of_mixed_rows(network, x, held, ids, draws, weight)

        def shared_metrics(decodes: bool, draws: StepDraws) -> tuple[jax.Array, Metrics]:
            """With both names, so that the branches give the same tree."""
            value, _ = of_branch(decodes, draws)
            return value, branch_shares(value * (not decodes), value * decodes, 1.0 - decodes, float(decodes))

        return jax.lax.cond(
            draws.decodes[0],
            lambda draws: shared_metrics(True, draws),
            lambda draws: shared_metrics(False, draws),
            draws,
        )

    def loss_of_mixed_rows(network: ELF, x, held, ids, draws: StepDraws, weight) -> tuple[jax.Array, Metrics]:
        assert draws.decodes is not None and draws.denoise is not None and draws.decode is not None
        latent = noised_for_decoding(x, held, draws.decode, flow)
        parts = denoising(network, x, held, draws.denoise, flow, choices.self_conditioned_rows)
        nothing = jnp.zeros_like(latent)
        errors = mixed_errors(network, parts, latent, nothing, draws.decodes, ids, left_out(draws)) * weight
        decoding, counted = draws.decodes[:, None] * errors, draws.decodes[:, None] * weight
        metrics = branch_shares((errors - decoding).sum(), decoding.sum(), (weight - counted).sum(), counted.sum())
        return errors.sum(), metrics

    rows = config.batch_size // config.accumulation
    # Who self-conditions, and who reads a guess, is a matter of the place in a group.
    group = math.lcm(*(self_cond_rows(share, rows)[1] for share in (flow.self_cond_prob, config.guesses.share)))
    static = choices.coin == "batch" and choices.loss_mean == "batch"
    return Objective(draw, loss, mean_over_positions, group, flow.decoder_prob if static else None)


def check_row_shares(config: "TrainConfig", groups: int = 1) -> None:
    """Raises ConfigError where a batch is taken in parts of which one does not hold a share of its rows whole: rounded
    in each of them, the share would be another one of the batch, down to none. A batch taken whole is rounded once."""
    parts = config.accumulation * groups
    rows = config.batch_size // parts
    by_place = config.choices.self_conditioned_rows == "share"
    for name, share, instead in (
        ("flow.self_cond_prob", config.flow.self_cond_prob if by_place else 0.0, "self_conditioned_rows=coin"),
        ("guesses.share", config.guesses.share, "guesses.share=0"),
    ):
        if parts > 1 and rows % simple_share(share).denominator:
            lower = "accumulation" if groups == 1 else "accumulation or device_groups"
            raise ConfigError(
                f"{name} is {share:g}, which is no whole number of the {rows} row(s) of each of {parts} parts of a "
                f"batch of {config.batch_size}",
                f"Lower {lower}, or set {instead}.",
            )


def branch_shares(loss, decode_loss, loss_weight, decode_weight) -> Metrics:
    as_array = functools.partial(jnp.asarray, dtype=jnp.float32)
    return {
        "loss": Share(as_array(loss), as_array(loss_weight)),
        "decode_loss": Share(as_array(decode_loss), as_array(decode_weight)),
    }


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


def guessed(network: ELF, x: jax.Array, held: jax.Array, draws: DecodeDraws, flow: FlowConfig, cfg: float) -> jax.Array:
    """x̂ (B, L, D) of two passes, the second from the first's and guided by the source with ω = `cfg`, as sampling has
    it at that time. The time of a row is the λ that was drawn for its first token."""
    at, t = held[..., None], draws.clean[:, 0]
    # There is no coin to throw: every row makes both passes.
    z = noised(x, held, DenoiseDraws(t, draws.w, draws.noise, coin=t), flow)
    first = jnp.where(at, x, network.denoise(z, before_any_guess(x, held, flow), t, draws.w))
    x_hat = network.denoise(z, first, t, draws.w)
    if cfg != 1:
        without = network.denoise(jnp.where(at, 0, z), jnp.where(at, 0, first), t, draws.w)
        x_hat = without + cfg * (x_hat - without)
    return jax.lax.stop_gradient(jnp.where(at, x, x_hat))


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
    share = simple_share(probability)
    if batch_size % share.denominator:
        return round(probability * batch_size), batch_size
    return share.numerator, share.denominator


def simple_share(probability: float) -> Fraction:
    return Fraction(probability).limit_denominator(16)


def take_rows(rows: jax.Array, a: int, b: int) -> jax.Array:
    """The first a of every b rows."""
    return rows.reshape(-1, b, *rows.shape[1:])[:, :a].reshape(-1, *rows.shape[1:])


def is_taken(rows: int, a: int, b: int) -> jax.Array:
    """(rows,) bool: those that `take_rows` takes."""
    return jnp.arange(rows) % b < a


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
    return is_taken(len(draws.t), a, b)


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
    guesses: "GuessConfig | None" = None,
) -> jax.Array:
    """Cross-entropy (B, L) of the tokens `ids` (B, L), read from latents with a noise strength of its own per token.

    x, held: as in `shared_denoising`. guesses: how many of the rows read what is `guessed` instead; none do unless
    given.
    """
    latent = noised_for_decoding(x, held, draws, flow)
    a, b = self_cond_rows(guesses.share, len(x)) if guesses else (0, 1)
    if guesses and a:
        x_a, held_a, draws_a = jax.tree.map(lambda of: take_rows(of, a, b), (x, held, draws))
        read = put_rows(guessed(network, x_a, held_a, draws_a, flow, guesses.cfg), a, b)
        latent = jnp.where(is_taken(len(x), a, b)[:, None, None], read, latent)
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
