"""What a few-step student minimises (spec section 4, *Progressive distillation*), as errors by position.

A student of N steps learns to cross a span Δ = 1/N of time in one pass, where its teacher takes several: where the
teacher's small Euler steps from z_s at t_s to t_e = t_s + Δ end is where one large step must end, and x̃ is the
prediction that makes it do so.

Which rows of a batch do what is not thrown by coins but fixed by their place, as in objective.py: the decode branch
needs no teacher, and the pass for the self-conditioning half is made only for rows that have one. As the numbers of
rows only come near the probabilities, each kind of row is weighted with its own: the expected loss is that of coins.

Random draws are made apart from the errors, for the whole batch at once.
"""

from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import FlowConfig
from elf.errors import ConfigError
from elf.training.objective import DenoiseDraws, draw_denoise, noised, put_rows, take_rows, velocity

LARGEST_GROUP = 16
"""Rows over which the kinds are dealt out: few, so that every device finds all kinds among its own rows."""

VANISHING = 1e-6
"""Spans of time below this have no slope that float32 could tell."""


class Denoiser(Protocol):
    """A network as far as it is needed here; see `ELF.denoise`."""

    def denoise(
        self, z: jax.Array, x_hat_prev: jax.Array, t: jax.Array, self_cond_scale: jax.Array, /
    ) -> jax.Array: ...


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


def row_kinds(flow: FlowConfig, batch_size: int) -> Kinds:
    """The group, of a size that divides the batch, whose shares come nearest to `decoder_prob` and `self_cond_prob`.

    Every kind of a probability above 0 has a row. Raises ConfigError for a batch too small for that.
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
    found = min(groups(small), key=missed, default=None) or next(groups([batch_size]), None)
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


class DistillDraws(NamedTuple):
    start: DenoiseDraws
    """As in training, but `t` is t_s."""
    times: jax.Array
    """(B, S + 1), rising from t_s to t_e: where the teacher's S sub-steps begin and end."""
    clean: jax.Array
    """(B, L), λ of the decode rows."""


def draw_distill(
    key: jax.Array, shape: tuple[int, int, int], span: float, sub_steps: int, flow: FlowConfig
) -> DistillDraws:
    """The draws of a step for latents of `shape` (B, L, D), a student of span Δ and a teacher of S `sub_steps`."""
    start_key, times_key, mix_key = jax.random.split(key, 3)
    start = draw_denoise(start_key, shape, flow)
    t_s = start.t * (1 - span)
    between = jax.nn.sigmoid(flow.p_mean + flow.p_std * jax.random.normal(times_key, (shape[0], sub_steps - 1)))
    fractions = jnp.pad(jnp.sort(between, axis=1), [(0, 0), (1, 0)])
    fractions = jnp.pad(fractions, [(0, 0), (0, 1)], constant_values=1.0)
    clean = jax.nn.sigmoid(flow.decoder_p_mean + flow.decoder_p_std * jax.random.normal(mix_key, shape[:2]))
    return DistillDraws(start._replace(t=t_s), t_s[:, None] + span * fractions, clean)


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
    x_hat_prev = jnp.zeros_like(z_s)
    a, b = kinds.self_conditioned, kinds.denoise
    if a:
        z, t, w, x_a, held_a = (take_rows(rows, a, b) for rows in (z_s, start.t, start.w, x, held))
        first = jnp.where(held_a[..., None], x_a, teacher.denoise(z, jnp.zeros_like(z), t, w))
        x_hat_prev = put_rows(jax.lax.stop_gradient(first), a, b)
    target = teacher_target(teacher, x, held, z_s, x_hat_prev, times, start.w, flow)
    return jnp.mean((student.denoise(z_s, x_hat_prev, start.t, start.w) - target) ** 2, axis=-1)


def denoise_part(rows: jax.Array, kinds: Kinds) -> jax.Array:
    """The denoise rows of every group."""
    return take_rows(rows, kinds.denoise, kinds.group)


def decode_part(rows: jax.Array, kinds: Kinds) -> jax.Array:
    """The decode rows of every group."""
    return rows.reshape(-1, kinds.group, *rows.shape[1:])[:, kinds.denoise :].reshape(-1, *rows.shape[1:])
