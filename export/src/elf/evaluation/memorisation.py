"""How much of generated text is copied from the training text."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from elf.evaluation.scores import Scores
from elf.evaluation.words import sentences, words
from elf.progress import say, told

# Short runs of words are shared by honest text too, so the figures say something only beside those of held-out real
# text of the same kind, measured in the same way.

SEARCHED_WORDS = 4_000_000
"""Training words searched at once: bounds memory (about 100 bytes a word), not what is found."""


def longest_copies(texts: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[np.ndarray]:
    """For each text (word ids ≥ 0, any length), an array of the same length: how many words from there on are copied.

    Exact, by the ranks of a suffix array (prefix doubling, Manber & Myers 1990): two positions have the same rank at
    level k if and only if the next 2^k words are the same. Sorted by their highest ranks, the best match of a position
    is the training position just before or just after it.
    A copy lies within one training text, and goes no further than the end of its own text.
    """
    longest = [np.zeros(len(text), np.int32) for text in texts]
    for block in _searched_together(training):
        say(f"searching {sum(len(text) for text in block):,} training words for copied spans")
        longest = [np.maximum(a, b) for a, b in zip(longest, _search(texts, block), strict=True)]
    return longest


def _searched_together(training: Sequence[np.ndarray]) -> list[Sequence[np.ndarray]]:
    block = np.cumsum([len(text) for text in training]) // SEARCHED_WORDS
    cuts = np.flatnonzero(np.diff(block)) + 1
    return [training[start:end] for start, end in zip([0, *cuts], [*cuts, len(training)], strict=True)]


def _search(texts: Sequence[np.ndarray], training: Sequence[np.ndarray]) -> list[np.ndarray]:
    joined, starts = _join_with_ends([*training, *texts])
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


def _join_with_ends(texts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
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


def memorisation_scores(copied: Sequence[Copying], n: int = 8, confidence: bool = False, prefix: str = "") -> Scores:
    """`memorised_8grams` (share of all n-grams of the set), `longest_copy` (words), `nearest_overlap` (mean).

    `copied` is what `memorisation.copying` returns for the same `n`; `prefix` goes before each name.
    """
    scores = Scores()
    counts = np.array([[sample.copied_n_grams, sample.n_grams] for sample in copied])
    scores.add_share(f"{prefix}memorised_{n}grams", counts, confidence)
    longest = max(copied, key=lambda sample: sample.longest_copy)
    scores.figures[f"{prefix}longest_copy"] = longest.longest_copy
    scores.figures[f"{prefix}longest_copy_text"] = longest.longest_copy_text
    scores.add_mean(f"{prefix}nearest_overlap", np.array([sample.nearest_overlap for sample in copied]), confidence)
    for name in ("longest_copy", "longest_copy_text", "nearest_sentence", "nearest_training_sentence"):
        scores.samples[prefix + name] = [getattr(sample, name) for sample in copied]
    return scores
