"""BLEU, ROUGE and their intervals against numbers worked out by hand and a plain longest common subsequence."""

import math

import numpy as np
import pytest

from elf.evaluation.scores import (
    bleu_of_sums,
    bleu_scores,
    bleu_statistics,
    confidence_interval,
    corpus_bleu,
    mean_interval,
    rouge_f1,
    rouge_scores,
)

GENERATED = ["The cat sat on the mat", "a DOG"]
REFERENCES = ["the cat sat on a mat", "A dog barks loudly"]
# n-grams of the two generations: 1: 6 + 2, "the" counts once as the reference has one; 2: 5 + 1; 3: 4; 4: 3.
BLEU = 100 * math.exp(1 - 10 / 8) * (7 / 8 * 4 / 6 * 2 / 4 * 1 / 3) ** (1 / 4)


def test_bleu_is_that_of_the_corpus_and_blind_to_case() -> None:
    score, signature = corpus_bleu(GENERATED, REFERENCES)
    assert score == pytest.approx(BLEU)
    assert signature.startswith("nrefs:1|case:lc|eff:yes|tok:13a|smooth:exp|version:")


def test_bleu_splits_punctuation_off() -> None:
    # 13a: "mat." is two tokens, so 4-grams are (a b c d), (b c d .) and one of them matches "a b c d !".
    score, _ = corpus_bleu(["a b c d."], ["a b c d!"])
    assert score == pytest.approx(100 * (4 / 5 * 3 / 4 * 2 / 3 * 1 / 2) ** (1 / 4))


def test_bleu_leaves_out_orders_that_no_generation_is_long_enough_for() -> None:
    score, _ = corpus_bleu(["a dog"], ["a dog barks"])
    assert score == pytest.approx(100 * math.exp(1 - 3 / 2))


def test_an_order_without_a_match_is_smoothed() -> None:
    # Three of four tokens match, one of three pairs, no triple of two (1/2 of one), no 4-gram of one (1/4 of one).
    score, _ = corpus_bleu(["a b x c"], ["a b c d"])
    assert score == pytest.approx(100 * (3 / 4 * 1 / 3 * (1 / 2) / 2 * (1 / 4) / 1) ** (1 / 4))


def test_an_empty_generation_costs_its_reference_length() -> None:
    score, _ = corpus_bleu(["", "a b c d e"], ["x y", "a b c d e"])
    assert score == pytest.approx(100 * math.exp(1 - 7 / 5))
    assert corpus_bleu(["", ""], ["x y", "z"])[0] == 0


def test_bleu_is_the_score_of_its_statistics() -> None:
    statistics = bleu_statistics(GENERATED, REFERENCES)
    assert statistics.tolist() == [[5, 3, 2, 1, 6, 5, 4, 3, 6, 6], [2, 1, 0, 0, 2, 1, 0, 0, 2, 4]]
    assert bleu_of_sums(statistics.sum(0)) == pytest.approx(BLEU)


def test_rouge_by_hand() -> None:
    scores = rouge_f1(["the mat sat", "", "running dogs"], ["the cat sat on the mat", "a cat", "the dog runs"])
    # "the mat sat": all 3 words of 6; of its pairs only "the mat", 1 of 2 and of 5; subsequence of 2 of 3 and of 6.
    # "running dogs" has the stems run, dog: 2 of 2 and of 3, no pair in the same order, a subsequence of 1.
    np.testing.assert_allclose(scores["rouge1"], [200 / 3, 0, 80])
    np.testing.assert_allclose(scores["rouge2"], [100 * 2 * (1 / 2 * 1 / 5) / (1 / 2 + 1 / 5), 0, 0])
    np.testing.assert_allclose(scores["rougeL"], [100 * 4 / 9, 0, 40])
    means = rouge_scores(["the mat sat", ""], ["the cat sat on the mat", "a cat"]).figures
    assert means["rouge1"] == pytest.approx(100 / 3)


def longest_common_subsequence(a: list[str], b: list[str]) -> int:
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return 1 + longest_common_subsequence(a[:-1], b[:-1])
    return max(longest_common_subsequence(a[:-1], b), longest_common_subsequence(a, b[:-1]))


def test_rouge_l_is_the_longest_common_subsequence() -> None:
    rng = np.random.default_rng(0)
    pairs = [([*rng.choice([*"abc"], 7)], [*rng.choice([*"abc"], rng.integers(1, 7))]) for _ in range(20)]
    found = rouge_f1([" ".join(own) for own, _ in pairs], [" ".join(reference) for _, reference in pairs])
    # F1 of LCS/own and LCS/reference is twice the LCS over both lengths together.
    expected = [200 * longest_common_subsequence(own, other) / (len(own) + len(other)) for own, other in pairs]
    np.testing.assert_allclose(found["rougeL"], expected)


def test_the_interval_of_a_mean_is_that_of_its_normal_approximation() -> None:
    values = np.random.default_rng(1).normal(3.0, 2.0, 2000)
    error = values.std() / math.sqrt(len(values))
    low, high = mean_interval(values)
    assert low == pytest.approx(values.mean() - 1.96 * error, abs=0.2 * error)
    assert high == pytest.approx(values.mean() + 1.96 * error, abs=0.2 * error)
    assert mean_interval(values) == (low, high)
    assert mean_interval(values, seed=1) != (low, high)


def test_examples_are_resampled_whole() -> None:
    # Numerator and denominator of an example are drawn together: a ratio that is 1/2 in each has no spread.
    statistics = np.array([[size, 2 * size] for size in range(1, 30)])
    assert confidence_interval(statistics, lambda sums: sums[0] / sums[1]) == (0.5, 0.5)


def test_the_interval_of_bleu_is_that_of_the_pairs_drawn() -> None:
    def bleu_of(first: int, second: int) -> float:
        """BLEU of `first` times the first pair and `second` times the second, from their n-grams."""
        matches = [5 * first + 2 * second, 3 * first + second, 2 * first, first]
        totals = [6 * first + 2 * second, 5 * first + second, 4 * first, 3 * first]
        brevity = math.exp(1 - (6 * first + 4 * second) / (6 * first + 2 * second))
        return 100 * brevity * math.prod(m / t for m, t in zip(matches, totals, strict=True)) ** (1 / 4)

    figures = bleu_scores(GENERATED * 20, REFERENCES * 20, confidence=True).figures
    assert figures["bleu"] == pytest.approx(bleu_of(20, 20)) == pytest.approx(BLEU)
    # Of 40 drawn, the number of first pairs is binomial: its 2.5 % and 97.5 % points are 14 and 26.
    low, high = figures["bleu_ci"]
    assert bleu_of(13, 27) <= low <= bleu_of(15, 25) and bleu_of(25, 15) <= high <= bleu_of(27, 13)
