"""One step of the flow from t to t': Euler, the SDE's, and two of higher order for the ODE (spec section 3).

Every state is (B, L, D) float32 and holds the condition where there is one; x̂ does too, so that v is 0 there.
"""

import math
from typing import NamedTuple

import numpy as np

from elf.sampling.guidance import Guided

Array = np.ndarray


class Step(NamedTuple):
    """Where a step starts and ends."""

    t: np.float32
    t_next: np.float32
    t_eps: float
    """Least divisor 1 − t of the velocity."""

    def velocity(self, z: Array, x_hat: Array, t: np.float32) -> Array:
        return (x_hat - z) / max(np.float32(1) - t, np.float32(self.t_eps))


class Earlier(NamedTuple):
    """The step before, as `multistep` remembers it."""

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


def heun(network: Guided, z: Array, x_hat_prev: Array, step: Step) -> tuple[Array, Array]:
    """Heun's predictor-corrector: the mean of the velocities at t and, after an Euler step, at t'. Two predictions.

    At t' = 1 the velocity has no finite limit, so there it is Euler's step. Returns (z, x̂).
    """
    after_euler, x_hat = euler(network, z, x_hat_prev, step)
    if step.t_next == 1:
        return after_euler, x_hat
    first = step.velocity(z, x_hat, step.t)
    x_hat = network.predict(after_euler, x_hat, step.t_next)
    second = step.velocity(after_euler, x_hat, step.t_next)
    return network.hold(z + (step.t_next - step.t) * ((first + second) / np.float32(2))), x_hat


def multistep(network: Guided, z: Array, x_hat_prev: Array, step: Step, earlier: Earlier | None) -> tuple[Array, Array]:
    """DPM-Solver++(2M) (Lu et al. 2022) for z = t·x + (1 − t)·s·ε: Euler's step towards an extrapolated prediction.

    With λ = log(t / ((1 − t)·s)), half the log of the signal-to-noise ratio, the exact integral of the ODE for a
    constant x̂ is (σ'/σ)·z + (t' − t·σ'/σ)·x̂, σ = (1 − t)·s, which on this straight path is Euler's own step. For
    second order x̂ is extrapolated in λ to the step's middle, from the prediction of the step before. Returns (z, x̂).
    """
    x_hat = network.predict(z, x_hat_prev, step.t)
    ratio = extrapolation(earlier.t, step.t, step.t_next) if earlier else np.float32(0)
    aim = x_hat + ratio * (x_hat - earlier.x_hat) if earlier and ratio else x_hat
    return network.hold(z + (step.t_next - step.t) * step.velocity(z, aim, step.t)), x_hat


def extrapolation(t_earlier: np.float32, t: np.float32, t_next: np.float32) -> np.float32:
    """(λ' − λ) / (2·(λ − λ_earlier)), how far x̂ is carried on; 0 where a λ is infinite or the step before was none."""
    if not 0 < t_earlier < t or t_next >= 1:
        return np.float32(0)
    earlier, now, later = (math.log(time / (1 - time)) for time in (float(t_earlier), float(t), float(t_next)))
    return np.float32((later - now) / (2 * (now - earlier)))
