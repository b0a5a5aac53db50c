"""Where a run's numbers go: `metrics.jsonl`, TensorBoard events, Weights & Biases, and a profile of some steps."""

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import jax
from tensorboardX import SummaryWriter
from tqdm import tqdm

from elf.disk import GrowingFile, written_whole
from elf.errors import ConfigError, OutputExistsError
from elf.paths import absolute, files_below, is_address
from elf.progress import say
from elf.text_file import json_value


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
    try:
        lines = metrics_file.read_text(encoding="utf-8").splitlines(keepends=True) if metrics_file.is_file() else []
        kept = [line for line in lines if line.endswith("\n") and json_value(line)["step"] <= step]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise OutputExistsError(
            f"{metrics_file} is there, and no training wrote it: {error}", "Choose another out, or move the file away."
        ) from error
    if kept != lines:
        with written_whole(metrics_file) as file:
            file.write_text("".join(kept), encoding="utf-8")
    return [json_value(line) for line in kept]


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
