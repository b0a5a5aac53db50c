"""How much of generated text is copied from the training text.

Short runs of words are shared by honest text too, so the figures say something only beside those of held-out real text
of the same kind, measured in the same way.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elf.evaluation.copied_spans import longest_copies
from elf.evaluation.nearest_sentence import nearest_sentences
from elf.evaluation.words import sentences, words


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


def copying(samples: Sequence[str], training: Sequence[str], n: int = 8) -> list[Copying]:
    """Compares every sample with the whole training text. `n`: words of an n-gram.

    3.4 M training words and 2,000 samples of 160 words take about 20 s and 0.5 GB.
    """
    vocabulary: dict[str, int] = {}

    def word_ids(text: str) -> np.ndarray:
        return np.array([vocabulary.setdefault(word, len(vocabulary)) for word in words(text)], np.int32)

    training_ids = []
    once: dict[bytes, str] = {}  # training sentences, each once: its ids as bytes, and how it was first written
    for text in training:
        parts = sentences(text)
        ids = [word_ids(sentence) for sentence in parts]
        training_ids.append(_join(ids))
        for sentence, numbers in zip(parts, ids, strict=True):
            once.setdefault(numbers.tobytes(), sentence)
    written = [*once.values()]

    own_sentences = [sentences(text) for text in samples]
    own_ids = [[word_ids(sentence) for sentence in parts] for parts in own_sentences]
    spelling = [*vocabulary]
    longest = longest_copies([_join(ids) for ids in own_ids], training_ids)
    nearest = iter(
        nearest_sentences([each for ids in own_ids for each in ids], [np.frombuffer(key, np.int32) for key in once])
    )
    report = []
    for parts, ids, copied in zip(own_sentences, own_ids, longest, strict=True):
        text_ids = _join(ids)
        length = int(copied.max(initial=0))
        start = int(copied.argmax()) if length else 0
        matches = [next(nearest) for _ in parts]
        overlaps = [match.overlap for match, each in zip(matches, ids, strict=True) if len(each) >= 3]
        best = max(range(len(parts)), key=lambda i: matches[i].shared, default=-1)
        found = best >= 0 and matches[best].shared > 0
        report.append(
            Copying(
                n_grams=max(len(text_ids) - n + 1, 0),
                copied_n_grams=int((copied >= n).sum()),
                longest_copy=length,
                longest_copy_text=" ".join(spelling[word] for word in text_ids[start : start + length]),
                nearest_overlap=float(np.mean(overlaps)) if overlaps else 0.0,
                nearest_sentence=parts[best] if found else "",
                nearest_training_sentence=written[matches[best].index] if found else "",
            )
        )
    return report


def _join(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate(parts) if parts else np.zeros(0, np.int32)
