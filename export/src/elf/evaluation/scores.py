"""Figures of a set of texts, with what each text adds to them and how far they may be chance."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np


def confidence_interval(
    statistics: np.ndarray, score: Callable[[np.ndarray], float], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Low and high end of the middle 95 % of a score over resampled sets of examples: how far it may be chance.

    Percentile bootstrap (Efron 1979; for BLEU Koehn 2004, "Statistical significance tests for machine translation
    evaluation"). It covers the choice of the examples, not the seed of the sampler.
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


@dataclass
class Scores:
    """Figures of a set of samples, and what is known of each sample."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Name → number; `NAME_ci` → [low, high] of its 95 % confidence interval."""
    samples: dict[str, Sequence[Any]] = field(default_factory=dict)
    """Name → one value for each sample."""
    statistics: dict[str, np.ndarray] = field(default_factory=dict)
    """Name → (n, k) numbers of each sample, such that the figure needs only their sums: what `score_of_sums` takes."""

    def add_share(self, name: str, counts: np.ndarray, confidence: bool) -> None:
        """Of all samples together: counts (n, 2) are of each the part and the whole."""
        self.figures[name] = ratio(counts.sum(0))
        if confidence:
            self.figures[f"{name}_ci"] = [*confidence_interval(counts, ratio)]
        self.samples[name] = [ratio(row) for row in counts]
        self.statistics[name] = counts

    def add(self, other: "Scores") -> None:
        self.figures |= other.figures
        self.samples |= other.samples
        self.statistics |= other.statistics

    def add_mean(self, name: str, values: np.ndarray, confidence: bool, counted: np.ndarray | None = None) -> None:
        """`counted` (n,) bool: which samples the mean is of; all unless given. A mean of none is None."""
        counted = np.ones(len(values), bool) if counted is None else counted
        within = values[counted]
        self.figures[name] = float(within.mean()) if len(within) else None
        if confidence:
            self.figures[f"{name}_ci"] = [*mean_interval(within)] if len(within) else None
        self.samples[name] = [value if counts else None for value, counts in zip(values.tolist(), counted, strict=True)]
        if len(within):
            self.statistics[name] = np.stack([values, np.ones(len(values))], axis=1) * counted[:, None]


def blank(texts: Sequence[str]) -> np.ndarray:
    """Which texts are nothing but white space, (n,) bool."""
    return np.array([not text.strip() for text in texts], bool)


def ratio(sums: np.ndarray) -> float:
    part, whole = sums.tolist()
    return part / whole if whole else 0.0


def counted_texts(texts: Sequence[str], keep_blank: bool) -> np.ndarray:
    """Which texts perplexity and entropy are of, (n,) bool: all but the blank ones, unless those are kept.

    As the official evaluation has it (spec section 6): where texts are written freely, a blank one is no text; where
    each answers a source, it is a bad answer.
    """
    return np.ones(len(texts), bool) if keep_blank else ~blank(texts)
