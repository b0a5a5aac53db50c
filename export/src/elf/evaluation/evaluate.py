"""Evaluate a model: write texts in every way that a sampling file names, on all devices, and measure them.

For each way there is a folder with `all_generated_<epoch>_<step>.jsonl`, and a row in `metrics.jsonl`. Killed at any
moment, the same command goes on with the missing texts; what is finished is not done again.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from elf.data.evenly import take_evenly
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.devices import make_mesh
from elf.errors import UsageError
from elf.evaluation.first_process import from_first_process
from elf.evaluation.generate import Generator, checkpoint_of
from elf.evaluation.judge import load_judge
from elf.evaluation.measure import Measures, choose_metrics, tell_blank
from elf.evaluation.metrics_file import MetricsFile, Row
from elf.evaluation.options import EvaluationOptions
from elf.evaluation.per_text import per_text_file, write_per_text
from elf.evaluation.real_texts import cut_texts, real_texts
from elf.evaluation.sampling_grid import Sampling, load_samplings
from elf.evaluation.sources import sources_for
from elf.models.find_checkpoint import CHECKPOINT
from elf.models.open_model import open_model
from elf.models.options import CheckpointOptions
from elf.processes import ProcessArguments
from elf.progress import say

ROWS_PER_DEVICE = 16
SAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Arguments(ProcessArguments, CheckpointOptions, EvaluationOptions):
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """A trained model's folder; the output folder of a training, finished or not; one of its
    checkpoints/checkpoint_N; or an official checkpoint."""
    config: Path | None = None
    """YAML of the training, where the checkpoint has neither a `model` folder nor a config.yml beside it."""
    overrides: tuple[str, ...] = ()
    """Sampling settings, set in every entry of --sampling, given bare: steps=8 gamma=[0.5,1.5] …"""
    fsdp: int = 1
    """Devices that share one copy of the weights."""
    out: Path | None = None
    """Output folder; `evaluation` in the training's, or in the model's, unless given."""
    json: bool = False
    """Print the rows of metrics.jsonl instead of lines to read."""


def main(arguments: Arguments) -> None:
    samplings = load_samplings(arguments.sampling, arguments.overrides)
    arguments.join_processes()
    evaluation = Evaluation(arguments)
    for sampling in samplings:
        evaluation.generator.check(sampling)
    for position, sampling in enumerate(samplings):
        row = evaluation.carry_out(sampling, position)
        if jax.process_index() == 0:
            print(json.dumps(row, ensure_ascii=False) if arguments.json else line(row), flush=True)


class Evaluation:
    """A model, its data and its measures, all open; `carry_out` is one way to sample."""

    def __init__(self, arguments: Arguments):
        self.arguments = arguments
        model = open_model(arguments.checkpoint, arguments.config, arguments).in_memory()
        tokenizer = load_tokenizer(model.tokenizer) if model.tokenizer else None
        mesh = make_mesh(arguments.fsdp)
        self.generator = Generator(
            model,
            sources_for(model, tokenizer, arguments.data, arguments.split, arguments.revision),
            mesh,
            arguments.batch_size or ROWS_PER_DEVICE * mesh.size,
            arguments.compute_dtype,
            arguments.rng_processes or jax.process_count(),
            arguments.rng_devices or jax.local_device_count(),
        )
        self.samples = sample_count(arguments.samples, len(self.generator.rows))
        check_continuation(arguments, conditional=bool(self.generator.rows))
        self.measures = measures(arguments, tokenizer, conditional=bool(self.generator.rows))
        free = not self.generator.rows
        self.held_out = real_texts(arguments.held_out, tokenizer, free) if arguments.held_out else []
        self.sources = self._sources(tokenizer) if arguments.continuation else None
        self.tokenizer = tokenizer
        self.held_out_figures: dict[int, dict[str, Any]] = {}
        """By length of text."""
        self.out = arguments.out or default_out(arguments.checkpoint)
        self.file = MetricsFile(self.out / "metrics.jsonl")

    def carry_out(self, sampling: Sampling, position: int) -> Row:
        """Writes and measures the texts as far as that is not done; returns their row of metrics.jsonl."""
        name = sampling.name(position)
        epoch, step = checkpoint_of(self.generator.model)
        settings = self.generator.settings(sampling, position)
        wanted = {"combination": name, "epoch": epoch, "step": step, **settings, "n": self.samples, **self._inputs()}
        texts, seconds = self.generator.texts(sampling, position, self.samples, self.out / name)
        row = from_first_process(self.file.find(wanted))
        if row is not None:
            if jax.process_index() == 0:
                say(f"{name}: already done")
            return row
        references = [row.reference for row in self.generator.rows[: self.samples]] or None
        # Each row of --data has an answer, also where it is blank.
        measured = self.measures.of(texts, references, self.sources, keep_blank=bool(references))
        tell_blank(name, measured.figures["blank"], len(texts), keep_blank=bool(references))
        beside = {f"held_out_{figure}": value for figure, value in self._held_out(settings["length"]).items()}
        if self.measures.judge and (real := self.measures.judge.facts.get("held_out")):
            # Of real text of the corpus that the judge was trained on, as `elf train-judge` measured it.
            beside["judge_held_out_ppl"] = real["perplexity"]
        times = {
            "seconds": round(seconds, 3),
            "samples_per_second": round(len(texts) / seconds, 3) if seconds else None,
        }
        row = json.loads(json.dumps({**wanted, **measured.figures, **beside, **times}))
        if jax.process_index() == 0:
            ids = [row.id for row in self.generator.rows[: self.samples]] or [*range(self.samples)]
            # Before the row, which says that all is done.
            write_per_text(per_text_file(self.out / name, epoch, step), ids, measured.statistics)
            self.file.put(row)
        return row

    def _inputs(self) -> dict[str, Any]:
        """What the measures were taken with."""
        judge = self.measures.judge
        given = {name: getattr(self.arguments, name) for name in ("data", "held_out", "training")}
        return {
            "metrics": self.measures.metrics,
            "continuation": self.arguments.continuation,
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
            texts = take_evenly(self.held_out, self.samples)
            if self.sources is not None:
                texts = [row.reference for row in self.generator.rows[: self.samples]]
            texts = cut_texts(texts, self.tokenizer, length)
            keep_blank = bool(self.generator.rows)
            figures = self.measures.of(texts, sources=self.sources, keep_blank=keep_blank).figures if texts else {}
            self.held_out_figures[length] = {"n": len(texts), **figures} if texts else {}
        return self.held_out_figures[length]


def check_continuation(arguments: Arguments, conditional: bool) -> None:
    """Raises UsageError for --continuation without sources, or with other real text than the references."""
    if arguments.continuation and not conditional:
        raise UsageError(
            "--continuation is given, but there are no sources to go on from", "Give --data, or leave it out."
        )
    if arguments.continuation and arguments.held_out:
        raise UsageError(
            "--held-out is given, but the real text beside continuations are the references of --data",
            "Leave --held-out out, or evaluate without --continuation.",
        )


def sample_count(asked: int | None, rows: int) -> int:
    """Texts to write; `rows` are those of --data, 0 without. Raises UsageError for none."""
    if asked is not None and asked < 1:
        raise UsageError(f"--samples is {asked}", "Give at least 1.")
    return min(rows, asked or rows) if rows else asked or SAMPLES


def measures(arguments: Arguments, tokenizer: Tokenizer | None, conditional: bool) -> Measures:
    """Raises UsageError for metrics that cannot be taken, and what opening the judge raises."""
    possible = {"bleu", "rouge"} if conditional else set()
    possible |= {"gen_ppl"} if arguments.judge else set()
    possible |= {"memorisation"} if arguments.training else set()
    possible |= {"kept"} if arguments.training and arguments.continuation else set()
    metrics = choose_metrics(arguments.metrics, possible)
    if arguments.metrics is None and not arguments.judge and jax.process_index() == 0:
        say("there is no --judge, so Gen. PPL is left out")

    def tokens(texts):
        if tokenizer is None:
            return [text.split() for text in texts]
        return [each.ids for each in tokenizer.encode_batch(texts, add_special_tokens=False)]

    return Measures(
        metrics,
        tokens,
        load_judge(arguments.judge) if arguments.judge and "gen_ppl" in metrics else None,
        real_texts(arguments.training, tokenizer) if arguments.training else [],
    )


def default_out(checkpoint: Path) -> Path:
    """`evaluation` in the training's output folder, or in the folder of a model or a checkpoint that stands alone."""
    if checkpoint.is_file() or checkpoint.name == "model" or CHECKPOINT.fullmatch(checkpoint.name):
        checkpoint = checkpoint.parent
    return (checkpoint.parent if checkpoint.name == "checkpoints" else checkpoint) / "evaluation"


def line(row: Row) -> str:
    """The figures of a row, those of held-out text in brackets."""
    shown = [f"n {row['n']}"]
    for name, value in row.items():
        if isinstance(value, float) and not name.startswith("held_out_") and name not in FIELDS:
            real = row.get(f"held_out_{name}")
            shown.append(f"{name} {value:.4g}" + (f" [held-out {real:.4g}]" if isinstance(real, float) else ""))
    return f"{row['combination']}: {', '.join(shown)}"


FIELDS = set(asdict(Sampling()))
