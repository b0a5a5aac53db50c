"""The noise that a run starts from: that of its seed, on the way from there to that of another, or that of a text."""

from dataclasses import dataclass

import numpy as np

from elf.config import FlowConfig
from elf.errors import UsageError
from elf.sampler_settings import SamplerSettings
from elf.sampling.condition import Condition, Denoise, Guided
from elf.sampling.keys import normal, run_keys
from elf.sampling.schedule import time_schedule
from elf.sampling.solvers import Step

Array = np.ndarray


@dataclass(frozen=True)
class Towards:
    """The way to the start noise of another seed. Raises UsageError for a value that cannot be."""

    seed: int
    """From 0 to 2³² − 1."""
    weight: float
    """How far: 0 is the noise of the run's own seed, 1 that of the other."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed to go towards is {self.seed}", "Give an integer from 0 to 4294967295.")
        if not 0 <= self.weight <= 1:
            raise UsageError(f"the weight of the other seed is {self.weight}", "Give a number from 0 to 1.")


def start_noise(
    settings: SamplerSettings, noise_scale: np.float32, shape: tuple[int, ...], towards: Towards | None = None
) -> Array:
    """s·ε₀ of `shape` (B, L, D), float32. The schedule, and the noise that the SDE mixes in later, are those of the
    run's own seed whatever the way."""
    own, *other = (
        noise_scale * normal(run_keys(seed, settings.rng).noise, shape, settings.rng)
        for seed in (settings.seed, *([towards.seed] if towards else []))
    )
    return slerp(own, other[0], towards.weight) if towards else own


def slerp(a: Array, b: Array, weight: float) -> Array:
    """Spherical interpolation (Shoemake 1985): sin((1 − w)Ω)/sin Ω · a + sin(wΩ)/sin Ω · b, Ω the angle between them.

    On a straight line the middle of two noises is shorter than either, and unlike any that the network has seen.
    """
    x, y = (array.astype(np.float64).reshape(-1) for array in (a, b))
    size = float(np.sqrt((x @ x) * (y @ y)))
    angle = np.arccos(np.clip(x @ y / size, -1, 1)) if size > 0 else 0.0
    if not np.sin(angle) > 0:
        # Of two that point the same way, or have no length, every one between is either.
        return a if weight < 1 else b
    of_a, of_b = (np.float32(np.sin(part * angle) / np.sin(angle)) for part in (1 - weight, weight))
    return of_a * a + of_b * b


def noise_of(
    denoise: Denoise,
    clean: Array,
    settings: SamplerSettings,
    flow: FlowConfig,
    condition: Condition | None = None,
    *,
    takes_self_cond_scale: bool = True,
) -> Array:
    """The noise (B, L, D) that the ODE of `settings` would have made these clean latents (B, L, D) from.

    Going back is Euler's with the velocity of the later time, so both ways agree as steps get small. The last step has
    no way back, for it lands on the prediction from wherever it starts: the clean latents are taken for the state
    before it. Where that is close to t = 1, as with `uniform`, what the network makes of the text otherwise than it is
    counts 1/(1 − t) times, and noise of many times the usual size is found; the times of a logit-normal end early
    enough (experiments.md). N − 1 predictions.
    """
    times = time_schedule(settings, flow, run_keys(settings.seed, settings.rng).times)
    network = Guided(denoise, settings, condition, takes_self_cond_scale, flow.self_cond_start)
    z = x_hat = network.hold(clean)
    for t, earlier in zip(times[-2:0:-1], times[-3::-1], strict=True):
        x_hat = network.predict(z, x_hat, t)
        z = network.hold(z + (earlier - t) * Step(t, earlier, flow.t_eps).velocity(z, x_hat, t))
    return z
