"""The denoise branch as spec section 4 words it: a coin per example, and a network pass of its own for everything.

It is what the official code computes, so a run can repeat that to the letter (`objective=literal`), and it is the
yardstick of `elf bench train-step`. The passes are: the one that self-conditioning starts from, the training pass with
its gradient (three forwards' worth), v₀ and v₁. The first and v₀ are the same computation, which XLA makes once, so a
step costs 5 forward-equivalents.
"""

import jax
import jax.numpy as jnp

from elf.config import FlowConfig
from elf.network.model import ELF
from elf.training.objective import DenoiseDraws, before_any_guess, noised, velocity


def literal_denoise_errors(
    network: ELF, x: jax.Array, held: jax.Array, draws: DenoiseDraws, flow: FlowConfig
) -> jax.Array:
    """Squared velocity error at every position, the mean over D: (B, L). Arguments as of `objective.denoise_errors`."""
    z = noised(x, held, draws, flow)
    t, w = draws.t, draws.w
    empty = before_any_guess(x, held, flow)

    def passed(x_hat_prev: jax.Array) -> jax.Array:
        """x̂ (B, L, D) without a gradient; the condition's positions hold the condition."""
        return jax.lax.stop_gradient(jnp.where(held[..., None], x, network.denoise(z, x_hat_prev, t, w)))

    self_conditions = (draws.coin < flow.self_cond_prob)[:, None, None]
    first = passed(empty)
    v0 = velocity(passed(empty), z, t, flow)
    v1 = velocity(passed(first), z, t, flow)
    guidance = (1 - 1 / w)[:, None, None] * (v1 - v0)
    target = velocity(x, z, t, flow) + jnp.where(self_conditions, guidance, 0.0)

    x_hat_prev = jnp.where(self_conditions, first, empty)
    v = velocity(network.denoise(z, x_hat_prev, t, w), z, t, flow)
    return jnp.mean((v - target) ** 2, axis=-1)
