"""How much of generated text is copied from the training text.

Short runs of words are shared by honest text too, so the figures say something only beside those of held-out real text
of the same kind, measured in the same way.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from elf.evaluation.copied_spans import longest_copies
from elf.evaluation.nearest_sentence import NONE, Nearest, nearest_sentences
from elf.evaluation.words import sentences, words

BLOCK_WORDS = 4_000_000
"""Training words in memory at once. It bounds memory, and changes nothing that is found."""


@dataclass(frozen=True)
class Copying:
    """What one sample has in common with the training text. Words are lower-cased, punctuation does not count."""

    n_grams: int
    """n-grams of the sample."""
    copied_n_grams: int
    """Those of them that a training text holds."""
    longest_copy: int
    """Words in the longest span that a training text holds word for word."""
    longest_copy_text: str
    nearest_overlap: float
    """Mean over the sample's sentences of three or more words of the overlap (Dice of trigrams, 0 … 1) with the
    training sentence nearest to each; 0 without such a sentence."""
    nearest_sentence: str
    """Of the sample's sentences, the one that shares most trigrams with its nearest training sentence …"""
    nearest_training_sentence: str
    """… and that sentence; both empty where nothing is shared."""


def copying(samples: Sequence[str], training: Iterable[str], n: int = 8) -> list[Copying]:
    """Compares every sample with the whole training text, BLOCK_WORDS of it in memory. `n`: words of an n-gram.

    3.4 M training words and 2,000 samples of 160 words take about 20 s and 0.5 GB.
    """
    vocabulary: dict[str, int] = {}
    own_sentences = [sentences(text) for text in samples]
    own_ids = [[_word_ids(sentence, vocabulary) for sentence in parts] for parts in own_sentences]
    spelling = [*vocabulary]
    own_texts = [_join(ids) for ids in own_ids]
    flat = [each for ids in own_ids for each in ids]

    longest = [np.zeros(len(text), np.int32) for text in own_texts]
    nearest = [NONE] * len(flat)
    nearest_texts = [""] * len(flat)
    for texts in _blocks(training):
        block = _Block.of(texts, vocabulary)
        longest = [np.maximum(a, b) for a, b in zip(longest, longest_copies(own_texts, block.texts), strict=True)]
        for number, match in enumerate(nearest_sentences(flat, block.sentences)):
            # Of equally near ones the first, as within a block.
            if match.overlap > nearest[number].overlap:
                nearest[number], nearest_texts[number] = match, block.written[match.index]

    matches = iter(zip(nearest, nearest_texts, strict=True))
    return [
        _report(parts, ids, copied, [next(matches) for _ in parts], spelling, n)
        for parts, ids, copied in zip(own_sentences, own_ids, longest, strict=True)
    ]


class _Block(NamedTuple):
    """A part of the training text, in numbers of words."""

    texts: list[np.ndarray]
    sentences: list[np.ndarray]
    """Each once."""
    written: list[str]
    """How each was first written."""

    @classmethod
    def of(cls, texts: Sequence[str], known: Mapping[str, int]) -> "_Block":
        # Words that no sample has are numbered within the block alone, so that their number does not grow.
        vocabulary = dict(known)
        joined: list[np.ndarray] = []
        once: dict[bytes, str] = {}
        for text in texts:
            parts = sentences(text)
            ids = [_word_ids(sentence, vocabulary) for sentence in parts]
            joined.append(_join(ids))
            for sentence, numbers in zip(parts, ids, strict=True):
                once.setdefault(numbers.tobytes(), sentence)
        return cls(joined, [np.frombuffer(key, np.int32) for key in once], [*once.values()])


def _blocks(training: Iterable[str]) -> Iterator[list[str]]:
    """Consecutive texts of some BLOCK_WORDS words, as spaces part them."""
    block: list[str] = []
    size = 0
    for text in training:
        block.append(text)
        size += text.count(" ") + 1
        if size >= BLOCK_WORDS:
            yield block
            block, size = [], 0
    if block:
        yield block


def _report(
    parts: list[str],
    ids: list[np.ndarray],
    copied: np.ndarray,
    matches: list[tuple[Nearest, str]],
    spelling: list[str],
    n: int,
) -> Copying:
    """Of one sample: its sentences, what is copied from every word on, and the training sentence nearest to each."""
    text_ids = _join(ids)
    length = int(copied.max(initial=0))
    start = int(copied.argmax()) if length else 0
    overlaps = [match.overlap for (match, _), each in zip(matches, ids, strict=True) if len(each) >= 3]
    best = max(range(len(parts)), key=lambda i: matches[i][0].shared, default=-1)
    found = best >= 0 and matches[best][0].shared > 0
    return Copying(
        n_grams=max(len(text_ids) - n + 1, 0),
        copied_n_grams=int((copied >= n).sum()),
        longest_copy=length,
        longest_copy_text=" ".join(spelling[word] for word in text_ids[start : start + length]),
        nearest_overlap=float(np.mean(overlaps)) if overlaps else 0.0,
        nearest_sentence=parts[best] if found else "",
        nearest_training_sentence=matches[best][1] if found else "",
    )


def _word_ids(text: str, vocabulary: dict[str, int]) -> np.ndarray:
    """Numbers of the words of a text, new words added to the vocabulary."""
    return np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words(text)], np.int32)


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
