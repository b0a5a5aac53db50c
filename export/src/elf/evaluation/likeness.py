"""Likeness to references: sacreBLEU and ROUGE as the official evaluation takes them (spec section 6)."""

from collections.abc import Sequence

import numpy as np
from sacrebleu.metrics import BLEU

from elf.evaluation.scores import Scores, confidence_interval
from elf.progress import told

ROUGES = ("rouge1", "rouge2", "rougeL")


def _bleu() -> BLEU:
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
