"""The longest span of words, from every position of a text, that training text holds word for word.

Exact, by the ranks of a suffix array (prefix doubling, Manber & Myers 1990): two positions have the same rank at level
k if and only if the next 2^k words are the same. Sorted by their highest ranks, the best match of a position is the
training position just before or just after it.
"""

from collections.abc import Sequence

import numpy as np

from elf.progress import say

BLOCK_WORDS = 4_000_000
"""Training words searched at once: bounds memory (about 100 bytes a word), not what is found."""


def longest_copies(texts: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each text (word ids ≥ 0, any length), an array of the same length: how many words from there on are copied.

    A copy lies within one training text, and goes no further than the end of its own text.
    """
    longest = [np.zeros(len(text), np.int32) for text in texts]
    for block in _blocks(training):
        say(f"searching {sum(len(text) for text in block):,} training words for copied spans")
        longest = [np.maximum(a, b) for a, b in zip(longest, _search(texts, block), strict=True)]
    return longest


def _blocks(training: Sequence[np.ndarray]) -> list[Sequence[np.ndarray]]:
    block = np.cumsum([len(text) for text in training]) // BLOCK_WORDS
    cuts = np.flatnonzero(np.diff(block)) + 1
    return [training[start:end] for start, end in zip([0, *cuts], [*cuts, len(training)], strict=True)]


def _search(texts: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[np.ndarray]:
    joined, starts = _join([*training, *texts])
    first = starts[len(training)]  # position of the first text; the training texts lie before it
    ranks = _ranks(joined, max(len(text) for text in texts))

    order = np.argsort(ranks[-1])
    is_training = order < first
    place = np.arange(len(order))
    before = np.maximum.accumulate(np.where(is_training, place, -1))
    after = np.minimum.accumulate(np.where(is_training, place, len(order))[::-1])[::-1]

    mine = np.flatnonzero(~is_training)
    longest = np.zeros(len(order), np.int32)
    for neighbour in (before[mine], after[mine]):
        found = (neighbour >= 0) & (neighbour < len(order))
        own, theirs = order[mine[found]], order[neighbour[found]]
        longest[own] = np.maximum(longest[own], _common_length(ranks, own, theirs))
    return [longest[start : start + len(text)] for start, text in zip(starts[len(training) :], texts, strict=True)]


def _join(texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """One array of all texts, each followed by a separator that occurs once, and the position where each begins."""
    ends = np.cumsum([len(text) + 1 for text in texts]) - 1
    joined = np.empty(ends[-1] + 1, np.int64)
    is_word = np.ones(len(joined), bool)
    is_word[ends] = False
    joined[is_word] = np.concatenate(texts)
    joined[ends] = joined[is_word].max(initial=0) + 1 + np.arange(len(texts))
    return joined, np.concatenate([[0], ends[:-1] + 1])


def _ranks(joined: np.ndarray, longest_text: int) -> list[np.ndarray]:
    """Level k: the rank of the 2^k words from each position on; levels until every text's end is within reach."""
    levels = [joined]
    while 2 ** (len(levels) - 1) <= longest_text:
        rank, span = levels[-1], 2 ** (len(levels) - 1)
        # Past the end any number will do: what reaches over the last separator is unique already.
        following = np.zeros_like(rank)
        following[:-span] = rank[span:]
        levels.append(rank_pairs(rank, following))
    return levels


def rank_pairs(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The rank (from 0) of each pair (first[i], second[i]) among all different pairs, in lexicographic order."""
    key = first.astype(np.int64) * (int(second.max(initial=0)) + 1) + second
    return np.unique(key, return_inverse=True)[1].astype(np.int32)


def _common_length(ranks: list[np.ndarray], a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """How many words from positions `a` and `b` on are the same; separators are unique, so it stops before one."""
    length = np.zeros(len(a), np.int64)
    for level in reversed(range(len(ranks))):
        same = ranks[level][a + length] == ranks[level][b + length]
        length[same] += 2**level
    return length
