"""One step of the flow from t to t': Euler's, the SDE's, and one that looks back for the ODE (spec section 3).

Every state is (B, L, D) float32 and holds the condition where there is one; x̂ does too, so that v is 0 there.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from elf.sampling.condition import Guided

Array = np.ndarray


class Step(NamedTuple):
    """Where a step starts and ends."""

    t: np.float32
    t_next: np.float32
    t_eps: float
    """Least divisor 1 − t of the velocity."""

    def velocity(self, z: Array, x_hat: Array, t: np.float32) -> Array:
        return (x_hat - z) / max(np.float32(1) - t, np.float32(self.t_eps))


class Prediction(NamedTuple):
    """What the network said at a step, as `multistep` remembers it."""

    t: np.float32
    x_hat: Array


def euler(network: Guided, z: Array, x_hat_prev: Array, step: Step) -> tuple[Array, Array]:
    """z ← z + (t' − t)·v with v of the prediction at t; returns (z, x̂)."""
    x_hat = network.predict(z, x_hat_prev, step.t)
    return network.hold(z + (step.t_next - step.t) * step.velocity(z, x_hat, step.t)), x_hat


def sde(
    network: Guided, z: Array, x_hat_prev: Array, step: Step, gamma: float, fresh_noise: Array
) -> tuple[Array, Array]:
    """Goes back in time by mixing in `fresh_noise` (already times s), then Euler to t'; returns (z, x̂)."""
    alpha = np.clip(np.float32(1) - np.float32(gamma) * (step.t_next - step.t), np.float32(0), np.float32(1))
    z_back = network.hold(alpha * z + (np.float32(1) - alpha) * fresh_noise)
    return euler(network, z_back, x_hat_prev, step._replace(t=alpha * step.t))


def multistep(
    network: Guided, z: Array, x_hat_prev: Array, step: Step, history: Sequence[Prediction]
) -> tuple[Array, Array]:
    """Euler's step with predictions carried on in a straight line from earlier ones; returns (z, x̂). One prediction.

    On the straight path z = t·x + (1 − t)·s·ε the exponential integrator of DPM-Solver++ (Lu et al. 2022) is Euler's
    step, and its second order, 2M, is that step towards an x̂ carried on to the step's middle. The network's own input
    lags as well: x̂_prev is of the time before, so it is carried on to t first. Of both, the second matters more.
    `history` holds the predictions made so far, two at least where there are two, the last one last.
    """
    if len(history) >= 2:
        (t_older, older), (t_last, last) = history[-2:]
        x_hat_prev = last + _ratio(step.t - t_last, t_last - t_older) * (last - older)
    x_hat = network.predict(z, x_hat_prev, step.t)
    aim = x_hat
    # At t' = 1 the step leads to `aim` itself, which therefore is the prediction as it is.
    if history and step.t_next < 1:
        t_last, last = history[-1]
        aim = x_hat + np.float32(0.5) * _ratio(step.t_next - step.t, step.t - t_last) * (x_hat - last)
    return network.hold(z + (step.t_next - step.t) * step.velocity(z, aim, step.t)), x_hat


def _ratio(span: np.float32, before: np.float32) -> np.float32:
    """Length of a step over that of the one before: at most 2, as drawn times may lie close; 0 after one of none."""
    return min(span / before, np.float32(2)) if before > 0 else np.float32(0)
