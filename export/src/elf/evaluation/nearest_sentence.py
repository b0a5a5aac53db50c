"""The training sentence nearest to each of other sentences: shared runs of three words, through an inverted index."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elf.evaluation.copied_spans import rank_pairs
from elf.progress import told


@dataclass(frozen=True)
class Nearest:
    """The training sentence nearest to a sentence."""

    overlap: float
    """2 · shared / (own + its) of the different trigrams (Dice): 1 for the same words, 0 for none shared."""
    shared: int
    """Trigrams in both."""
    index: int
    """Number of the training sentence, -1 where none shares a trigram."""


NONE = Nearest(0.0, 0, -1)


def nearest_sentences(sentences: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[Nearest]:
    """The nearest training sentence of each sentence (both as word ids ≥ 0, any length); of equals the first.

    Sentences of fewer than three words have no trigram and are near to none.
    """
    sentence, trigram = _trigrams([*training, *sentences])
    sizes = np.bincount(sentence, minlength=len(training) + len(sentences))
    # The inverted index: training sentences sorted by trigram; `first[t]` is where those of trigram t begin.
    split = np.searchsorted(sentence, len(training))
    by_trigram = np.argsort(trigram[:split], kind="stable")
    postings = sentence[:split][by_trigram]
    count = int(trigram.max(initial=-1)) + 1
    first = np.searchsorted(trigram[:split][by_trigram], np.arange(count + 1))

    starts = np.searchsorted(sentence, len(training) + np.arange(len(sentences) + 1))
    nearest = []
    for number in told(range(len(sentences)), "nearest training sentences"):
        own = trigram[starts[number] : starts[number + 1]]
        if not len(own):
            nearest.append(NONE)
            continue
        candidates, shared = np.unique(
            np.concatenate([postings[first[t] : first[t + 1]] for t in own]), return_counts=True
        )
        if not len(candidates):
            nearest.append(NONE)
            continue
        overlap = 2 * shared / (len(own) + sizes[candidates])
        best = int(np.argmax(overlap))
        nearest.append(Nearest(float(overlap[best]), int(shared[best]), int(candidates[best])))
    return nearest


def _trigrams(sentences: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Every different trigram of every sentence: number of the sentence and of the trigram, sorted by both."""
    lengths = np.array([len(sentence) for sentence in sentences])
    joined = np.concatenate(sentences).astype(np.int64)
    sentence = np.repeat(np.arange(len(sentences)), lengths)
    if len(joined) < 3:
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    within = sentence[:-2] == sentence[2:]
    trigram = rank_pairs(rank_pairs(joined[:-2], joined[1:-1]), joined[2:])[within]
    pairs = np.unique(np.stack([sentence[:-2][within], trigram]), axis=1)
    return pairs[0], pairs[1]
