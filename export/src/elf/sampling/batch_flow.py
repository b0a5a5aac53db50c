"""The flow of a batch in JAX, to be compiled with the network inside: ODE and SDE, condition, CFG (spec section 3).

Shapes: B rows, L positions, D latent width, G groups of rows with random numbers of their own, N steps.
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from elf.config import FlowConfig
from elf.sampling.condition import Condition

Denoise = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
"""(z (B, L, D), x̂_prev (B, L, D), t (B,), self-cond scale w (B,)) → x̂ (B, L, D)."""


class Draws(NamedTuple):
    """Where a batch's random numbers come from. The first B / G rows are group 0, the next ones group 1, …"""

    noise_keys: jax.Array
    """(G, 2) uint32, the data of one key a group."""
    times: jax.Array
    """(G, N + 1) float32, ascending from 0 to 1."""


class Scales(NamedTuple):
    """Numbers of a run that its program does not depend on: w and ω of shape (), and γ of every step."""

    gamma: jax.Array
    """(G, N)"""
    self_cond_scale: jax.Array
    cfg: jax.Array


class State(NamedTuple):
    """A run between two steps; all (B, L, D)."""

    z: jax.Array
    x_hat: jax.Array
    """The last prediction."""
    older: jax.Array | None
    """The one before it, where the solver is multistep."""


def follow_flow(
    denoise: Denoise,
    flow: FlowConfig,
    draws: Draws,
    scales: Scales,
    shape: tuple[int, int, int],
    condition: Condition | None = None,
    *,
    sde: bool,
    guided: bool = False,
    two_pass: bool = False,
    multistep: bool = False,
    place: Callable[[jax.Array], jax.Array] = lambda array: array,
) -> jax.Array:
    """From noise to the final latents z (B, L, D), which hold the condition. `shape` is (B, L, D).

    `sde` is whether γ is heeded, `guided` whether ω is; ω costs a second pass of the network at every step. `two_pass`
    is for networks that do not take w: it weighs a pass with x̂_prev against one without. `multistep` carries
    predictions on from earlier ones, as `solvers.multistep` explains; without `sde` only. `place` lays a (B, L, D)
    array out over devices.
    """
    keys = jax.random.wrap_key_data(draws.noise_keys, impl="threefry2x32")
    groups, steps = draws.times.shape[0], draws.times.shape[1] - 1
    rows = shape[0] // groups
    self_cond_scale = jnp.full(shape[0], scales.self_cond_scale)

    def hold(array: jax.Array) -> jax.Array:
        return condition.hold(array) if condition else array

    def nothing() -> jax.Array:
        # What stands for x̂_prev where there is none.
        zeros = jnp.zeros(shape)
        return hold(zeros) if flow.self_cond_start == "condition" else zeros

    def noise(keys: jax.Array) -> jax.Array:
        drawn = jax.vmap(lambda key: jax.random.normal(key, (rows, *shape[1:])))(keys)
        return flow.noise_scale * place(drawn.reshape(shape))

    def self_guided(z: jax.Array, x_hat_prev: jax.Array, no_x_hat: jax.Array, t: jax.Array) -> jax.Array:
        x_hat = denoise(z, x_hat_prev, t, self_cond_scale)
        if not two_pass:
            return x_hat
        without = denoise(z, no_x_hat, t, self_cond_scale)
        return without + scales.self_cond_scale * (x_hat - without)

    def predict(z: jax.Array, x_hat_prev: jax.Array, t: jax.Array) -> jax.Array:
        x_hat = self_guided(z, x_hat_prev, nothing(), t)
        if guided and condition:
            # Where a velocity counts both passes have the same z, so guiding x̂ guides v by the same formula.
            without = self_guided(condition.hide(z), condition.hide(x_hat_prev), jnp.zeros(shape), t)
            x_hat = without + scales.cfg * (x_hat - without)
        return hold(x_hat)

    def time(k: jax.Array) -> jax.Array:
        return jnp.repeat(draws.times[:, k], rows)[:, None, None]

    def step(k: jax.Array, state: State) -> State:
        z, x_hat_prev, older = state
        t, t_next = time(k), time(k + 1)
        if sde:
            # γ 0 makes a step the ODE's, which the last one always is.
            gamma = jnp.where(k < steps - 1, jnp.repeat(scales.gamma[:, k], rows)[:, None, None], 0)
            alpha = jnp.clip(1 - gamma * (t_next - t), 0, 1)
            fresh = noise(jax.vmap(jax.random.fold_in, (0, None))(keys, k))
            z, t = hold(alpha * z + (1 - alpha) * fresh), alpha * t
        if older is None:
            aim = x_hat = predict(z, x_hat_prev, t[:, 0, 0])
        else:
            # The first steps have no past: times before the first are the first, and a ratio to no time at all is 0.
            t_last, t_older = time(jnp.maximum(k - 1, 0)), time(jnp.maximum(k - 2, 0))
            shown = x_hat_prev + step_ratio(t - t_last, t_last - t_older) * (x_hat_prev - older)
            x_hat = predict(z, shown, t[:, 0, 0])
            # At t' = 1 the step leads to the prediction as it is.
            ahead = jnp.where(t_next < 1, step_ratio(t_next - t, t - t_last), 0)
            aim = x_hat + 0.5 * ahead * (x_hat - x_hat_prev)
        # On the held positions the aim is z to the last bit, so v is 0 there and z stays.
        velocity = (aim - z) / jnp.maximum(1 - t, flow.t_eps)
        return State(z + (t_next - t) * velocity, x_hat, None if older is None else x_hat_prev)

    start = nothing()
    return jax.lax.fori_loop(0, steps, step, State(hold(noise(keys)), start, start if multistep else None)).z


def step_ratio(span: jax.Array, before: jax.Array) -> jax.Array:
    """Length of a step over that of the one before, as in `solvers`: at most 2; 0 after one of none."""
    return jnp.where(before > 0, jnp.minimum(span / jnp.where(before > 0, before, 1), 2), 0)
