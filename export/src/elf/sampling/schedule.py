"""The times of a run (spec section 3, *Schedule*)."""

import jax
import numpy as np

from elf.config import FlowConfig
from elf.sampler_settings import SamplerSettings
from elf.sampling.keys import Key, normal


def time_schedule(settings: SamplerSettings, flow: FlowConfig, key: Key) -> np.ndarray:
    """The N + 1 times of a run from 0 to 1, ascending, float32.

    `uniform` is evenly spaced, `logit_normal` draws the inner times from `key`, and `quantile` takes the quantiles of
    the distribution they would be drawn from, those of the middles of N − 1 equal parts.
    """
    N = settings.steps
    if settings.schedule == "uniform":
        return np.linspace(0, 1, N + 1, dtype=np.float32)
    standard = normal_quantiles(N - 1) if settings.schedule == "quantile" else normal(key, (N - 1,), settings.rng)
    inner = np.sort(_sigmoid(standard * np.float32(flow.p_std) + np.float32(flow.p_mean)))
    return np.concatenate([[0], inner, [1]]).astype(np.float32)


def normal_quantiles(count: int) -> np.ndarray:
    """Φ⁻¹((k − ½) / count) for k = 1 … count, float32: √2 · erfinv(u) as for a draw, u = (2k − 1 − count) / count."""
    u = (2.0 * np.arange(1, count + 1) - 1 - count) / max(count, 1)
    return np.float32(np.sqrt(2)) * np.asarray(jax.lax.erf_inv(u.astype(np.float32)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
