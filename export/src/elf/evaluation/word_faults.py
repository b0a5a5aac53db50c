"""Faults of generated prose that a reader sees at once and a small judge forgives.

Words that nobody writes, words and phrases said twice in a row, and heroes who change their names. Each figure says
something only beside the same of real text: "very, very" stutters, too, and a friend may be named once.
"""

from collections.abc import Sequence

import numpy as np

from elf.evaluation.kept_words import KeyWords, plain_words
from elf.evaluation.words import words

LONGEST_PHRASE = 4
"""Words of the longest phrase whose repetition counts as stutter."""


def unknown_words(key_words: KeyWords, texts: Sequence[str]) -> np.ndarray:
    """(n, 2): words of each text that the corpus has in no spelling of capitals, and all its words."""
    return np.array([[sum(word.lower() not in key_words.known for word in found), len(found)] for found in _of(texts)])


def stutter(texts: Sequence[str]) -> dict[str, np.ndarray]:
    """`words` and `phrases`, each (n, 2): words that say again what was just said, and all words.

    `words` counts a word that equals the one before it; `phrases` the last word of a phrase of 2 to `LONGEST_PHRASE`
    words that was said twice in a row, such as "to the to the". Case and punctuation don't count.
    """
    said = [words(text) for text in texts]
    once = [[_doubled(each, 1).sum(), len(each)] for each in said]
    phrases = [[_any_phrase(each).sum(), len(each)] for each in said]
    return {"words": np.array(once, np.int64), "phrases": np.array(phrases, np.int64)}


def name_drift(key_words: KeyWords, texts: Sequence[str]) -> dict[str, np.ndarray]:
    """`once` (n, 2): names that a text says only once, and all its different names. `first` (n, 2): how often it says
    the name that it says first, and any name. A text without names has zeros."""
    once, first = [], []
    for found in _of(texts):
        said = [word for word in found if word in key_words.names]
        different = {*said}
        once.append([sum(said.count(name) == 1 for name in different), len(different)])
        first.append([said.count(said[0]) if said else 0, len(said)])
    return {"once": np.array(once, np.int64), "first": np.array(first, np.int64)}


def _of(texts: Sequence[str]) -> list[list[str]]:
    return [plain_words(text) for text in texts]


def _doubled(said: Sequence[str], length: int) -> np.ndarray:
    """(len(said),) bool: whether the `length` words that end here are those before them."""
    ends = np.zeros(len(said), bool)
    for end in range(2 * length, len(said) + 1):
        ends[end - 1] = said[end - length : end] == said[end - 2 * length : end - length]
    return ends


def _any_phrase(said: Sequence[str]) -> np.ndarray:
    """As above for phrases. One word over and over is a stutter of words, not of phrases made of it."""
    ends = np.zeros(len(said), bool)
    for length in range(2, LONGEST_PHRASE + 1):
        for end in np.flatnonzero(_doubled(said, length)).tolist():
            ends[end] |= len({*said[end + 1 - length : end + 1]}) > 1
    return ends
