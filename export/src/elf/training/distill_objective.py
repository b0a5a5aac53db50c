"""What a few-step student minimises (spec section 4, *Progressive distillation*), as errors by position."""

from typing import Literal, NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import FlowConfig
from elf.errors import ConfigError
from elf.network.model import ELF
from elf.training.objective import (
    Denoising,
    before_any_guess,
    mixed_errors,
    noised,
    noised_for_decoding,
    put_rows,
    self_conditioned,
    take_rows,
    velocity,
)
from elf.training.step_inputs import DecodeDraws, DenoiseDraws, draw_decode, draw_denoise, draw_times

# A student of N steps learns to cross a span Δ = 1/N of time in one pass, where its teacher takes several: where the
# teacher's small Euler steps from z_s at t_s to t_e = t_s + Δ end is where one large step must end, and x̃ is the
# prediction that makes it do so.
#
# Officially every row throws coins (`mixed_student_errors`), and all rows pay for all passes. This project's own recipe
# fixes by their place which rows of a batch do what (`student_errors`): the decode branch needs no teacher, and the
# pass for the self-conditioning half is made only for rows that have one. As the numbers of rows only come near the
# probabilities, each kind of row is weighted with its own: the expected loss is that of coins.
#
# Random draws are made apart from the errors, for the whole batch at once.

LARGEST_GROUP = 16
"""Rows over which the kinds are dealt out: few, so that a device finds all kinds among its own rows."""

VANISHING = 1e-3
"""Spans of time below this have no slope that float32 could tell."""


class Denoiser(Protocol):
    """A network as far as it is needed here; see `ELF.denoise`."""

    def denoise(
        self, z: jax.Array, x_hat_prev: jax.Array, t: jax.Array, self_cond_scale: jax.Array, /
    ) -> jax.Array: ...


class GuidedTeacher(NamedTuple):
    """A teacher carried further away from what it says with blind blocks: x̂_blind + scale · (x̂ − x̂_blind).

    Perturbed-attention guidance (Ahn et al. 2024), which costs a second pass at every step: a student of such a teacher
    has learnt what comes of it, and pays for none.
    """

    sees: Denoiser
    blind: Denoiser
    """The same weights; in some blocks a position sees only itself."""
    scale: float
    until: float = 1.0
    """Guided is what begins before this t. Later x is as good as told: what is carried away there is no better text."""

    def denoise(self, z: jax.Array, x_hat_prev: jax.Array, t: jax.Array, self_cond_scale: jax.Array, /) -> jax.Array:
        blind = self.blind.denoise(z, x_hat_prev, t, self_cond_scale)
        scale = jnp.where(t < self.until, self.scale, 1.0)[:, None, None]
        return blind + scale * (self.sees.denoise(z, x_hat_prev, t, self_cond_scale) - blind)


class Kinds(NamedTuple):
    """How many of a group of consecutive rows do what, in the order in which they stand."""

    self_conditioned: int
    plain: int
    """Denoise with x̂_prev = 0."""
    decode: int

    @property
    def denoise(self) -> int:
        return self.self_conditioned + self.plain

    @property
    def group(self) -> int:
        return self.denoise + self.decode


def row_kinds(flow: FlowConfig, batch_size: int, devices: int = 1) -> Kinds:
    """The group, of a size that divides each device's rows, whose shares come nearest to `decoder_prob` and
    `self_cond_prob`.

    Every kind of a probability above 0 has a row; where a device has too few rows for that, groups only divide the
    batch. Raises ConfigError for a batch too small for that.
    """

    def share(probability: float, rows: int) -> int:
        least, most = int(probability > 0), rows - int(probability < 1)
        return min(max(round(probability * rows), least), most)

    def missed(kinds: Kinds) -> float:
        shares = np.asarray(kinds) / kinds.group
        return float(np.abs(shares - _probabilities(flow)).sum())

    def groups(sizes):
        for size in sizes:
            decode = share(flow.decoder_prob, size)
            chosen = share(flow.self_cond_prob, size - decode)
            kinds = Kinds(chosen, size - decode - chosen, decode)
            if all(rows > 0 or chance == 0 for rows, chance in zip(kinds, _probabilities(flow), strict=True)):
                yield kinds

    small = [size for size in range(1, LARGEST_GROUP + 1) if batch_size % size == 0]
    # A group that lies on two devices would have each fetch rows from the other, and do more of one kind.
    whole = [size for size in small if batch_size % (devices * size) == 0]
    choices = (min(groups(sizes), key=missed, default=None) for sizes in (whole, small, [batch_size]))
    found = next(filter(None, choices), None)
    if found is None:
        raise ConfigError(
            f"a batch, or part of one, of {batch_size} rows cannot hold rows of every kind",
            "Give at least 3 rows: one self-conditions, one does not, one decodes.",
        )
    return found


def _probabilities(flow: FlowConfig) -> np.ndarray:
    """Of the kinds, in the order of `Kinds`."""
    p, q = flow.decoder_prob, flow.self_cond_prob
    return np.array([(1 - p) * q, (1 - p) * (1 - q), p])


def kind_weights(counts: jax.Array, kinds: Kinds, flow: FlowConfig) -> jax.Array:
    """Weights (B, L) of the positions that count (B, L): each kind's add up to its probability, all to 1."""
    kind = np.tile(np.repeat(np.arange(3), kinds), len(counts) // kinds.group)
    totals = np.eye(3, dtype=np.float32)[kind].T @ counts.sum(axis=1)
    each = _probabilities(flow).astype(np.float32) / jnp.maximum(totals, 1.0)
    return counts * each[kind][:, None]


class UniformTimes(NamedTuple):
    """Which times are drawn evenly instead of by the flow's logit-normal."""

    student: bool = False
    teacher: bool = False


BY_THE_FLOW = UniformTimes()


class DistillDraws(NamedTuple):
    start: DenoiseDraws
    """As in training, but `t` is t_s."""
    times: jax.Array
    """(B, S + 1), rising from t_s to t_e: where the teacher's S sub-steps begin and end."""
    clean: jax.Array
    """(B, L), λ of the decode rows."""
    decoder_noise: jax.Array
    """(B, L, D), theirs."""
    decodes: jax.Array
    """(B,) bool, each row's coin. Unread where rows go by their place."""


def draw_distill(
    key: jax.Array,
    shape: tuple[int, int, int],
    span: float,
    sub_steps: int,
    flow: FlowConfig,
    uniform: UniformTimes = BY_THE_FLOW,
) -> DistillDraws:
    """The draws of a step for latents of `shape` (B, L, D), a student of span Δ and a teacher of S `sub_steps`."""
    start_key, times_key, mix_key, coin_key, student_key = jax.random.split(key, 5)
    start = draw_denoise(start_key, shape, flow)
    t_s = draw_times(student_key, shape[:1], flow, uniform=uniform.student) * (1 - span)
    between = draw_times(times_key, (shape[0], sub_steps - 1), flow, uniform=uniform.teacher)
    fractions = jnp.pad(jnp.sort(between, axis=1), [(0, 0), (1, 0)])
    fractions = jnp.pad(fractions, [(0, 0), (0, 1)], constant_values=1.0)
    mix = draw_decode(mix_key, shape, flow)
    return DistillDraws(
        start._replace(t=t_s),
        t_s[:, None] + span * fractions,
        mix.clean,
        mix.noise,
        jax.random.uniform(coin_key, shape[:1]) < flow.decoder_prob,
    )


def at_the_end(draws: DistillDraws) -> DistillDraws:
    """With the times of decode rows, which are all 1, in place of those that they would have as denoise rows."""
    t = jnp.where(draws.decodes, 1.0, draws.start.t)
    times = jnp.where(draws.decodes[:, None], 1.0, draws.times)
    return draws._replace(start=draws.start._replace(t=t), times=times)


def teacher_target(
    teacher: Denoiser,
    x: jax.Array,
    held: jax.Array,
    z_s: jax.Array,
    x_hat_prev: jax.Array,
    times: jax.Array,
    w: jax.Array,
    flow: FlowConfig,
) -> jax.Array:
    """x̃ (B, L, D): what a student must predict at z_s to reach in one step where the teacher's Euler steps end.

    z_s, and x_hat_prev that the first sub-step starts from: (B, L, D); later ones start from the teacher's own x̂.
    times (B, S + 1). Where `held`, (B, L), z_s and every x̂ are the condition x (B, L, D).
    """

    def sub_step(carry: tuple[jax.Array, jax.Array], pair: tuple[jax.Array, jax.Array]):
        z, x_hat_prev = carry
        t, t_next = pair
        x_hat = jnp.where(held[..., None], x, teacher.denoise(z, x_hat_prev, t, w))
        return (z + (t_next - t)[:, None, None] * velocity(x_hat, z, t, flow), x_hat), None

    steps = jnp.moveaxis(times, 1, 0)
    (z_e, last), _ = jax.lax.scan(sub_step, (z_s, x_hat_prev), (steps[:-1], steps[1:]))
    t_s, span = times[:, 0], times[:, -1] - times[:, 0]
    stretch = (1 - t_s) / jnp.maximum(span, VANISHING)
    reached = z_s + stretch[:, None, None] * (z_e - z_s)
    return jax.lax.stop_gradient(jnp.where((span > VANISHING)[:, None, None], reached, last))


def student_errors(
    student: Denoiser,
    teacher: Denoiser,
    x: jax.Array,
    held: jax.Array,
    start: DenoiseDraws,
    times: jax.Array,
    kinds: Kinds,
    flow: FlowConfig,
) -> jax.Array:
    """Squared error of x̂ against x̃ at every position, the mean over D: (B, L). For denoise rows only, `kinds.denoise`
    of every group.

    x (B, L, D): clean latents. held (B, L): positions of the condition. start (B, …), times (B, S + 1): the draws.
    """
    z_s = noised(x, held, start, flow)
    x_hat_prev = before_any_guess(x, held, flow)
    a, b = kinds.self_conditioned, kinds.denoise
    if a:
        z, t, w, x_a, held_a, empty = (take_rows(of, a, b) for of in (z_s, start.t, start.w, x, held, x_hat_prev))
        first = jnp.where(held_a[..., None], x_a, teacher.denoise(z, empty, t, w))
        x_hat_prev = x_hat_prev + put_rows(jax.lax.stop_gradient(first) - empty, a, b)
    target = teacher_target(teacher, x, held, z_s, x_hat_prev, times, start.w, flow)
    return jnp.mean((student.denoise(z_s, x_hat_prev, start.t, start.w) - target) ** 2, axis=-1)


def mixed_student_errors(
    student: ELF,
    teacher: Denoiser,
    x: jax.Array,
    held: jax.Array,
    ids: jax.Array,
    draws: DistillDraws,
    flow: FlowConfig,
    decode_half: Literal["source", "zero"],
) -> jax.Array:
    """Errors (B, L) where every row throws its coins: of x̂ against x̃, or the cross-entropy of its tokens.

    x (B, L, D), held, ids (B, L). decode_half: what the x̂ half of decode rows holds at the source's places.
    """
    draws = at_the_end(draws)
    target = mixed_target(teacher, x, held, draws, flow)
    t, w = draws.start.t, draws.start.w
    denoising = Denoising(
        (target.z_s, target.half, t, w), lambda x_hat: jnp.mean((x_hat - target.x_tilde) ** 2, axis=-1)
    )
    latent = noised_for_decoding(x, held, DecodeDraws(draws.clean, w, draws.decoder_noise), flow)
    half = target.half if decode_half == "source" else jnp.zeros_like(x)
    return mixed_errors(student, denoising, latent, half, draws.decodes, ids)


class MixedTarget(NamedTuple):
    """What the teacher makes of a batch whose rows throw coins, each (B, L, D)."""

    z_s: jax.Array
    first: jax.Array
    """Its x̂ at (z_s, t_s) before there is a guess; the source's places hold the source."""
    half: jax.Array
    """The x̂ half of student and first sub-step: that guess where the row self-conditions."""
    x_tilde: jax.Array


def mixed_target(
    teacher: Denoiser, x: jax.Array, held: jax.Array, draws: DistillDraws, flow: FlowConfig
) -> MixedTarget:
    """For draws that are `at_the_end`."""
    t, w = draws.start.t, draws.start.w
    z_s, empty = noised(x, held, draws.start, flow), before_any_guess(x, held, flow)
    first, half = empty, empty
    if flow.self_cond_prob:
        first = jax.lax.stop_gradient(jnp.where(held[..., None], x, teacher.denoise(z_s, empty, t, w)))
        chosen = self_conditioned(draws.start, flow, "coin") & ~draws.decodes
        half = jnp.where(chosen[:, None, None], first, empty)
    return MixedTarget(z_s, first, half, teacher_target(teacher, x, held, z_s, half, draws.times, w, flow))


def mean_over_rows(counts: jax.Array) -> jax.Array:
    """Weights (B, L): each row's positions that count share a B-th."""
    return counts / jnp.maximum(counts.sum(axis=1, keepdims=True), 1.0) / len(counts)


def denoise_part(rows: jax.Array, kinds: Kinds) -> jax.Array:
    """The denoise rows of every group."""
    return take_rows(rows, kinds.denoise, kinds.group)


def decode_part(rows: jax.Array, kinds: Kinds) -> jax.Array:
    """The decode rows of every group."""
    return rows.reshape(-1, kinds.group, *rows.shape[1:])[:, kinds.denoise :].reshape(-1, *rows.shape[1:])
