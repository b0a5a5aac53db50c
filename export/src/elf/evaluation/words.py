"""What texts say, word by word: how varied they are, how much of a source they take up, and faults seen at once."""

import math
import re
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from elf.data.tokenizer import Tokenizer
from elf.evaluation.scores import Scores, ratio
from elf.progress import SizedIterable, told

WORD = re.compile(r"\w+(?:'\w+)*")
SENTENCE_END = re.compile(r"""(?<=[.!?…])\s+|(?<=[.!?…]["'”’)])\s+|\n+""")


def words(text: str) -> list[str]:
    """Lower-cased words; "don't" is one word, with either apostrophe."""
    return WORD.findall(text.lower().replace("’", "'"))


def sentences(text: str) -> list[str]:
    """Parts of `text` between the ends of sentences or lines; "Mr. Smith" is cut as well, which does no harm here."""
    return [sentence for sentence in SENTENCE_END.split(text.strip()) if sentence]


SPELT_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
WITHIN_A_SENTENCE = re.compile(rf"(?<=[\w,;] ){SPELT_WORD.pattern}")
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
    """What a corpus knows of words: by how it writes one, it tells names from things.

    Its figures are shares of documents, so that one story about a dragon does not make dragons common.
    """

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
    return _plain(SPELT_WORD.findall(text))


def _plain(words: Sequence[str]) -> list[str]:
    return [word.removesuffix("'s").removesuffix("’s") for word in words]


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


def kept_scores(key_words: KeyWords, sources: Sequence[str], texts: Sequence[str], confidence: bool = False) -> Scores:
    """`kept_names` and `kept_things`: of those of all sources together, the share that the texts have, 0 … 1.

    `NAME_chance` beside each is the same with every text moved to another source. A kind that no source has any of is
    left out.
    """
    scores = Scores()
    moved_away = kept_words(key_words, sources, moved(texts))
    for kind, counts in kept_words(key_words, sources, texts).items():
        if not counts[:, 1].any():
            continue
        scores.add_share(f"kept_{kind}", counts, confidence)
        scores.figures[f"kept_{kind}_chance"] = ratio(moved_away[kind].sum(0))
    return scores


def unknown_scores(key_words: KeyWords, texts: Sequence[str], confidence: bool = False) -> Scores:
    """`unknown_words` and `unknown_texts`: shares of the words, and of the texts with any, that the corpus has not."""
    scores = Scores()
    counts = unknown_words(key_words, texts)
    scores.add_share("unknown_words", counts, confidence)
    scores.add_mean("unknown_texts", (counts[:, 0] > 0).astype(np.float64), confidence)
    return scores


def stutter_scores(texts: Sequence[str], confidence: bool = False) -> Scores:
    """`stutter_words` and `stutter_phrases`, shares of all words."""
    scores = Scores()
    for kind, counts in stutter(texts).items():
        scores.add_share(f"stutter_{kind}", counts, confidence)
    return scores


def name_scores(key_words: KeyWords, texts: Sequence[str], confidence: bool = False) -> Scores:
    """`names_once`, of the names of each text, and `names_first`, of all mentions of a name."""
    scores = Scores()
    for kind, counts in name_drift(key_words, texts).items():
        scores.add_share(f"names_{kind}", counts, confidence)
    return scores


def word_fault_scores(
    metrics: Sequence[str], texts: Sequence[str], key_words: Callable[[], KeyWords], confidence: bool = False
) -> Scores:
    """Faults that a small judge forgives. Each says something only beside the same of real text: "very, very" stutters.

    Those of `stutter`, `unknown` and `names` that `metrics` asks for; the corpus is read only where one needs it.
    """
    scores = Scores()
    if "stutter" in metrics:
        scores.add(stutter_scores(texts, confidence))
    if "unknown" in metrics:
        scores.add(unknown_scores(key_words(), texts, confidence))
    if "names" in metrics:
        scores.add(name_scores(key_words(), texts, confidence))
    return scores


# --- How varied generated text is: unigram entropy, distinct n-grams, repetition ------------------------------------
#
# All are of token sequences: ids of a tokenizer or words. A sequence without tokens counts as 0 in every mean.

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
