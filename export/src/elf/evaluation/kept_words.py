"""How much of its source a text takes up: which of the source's names and things occur in the text.

What is a name and what is a thing, a corpus tells by how it writes the word. The corpus is read once, document by
document; its figures are shares of documents, so that one story about a dragon does not make dragons common.
"""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elf.progress import SizedIterable, told

WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
WITHIN_A_SENTENCE = re.compile(rf"(?<=[\w,;] ){WORD.pattern}")
"""Words after another word or a comma: there a capital is not merely that of a sentence or of speech."""

NAME_RATIO = 20
"""A name is capitalised within sentences in more than this many times the documents that have it in lower case."""
COMMON = 0.03
"""A word of this share of all documents says little about any one source."""
SHORTEST_THING = 4

CHANCE_SHIFT = 7
"""Rows by which texts are moved for the level of chance: far enough not to meet another part of the same story."""


@dataclass(frozen=True)
class KeyWords:
    """What a corpus knows of words."""

    names: frozenset[str]
    common: frozenset[str]
    """Words in lower case that are no things."""
    known: frozenset[str]
    """All words, in lower case."""

    @classmethod
    def of(cls, documents: SizedIterable[str]) -> "KeyWords":
        """3.4 M words take some seconds. Of the documents only the words are kept, each once."""
        capitalised: Counter[str] = Counter()
        spelt: Counter[str] = Counter()
        for text in told(documents, "words of the training text"):
            spelt.update({*plain_words(text)})
            capitalised.update({word for word in _plain(WITHIN_A_SENTENCE.findall(text)) if word[0].isupper()})
        names = {
            word
            for word, count in capitalised.items()
            if len(word) > 1 and word.isalpha() and count > NAME_RATIO * spelt[word.lower()]
        }
        common = {word for word, count in spelt.items() if word.islower() and count >= COMMON * len(documents)}
        return cls(frozenset(names), frozenset(common), frozenset(word.lower() for word in spelt))

    def names_in(self, source: str) -> set[str]:
        return {*plain_words(source)} & self.names

    def things_in(self, source: str) -> set[str]:
        """Words in lower case, of four letters or more, that are not common."""
        return {
            word
            for word in plain_words(source)
            if word.isalpha() and word.islower() and len(word) >= SHORTEST_THING and word not in self.common
        }


def kept_words(key_words: KeyWords, sources: Sequence[str], texts: Sequence[str]) -> dict[str, np.ndarray]:
    """`names` and `things` of each source, each once: (n, 2), how many of them its text has, and how many there are.

    A name counts as it is spelt, a thing also with a capital; "Lily's" has the name Lily.
    """
    names, things = [], []
    for source, text in zip(sources, texts, strict=True):
        there = {*plain_words(text)}
        wanted = key_words.names_in(source)
        names.append([len(wanted & there), len(wanted)])
        wanted = key_words.things_in(source)
        things.append([len(wanted & {word.lower() for word in there}), len(wanted)])
    return {"names": np.array(names, np.int64), "things": np.array(things, np.int64)}


def moved(texts: Sequence[str]) -> list[str]:
    """Each text in the place of another row's, for the level of chance."""
    shift = CHANCE_SHIFT % len(texts) or 1
    return [*texts[shift:], *texts[:shift]]


def plain_words(text: str) -> list[str]:
    """The words of a text as they are spelt, without what makes them possessive."""
    return _plain(WORD.findall(text))


def _plain(words: Sequence[str]) -> list[str]:
    return [word.removesuffix("'s").removesuffix("’s") for word in words]
