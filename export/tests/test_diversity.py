"""Entropy, distinct n-grams and repetition of sequences small enough to count by hand."""

import math

import numpy as np
import pytest

from elf.evaluation.words import (
    adjacent_repetition,
    distinct,
    distinct_scores,
    duplicated_4_grams,
    entropies,
    entropy_scores,
    repetition_scores,
    unigram_entropy,
)


@pytest.mark.parametrize(
    ("tokens", "nats"),
    [
        ([1, 2, 3, 4], math.log(4)),
        (["a", "a", "b", "b"], math.log(2)),
        ([7, 7, 7], 0.0),
        ([1, 1, 1, 2], 0.75 * math.log(4 / 3) + 0.25 * math.log(4)),
        ([], 0.0),
    ],
)
def test_entropy_of_known_distributions(tokens: list[int | str], nats: float) -> None:
    assert unigram_entropy(tokens) == pytest.approx(nats, abs=1e-12)


def test_entropy_is_the_mean_of_samples_not_of_the_pool() -> None:
    # Each sample says one word only; all together they say two.
    assert entropy_scores([["a"] * 3, ["b"] * 3]).figures["entropy"] == 0
    # An empty sample counts.
    assert entropy_scores([[1, 2], []]).figures["entropy"] == pytest.approx(math.log(2) / 2)


def test_entropy_against_numpy() -> None:
    samples = [np.random.default_rng(seed).integers(0, 9, 50) for seed in range(4)]
    expected = []
    for sample in samples:
        p = np.bincount(sample) / len(sample)
        expected.append(-sum(x * np.log(x) for x in p if x > 0))
    np.testing.assert_allclose(entropies([sample.tolist() for sample in samples]), expected)


def test_distinct_is_of_the_whole_set() -> None:
    samples = [[1, 2, 1, 2], [1, 2, 3]]
    # 3 of 7 tokens; (1,2) (2,1) (2,3) of 5 pairs; (1,2,1) (2,1,2) (1,2,3) of 3: none goes over the end of a sample.
    scores = distinct_scores(samples).figures
    assert scores == {"distinct1": 3 / 7, "distinct2": 3 / 5, "distinct3": 1.0}
    assert distinct([[1], []], 2) == 0


def test_adjacent_repetition() -> None:
    np.testing.assert_allclose(adjacent_repetition([[5, 5, 5], [1, 2, 2, 1], [1, 2, 1], [4], []]), [1, 1 / 3, 0, 0, 0])


def test_duplicated_4_grams() -> None:
    # "a b c d a b c d": five 4-grams, the last the same as the first.
    samples = [[*"abcdabcd"], [*"abcde"], [*"aaaaaaa"], [*"abc"]]
    np.testing.assert_allclose(duplicated_4_grams(samples), [1 / 5, 0, 3 / 4, 0])


def test_repetition_is_the_mean_over_samples() -> None:
    scores = repetition_scores([[*"aaaaaaa"], [*"abcde"]], confidence=True)
    assert scores.figures["repetition_adjacent"] == 0.5 and scores.figures["repetition_4gram"] == 3 / 8
    assert scores.figures["repetition_adjacent_ci"] == [0.0, 1.0]
    assert scores.samples["repetition_4gram"] == [3 / 4, 0.0]
