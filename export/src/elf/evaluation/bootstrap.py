"""How far a score may be chance: 95 % confidence intervals by resampling the examples.

Percentile bootstrap (Efron 1979; for BLEU Koehn 2004, "Statistical significance tests for machine translation
evaluation"). It covers the choice of the examples, not the seed of the sampler.
"""

from collections.abc import Callable

import numpy as np


def confidence_interval(
    statistics: np.ndarray, score: Callable[[np.ndarray], float], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Low and high end of the middle 95 % of a score over resampled sets of examples.

    statistics (n, k) are numbers of each example such that `score` needs only their sums (k,) over the examples.
    Every resampled set has n examples, drawn with replacement; the same seed gives the same sets.
    """
    examples = len(statistics)
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(resamples):
        times_drawn = np.bincount(rng.integers(examples, size=examples), minlength=examples)
        scores.append(score(times_drawn @ statistics))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The interval of the mean of `values` (n,)."""
    return confidence_interval(values[:, None], lambda sums: float(sums[0]) / len(values), resamples, seed)
