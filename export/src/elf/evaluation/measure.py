"""The figures of a set of texts that an evaluation reports: under a judge, beside references, and of themselves."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from elf.errors import UsageError
from elf.evaluation.diversity import Tokens
from elf.evaluation.judge import Judge
from elf.evaluation.kept_words import KeyWords
from elf.evaluation.memorisation import copying
from elf.evaluation.perplexity import gen_perplexity
from elf.evaluation.text_scores import (
    Scores,
    bleu_scores,
    distinct_scores,
    entropy_scores,
    kept_scores,
    memorisation_scores,
    repetition_scores,
    rouge_scores,
)
from elf.progress import ticker

METRICS = ("gen_ppl", "bleu", "rouge", "kept", "entropy", "distinct", "repetition", "memorisation")

NEEDS = {
    "gen_ppl": "a --judge",
    "bleu": "references: a conditional model and its --data",
    "rouge": "references: a conditional model and its --data",
    "kept": "the --training text, and sources that the texts go on from: --continuation",
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


@dataclass(frozen=True)
class Measures:
    """What to measure, and what with."""

    metrics: list[str]
    tokens: Callable[[Sequence[str]], list[Tokens]]
    """Texts as tokens, for distinct-n, repetition and, without a judge, entropy."""
    judge: Judge | None = None
    training: list[str] = field(default_factory=list)

    @cached_property
    def key_words(self) -> KeyWords:
        return KeyWords.of(self.training)

    def of(self, texts: list[str], references: list[str] | None = None, sources: Sequence[str] | None = None) -> Scores:
        """The figures, each with `NAME_ci` for its 95 % confidence interval. Every process must call this alike.

        `gen_ppl` and, under a judge, `entropy` are of its tokens, as published figures are (spec section 6). Without
        references there is no BLEU and no ROUGE. `sources` are what the texts go on from: the judge reads them first,
        and `kept` needs them.
        """
        scores = Scores({"empty": sum(not text.strip() for text in texts)})
        if "gen_ppl" in self.metrics and self.judge:
            tick = ticker("judging texts", len(texts))
            judged = gen_perplexity(self.judge, texts, on_progress=tick, sources=sources)
            scores.statistics["gen_ppl"] = np.stack([judged.per_sample_nll, judged.per_sample_tokens], axis=1)
            scores.figures |= {
                "gen_ppl": judged.perplexity,
                "gen_ppl_ci": judged.interval,
                "gen_ppl_tokens": judged.tokens,
                "bits_per_byte": judged.bits_per_byte,
            }
            if "entropy" in self.metrics:
                entropy = {"entropy": judged.entropy, "entropy_ci": judged.entropy_interval}
                scores.figures |= {**entropy, "entropy_tokens": "judge"}
                scores.statistics["entropy"] = np.array([(value, 1) for value in judged.per_sample_entropy])
        if references is not None and "bleu" in self.metrics:
            scores.add(bleu_scores(texts, references, confidence=True))
        if references is not None and "rouge" in self.metrics:
            scores.add(rouge_scores(texts, references, confidence=True))
        if sources is not None and "kept" in self.metrics:
            scores.add(kept_scores(self.key_words, sources, texts, confidence=True))
        tokens = self.tokens(texts)
        scores.figures["tokens_mean"] = sum(map(len, tokens)) / len(tokens)
        if "entropy" in self.metrics and "entropy" not in scores.figures:
            scores.add(entropy_scores(tokens, confidence=True))
            scores.figures["entropy_tokens"] = "model"
        if "distinct" in self.metrics:
            scores.add(distinct_scores(tokens))
        if "repetition" in self.metrics:
            scores.add(repetition_scores(tokens, confidence=True))
        if "memorisation" in self.metrics:
            scores.add(memorisation_scores(copying(texts, self.training), confidence=True))
        return scores
