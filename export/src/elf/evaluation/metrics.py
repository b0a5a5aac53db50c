"""The metrics there are, which of them the inputs allow, and one way to take them all, also without a model: `elf
score`."""

import json
import math
import textwrap
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from elf.config import check_count
from elf.data.tables import LeftOut
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.errors import GenerationsError, UsageError
from elf.evaluation.judge import Judge, load_judge
from elf.evaluation.memorisation import copying, memorisation_scores
from elf.evaluation.perplexity import judge_scores
from elf.evaluation.scores import Scores, blank, bleu_of_sums, bleu_scores, counted_texts, ratio, rouge_scores
from elf.evaluation.texts import (
    NO_TEXTS,
    RealTexts,
    corpus_texts,
    match_references,
    read_generations,
    read_references,
    read_sources,
)
from elf.evaluation.words import (
    KeyWords,
    distinct_scores,
    entropy_scores,
    kept_scores,
    repetition_scores,
    tokens_of,
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


# --- Texts scored without the model that wrote them: `elf score` ----------------------------------------------------

ASKED_FOR = {"kept"}
"""Metrics that the inputs alone do not call for: a text to a source need not go on from it."""

COUNT_TOKENS = {"entropy", "distinct", "repetition"}
READ_TRAINING = {"kept", "unknown", "names", "memorisation"}


@dataclass(frozen=True)
class ScoreArguments:
    generations: Annotated[Path, tyro.conf.Positional]
    """Generated texts, JSONL: {"id": 0, "generated": "…"} on each line."""
    reference: Path | None = None
    """References: .jsonl with "output" (and "id"), or one text a line (id = line number from 0). A text whose reference
    is null is left out, and counted. The texts are then answers, and blank ones stay in perplexity and entropy; without
    references they are left out of both."""
    metrics: str | None = None
    """Some of gen_ppl,bleu,rouge,kept,entropy,distinct,repetition,stutter,unknown,names,memorisation, with commas
    between. Left out: all that the inputs allow, but `kept` only by name: how much of their sources, "input" in
    --reference, the texts take up."""
    judge: str | None = None
    """The language model for gen_ppl: a folder of `elf train-judge`, or a GPT-2 on disk or the hub. Entropy is of its
    tokens then, as in `elf evaluate`."""
    continuation: bool = False
    """The texts go on from their sources, "input" in --reference, which the judge reads first, whole."""
    training: Path | None = None
    """Training text for memorisation, unknown words, names and `kept`: any corpus file (.json, .jsonl, .tsv or .txt).
    Of pairs the target counts."""
    training_texts: int | None = None
    """At most so many of its texts, evenly spread; all unless given. Four million words take some 20 s."""
    held_out: Path | None = None
    """Real text that was not trained on, measured in the same way for memorisation, stutter, unknown words and names
    and printed beside them. At most as many texts as there are generations are taken."""
    reverse: bool = False
    """The target of the pairs in --training and --held-out is the first of the two, as in `elf prepare --reverse`."""
    ngram: int = 8
    """Words of the n-grams that memorisation counts."""
    tokenizer: Path | None = None
    """tokenizer.json whose tokens entropy, distinct-n and repetition count; words between spaces if not given."""
    confidence: bool = False
    """Add 95 % confidence intervals (1,000 resampled sets), as NAME_ci."""
    details: Path | None = None
    """JSONL file to write: what is known of each sample, its nearest training sentence included."""
    json: bool = False
    """Print one JSON object instead of a table."""


def score(arguments: ScoreArguments) -> None:
    """Score generated texts without the model that wrote them.

    Perplexity under a judge, likeness to references, diversity, and copying from the training text.
    """
    metrics = _metrics(arguments)
    texts = read_generations(arguments.generations)
    beside: dict[str, dict[str, str | None]] = {}
    if arguments.reference is not None:
        if "bleu" in metrics or "rouge" in metrics:
            beside["reference"] = read_references(arguments.reference)
        if "kept" in metrics or ("gen_ppl" in metrics and arguments.continuation):
            beside["source"] = read_sources(arguments.reference)
    unused = len(beside["reference"]) - len(texts) if "reference" in beside else 0
    texts, matched, left_out = _with_texts_beside(texts, beside, arguments)
    generated = [*texts.values()]
    scores = Scores({"n": len(generated), "blank": int(blank(generated).sum())})
    keep_blank = arguments.reference is not None
    tell_blank(arguments.generations.name, scores.figures["blank"], len(generated), keep_blank)
    if left_out.null:
        scores.figures["left_out"] = left_out.null

    measures = _measures(metrics, arguments)
    scores.add(measures.judged(generated, matched.get("source") if arguments.continuation else None, keep_blank))
    if "reference" in matched:
        scores.figures["references_unused"] = unused
        scores.add(measures.likeness(generated, matched["reference"]))
    if "kept" in metrics:
        scores.add(measures.kept(generated, matched["source"]))
    if COUNT_TOKENS & {*metrics}:
        scores.figures["tokens"] = str(arguments.tokenizer or "words")
        scores.add(measures.diversity(generated, keep_blank))
    held_out: list[str] = []
    if arguments.held_out:
        # As many: the longest copy and other maxima compare only for equally many texts.
        held_out = _targets(arguments.held_out, arguments).evenly(len(generated))
        scores.figures["held_out_n"] = len(held_out)
    scores.add(measures.word_faults(generated))
    real = measures.word_faults(held_out) if held_out else Scores()
    scores.figures |= {f"held_out_{name}": value for name, value in real.figures.items()}
    scores.add(measures.memorisation(generated, held_out))

    if arguments.details:
        _write_details(arguments.details, [*texts], scores)
    print(json.dumps(scores.figures, ensure_ascii=False) if arguments.json else _table(scores.figures))


def _metrics(arguments: ScoreArguments) -> list[str]:
    """The metrics to take. Raises UsageError for one that does not exist or lacks its input."""
    reference, training = ("reference", arguments.reference), ("training", arguments.training)
    inputs: dict[str, list[tuple[str, object]]] = {
        "bleu": [reference],
        "rouge": [reference],
        "kept": [reference, training],
        "unknown": [training],
        "names": [training],
        "memorisation": [training],
    }
    inputs["gen_ppl"] = [("judge", arguments.judge), *([reference] if arguments.continuation else [])]
    if arguments.continuation and not arguments.judge:
        raise UsageError("--continuation needs a --judge to read the sources", "Give --judge too.")
    if arguments.held_out and not arguments.training:
        raise UsageError("--held-out needs a --training file to compare with", "Give --training too.")
    check_count("--ngram", arguments.ngram)
    check_count("--training-texts", arguments.training_texts)
    lacking = {}
    for name, needed in inputs.items():
        option = next((option for option, given in needed if not given), None)
        if option is not None:
            lacking[name] = UsageError(
                f"{name} needs a --{option}" + (" file" if option != "judge" else ""),
                f"Give --{option}, or leave {name} out of --metrics.",
            )
    metrics = choose_metrics(arguments.metrics, lacking, ASKED_FOR)
    if arguments.continuation and arguments.reference is None:
        raise UsageError("--continuation needs a --reference file to read the sources from", "Give --reference too.")
    return metrics


def _measures(metrics: list[str], arguments: ScoreArguments) -> Measures:
    training: RealTexts = NO_TEXTS
    if arguments.training is not None and READ_TRAINING & {*metrics}:
        training = _targets(arguments.training, arguments, arguments.training_texts)
    return Measures(
        metrics,
        load_tokenizer(arguments.tokenizer) if arguments.tokenizer and COUNT_TOKENS & {*metrics} else None,
        load_judge(arguments.judge) if arguments.judge and "gen_ppl" in metrics else None,
        training,
        arguments.ngram,
        arguments.confidence,
    )


def _with_texts_beside(
    texts: dict[str, str], beside: dict[str, dict[str, str | None]], arguments: ScoreArguments
) -> tuple[dict[str, str], dict[str, list[str]], LeftOut]:
    """The generations, and what belongs to each, without those that have null beside them.

    Raises GenerationsError for one that has nothing there, and where none is left.
    """
    path = arguments.reference
    if path is None or not beside:
        return texts, {}, LeftOut()
    found = {name: match_references(texts, by_id, path) for name, by_id in beside.items()}
    whole = [row for row in range(len(texts)) if all(column[row] is not None for column in found.values())]
    left_out = LeftOut(null=len(texts) - len(whole))
    if not whole:
        raise GenerationsError(f"{path} has null for every generation", "Give references that have a text.")
    left_out.tell(path)
    kept = [*texts.items()]
    matched = {
        name: [text for text in (column[row] for row in whole) if text is not None] for name, column in found.items()
    }
    return dict(kept[row] for row in whole), matched, left_out


def _targets(corpus: Path, arguments: ScoreArguments, most: int | None = None) -> RealTexts:
    return corpus_texts(corpus, lambda row: row[0 if arguments.reverse else -1], most)


def _write_details(path: Path, ids: list[str], scores: Scores) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number, id in enumerate(ids):
            row = {"id": id, **{name: values[number] for name, values in scores.samples.items()}}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


def _table(figures: dict[str, Any]) -> str:
    """A line for each figure, its interval behind it, and held-out text in a column beside the generated."""
    lines = []
    for name in figures:
        if name.endswith("_ci") or (name.startswith("held_out_") and name.removeprefix("held_out_") in figures):
            continue
        line = f"{name:22} {_shown(figures, name)}"
        if f"held_out_{name}" in figures:
            line += f"    held-out: {_shown(figures, f'held_out_{name}')}"
        lines.append(line)
    return "\n".join(lines)


def _shown(figures: dict[str, Any], name: str) -> str:
    value = figures[name]
    text = f"{value:.4f}" if isinstance(value, float) else textwrap.shorten(str(value), 80, placeholder=" …")
    if interval := figures.get(f"{name}_ci"):
        text += f"  [{interval[0]:.4f}, {interval[1]:.4f}]"
    return text
