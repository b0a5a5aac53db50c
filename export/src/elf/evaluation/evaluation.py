"""A model evaluated in several ways to sample: texts that go on where they were, their figures, a row for each way."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax
from jax.sharding import Mesh

from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.errors import UsageError
from elf.evaluation.first_process import from_first_process
from elf.evaluation.generate import Generator, checkpoint_of
from elf.evaluation.judge import load_judge
from elf.evaluation.measure import Measures, choose_metrics, tell_blank
from elf.evaluation.metrics_file import MetricsFile, Row
from elf.evaluation.options import EvaluationOptions
from elf.evaluation.per_text import per_text_file, write_per_text
from elf.evaluation.real_texts import NO_TEXTS, cut_texts, real_texts
from elf.evaluation.sampling_grid import Sampling
from elf.evaluation.sources import sources_for
from elf.models.trained_model import TrainedModel
from elf.progress import say

ROWS_PER_DEVICE = 16
SAMPLES = 1000


class Evaluated(NamedTuple):
    row: Row
    """Of metrics.jsonl."""
    figures: dict[str, Any]
    """Those fields of the row that were measured."""
    ids: list[int | str]
    texts: list[str]


class Evaluation:
    """A model, its data and its measures, all open; `carry_out` is one way to sample."""

    def __init__(
        self,
        model: TrainedModel,
        options: EvaluationOptions,
        mesh: Mesh,
        out: Path,
        weights: str | None = None,
        replaces: bool = False,
    ):
        """`weights` tells the model's weights from others; their fingerprint unless given. Texts in `out` that were
        made in another way are refused unless this `replaces` them.

        Raises UsageError for options that do not suit the model, and what opening data and judge raises.
        """
        self.options = options
        tokenizer = load_tokenizer(model.tokenizer) if model.tokenizer else None
        self.generator = Generator(
            model,
            sources_for(model, tokenizer, options.data, options.split, options.revision, options.samples),
            mesh,
            options.batch_size or ROWS_PER_DEVICE * mesh.size,
            options.compute_dtype,
            options.rng_processes or jax.process_count(),
            options.rng_devices or jax.local_device_count(),
            weights=weights,
            replaces=replaces,
        )
        conditional = bool(self.generator.rows)
        self.samples = sample_count(options.samples, len(self.generator.rows))
        check_continuation(options, conditional)
        self.measures = measures(options, tokenizer, conditional)
        self.held_out = real_texts(options.held_out, tokenizer, not conditional) if options.held_out else NO_TEXTS
        self.sources = self._sources(tokenizer) if options.continuation else None
        self.tokenizer = tokenizer
        self.held_out_figures: dict[int, dict[str, Any]] = {}
        """By length of text."""
        self.out = out
        self.file = MetricsFile(out / "metrics.jsonl")

    def carry_out(self, sampling: Sampling, position: int, stopping: Callable[[], bool] = lambda: False) -> Evaluated:
        """Writes and measures the texts as far as that is not done. Every process must call this alike.

        `stopping` is asked before every batch; where it says yes, StoppedError is raised. The texts so far are kept.
        """
        name = sampling.name(position)
        epoch, step = checkpoint_of(self.generator.model)
        settings = self.generator.settings(sampling, position)
        wanted = {"combination": name, "epoch": epoch, "step": step, **settings, "n": self.samples, **self._inputs()}
        texts, seconds = self.generator.texts(sampling, position, self.samples, self.out / name, stopping)
        ids = [row.id for row in self.generator.rows[: self.samples]] or [*range(self.samples)]
        row = from_first_process(self.file.find(wanted))
        if row is not None:
            if jax.process_index() == 0:
                say(f"{name}: already done")
            return Evaluated(row, {key: row[key] for key in row if key == "n" or key not in wanted}, ids, texts)
        references = [row.reference for row in self.generator.rows[: self.samples]] or None
        # Each row of --data has an answer, also where it is blank.
        measured = self.measures.of(texts, references, self.sources, keep_blank=bool(references))
        tell_blank(name, measured.figures["blank"], len(texts), keep_blank=bool(references))
        figures = {
            **measured.figures,
            **{f"held_out_{figure}": value for figure, value in self._held_out(settings["length"]).items()},
        }
        if self.measures.judge and (real := self.measures.judge.facts.get("held_out")):
            # Of real text of the corpus that the judge was trained on, as `elf train-judge` measured it.
            figures["judge_held_out_ppl"] = real["perplexity"]
        figures["seconds"] = round(seconds, 3)
        figures["samples_per_second"] = round(len(texts) / seconds, 3) if seconds else None
        row = json.loads(json.dumps({**wanted, **figures}))
        if jax.process_index() == 0:
            # Before the row, which says that all is done.
            write_per_text(per_text_file(self.out / name, epoch, step), ids, measured.statistics)
            self.file.put(row)
        return Evaluated(row, {"n": self.samples, **figures}, ids, texts)

    def _inputs(self) -> dict[str, Any]:
        """What the measures were taken with."""
        judge = self.measures.judge
        given = {name: getattr(self.options, name) for name in ("data", "held_out", "training", "training_texts")}
        return {
            "metrics": self.measures.metrics,
            "continuation": self.options.continuation,
            "judge": judge.name if judge else None,
            **{name: str(value) if value else None for name, value in given.items()},
        }

    def _sources(self, tokenizer: Tokenizer | None) -> list[str]:
        """What the model saw of them: a longer source was cut."""
        assert tokenizer is not None  # sources_for has refused this
        return [tokenizer.decode(row.source_ids.tolist()) for row in self.generator.rows[: self.samples]]

    def _held_out(self, length: int) -> dict[str, Any]:
        """Figures of the references of continuations, otherwise of the held-out text, cut to `length` tokens."""
        if length not in self.held_out_figures:
            # As many: the longest copy and other maxima compare only for equally many texts.
            texts = self.held_out.evenly(self.samples)
            if self.sources is not None:
                texts = [row.reference for row in self.generator.rows[: self.samples]]
            texts = cut_texts(texts, self.tokenizer, length)
            keep_blank = bool(self.generator.rows)
            figures = self.measures.of(texts, sources=self.sources, keep_blank=keep_blank).figures if texts else {}
            self.held_out_figures[length] = {"n": len(texts), **figures} if texts else {}
        return self.held_out_figures[length]


def check_continuation(options: EvaluationOptions, conditional: bool) -> None:
    """Raises UsageError for --continuation without sources, or with other real text than the references."""
    if options.continuation and not conditional:
        raise UsageError(
            "--continuation is given, but there are no sources to go on from", "Give --data, or leave it out."
        )
    if options.continuation and options.held_out:
        raise UsageError(
            "--held-out is given, but the real text beside continuations are the references of --data",
            "Leave --held-out out, or evaluate without --continuation.",
        )


def sample_count(asked: int | None, rows: int) -> int:
    """Texts to write; `rows` are those of --data, 0 without. Raises UsageError for none."""
    if asked is not None and asked < 1:
        raise UsageError(f"--samples is {asked}", "Give at least 1.")
    return min(rows, asked or rows) if rows else asked or SAMPLES


def measures(options: EvaluationOptions, tokenizer: Tokenizer | None, conditional: bool) -> Measures:
    """Raises UsageError for metrics that cannot be taken, and what opening the judge raises."""
    possible = {"bleu", "rouge"} if conditional else set()
    possible |= {"gen_ppl"} if options.judge else set()
    possible |= {"memorisation", "unknown", "names"} if options.training else set()
    possible |= {"kept"} if options.training and options.continuation else set()
    metrics = choose_metrics(options.metrics, possible)
    if options.metrics is None and not options.judge and jax.process_index() == 0:
        say("there is no --judge, so Gen. PPL is left out")

    def tokens(texts):
        if tokenizer is None:
            return [text.split() for text in texts]
        return [each.ids for each in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return Measures(
        metrics,
        tokens,
        load_judge(options.judge) if options.judge and "gen_ppl" in metrics else None,
        real_texts(options.training, tokenizer, most=options.training_texts) if options.training else NO_TEXTS,
    )
