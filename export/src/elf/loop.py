"""The loop around a training step: resume, progress, metrics, checkpoints by the clock, and a clean stop on SIGTERM."""

import json
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np

from elf.checkpoint import Checkpoints
from elf.errors import DivergedError


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

    `on_checkpoint(state, step, seconds)` follows every checkpoint. Returns the final state and the seconds of training
    over all sessions of the run. Metrics that are NaN were not
    measured at that step and are left out of the means. Raises DivergedError when a loss is infinite, after which the
    last checkpoint stands.
    """
    checkpoints = Checkpoints(out / "checkpoints", config.keep)
    first, spent = 0, 0.0
    if checkpoints.latest_step() is not None:
        saved = checkpoints.restore({"state": state, "seconds": np.zeros(())})
        state, spent = saved["state"], float(saved["seconds"])
        first = checkpoints.latest_step() or 0
        _say(f"resuming after step {first}")
    stop = _StopSignal()
    begin = last_save = last_log = time.monotonic()
    window: list[dict[str, jax.Array]] = []
    out.mkdir(parents=True, exist_ok=True)

    def save(step: int) -> None:
        seconds = spent + time.monotonic() - begin
        checkpoints.save(step, {"state": state, "seconds": np.asarray(seconds)})
        on_checkpoint(state, step, seconds)

    with (out / "metrics.jsonl").open("a") as metrics_file, stop:
        for step in range(first, config.steps):
            state, metrics = step_function(state, step)
            window.append(metrics)
            done = step + 1
            if done % config.log_every == 0 or done == config.steps:
                means = _means(window)
                if any(np.isinf(value) for value in means.values()) or np.isnan(means.get("loss", 0.0)):
                    raise DivergedError(
                        f"the loss is no number after step {done}: {means}", "Lower the learning rate and resume."
                    )
                now = time.monotonic()
                rate = len(window) * tokens_per_step / (now - last_log)
                left = (now - begin) / (done - first) * (config.steps - done)
                row = {
                    "step": done,
                    **means,
                    "tokens_per_second": round(rate),
                    "seconds": round(spent + now - begin, 1),
                }
                metrics_file.write(json.dumps(row) + "\n")
                metrics_file.flush()
                shown = "  ".join(f"{name} {value:.4f}" for name, value in means.items())
                _say(f"step {done}/{config.steps}  {shown}  {rate:,.0f} tokens/s  {_clock(left)} left")
                window, last_log = [], now
            if stop.asked or time.monotonic() - last_save > 60 * config.checkpoint_minutes:
                save(done)
                last_save = time.monotonic()
            if stop.asked:
                checkpoints.close()
                _say(f"stopped by a signal after step {done}; saved, run the same command to go on")
                sys.exit(143)
    jax.block_until_ready(state)
    save(config.steps)
    checkpoints.close()
    return state, spent + time.monotonic() - begin


class _StopSignal:
    """Notes SIGTERM and SIGINT, so that the step in progress can end and be saved."""

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> None:
        self.before = {sign: signal.signal(sign, self._ask) for sign in (signal.SIGTERM, signal.SIGINT)}

    def __exit__(self, *_: object) -> None:
        for sign, handler in self.before.items():
            signal.signal(sign, handler)

    def _ask(self, *_: object) -> None:
        self.asked = True


def _means(window: list[dict[str, jax.Array]]) -> dict[str, float]:
    means = {}
    for name in window[0]:
        values = np.array([float(metrics[name]) for metrics in window])
        values = values[~np.isnan(values)]
        if len(values):
            means[name] = round(float(values.mean()), 5)
    return means


def _clock(seconds: float) -> str:
    return f"{int(seconds) // 3600}:{int(seconds) // 60 % 60:02}:{int(seconds) % 60:02}"


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
