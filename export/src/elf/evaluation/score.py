"""Score generated texts without the model that wrote them."""

import json
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import tyro

from elf.data.text_value import LeftOut
from elf.data.tokenizer import load_tokenizer
from elf.errors import GenerationsError, UsageError
from elf.evaluation.judge import load_judge
from elf.evaluation.metrics import Measures, choose_metrics, tell_blank
from elf.evaluation.real_texts import NO_TEXTS, RealTexts, corpus_texts
from elf.evaluation.scores import Scores, blank
from elf.evaluation.texts_by_id import match_references, read_generations, read_references, read_sources

ASKED_FOR = {"kept"}
"""Metrics that the inputs alone do not call for: a text to a source need not go on from it."""

COUNT_TOKENS = {"entropy", "distinct", "repetition"}
READ_TRAINING = {"kept", "unknown", "names", "memorisation"}


@dataclass(frozen=True)
class Arguments:
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


def main(arguments: Arguments) -> None:
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
    scores.add(measures.judged(generated, matched["source"] if arguments.continuation else None, keep_blank))
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


def _metrics(arguments: Arguments) -> list[str]:
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
    if arguments.ngram < 1:
        raise UsageError(f"--ngram is {arguments.ngram}", "Give at least 1.")
    lacking = {}
    for name, needed in inputs.items():
        option = next((option for option, given in needed if not given), None)
        if option is not None:
            lacking[name] = UsageError(
                f"{name} needs a --{option}" + (" file" if option != "judge" else ""),
                f"Give --{option}, or leave {name} out of --metrics.",
            )
    return choose_metrics(arguments.metrics, lacking, ASKED_FOR)


def _measures(metrics: list[str], arguments: Arguments) -> Measures:
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
    texts: dict[str, str], beside: dict[str, dict[str, str | None]], arguments: Arguments
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


def _targets(corpus: Path, arguments: Arguments, most: int | None = None) -> RealTexts:
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
