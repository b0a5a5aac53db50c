"""What a step measures, and the means of it over several steps."""

from collections.abc import Mapping
from typing import NamedTuple

import jax
import numpy as np


class Share(NamedTuple):
    """A figure that only some of a step's rows measured: its sum over them, and how much of the step they are."""

    total: jax.Array
    weight: jax.Array


Metrics = Mapping[str, jax.Array | Share]
"""By name. A step names only what it measured, or says so by a share of weight 0."""


def not_finite(metrics: Metrics) -> dict[str, float]:
    """Those that are no finite numbers."""
    figures = {name: value.total if isinstance(value, Share) else value for name, value in metrics.items()}
    return {name: float(value) for name, value in figures.items() if not np.isfinite(value)}


def means(window: list[Metrics]) -> dict[str, float]:
    """Mean of each metric over the steps that measured it, rows counted alike."""
    sums: dict[str, tuple[float, float]] = {}
    for metrics in window:
        for name, value in metrics.items():
            total, weight = value if isinstance(value, Share) else (value, 1.0)
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + float(total), before[1] + float(weight)
    return {name: float(f"{total / weight:.6g}") for name, (total, weight) in sums.items() if weight}
