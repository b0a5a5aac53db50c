"""How much of its source a text takes up, against counts by hand."""

import numpy as np
import pytest

from elf.evaluation.kept_words import KeyWords, kept_words, moved
from elf.evaluation.text_scores import kept_scores

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
