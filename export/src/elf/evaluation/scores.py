"""Figures of a set of texts: what each text adds to them, how far they may be chance, and likeness to references."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from elf.progress import told

if TYPE_CHECKING:
    from sacrebleu.metrics import BLEU


def confidence_interval(
    statistics: np.ndarray, score: Callable[[np.ndarray], float], resamples: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """Low and high end of the middle 95 % of a score over resampled sets of examples: how far it may be chance.

    Percentile bootstrap (Efron 1979; for BLEU Koehn 2004, "Statistical significance tests for machine translation
    evaluation"). It covers the choice of the examples, not the seed of the sampler.
    statistics (n, k) are numbers of each example such that `score` needs only their sums (k,) over the examples.
    Every resampled set has n examples, drawn with replacement; the same seed gives the same sets.
    """
    examples = len(statistics)
    rng = np.random.default_rng(seed)
    scores = []
    for _ in range(resamples):
        times_drawn = np.bincount(rng.integers(examples, size=examples), minlength=examples)
        scores.append(score(times_drawn @ statistics))
    low, high = np.percentile(scores, [2.5, 97.5])
    return float(low), float(high)


def mean_interval(values: np.ndarray, resamples: int = 1000, seed: int = 0) -> tuple[float, float]:
    """The interval of the mean of `values` (n,)."""
    return confidence_interval(values[:, None], lambda sums: float(sums[0]) / len(values), resamples, seed)


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
        self.figures[name] = ratio(counts.sum(0))
        if confidence:
            self.figures[f"{name}_ci"] = [*confidence_interval(counts, ratio)]
        self.samples[name] = [ratio(row) for row in counts]
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


def blank(texts: Sequence[str]) -> np.ndarray:
    """Which texts are nothing but white space, (n,) bool."""
    return np.array([not text.strip() for text in texts], bool)


def ratio(sums: np.ndarray) -> float:
    part, whole = sums.tolist()
    return part / whole if whole else 0.0


def counted_texts(texts: Sequence[str], keep_blank: bool) -> np.ndarray:
    """Which texts perplexity and entropy are of, (n,) bool: all but the blank ones, unless those are kept.

    As the official evaluation has it (spec section 6): where texts are written freely, a blank one is no text; where
    each answers a source, it is a bad answer.
    """
    return np.ones(len(texts), bool) if keep_blank else ~blank(texts)


# --- Likeness to references: sacreBLEU and ROUGE as the official evaluation takes them (spec section 6) -------------

ROUGES = ("rouge1", "rouge2", "rougeL")


def _bleu() -> "BLEU":
    from sacrebleu.metrics import BLEU  # whoever measures no likeness need not wait for it

    # Effective order: n-gram lengths that no generation is long enough to have are left out, instead of making BLEU 0.
    # BLEU is of the whole corpus, so this matters only when *every* generation is shorter than 4 tokens.
    # `force` silences a warning about texts that end in " .": nothing here is tokenised beforehand.
    return BLEU(lowercase=True, effective_order=True, force=True)


def corpus_bleu(generated: Sequence[str], references: Sequence[str]) -> tuple[float, str]:
    """Corpus BLEU in 0 … 100, lower-cased, effective order, one reference each; and sacreBLEU's signature of it.

    An empty generation is legal: it adds to the length of the references only.
    """
    metric = _bleu()
    score = metric.corpus_score(list(generated), [list(references)]).score
    return score, str(metric.get_signature())


def bleu_statistics(generated: Sequence[str], references: Sequence[str]) -> np.ndarray:
    """What each example adds to corpus BLEU, (n, 10): n-grams that match for 1 … 4, n-grams for 1 … 4, both lengths."""
    metric = _bleu()
    rows = []
    for text, reference in zip(generated, references, strict=True):
        score = metric.sentence_score(text, [reference])
        rows.append([*score.counts, *score.totals, score.sys_len, score.ref_len])
    return np.array(rows, np.int64)


def bleu_of_sums(sums: np.ndarray) -> float:
    """Corpus BLEU from the sums (10,) of `bleu_statistics`."""
    from sacrebleu.metrics import BLEU

    counts, totals, (length, reference_length) = np.split(sums, [4, 8])
    return BLEU.compute_bleu(
        counts.tolist(), totals.tolist(), int(length), int(reference_length), smooth_method="exp", effective_order=True
    ).score


def rouge_f1(generated: Sequence[str], references: Sequence[str]) -> dict[str, np.ndarray]:
    """ROUGE-1, ROUGE-2 and ROUGE-L of each example (n,), F1 in 0 … 100, words stemmed.

    ROUGE-L is of the text as one sequence (not ROUGE-Lsum). The corpus figure is the mean over the examples.
    """
    # It loads nltk and scipy.stats, which take seconds that whoever measures no likeness need not wait.
    from rouge_score.rouge_scorer import RougeScorer

    scorer = RougeScorer(list(ROUGES), use_stemmer=True)
    pairs = [*zip(references, generated, strict=True)]
    # RougeScorer takes the target first, then the prediction.
    scores = [scorer.score(reference, text) for reference, text in told(pairs, "ROUGE")]
    return {name: np.array([100 * score[name].fmeasure for score in scores]) for name in ROUGES}


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
