"""What a run writes of itself: its settings, where its numbers go, and the facts that its models carry to their
cards."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import jax
import yaml
from tqdm import tqdm

from elf.config_file import read_fields
from elf.errors import CheckpointError, ConfigError, OutputExistsError
from elf.models.run_folder import RunFolder
from elf.paths import GrowingFile, absolute, files_below, is_address, written_whole
from elf.progress import say
from elf.text_file import json_value
from elf.training.train_config import TrainConfig


class Profiler:
    """Records the steps numbered `steps[0]` to `steps[1]`, from 1, into `folder`; none where `steps` is None.

    A run that is resumed among them records the rest. TensorBoard (with the plugin tensorboard-plugin-profile) and
    Perfetto (ui.perfetto.dev) show what is written.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None):
        self.folder = folder
        # JAX writes on this machine only.
        self.scratch = tempfile.TemporaryDirectory() if steps and is_address(folder) else None
        self.here = Path(self.scratch.name) if self.scratch else folder
        self.first, self.last = steps or (0, -1)
        self.records = False

    def begin(self, step: int) -> None:
        """Before the step of this number."""
        if not self.records and self.first <= step <= self.last:
            jax.profiler.start_trace(str(self.here))
            self.records = True

    def end(self, step: int, state: Any) -> None:
        """After it; `state` is what it computes."""
        if self.records and step >= self.last:
            # Steps are only handed to the devices; their work is to be in the record.
            jax.block_until_ready(state)
            self._stop()

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.records:
            self._stop()

    def _stop(self) -> None:
        self.records = False
        jax.profiler.stop_trace()
        if self.scratch:
            for name in files_below(self.here):
                (self.folder / name).write_bytes((self.here / name).read_bytes())
            self.scratch.cleanup()
        if jax.process_index() == 0:
            say(f"recorded steps {self.first} to {self.last} in {self.folder}")


TEXTS_SHOWN = 20
"""Of an evaluation, in TensorBoard and Weights & Biases."""


class RunLog:
    """The log of one run below its output folder, from step `first` on; silent on all processes but the first."""

    def __init__(
        self,
        out: Path,
        first: int,
        steps: int,
        *,
        wandb_project: str | None = None,
        wandb_entity: str | None = None,
        wandb_run_name: str | None = None,
        wandb_tags: Sequence[str] = (),
        settings: Any = None,
        main: bool = True,
    ):
        self.steps, self.main = steps, main
        if not main:
            return
        from tensorboardX import SummaryWriter  # who only reads or tells of a run need not wait for it

        kept = _forget_after(out / "metrics.jsonl", first)
        self.metrics_file = GrowingFile(out / "metrics.jsonl")
        self.evaluated = {(line["step"], line["evaluation"]) for line in kept if "evaluation" in line}
        """Steps and ways to sample whose figures the log has."""
        self.events = _EventFolder(out / "tensorboard")
        self.tensorboard = SummaryWriter(str(self.events.here), purge_step=first + 1, max_queue=1000)
        called = {"entity": wandb_entity, "name": wandb_run_name, "tags": [*wandb_tags]}
        self.wandb = _wandb_run(wandb_project, called, out, settings) if wandb_project else None
        # A bar for people; lines of text for files.
        self.bar = tqdm(total=steps, initial=first, unit="step") if sys.stderr.isatty() else None

    def write(self, step: int, metrics: dict[str, float], seconds_left: float) -> None:
        """`step` is the number of steps done."""
        if not self.main:
            return
        self.metrics_file.append(json.dumps({"step": step, **metrics}) + "\n")
        for name, value in metrics.items():
            self.tensorboard.add_scalar(name, value, step)
        if self.wandb:
            self.wandb.log(metrics, step=step)
        shown = {name: value for name, value in metrics.items() if name.endswith(("loss", "norm"))}
        if self.bar is not None:
            self.bar.set_postfix(shown, refresh=False)
            self.bar.update(step - self.bar.n)
        else:
            numbers = "  ".join(f"{name} {value:.4f}" for name, value in shown.items())
            rate = f"{metrics['tokens_per_second']:,.0f} tokens/s"
            say(f"step {step}/{self.steps}  {numbers}  {rate}  {_clock(seconds_left)} left")

    def write_evaluation(
        self, step: int, way: str, figures: Mapping[str, Any], texts: Sequence[tuple[int | str, str]]
    ) -> None:
        """Figures of the way to sample called `way`, and texts by their ids; nothing where the log has them already.

        `metrics.jsonl` gets a line of its own, with `evaluation`; TensorBoard and Weights & Biases the numbers and the
        first TEXTS_SHOWN texts.
        """
        if not self.main or (step, way) in self.evaluated:
            return
        shown = texts[:TEXTS_SHOWN]
        numbers = {
            f"evaluation/{way}/{name}": value
            for name, value in figures.items()
            if isinstance(value, int | float) and not isinstance(value, bool)
        }
        for name, value in numbers.items():
            self.tensorboard.add_scalar(name, value, step)
        self.tensorboard.add_text(
            f"evaluation/{way}/texts", "\n\n".join(f"**{id}** {text}" for id, text in shown), step
        )
        self.tensorboard.flush()
        if self.wandb:
            import wandb

            table = wandb.Table(columns=["id", "generated"], data=[[str(id), text] for id, text in shown])
            self.wandb.log({**numbers, f"evaluation/{way}/texts": table}, step=step)
        # Last: the line says that all of it was told.
        line = {"step": step, "evaluation": way, **figures}
        self.metrics_file.append(json.dumps(line, ensure_ascii=False) + "\n")
        self.flush()
        self.evaluated.add((step, way))
        said = {name.rsplit("/", 1)[-1]: value for name, value in numbers.items() if isinstance(value, float)}
        self.tell(
            f"step {step}/{self.steps}  evaluation {way}  "
            + "  ".join(f"{name} {value:.4g}" for name, value in said.items() if not name.startswith("held_out_"))
        )

    def flush(self) -> None:
        """Returns when everything so far is where it belongs, also in a bucket: a checkpoint may be made."""
        if self.main:
            self.metrics_file.flush()
            self.tensorboard.flush()
            self.events.bring()

    def tell(self, line: str) -> None:
        if self.main:
            tqdm.write(line, file=sys.stderr) if self.bar is not None else say(line)

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not self.main:
            return
        self.metrics_file.flush()
        self.tensorboard.close()
        self.events.close()
        if self.wandb:
            self.wandb.finish(exit_code=0 if error is None else 1)
        if self.bar is not None:
            self.bar.close()


class _EventFolder:
    """The folder of TensorBoard's events. What belongs into a bucket is written on this machine and brought there."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.scratch = tempfile.TemporaryDirectory() if is_address(folder) else None
        self.here = Path(self.scratch.name) if self.scratch else folder
        self.brought: dict[str, int] = {}
        """Files and how much of them was there."""

    def bring(self) -> None:
        for file in self.here.iterdir() if self.scratch else ():
            size = file.stat().st_size
            if self.brought.get(file.name) != size:
                with written_whole(self.folder / file.name) as copy:
                    shutil.copyfile(file, copy)
                self.brought[file.name] = size

    def close(self) -> None:
        self.bring()
        if self.scratch:
            self.scratch.cleanup()


def _wandb_run(project: str, called: dict[str, Any], out: Path, settings: Any) -> Any:
    """Raises ConfigError where the package is missing."""
    try:
        import wandb
    except ImportError as error:
        raise ConfigError(
            f"wandb_project is {project!r}, but Weights & Biases is not installed",
            "pip install wandb, or set wandb_project=null; metrics.jsonl and TensorBoard events are written anyway.",
        ) from error
    place = absolute(out)
    # One id for all sessions of a run, so that a resumed one goes on in the same plots, also under another name.
    identity = f"{place.parent.name}-{place.name}"
    facts = {"name": place.name, **{name: value for name, value in called.items() if value}}
    return wandb.init(project=project, id=identity, resume="allow", config=settings, **facts)


def _forget_after(metrics_file: Path, step: int) -> list[dict[str, Any]]:
    """Drops the lines of steps that were lost with the last session and will be made again; returns the others."""
    metrics_file.parent.mkdir(parents=True, exist_ok=True)
    lines, kept = _lines_until(metrics_file, step)
    if kept != lines:
        with written_whole(metrics_file) as file:
            file.write_text("".join(kept), encoding="utf-8")
    return [json_value(line) for line in kept]


def evaluated_ways(metrics_file: Path, step: int) -> set[str]:
    """The ways to sample whose figures at `step` a run's log holds. Raises OutputExistsError for another file."""
    rows = map(json_value, _lines_until(metrics_file, step)[1])
    return {row["evaluation"] for row in rows if "evaluation" in row and row["step"] == step}


def _lines_until(metrics_file: Path, step: int) -> tuple[list[str], list[str]]:
    """All lines of a log, and those that are whole and of no later step."""
    try:
        lines = metrics_file.read_text(encoding="utf-8").splitlines(keepends=True) if metrics_file.is_file() else []
        return lines, [line for line in lines if line.endswith("\n") and json_value(line)["step"] <= step]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputExistsError(
            f"{metrics_file} is there, and no training wrote it: {error}", "Choose another out, or move the file away."
        ) from error


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


# --- Settings in `config.yml`, and the facts that models carry to their cards ---------------------------------------

PLACES = (
    *("data", "held_out", "encoder", "tokenizer", "out", "teacher", "start", "resume"),
    *("sampling", "judge", "training"),  # of the group `evaluation`
)
"""Settings that may be paths. Where a machine keeps its files is nobody's business."""


class Settings(Protocol):
    """The dataclass of settings of any training."""

    @property
    def out(self) -> Path: ...


def remember_settings(config: Settings) -> None:
    """Writes `config.yml` into the output folder, and says which settings have changed since the run began."""
    path = RunFolder(config.out).settings
    settings = plain(config)
    if path.is_file():
        before = read_fields(path)
        for name in sorted(settings.keys() | before.keys(), key=str):
            if settings.get(name) != before.get(name):
                say(f"changed since this run began: {name} was {before.get(name)}, is {settings.get(name)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")


def training_facts(
    config: TrainConfig, command: str, encoder: dict[str, Any], done: int, seconds: float
) -> dict[str, Any]:
    """What a model card says of a training; `command` from `command_line`, `encoder` from `encoder_facts`."""
    return {
        "command": command,
        "corpus": config.corpus,
        "licence": config.licence,
        "steps": done,
        "batch_size": config.batch_size,
        "seconds": round(seconds),
        "losses": last_losses(config.out / "metrics.jsonl"),
        "encoder": encoder,
        "recipe": config.recipe,
        "deviations": [deviation._asdict() for deviation in config.deviations],
        "config": without_places(plain(config)),
    }


def without_places(settings: dict[str, Any]) -> dict[str, Any]:
    """Of what may be a path only its last part, in groups of settings too."""
    return {
        name: without_places(value)
        if isinstance(value, dict)
        else Path(value).name
        if name in PLACES and value
        else value
        for name, value in settings.items()
    }


def command_line(command: str, config: Path, overrides: tuple[str, ...]) -> str:
    """As it was typed, without the overrides that say where files lie."""
    public = [override for override in overrides if override.partition("=")[0].rpartition(".")[2] not in PLACES]
    return " ".join(["elf", command, "--config", config.name, *public])


def plain(config: Any) -> dict[str, Any]:
    """The settings as YAML and JSON can hold them."""
    return json.loads(json.dumps(asdict(config), default=str))


def last_losses(metrics: Path, rows: int = 10) -> dict[str, float]:
    """Means of the newest rows of metrics.jsonl."""
    means = {}
    try:
        lines = (
            [json_value(line) for line in metrics.read_text(encoding="utf-8").splitlines()] if metrics.is_file() else []
        )
        lines = [line for line in lines if "evaluation" not in line][-rows:]
        for name in ("loss", "decode_loss"):
            values = [line[name] for line in lines if name in line]
            if values:
                means[name] = round(sum(values) / len(values), 4)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise _unreadable(metrics, error) from error
    return means


def _unreadable(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{file} is not what a training wrote: {error}", "Copy the folder again.")


def encoder_facts(directory: Path) -> dict[str, Any]:
    """How the encoder came to be: steps, seconds and last loss of its pre-training, and of its lessons in translation
    if it had any; its name where it came so."""
    if not (directory / "encoder.json").is_file():
        return {"name": directory.name}
    try:
        record = json_value((directory / "encoder.json").read_text(encoding="utf-8"))
        facts = {name: record[name] for name in ("steps", "seconds") if name in record}
        lessons = record.get("translation", {})
        facts |= {f"translation {name}": lessons[name] for name in ("steps", "seconds") if name in lessons}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(directory / "encoder.json", error) from error
    losses = last_losses(directory / "metrics.jsonl")
    name = "translation loss" if lessons else "masked-token loss"
    return facts | ({name: losses["loss"]} if "loss" in losses else {})
