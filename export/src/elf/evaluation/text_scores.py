"""Every metric of generated texts that needs no model, with 95 % confidence intervals where they are cheap."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from elf.evaluation.bleu_rouge import bleu_of_sums, bleu_statistics, corpus_bleu, rouge_f1
from elf.evaluation.bootstrap import confidence_interval, mean_interval
from elf.evaluation.diversity import Tokens, adjacent_repetition, distinct, duplicated_4_grams, entropies
from elf.evaluation.kept_words import KeyWords, kept_words, moved
from elf.evaluation.memorisation import Copying
from elf.evaluation.word_faults import name_drift, stutter, unknown_words


@dataclass
class Scores:
    """Figures of a set of samples, and what is known of each sample."""

    figures: dict[str, Any] = field(default_factory=dict)
    """Name → number; `NAME_ci` → [low, high] of its 95 % confidence interval."""
    samples: dict[str, Sequence[Any]] = field(default_factory=dict)
    """Name → one value for each sample."""
    statistics: dict[str, np.ndarray] = field(default_factory=dict)
    """Name → (n, k) numbers of each sample, such that the figure needs only their sums: what `score_of_sums` takes."""

    def add_share(self, name: str, counts: np.ndarray, confidence: bool) -> None:
        """Of all samples together: counts (n, 2) are of each the part and the whole."""
        self.figures[name] = _ratio(counts.sum(0))
        if confidence:
            self.figures[f"{name}_ci"] = [*confidence_interval(counts, _ratio)]
        self.samples[name] = [_ratio(row) for row in counts]
        self.statistics[name] = counts

    def add(self, other: "Scores") -> None:
        self.figures |= other.figures
        self.samples |= other.samples
        self.statistics |= other.statistics

    def add_mean(self, name: str, values: np.ndarray, confidence: bool, counted: np.ndarray | None = None) -> None:
        """`counted` (n,) bool: which samples the mean is of; all unless given. A mean of none is None."""
        counted = np.ones(len(values), bool) if counted is None else counted
        within = values[counted]
        self.figures[name] = float(within.mean()) if len(within) else None
        if confidence:
            self.figures[f"{name}_ci"] = [*mean_interval(within)] if len(within) else None
        self.samples[name] = [value if counts else None for value, counts in zip(values.tolist(), counted, strict=True)]
        if len(within):
            self.statistics[name] = np.stack([values, np.ones(len(values))], axis=1) * counted[:, None]


def score_of_sums(name: str) -> Callable[[np.ndarray], float]:
    """How the figure `name` comes from the sums of its statistics."""
    return {"bleu": bleu_of_sums, "gen_ppl": lambda sums: math.exp(_ratio(sums))}.get(name, _ratio)


def bleu_scores(generated: Sequence[str], references: Sequence[str], confidence: bool = False) -> Scores:
    """`bleu` (0 … 100) and `bleu_signature`, which says how it was taken."""
    scores = Scores()
    scores.figures["bleu"], scores.figures["bleu_signature"] = corpus_bleu(generated, references)
    if confidence:
        scores.statistics["bleu"] = bleu_statistics(generated, references)
        scores.figures["bleu_ci"] = [*confidence_interval(scores.statistics["bleu"], bleu_of_sums)]
    return scores


def rouge_scores(generated: Sequence[str], references: Sequence[str], confidence: bool = False) -> Scores:
    """`rouge1`, `rouge2`, `rougeL`: mean F1 in 0 … 100."""
    scores = Scores()
    for name, values in rouge_f1(generated, references).items():
        scores.add_mean(name, values, confidence)
    return scores


def blank(texts: Sequence[str]) -> np.ndarray:
    """Which texts are nothing but white space, (n,) bool."""
    return np.array([not text.strip() for text in texts], bool)


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
        scores.figures[f"kept_{kind}_chance"] = _ratio(moved_away[kind].sum(0))
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
    """Those of `stutter`, `unknown` and `names` that `metrics` asks for; the corpus is read only where one needs it."""
    scores = Scores()
    if "stutter" in metrics:
        scores.add(stutter_scores(texts, confidence))
    if "unknown" in metrics:
        scores.add(unknown_scores(key_words(), texts, confidence))
    if "names" in metrics:
        scores.add(name_scores(key_words(), texts, confidence))
    return scores


def _ratio(sums: np.ndarray) -> float:
    part, whole = sums.tolist()
    return part / whole if whole else 0.0
