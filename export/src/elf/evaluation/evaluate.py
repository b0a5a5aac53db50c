"""Evaluate a model: write texts in every way that a sampling file names, on all devices, and measure them."""

import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple

import jax
import tyro
from jax.sharding import Mesh

from elf.checkpoints.fetch import hub_name
from elf.config import check_count
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.devices import ProcessArguments, from_first_process, make_mesh
from elf.errors import UsageError
from elf.evaluation.generator import Generator, Sampling, checkpoint_of, load_samplings, sources_for
from elf.evaluation.judge import load_judge
from elf.evaluation.metrics import READ_TRAINING, Measures, choose_metrics, tell_blank
from elf.evaluation.output_files import MetricsFile, Row, measured_with, per_text_file, write_per_text
from elf.evaluation.texts import DIGESTED, NO_TEXTS, RealTexts, cut_texts, digest_of, real_texts
from elf.models.exported_folder import is_exported
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.run_folder import CHECKPOINT
from elf.models.trained_model import TrainedModel, fingerprint
from elf.paths import AnyPath, absolute
from elf.progress import say


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Which texts are written, and what they are measured by."""

    sampling: AnyPath | None = None
    """YAML of sampling settings, see configs/sampling; the sampler's defaults unless given."""
    samples: int | None = None
    """Texts for each way to sample; 1,000 unless given. For conditional models at most, and unless given, one for each
    row of --data, from its first: a corpus may be sorted, so figures of less than all of it are of a part."""
    data: str | None = None
    """For conditional models: sources and references, JSONL of input and output, or a dataset on disk or the hub.
    Without it a model of source_optional writes freely."""
    split: str | None = None
    """Of --data, where it has several."""
    revision: str | None = None
    """Of --data, where it comes from the hub."""
    batch_size: int | None = None
    """Rows at a time, over all devices; 16 for each unless given. Other sizes draw other random numbers."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products; sums, norms and softmax are float32."""
    rng_processes: int | None = None
    """Hosts that the official random numbers are derived for; as many as processes run unless given."""
    rng_devices: int | None = None
    """Devices of each such host; as many as this one has unless given."""
    judge: str | None = None
    """The language model for Gen. PPL: a folder of `elf train-judge`, or a GPT-2 on disk or the hub."""
    metrics: str | None = None
    """Some of gen_ppl,bleu,rouge,kept,entropy,distinct,repetition,stutter,unknown,names,memorisation, with commas
    between. Left out: all that the inputs allow."""
    continuation: bool = False
    """The texts go on from their sources: Gen. PPL is of a text's own tokens after its source, how much of the source a
    text takes up is measured (`kept`, with --training), and the references are measured in the same way beside it."""
    held_out: Path | None = None
    """Real text that was not trained on, a corpus file or a dataset, measured in the same way beside the generated: at
    most as many texts, each cut to the length of a generated one. With --continuation the references are that."""
    training: Path | None = None
    """Training text for memorisation, unknown words, names and `kept`, a corpus file or a dataset, which may be larger
    than the memory. Of pairs the target counts."""
    training_texts: int | None = None
    """At most so many of its texts, evenly spread; all unless given. Four million words take some 20 s."""


ROWS_PER_DEVICE = 16

NEEDS = {
    "gen_ppl": "a --judge",
    "bleu": "references: a conditional model and its --data",
    "rouge": "references: a conditional model and its --data",
    "kept": "the --training text, and sources that the texts go on from: --continuation",
    "unknown": "the --training text",
    "names": "the --training text",
    "memorisation": "the --training text",
}
"""What metrics are measured with."""

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
        check_counts(options)
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
        self.inputs = self._digests() if jax.process_index() == 0 else {}
        self.out = out
        self.file = MetricsFile(out / "metrics.jsonl")

    def carry_out(self, sampling: Sampling, position: int, stopping: Callable[[], bool] = lambda: False) -> Evaluated:
        """Writes and measures the texts as far as that is not done. Every process must call this alike.

        `stopping` is asked before every batch; where it says yes, StoppedError is raised. The texts so far are kept.
        """
        name = sampling.name(position)
        epoch, step = checkpoint_of(self.generator.model)
        texts, seconds, settings = self.generator.texts(sampling, position, self.samples, self.out / name, stopping)
        wanted = {"combination": name, "epoch": epoch, "step": step, **settings, "n": self.samples, **self._inputs()}
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
            write_per_text(per_text_file(self.out / name, epoch, step), ids, measured.statistics, measured_with(row))
            self.file.put(row)
        return Evaluated(row, {"n": self.samples, **figures}, ids, texts)

    def _inputs(self) -> dict[str, Any]:
        """What the measures were taken with."""
        judge = self.measures.judge
        given = {name: getattr(self.options, name) for name in ("data", "held_out", "training", "training_texts")}
        return {
            "inputs": self.inputs,
            "metrics": self.measures.metrics,
            "continuation": self.options.continuation,
            "judge": judge.name if judge else None,
            **{name: str(value) if value else None for name, value in given.items()},
        }

    def _digests(self) -> dict[str, str]:
        """What the chosen measures are taken with may change where it lies: each told from others."""
        judge, rows = self.measures.judge, self.generator.rows
        reads_training = READ_TRAINING & {*self.measures.metrics}
        of_texts = {"held_out": self.held_out, "training": self.measures.training if reads_training else NO_TEXTS}
        digests = {
            name: texts.digest()
            for name, texts in of_texts.items()
            if isinstance(texts, RealTexts) and texts is not NO_TEXTS
        }
        if rows:
            answers = [row.reference for row in rows]
            # `references` are the same for more texts and fewer, as sources are; `answers` tell what is already done.
            digests |= {"references": digest_of(answers[:DIGESTED]), "answers": digest_of(answers[: self.samples])}
        if judge:
            digests["judge"] = digest_of((fingerprint(judge.params), judge.tokenizer.digest(), judge.eos))
        return digests

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


def check_counts(options: EvaluationOptions) -> None:
    """Raises UsageError for options that count and say less than one."""
    for name in ("samples", "batch_size", "rng_processes", "rng_devices", "training_texts"):
        check_count(f"--{name.replace('_', '-')}", getattr(options, name))


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
    """Texts to write; `rows` are those of --data, 0 without."""
    return min(rows, asked or rows) if rows else asked or SAMPLES


def measures(options: EvaluationOptions, tokenizer: Tokenizer | None, conditional: bool) -> Measures:
    """Raises UsageError for metrics that cannot be taken, and what opening the judge raises."""
    possible = {"bleu", "rouge"} if conditional else set()
    possible |= {"gen_ppl"} if options.judge else set()
    possible |= {"memorisation", "unknown", "names"} if options.training else set()
    possible |= {"kept"} if options.training and options.continuation else set()
    lacking = {
        name: UsageError(f"{name} needs {needs}", f"Give it, or leave {name} out of --metrics.")
        for name, needs in NEEDS.items()
        if name not in possible
    }
    metrics = choose_metrics(options.metrics, lacking)
    if options.metrics is None and not options.judge and jax.process_index() == 0:
        say("there is no --judge, so Gen. PPL is left out")

    return Measures(
        metrics,
        tokenizer,
        load_judge(options.judge) if options.judge and "gen_ppl" in metrics else None,
        real_texts(options.training, tokenizer, most=options.training_texts) if options.training else NO_TEXTS,
    )


@dataclass(frozen=True, kw_only=True)
class Arguments(ProcessArguments, CheckpointOptions, EvaluationOptions):
    checkpoint: Annotated[AnyPath, tyro.conf.Positional]
    """A trained model's folder; the output folder of a training, finished or not; one of its
    checkpoints/checkpoint_N; or an official checkpoint."""
    config: AnyPath | None = None
    """YAML of the training, where the checkpoint has neither a `model` folder nor a config.yml beside it."""
    overrides: tuple[str, ...] = ()
    """Sampling settings, set in every entry of --sampling, given bare: steps=8 gamma=[0.5,1.5] …"""
    fsdp: int = 1
    """Devices that share one copy of the weights."""
    out: AnyPath | None = None
    """Output folder; `evaluation` in the training's, or in the model's, unless given; of an exported FOLDER
    `FOLDER-evaluation` beside it, for a name on the hub `evaluation/OWNER--NAME` here."""
    json: bool = False
    """Print the rows of metrics.jsonl instead of lines to read."""


def main(arguments: Arguments) -> None:
    """Evaluate a model: write texts in every way that a sampling file names, on all devices, and measure them.

    For each way there is a folder with `all_generated_<epoch>_<step>.jsonl`, and a row in `metrics.jsonl`. Killed at
    any moment, the same command goes on with the missing texts; what is finished is not done again.
    """
    samplings = load_samplings(arguments.sampling, arguments.overrides)
    check_counts(arguments)  # before anything is opened
    arguments.join_processes()
    model = open_model(arguments.checkpoint, arguments.config, arguments).in_memory()
    out = arguments.out or default_out(arguments.checkpoint)
    evaluation = Evaluation(model, arguments, make_mesh(arguments.fsdp), out)
    for sampling in samplings:
        evaluation.generator.check(sampling)
    for position, sampling in enumerate(samplings):
        row = evaluation.carry_out(sampling, position).row
        if jax.process_index() == 0:
            print(json.dumps(row, ensure_ascii=False) if arguments.json else line(row), flush=True)


def default_out(checkpoint: Path) -> Path:
    """`evaluation` in the training's output folder, or in the folder of a model or a checkpoint that stands alone;
    beside an exported folder, which is to hold what its manifest lists alone; of a model on the hub a folder that does
    not have its name, and so will not be taken for it."""
    if is_exported(checkpoint):
        place = absolute(checkpoint)
        return place.with_name(f"{place.name}-evaluation")
    if hub_name(str(checkpoint)):
        return Path("evaluation") / re.sub(r"[/@]+", "--", str(checkpoint))
    if checkpoint.is_file() or checkpoint.name == "model" or CHECKPOINT.fullmatch(checkpoint.name):
        # From inside a folder of checkpoints the name alone has no parents.
        checkpoint = (checkpoint if checkpoint.parent.name else absolute(checkpoint)).parent
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
