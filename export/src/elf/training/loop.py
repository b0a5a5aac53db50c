"""The loop around a training step: resume, progress, metrics, checkpoints, and a clean stop on SIGTERM."""

import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import jax
import numpy as np

from elf.errors import ConfigError, DivergedError
from elf.evaluation.generator import StoppedError
from elf.training.checkpoint import Checkpoints
from elf.training.objective import Metrics, Share
from elf.training.run_record import Profiler, RunLog

# The same on one process and on many: every process runs the same steps and saves at the same ones; the first alone
# writes the log.


def _not_finite(metrics: Metrics) -> dict[str, float]:
    """Those that are no finite numbers."""
    figures = {name: value.total if isinstance(value, Share) else value for name, value in metrics.items()}
    return {name: float(value) for name, value in figures.items() if not np.isfinite(value)}


def means(window: list[Metrics]) -> dict[str, float]:
    """Mean of each metric over the steps that measured it, rows counted alike."""
    sums: dict[str, tuple[float, float]] = {}
    for metrics in window:
        for name, value in metrics.items():
            total, weight = value if isinstance(value, Share) else (value, 1.0)
            before = sums.get(name, (0.0, 0.0))
            sums[name] = before[0] + float(total), before[1] + float(weight)
    return {name: float(f"{total / weight:.6g}") for name, (total, weight) in sums.items() if weight}


S = TypeVar("S")
B = TypeVar("B")


@dataclass(frozen=True)
class LoopConfig:
    steps: int
    checkpoint_minutes: float | None = 5.0
    """Minutes between checkpoints; killing the run loses at most as much."""
    checkpoint_steps: int | None = None
    """Steps between checkpoints, besides."""
    log_every: int = 20
    """Steps between lines of progress and of metrics.jsonl; every checkpoint has one, too."""
    keep: int = 2
    steps_per_epoch: float | None = None
    evaluation_steps: int | None = None
    """Steps between evaluations; the last step is one too. None for none at all."""
    wandb: Mapping[str, Any] = field(default_factory=dict)
    """The options of RunLog that begin with wandb_."""
    settings: Any = None
    """For Weights & Biases."""
    profile: tuple[int, int] | None = None
    """The first and the last step to record, into `profile/`."""

    def __post_init__(self) -> None:
        for name in ("steps", "log_every", "keep"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", "Give at least 1.")
        check_minutes(self.checkpoint_minutes)


def check_minutes(minutes: float | None) -> None:
    """Raises ConfigError for a time between checkpoints that never ends, or that has ended at every step."""
    if minutes is not None and not minutes > 0:
        raise ConfigError(f"checkpoint_minutes is {minutes}", "Give a number above 0.")


def run_loop(
    config: LoopConfig,
    out: Path,
    state: S,
    batches: Callable[[int], Iterator[B]],
    update: Callable[[S, B, int], tuple[S, Metrics]],
    tokens_per_step: int,
    on_checkpoint: Callable[[S, int, float], Callable[[Path], None] | None] = lambda state, step, seconds: None,
    on_evaluation: Callable[[S, int, RunLog, Callable[[], bool]], None] = lambda state, step, log, stopping: None,
) -> tuple[S, float]:
    """Runs `state, metrics = update(state, batch, step)` up to `config.steps`, from the newest checkpoint below `out`.

    `batches(step)` gives the batches from that step on. A step's metrics name only what it measured; a line of
    metrics.jsonl holds means over the steps that did. `on_checkpoint(state, step, seconds)` follows every checkpoint;
    what it returns is called in the background, with the checkpoint's folder once that is whole.
    `on_evaluation(state, step, log, stopping)` follows the checkpoint of every step that is to be evaluated; a run that
    resumes at such a step calls it again, for what was interrupted. It may raise StoppedError where `stopping()`.
    Returns the final state and the seconds of training over all sessions of the run. Raises DivergedError when a metric
    is no finite number, and DiskFullError; the last checkpoint stands.
    """
    with closing(Checkpoints(out / "checkpoints", config.keep)) as checkpoints, _StopSignal() as stop:
        latest, spent = checkpoints.latest_step(), 0.0
        first = latest or 0
        # Also that of no step: weights that were given to begin with.
        if latest is not None:
            saved = checkpoints.restore({"state": state, "seconds": np.zeros(())})
            state, spent = saved["state"], float(saved["seconds"])
        begin = last_save = last_log = time.monotonic()
        window: list[Metrics] = []
        main = jax.process_index() == 0
        log = RunLog(out, first, config.steps, **config.wandb, settings=config.settings, main=main)
        with log, Profiler(out / "profile", config.profile) as profiler:
            if first:
                log.tell(f"resuming after step {first}")

            def is_evaluated(step: int) -> bool:
                every = config.evaluation_steps
                return bool(every) and (step % (every or 1) == 0 or step == config.steps)

            def evaluate(step: int) -> bool:
                """Whether it was stopped. What it takes is no time of the training."""
                nonlocal begin, last_save, last_log
                jax.block_until_ready(state)
                paused = time.monotonic()
                try:
                    on_evaluation(state, step, log, stop.noted_here)
                except StoppedError:
                    return True
                finally:
                    took = time.monotonic() - paused
                    begin, last_save, last_log = begin + took, last_save + took, last_log + took
                return False

            def leave(step: int) -> NoReturn:
                checkpoints.wait()
                log.tell(f"stopped by a signal after step {step}; saved, run the same command to go on")
                sys.exit(143)

            if first and is_evaluated(first) and evaluate(first):
                leave(first)

            def save(step: int) -> None:
                # A state that has left the finite numbers must not replace the last good one.
                _check_finite(window, step)
                log.flush()
                seconds = spent + time.monotonic() - begin
                checkpoints.save(step, {"state": state, "seconds": np.asarray(seconds)})
                if then := on_checkpoint(state, step, seconds):
                    checkpoints.follow(step, then)

            step = first
            for step, batch in zip(range(first, config.steps), batches(first), strict=False):
                done = step + 1
                profiler.begin(done)
                state, metrics = update(state, batch, step)
                profiler.end(done, state)
                window.append(metrics)
                logs = done % config.log_every == 0 or done == config.steps
                due = bool(config.checkpoint_steps) and done % (config.checkpoint_steps or 1) == 0
                if config.checkpoint_minutes is not None and (logs or jax.process_count() == 1):
                    due |= _agreed(time.monotonic() - last_save > 60 * config.checkpoint_minutes)
                stopping = stop.asked(done)
                saves = due or stopping or is_evaluated(done)
                # Before the checkpoint: a run that goes on from there has the losses of all steps before it.
                if logs or saves:
                    _check_finite(window, done)
                    now = time.monotonic()
                    rate = len(window) * tokens_per_step / (now - last_log)
                    times = {"tokens_per_second": round(rate), "seconds": round(spent + now - begin, 1)}
                    if config.steps_per_epoch:
                        times["epoch"] = round(done / config.steps_per_epoch, 4)
                    log.write(done, means(window) | times, (now - begin) / (done - first) * (config.steps - done))
                    window, last_log = [], now
                if saves:
                    save(done)
                    last_save = time.monotonic()
                if stopping or (is_evaluated(done) and evaluate(done)):
                    leave(done)
            jax.block_until_ready(state)
            save(max(first, config.steps))
            checkpoints.wait()
            return state, spent + time.monotonic() - begin


def _check_finite(window: list[Metrics], done: int) -> None:
    """Raises DivergedError naming the first step of the window, which ends at `done`, that measured no number."""
    for at, metrics in enumerate(window, done - len(window) + 1):
        wrong = _not_finite(metrics)
        if wrong:
            raise DivergedError(
                f"the training has left the finite numbers at step {at}: {wrong}",
                "Lower the learning rate and run the command again; it goes on from the last good checkpoint.",
            )


def _agreed(flag: bool) -> bool:
    """The first process's answer, on all of them: clocks differ, but a save needs everyone."""
    if jax.process_count() == 1:
        return flag
    from jax.experimental import multihost_utils

    return bool(multihost_utils.broadcast_one_to_all(np.asarray(flag)))


class _StopSignal:
    """Notes SIGTERM and SIGINT, so that the step in progress can end and be saved."""

    def __init__(self) -> None:
        self.noted = False

    def noted_here(self) -> bool:
        """Whether to stop at once, where that is for this process alone to say."""
        return self.noted

    def asked(self, step: int) -> bool:
        """Whether to stop after `step`; the same answer on every process."""
        if jax.process_count() == 1:
            return self.noted
        # jax.distributed watches for SIGTERM on any process, and has all agree on a step at which to save.
        from jax.experimental import multihost_utils

        return multihost_utils.reached_preemption_sync_point(step)

    def __enter__(self) -> "_StopSignal":
        signs = (signal.SIGTERM, signal.SIGINT) if jax.process_count() == 1 else ()
        self.before = {sign: signal.signal(sign, self._note) for sign in signs}
        return self

    def __exit__(self, *_: object) -> None:
        for sign, handler in self.before.items():
            signal.signal(sign, handler)

    def _note(self, *_: object) -> None:
        self.noted = True
