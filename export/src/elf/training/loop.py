"""The loop around a training step: resume, progress, metrics, checkpoints by the clock, and a clean stop on SIGTERM."""

import json
import signal
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from elf.errors import DivergedError
from elf.progress import say
from elf.training.checkpoint import Checkpoints


@dataclass(frozen=True)
class LoopConfig:
    steps: int
    checkpoint_minutes: float = 5.0
    """Minutes between checkpoints; killing the run loses at most as much."""
    log_every: int = 20
    """Steps between lines of progress and of metrics.jsonl."""
    keep: int = 2


StepFunction = Callable[[Any, int], tuple[Any, dict[str, jax.Array]]]


def run_loop(
    config: LoopConfig,
    out: Path,
    state: Any,
    step_function: StepFunction,
    tokens_per_step: int,
    on_checkpoint: Callable[[Any, int, float], None] = lambda state, step, seconds: None,
) -> tuple[Any, float]:
    """Runs `state, metrics = step_function(state, step)` up to `config.steps`, from the newest checkpoint below `out`.

    A step's metrics name only what it measured; a line of metrics.jsonl holds means over the steps that did.
    `on_checkpoint(state, step, seconds)` follows every checkpoint. Returns the final state and the seconds of training
    over all sessions of the run. Raises DivergedError when a metric is no finite number; the last checkpoint stands.
    """
    with closing(Checkpoints(out / "checkpoints", config.keep)) as checkpoints, _StopSignal() as stop:
        first, spent = 0, 0.0
        if checkpoints.latest_step() is not None:
            saved = checkpoints.restore({"state": state, "seconds": np.zeros(())})
            state, spent = saved["state"], float(saved["seconds"])
            first = checkpoints.latest_step() or 0
            say(f"resuming after step {first}")
        metrics_file = out / "metrics.jsonl"
        _forget_after(metrics_file, first)
        begin = last_save = last_log = time.monotonic()
        window: list[dict[str, jax.Array]] = []

        def save(step: int) -> None:
            seconds = spent + time.monotonic() - begin
            checkpoints.save(step, {"state": state, "seconds": np.asarray(seconds)})
            on_checkpoint(state, step, seconds)

        for step in range(first, config.steps):
            state, metrics = step_function(state, step)
            window.append(metrics)
            done = step + 1
            if done % config.log_every == 0 or done == config.steps:
                means = _means(window)
                if not all(np.isfinite(value) for value in means.values()):
                    raise DivergedError(
                        f"the training has left the finite numbers by step {done}: {means}",
                        "Lower the learning rate and run the command again; it goes on from the last checkpoint.",
                    )
                now = time.monotonic()
                rate = len(window) * tokens_per_step / (now - last_log)
                left = (now - begin) / (done - first) * (config.steps - done)
                times = {"tokens_per_second": round(rate), "seconds": round(spent + now - begin, 1)}
                with metrics_file.open("a") as file:
                    file.write(json.dumps({"step": done, **means, **times}) + "\n")
                shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
                say(f"step {done}/{config.steps}  {shown}  {rate:,.0f} tokens/s  {_clock(left)} left")
                window, last_log = [], now
            if stop.asked or time.monotonic() - last_save > 60 * config.checkpoint_minutes:
                save(done)
                last_save = time.monotonic()
            if stop.asked:
                checkpoints.wait()
                say(f"stopped by a signal after step {done}; saved, run the same command to go on")
                sys.exit(143)
        jax.block_until_ready(state)
        save(max(first, config.steps))
        return state, spent + time.monotonic() - begin


def _forget_after(metrics_file: Path, step: int) -> None:
    """Drops the lines of steps that were lost with the last session and will be made again."""
    metrics_file.parent.mkdir(parents=True, exist_ok=True)
    lines = metrics_file.read_text().splitlines(keepends=True) if metrics_file.is_file() else []
    kept = [line for line in lines if line.endswith("\n") and json.loads(line)["step"] <= step]
    if kept != lines:
        metrics_file.write_text("".join(kept))


class _StopSignal:
    """Notes SIGTERM and SIGINT, so that the step in progress can end and be saved."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> "_StopSignal":
        self.before = {sign: signal.signal(sign, self._ask) for sign in (signal.SIGTERM, signal.SIGINT)}
        return self

    def __exit__(self, *_: object) -> None:
        for sign, handler in self.before.items():
            signal.signal(sign, handler)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _means(window: list[dict[str, jax.Array]]) -> dict[str, float]:
    """Mean of each metric over the steps that measured it."""
    measured: dict[str, list[float]] = {}
    for metrics in window:
        for name, value in metrics.items():
            measured.setdefault(name, []).append(float(value))
    return {name: round(float(np.mean(values)), 5) for name, values in measured.items()}


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"
