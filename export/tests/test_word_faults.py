"""Unknown words, stutter and names that come and go, against counts by hand."""

import numpy as np
import pytest

from elf.evaluation.kept_words import KeyWords
from elf.evaluation.text_scores import name_scores, stutter_scores, unknown_scores
from elf.evaluation.word_faults import name_drift, stutter, unknown_words

CORPUS = ["One day, Mia and Ben ran to the park. Mia's dog didn't run."] * 3


@pytest.fixture(scope="module")
def key_words() -> KeyWords:
    return KeyWords.of(CORPUS)


def test_unknown_are_words_that_the_corpus_has_in_no_capitals(key_words: KeyWords) -> None:
    texts = ["MIA ran to Ben's parks.", "A shexfiep didn’t run, 12 times.", ""]
    # "parks"; "a", "shexfiep", "didn’t" with another apostrophe, "times"; numbers are no words.
    np.testing.assert_array_equal(unknown_words(key_words, texts), [[1, 5], [4, 5], [0, 0]])
    scores = unknown_scores(key_words, texts, confidence=True)
    assert scores.figures["unknown_words"] == 0.5 and scores.figures["unknown_texts"] == pytest.approx(2 / 3)
    assert scores.samples["unknown_words"] == [0.2, 0.8, 0] and scores.samples["unknown_texts"] == [1, 1, 0]
    assert scores.figures["unknown_texts_ci"] == [0, 1]


@pytest.mark.parametrize(
    ("text", "of_words", "of_phrases"),
    [
        ("It was a very, Very big dog.", 1, 0),
        ("They went to the to the park.", 0, 1),
        ("the dog ran the dog ran the dog ran", 0, 4),  # at each end of the second and third, as "ran the dog", too
        ("ha ha ha ha ha", 4, 0),
        ("he ran up and down he ran up and down", 0, 0),  # five words are more than a stutter
        ("up and down he up and down he", 0, 1),
        ("no", 0, 0),
        ("", 0, 0),
    ],
)
def test_stutter(text: str, of_words: int, of_phrases: int) -> None:
    counts = stutter([text])
    words = len(text.split())
    assert counts["words"].tolist() == [[of_words, words]] and counts["phrases"].tolist() == [[of_phrases, words]]


def test_stutter_is_of_all_words_together() -> None:
    figures = stutter_scores(["so so", "a b a b c d", ""], confidence=True).figures
    assert figures["stutter_words"] == 1 / 8 and figures["stutter_phrases"] == 1 / 8
    assert figures["stutter_words_ci"][0] == 0


def test_names_that_are_said_once_and_the_first_ones_share(key_words: KeyWords) -> None:
    texts = ["Mia ran. Mia saw Ben.", "Then Ben, Mia and Ben's dog ran.", "The dog ran."]
    drift = name_drift(key_words, texts)
    assert drift["once"].tolist() == [[1, 2], [1, 2], [0, 0]]
    assert drift["first"].tolist() == [[2, 3], [2, 3], [0, 0]]
    figures = name_scores(key_words, texts).figures
    assert figures == {"names_once": 0.5, "names_first": pytest.approx(2 / 3)}
    assert name_scores(key_words, ["A dog."]).figures == {"names_once": 0, "names_first": 0}
