"""The figures of a set of texts that an evaluation reports: under a judge, beside references, and of themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import jax
import numpy as np

from elf.errors import UsageError
from elf.evaluation.diversity import Tokens
from elf.evaluation.judge import Judge
from elf.evaluation.kept_words import KeyWords
from elf.evaluation.memorisation import copying
from elf.evaluation.perplexity import gen_perplexity, perplexity
from elf.evaluation.text_scores import (
    Scores,
    blank,
    bleu_scores,
    distinct_scores,
    entropy_scores,
    kept_scores,
    memorisation_scores,
    repetition_scores,
    rouge_scores,
    word_fault_scores,
)
from elf.progress import SizedIterable, say, ticker

METRICS = (
    *("gen_ppl", "bleu", "rouge", "kept", "entropy", "distinct", "repetition"),
    *("stutter", "unknown", "names", "memorisation"),
)

NEEDS = {
    "gen_ppl": "a --judge",
    "bleu": "references: a conditional model and its --data",
    "rouge": "references: a conditional model and its --data",
    "kept": "the --training text, and sources that the texts go on from: --continuation",
    "unknown": "the --training text",
    "names": "the --training text",
    "memorisation": "the --training text",
}


def choose_metrics(asked: str | None, possible: set[str]) -> list[str]:
    """The metrics named by `asked`, with commas between; all that are possible if None.

    `possible` holds those of `NEEDS` whose input is there. Raises UsageError for one that does not exist or lacks its
    input.
    """
    if asked is None:
        return [name for name in METRICS if name not in NEEDS or name in possible]
    chosen = [name.strip() for name in asked.split(",")]
    for name in chosen:
        if name not in METRICS:
            raise UsageError(f"there is no metric {name!r}", f"Choose among {', '.join(METRICS)}.")
        if name in NEEDS and name not in possible:
            raise UsageError(f"{name} needs {NEEDS[name]}", f"Give it, or leave {name} out of --metrics.")
    return chosen


def counted_texts(texts: Sequence[str], keep_blank: bool) -> np.ndarray:
    """Which texts perplexity and entropy are of, (n,) bool: all but the blank ones, unless those are kept.

    As the official evaluation has it (spec section 6): where texts are written freely, a blank one is no text; where
    each answers a source, it is a bad answer.
    """
    return np.ones(len(texts), bool) if keep_blank else ~blank(texts)


def tell_blank(name: str, count: int, texts: int, keep_blank: bool) -> None:
    """Says how many of the texts of `name` are blank, if any are."""
    if count and jax.process_index() == 0:
        say(f"{name}: {count} of {texts} texts are blank" + ("" if keep_blank else ", and in no perplexity or entropy"))


def judge_scores(
    judge: Judge,
    texts: Sequence[str],
    sources: Sequence[str] | None = None,
    *,
    keep_blank: bool,
    with_entropy: bool = True,
    confidence: bool = True,
) -> Scores:
    """`gen_ppl`, with `gen_ppl_tokens` and `bits_per_byte`, and `entropy` of the judge's tokens, as it is published.

    `sources` are what the texts go on from: the judge reads them first. Every process must call this alike.
    """
    counted = counted_texts(texts, keep_blank)
    kept = np.flatnonzero(counted).tolist()
    judged = gen_perplexity(
        judge,
        [texts[i] for i in kept],
        on_progress=ticker("judging texts", len(kept)),
        sources=[sources[i] for i in kept] if sources is not None else None,
    )

    def spread(values: Sequence[float]) -> np.ndarray:
        """A number of each text that was judged as one of every text, 0 for the others."""
        whole = np.zeros(len(texts))
        whole[kept] = values
        return whole

    scores = Scores({"gen_ppl": judged.perplexity})
    if confidence:
        scores.figures["gen_ppl_ci"] = judged.interval
    scores.figures |= {"gen_ppl_tokens": judged.tokens, "bits_per_byte": judged.bits_per_byte}
    nll, tokens = spread(judged.per_sample_nll), spread(judged.per_sample_tokens)
    scores.samples["gen_ppl"] = [perplexity(*each) for each in zip(nll.tolist(), tokens.tolist(), strict=True)]
    if judged.tokens:
        scores.statistics["gen_ppl"] = np.stack([nll, tokens], axis=1)
    if with_entropy:
        scores.add_mean("entropy", spread(judged.per_sample_entropy), confidence, counted)
        scores.figures["entropy_tokens"] = "judge"
    return scores


@dataclass(frozen=True)
class Measures:
    """What to measure, and what with."""

    metrics: list[str]
    tokens: Callable[[Sequence[str]], list[Tokens]]
    """Texts as tokens, for distinct-n, repetition and, without a judge, entropy."""
    judge: Judge | None = None
    training: SizedIterable[str] = ()

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
        """The figures, each with `NAME_ci` for its 95 % confidence interval. Every process must call this alike.

        `gen_ppl` and, under a judge, `entropy` are of its tokens, and of blank texts only if they are kept
        (`counted_texts`); `blank` counts them. Without references there is no BLEU and no ROUGE. `sources` are what the
        texts go on from: the judge reads them first, and `kept` needs them.
        """
        scores = Scores({"blank": int(blank(texts).sum())})
        if "gen_ppl" in self.metrics and self.judge:
            with_entropy = "entropy" in self.metrics
            scores.add(judge_scores(self.judge, texts, sources, keep_blank=keep_blank, with_entropy=with_entropy))
        if references is not None and "bleu" in self.metrics:
            scores.add(bleu_scores(texts, references, confidence=True))
        if references is not None and "rouge" in self.metrics:
            scores.add(rouge_scores(texts, references, confidence=True))
        if sources is not None and "kept" in self.metrics:
            scores.add(kept_scores(self.key_words, sources, texts, confidence=True))
        tokens = self.tokens(texts)
        scores.figures["tokens_mean"] = sum(map(len, tokens)) / len(tokens)
        if "entropy" in self.metrics and "entropy" not in scores.figures:
            scores.add(entropy_scores(tokens, confidence=True, counted=counted_texts(texts, keep_blank)))
            scores.figures["entropy_tokens"] = "model"
        if "distinct" in self.metrics:
            scores.add(distinct_scores(tokens))
        if "repetition" in self.metrics:
            scores.add(repetition_scores(tokens, confidence=True))
        scores.add(word_fault_scores(self.metrics, texts, lambda: self.key_words, confidence=True))
        if "memorisation" in self.metrics:
            scores.add(memorisation_scores(copying(texts, self.training), confidence=True))
        return scores
