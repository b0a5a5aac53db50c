"""The metrics there are, which of them the inputs allow, and one way to take them all."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from elf.data.tokenizer import Tokenizer
from elf.errors import UsageError
from elf.evaluation.diversity import (
    distinct_scores,
    entropy_scores,
    repetition_scores,
    tokens_of,
)
from elf.evaluation.judge import Judge
from elf.evaluation.likeness import bleu_of_sums, bleu_scores, rouge_scores
from elf.evaluation.memorisation import copying, memorisation_scores
from elf.evaluation.perplexity import judge_scores
from elf.evaluation.scores import Scores, blank, counted_texts, ratio
from elf.evaluation.words import (
    KeyWords,
    kept_scores,
    word_fault_scores,
)
from elf.progress import SizedIterable, say

METRICS = (
    *("gen_ppl", "bleu", "rouge", "kept", "entropy", "distinct", "repetition"),
    *("stutter", "unknown", "names", "memorisation"),
)


def choose_metrics(
    asked: str | None, lacking: Mapping[str, UsageError], by_name_only: Collection[str] = ()
) -> list[str]:
    """The metrics named by `asked`, with commas between; if None all that lack nothing, but those `by_name_only`.

    `lacking` holds what the inputs do not allow, metric → the error that says what it needs, which is raised where one
    is asked for. Raises UsageError for one that does not exist.
    """
    if asked is None:
        return [name for name in METRICS if name not in lacking and name not in by_name_only]
    chosen = [name.strip() for name in asked.split(",")]
    for name in chosen:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}", f"Choose among {', '.join(METRICS)}.")
    for name in chosen:
        if name in lacking:
            raise lacking[name]
    return chosen


def tell_blank(name: str, count: int, texts: int, keep_blank: bool) -> None:
    """Says how many of the texts of `name` are blank, if any are."""
    if count and jax.process_index() == 0:
        say(f"{name}: {count} of {texts} texts are blank" + ("" if keep_blank else ", and in no perplexity or entropy"))


@dataclass(frozen=True)
class Measures:
    """What to measure, and what with. Each method takes those of its metrics that are asked for."""

    metrics: Sequence[str]
    tokenizer: Tokenizer | None = None
    """Whose tokens distinct-n, repetition and, without a judge, entropy count; words between spaces if None."""
    judge: Judge | None = None
    training: SizedIterable[str] = ()
    n: int = 8
    """Words of the n-grams that memorisation counts."""
    confidence: bool = True
    """With `NAME_ci` beside each figure, its 95 % confidence interval."""

    @cached_property
    def key_words(self) -> KeyWords:
        return KeyWords.of(self.training)

    def of(
        self,
        texts: list[str],
        references: list[str] | None = None,
        sources: Sequence[str] | None = None,
        *,
        keep_blank: bool = False,
    ) -> Scores:
        """All figures. Every process must call this alike.

        `gen_ppl` and, under a judge, `entropy` are of its tokens, and of blank texts only if they are kept
        (`counted_texts`); `blank` counts them. Without references there is no BLEU and no ROUGE. `sources` are what the
        texts go on from: the judge reads them first, and `kept` needs them.
        """
        scores = Scores({"blank": int(blank(texts).sum())})
        scores.add(self.judged(texts, sources, keep_blank))
        if references is not None:
            scores.add(self.likeness(texts, references))
        if sources is not None:
            scores.add(self.kept(texts, sources))
        scores.add(self.diversity(texts, keep_blank))
        if "entropy" in scores.figures:
            scores.figures.setdefault("entropy_tokens", "model")
        scores.add(self.word_faults(texts))
        scores.add(self.memorisation(texts))
        return scores

    def judged(self, texts: list[str], sources: Sequence[str] | None, keep_blank: bool) -> Scores:
        """Perplexity, and entropy of the judge's tokens."""
        if "gen_ppl" not in self.metrics or self.judge is None:
            return Scores()
        return judge_scores(
            self.judge,
            texts,
            sources,
            keep_blank=keep_blank,
            with_entropy="entropy" in self.metrics,
            confidence=self.confidence,
        )

    def likeness(self, texts: list[str], references: list[str]) -> Scores:
        """BLEU and ROUGE."""
        scores = Scores()
        if "bleu" in self.metrics:
            scores.add(bleu_scores(texts, references, self.confidence))
        if "rouge" in self.metrics:
            scores.add(rouge_scores(texts, references, self.confidence))
        return scores

    def kept(self, texts: list[str], sources: Sequence[str]) -> Scores:
        """What the texts take up of their sources."""
        return kept_scores(self.key_words, sources, texts, self.confidence) if "kept" in self.metrics else Scores()

    def diversity(self, texts: list[str], keep_blank: bool) -> Scores:
        """`tokens_mean`, distinct-n, repetition, and entropy unless it was `judged`."""
        tokens = tokens_of(texts, self.tokenizer)
        scores = Scores({"tokens_mean": sum(map(len, tokens)) / len(tokens)})
        judged = "gen_ppl" in self.metrics and self.judge is not None
        if "entropy" in self.metrics and not judged:
            scores.add(entropy_scores(tokens, self.confidence, counted_texts(texts, keep_blank)))
        if "distinct" in self.metrics:
            scores.add(distinct_scores(tokens))
        if "repetition" in self.metrics:
            scores.add(repetition_scores(tokens, self.confidence))
        return scores

    def word_faults(self, texts: list[str]) -> Scores:
        """Stutter, unknown words and names."""
        return word_fault_scores(self.metrics, texts, lambda: self.key_words, self.confidence)

    def memorisation(self, texts: list[str], held_out: Sequence[str] = ()) -> Scores:
        """Of the texts and, in the same search, of held-out text, whose figures are `held_out_NAME`."""
        if "memorisation" not in self.metrics:
            return Scores()
        copied = copying([*texts, *held_out], self.training, self.n)
        scores = memorisation_scores(copied[: len(texts)], self.n, self.confidence)
        if held_out:
            scores.figures |= memorisation_scores(copied[len(texts) :], self.n, self.confidence, "held_out_").figures
        return scores


def score_of_sums(name: str) -> Callable[[np.ndarray], float]:
    """How the figure `name` comes from the sums of its statistics."""
    return {"bleu": bleu_of_sums, "gen_ppl": lambda sums: math.exp(ratio(sums))}.get(name, ratio)
