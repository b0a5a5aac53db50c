"""How varied generated text is: unigram entropy, distinct n-grams, repetition.

All are of token sequences: ids of a tokenizer or words. A sequence without tokens counts as 0 in every mean.
"""

import math
from collections import Counter
from collections.abc import Hashable, Sequence

import numpy as np

from elf.data.tokenizer import Tokenizer
from elf.evaluation.scores import Scores

Tokens = Sequence[Hashable]


def tokens_of(texts: Sequence[str], tokenizer: Tokenizer | None) -> list[Tokens]:
    """The ids of each text, or its words between spaces without a tokenizer."""
    if tokenizer is None:
        return [text.split() for text in texts]
    return [encoding.ids for encoding in tokenizer.encode_batch([*texts], add_special_tokens=False)]


def unigram_entropy(tokens: Tokens) -> float:
    """Entropy in nats of the tokens' frequencies within one sample: 0 for one token said again and again, ln k for
    k different tokens. The official figure is the mean over the samples, with the tokens of GPT-2 (spec section 6)."""
    return sum(count / len(tokens) * math.log(len(tokens) / count) for count in Counter(tokens).values())


def entropies(samples: Sequence[Tokens]) -> np.ndarray:
    """`unigram_entropy` of each sample, (n,)."""
    return np.array([unigram_entropy(tokens) for tokens in samples])


def distinct(samples: Sequence[Tokens], order: int) -> float:
    """Different n-grams of `order` tokens over all n-grams of the whole set, 0 … 1 (distinct-n, Li et al. 2016).

    It falls as a set grows, for any author: compare sets of the same number and length of samples only.
    """
    grams = [gram for tokens in samples for gram in n_grams(tokens, order)]
    return len(set(grams)) / len(grams) if grams else 0.0


def adjacent_repetition(samples: Sequence[Tokens]) -> np.ndarray:
    """Share of each sample's tokens, the first left out, that equal the token before them, (n,), 0 … 1."""
    return np.array([_share(sum(a == b for a, b in n_grams(tokens, 2)), len(tokens) - 1) for tokens in samples])


def duplicated_4_grams(samples: Sequence[Tokens]) -> np.ndarray:
    """Share of each sample's 4-grams that it has said before, (n,), 0 … 1 (seq-rep-4, Welleck et al. 2020)."""
    grams = [n_grams(tokens, 4) for tokens in samples]
    return np.array([_share(len(sample) - len(set(sample)), len(sample)) for sample in grams])


def n_grams(tokens: Tokens, order: int) -> list[tuple[Hashable, ...]]:
    return [*zip(*(tokens[start:] for start in range(order)), strict=False)]


def _share(part: int, whole: int) -> float:
    return part / whole if whole > 0 else 0.0


def entropy_scores(samples: Sequence[Tokens], confidence: bool = False, counted: np.ndarray | None = None) -> Scores:
    """`entropy`: mean unigram entropy of a sample in nats, of those that are `counted`; of all unless given."""
    scores = Scores()
    scores.add_mean("entropy", entropies(samples), confidence, counted)
    return scores


def distinct_scores(samples: Sequence[Tokens]) -> Scores:
    """`distinct1`, `distinct2`, `distinct3`. No interval: a resampled set holds samples twice, which lowers them."""
    return Scores({f"distinct{order}": distinct(samples, order) for order in (1, 2, 3)})


def repetition_scores(samples: Sequence[Tokens], confidence: bool = False) -> Scores:
    """`repetition_adjacent` and `repetition_4gram`, means over the samples, 0 … 1."""
    scores = Scores()
    scores.add_mean("repetition_adjacent", adjacent_repetition(samples), confidence)
    scores.add_mean("repetition_4gram", duplicated_4_grams(samples), confidence)
    return scores
