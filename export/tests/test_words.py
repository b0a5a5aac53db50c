"""How much of its source a text takes up, unknown words, stutter and names that come and go, against counts by hand."""

import numpy as np
import pytest

from elf.evaluation.words import (
    KeyWords,
    kept_scores,
    kept_words,
    moved,
    name_drift,
    name_scores,
    stutter,
    stutter_scores,
    unknown_scores,
    unknown_words,
)

# Of 40 documents, in 26: Mia within a sentence. "Once" and "Wow" have a capital only where a sentence or speech begins.
CORPUS = [
    *['Once upon a day, Mia\'s dog ran to the park. "Wow," said Ben.'] * 25,
    "Then Mia saw the Rose, and a rose saw her. I ran, and I sang.",
    *["Ben saw a kite at the park. The dog ran."] * 2,
    *["They ran home to the park."] * 12,
]


@pytest.fixture(scope="module")
def key_words() -> KeyWords:
    return KeyWords.of(CORPUS)


def test_names_are_capitalised_within_sentences_and_hardly_ever_small(key_words: KeyWords) -> None:
    # Ben only follows speech or begins a sentence in 27 documents, but "said Ben" is within one in 25 of them.
    assert key_words.names == {"Mia", "Ben"}
    assert key_words.names_in("Once Mia met Ben's friend Zog. Wow! I ran.") == {"Mia", "Ben"}


def test_twenty_times_as_often_is_not_enough() -> None:
    corpus = ["He saw Rose."] * 21
    assert KeyWords.of([*corpus, "a rose"]).names == {"Rose"}
    assert KeyWords.of([*corpus[1:], "a rose"]).names == set()


def test_things_are_long_enough_and_rare(key_words: KeyWords) -> None:
    # "kite" is in 2 of 40 documents, 5 %, so it is common here; "rose" is in 1, 2.5 %; words never seen are rare too.
    assert key_words.things_in("The rose and the kite at the old mill didn't go with Mia, but the dragon did.") == {
        "rose",
        "mill",
        "with",
        "dragon",
    }
    assert not key_words.things_in("park upon day dog")


def test_what_of_a_source_its_text_has(key_words: KeyWords) -> None:
    sources = ["Mia and Ben saw a dragon and a rose, a rose.", "", "Mia sang."]
    texts = ["mia met Ben's Dragon and roses.", "Mia sang.", ""]
    counts = kept_words(key_words, sources, texts)
    # A name as it is spelt, a thing in any case; each counts once.
    assert counts["names"].tolist() == [[1, 2], [0, 0], [0, 1]]
    assert counts["things"].tolist() == [[1, 2], [0, 0], [0, 1]]  # "sang" is in 1 document of 40

    scores = kept_scores(key_words, sources, texts, confidence=True)
    assert scores.figures["kept_names"] == pytest.approx(1 / 3)
    # Moved by 7 % 3 = 1: the first source meets "Mia sang.", the second "", the third the first's text.
    assert scores.figures["kept_names_chance"] == pytest.approx(1 / 3)
    assert scores.figures["kept_things_chance"] == 0
    low, high = scores.figures["kept_names_ci"]
    assert 0 <= low <= 1 / 3 <= high <= 0.5
    np.testing.assert_array_equal(scores.statistics["kept_names"], counts["names"])


def test_a_kind_that_no_source_has_is_no_figure(key_words: KeyWords) -> None:
    scores = kept_scores(key_words, ["a dragon"] * 2, ["a dragon"] * 2)
    assert scores.figures == {"kept_things": 1.0, "kept_things_chance": 1.0}


def test_texts_move_seven_rows_where_there_are_more() -> None:
    assert moved([*"abcdefghij"]) == [*"hijabcdefg"]
    assert moved([*"abcdefg"]) == [*"bcdefga"]
    assert moved(["a"]) == ["a"]


PLAIN_CORPUS = ["One day, Mia and Ben ran to the park. Mia's dog didn't run."] * 3


@pytest.fixture(scope="module")
def plain_words() -> KeyWords:
    return KeyWords.of(PLAIN_CORPUS)


def test_unknown_are_words_that_the_corpus_has_in_no_capitals(plain_words: KeyWords) -> None:
    texts = ["MIA ran to Ben's parks.", "A shexfiep didn’t run, 12 times.", ""]
    # "parks"; "a", "shexfiep", "didn’t" with another apostrophe, "times"; numbers are no words.
    np.testing.assert_array_equal(unknown_words(plain_words, texts), [[1, 5], [4, 5], [0, 0]])
    scores = unknown_scores(plain_words, texts, confidence=True)
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


def test_names_that_are_said_once_and_the_first_ones_share(plain_words: KeyWords) -> None:
    texts = ["Mia ran. Mia saw Ben.", "Then Ben, Mia and Ben's dog ran.", "The dog ran."]
    drift = name_drift(plain_words, texts)
    assert drift["once"].tolist() == [[1, 2], [1, 2], [0, 0]]
    assert drift["first"].tolist() == [[2, 3], [2, 3], [0, 0]]
    figures = name_scores(plain_words, texts).figures
    assert figures == {"names_once": 0.5, "names_first": pytest.approx(2 / 3)}
    assert name_scores(plain_words, ["A dog."]).figures == {"names_once": 0, "names_first": 0}
