"""Copying from training text: against searches by brute force, and small cases worked out by hand."""

import weakref

import numpy as np
import pytest

from elf.evaluation import memorisation
from elf.evaluation.memorisation import copying, longest_copies, memorisation_scores, nearest_sentences
from elf.evaluation.words import sentences, words

TRAINING = [
    "Mia found a red kite by the old mill. She took it home.",
    "Ben lost a drum. It was the best drum that he ever had, he said to his mum.",
    "Tom saw a frog.",
]


def random_texts(count: int, seed: int) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    return [rng.integers(0, 3, rng.integers(0, 12)) for _ in range(count)]


def longest_by_search(text: list[int], start: int, training: list[list[int]]) -> int:
    for length in range(len(text) - start, 0, -1):
        part = text[start : start + length]
        if any(part == row[at : at + length] for row in training for at in range(len(row) - length + 1)):
            return length
    return 0


@pytest.mark.parametrize("block_words", [1, 20, 1000])
def test_longest_copies_are_those_of_a_plain_search(block_words: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memorisation, "SEARCHED_WORDS", block_words)
    texts, training = random_texts(15, seed=0), random_texts(12, seed=1)
    # A word that training never says, an empty text, and a text that training holds as a whole.
    texts += [np.array([9, 0, 9]), np.array([], int), training[3]]
    rows = [row.tolist() for row in training]
    found = longest_copies(texts, training)
    expected = [[longest_by_search(text.tolist(), start, rows) for start in range(len(text))] for text in texts]
    assert [row.tolist() for row in found] == expected
    assert max(map(max, filter(None, expected))) >= 4


def test_the_longest_of_many_near_copies_is_found() -> None:
    text = np.random.default_rng(4).integers(0, 5, 40)
    # Copies that go wrong at word 33, 34, … 39, in no order: the next neighbour by the first 32 words is not the best.
    training = [np.concatenate([text[:wrong], [7, 7, 7]]) for wrong in (36, 33, 38, 35, 39, 34, 37)]
    (found,) = longest_copies([text], training)
    assert found[0] == 39


def trigrams(row: np.ndarray) -> set[tuple[int, ...]]:
    return {tuple(row[at : at + 3].tolist()) for at in range(len(row) - 2)}


def test_nearest_sentences_are_those_of_a_plain_search() -> None:
    own, training = random_texts(25, seed=2), random_texts(30, seed=3)
    some = 0
    for row, nearest in zip(own, nearest_sentences(own, training), strict=True):
        sets = [(trigrams(row), trigrams(other)) for other in training]
        overlaps = [2 * len(a & b) / max(len(a) + len(b), 1) for a, b in sets]
        assert nearest.overlap == pytest.approx(max(overlaps))
        if max(overlaps) > 0:
            best = int(np.argmax(overlaps))
            assert (nearest.index, nearest.shared) == (best, len(sets[best][0] & sets[best][1]))
            some += 1
        else:
            assert (nearest.index, nearest.shared) == (-1, 0)
    assert 10 < some < 25


def test_words_and_sentences() -> None:
    assert words("“Don’t!” said MR. O'Neil — 3.5 times…") == ["don't", "said", "mr", "o'neil", "3", "5", "times"]
    assert sentences('He said, "Stop!" Then 3.5 men ran.\nWhy? ') == ['He said, "Stop!"', "Then 3.5 men ran.", "Why?"]


def test_copying_by_hand() -> None:
    # Nine words, six in a row from the first text: "found a red kite by the". Punctuation and case do not count.
    (sample,) = copying(["Ada FOUND a red kite, by the new gate."], TRAINING, n=4)
    assert (sample.n_grams, sample.copied_n_grams) == (6, 3)
    assert (sample.longest_copy, sample.longest_copy_text) == (6, "found a red kite by the")
    # Four trigrams in both; the sample's sentence has 7, that of the training text 7.
    assert sample.nearest_overlap == pytest.approx(2 * 4 / 14)
    assert sample.nearest_sentence == "Ada FOUND a red kite, by the new gate."
    assert sample.nearest_training_sentence == "Mia found a red kite by the old mill."


def test_a_copy_does_not_go_over_the_end_of_a_training_text() -> None:
    (sample,) = copying(["she took it home ben lost a drum"], TRAINING)
    assert sample.longest_copy == 4 and sample.copied_n_grams == 0


def test_overlap_is_the_mean_over_sentences() -> None:
    copied, own, mixed, short, empty = copying(
        ["Tom saw a frog.", "Nobody knew why they had left.", "Tom saw a frog. Nobody knew why.", "Oh no!", ""],
        TRAINING,
    )
    overlaps = [sample.nearest_overlap for sample in (copied, own, mixed, short, empty)]
    assert overlaps == [1, 0, 0.5, 0, 0]
    assert mixed.nearest_sentence == "Tom saw a frog." and own.nearest_training_sentence == ""
    assert empty.longest_copy == 0 and empty.longest_copy_text == "" and empty.n_grams == 0


def test_scores_pool_the_n_grams() -> None:
    copied = copying([TRAINING[1], "Tom saw a frog that day and one more day.", "no"], TRAINING)
    scores = memorisation_scores(copied, confidence=True, prefix="held_out_")
    # 18 words: 11 8-grams, all copied; 10 words: 3, none copied; one word: none.
    assert scores.figures["held_out_memorised_8grams"] == 11 / 14
    assert scores.figures["held_out_memorised_8grams_ci"] == [0.0, 1.0]
    assert scores.figures["held_out_longest_copy"] == 18
    assert scores.samples["held_out_memorised_8grams"] == [1.0, 0.0, 0.0]
    assert scores.samples["held_out_longest_copy"] == [18, 4, 0]


class Text(str):
    """A text that tells whether it is still there."""


@pytest.mark.parametrize("block_words", [1, 12, 10**6])
def test_training_text_is_searched_in_blocks_and_the_same_is_found(
    block_words: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(5)
    some = ["mia", "found", "a", "red", "kite", "by", "the", "gate", "ben", "lost"]

    def draw(count: int) -> str:
        return " ".join(rng.choice(some, count)) + rng.choice([". ", "! "]) + " ".join(rng.choice(some, 5))

    training, samples = [draw(9) for _ in range(40)], [draw(7) for _ in range(12)]
    # Equally near sentences in different blocks: the first counts. Words that no sample has tell sentences apart.
    training += [training[3], "zebra yak xylophone a red kite.", "yak zebra vole a red kite."]
    samples += ["a red kite.", training[20], "", "quite other words entirely"]
    whole = copying(samples, training, n=3)
    monkeypatch.setattr(memorisation, "BLOCK_WORDS", block_words)
    alive: weakref.WeakSet[Text] = weakref.WeakSet()
    most = 0

    def stream():
        nonlocal most
        for text in training:
            one = Text(text)
            alive.add(one)
            most = max(most, len(alive))
            yield one
            del one

    assert copying(samples, stream(), n=3) == whole
    assert most == len({*training}) if block_words == 10**6 else most <= 4
    assert copying(samples, [], n=3)[0].longest_copy == 0
