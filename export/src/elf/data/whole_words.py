"""Frequent words that a unigram vocabulary would cut become pieces of their own.

SentencePiece keeps the pieces that make a corpus likely, not those that keep a word whole: of 8,192 learnt from
TinyStories none reads "named" as one. To a model that names all its tokens at once a word in two pieces is two choices
that have to fit.
"""

import math
import re
from collections import Counter
from typing import Any

from elf.data.sentencepiece_form import NORMAL, WORD_START
from elf.errors import ConfigError

_WORD = re.compile(rf"{WORD_START}?[^\W\d_{WORD_START}]+")
"""A run of letters, with the mark of the space before it if there is one: as `"Come` holds a word without."""

_MARGIN = 0.01
"""By how much a whole word scores above its best cut, in nats: enough for sums of scores in float32."""


class WordCounts:
    """How often each word stands in texts, told apart by whether a space is before it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, line: str) -> None:
        self._counts.update(_WORD.findall(WORD_START + WORD_START.join(line.split())))

    def most_common(self) -> list[str]:
        """The words, the most frequent first; of equally frequent ones the first by the alphabet."""
        return [word for word, _ in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))]


def add_whole_words(model: Any, counts: WordCounts, wanted: int) -> None:
    """Appends the `wanted` most frequent words that `model` (a ModelProto) would cut; these pieces win over every cut.

    A word that is a piece already, and is cut all the same, is raised where it stands. Words with a letter that the
    model doesn't know stay cut, and so do those that its normaliser changes.

    Raises ConfigError where fewer words are cut.
    """
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == NORMAL}
    places = {piece.piece: place for place, piece in enumerate(model.pieces)}
    whole: list[str] = []
    added = 0
    for word in counts.most_common():
        if added == wanted:
            break
        score, pieces = _best_cut(word, scores)
        if pieces > 1 and score > -math.inf:
            whole.append(word)
            added += word not in places
    if added < wanted:
        raise ConfigError(
            f"the other pieces cut only {added:,} words of this corpus, and {wanted:,} are asked for",
            f"Give --whole-words {added} and a --vocabulary-size smaller by {wanted - added}, or more text.",
        )
    # The short ones first: a longer one has to win over them, too.
    for word in sorted(whole, key=len):
        scores[word] = _best_cut(word, scores)[0] + _MARGIN
    for word in whole:
        if word in places:
            model.pieces[places[word]].score = scores[word]
        else:
            model.pieces.add(piece=word, score=scores[word], type=NORMAL)


def _best_cut(word: str, scores: dict[str, float]) -> tuple[float, int]:
    """The highest sum of scores of pieces that spell `word`, and their number (Viterbi); −∞ where none do."""
    best: list[tuple[float, int]] = [(0.0, 0)] + [(-math.inf, 0)] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            score = scores.get(word[start:end])
            if score is not None and best[start][0] + score > best[end][0]:
                best[end] = (best[start][0] + score, best[start][1] + 1)
    return best[-1]
