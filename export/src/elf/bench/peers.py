"""One run of one model by everything that can compute it here: the page's loop, ONNX Runtime, JAX, torch."""

import json
import multiprocessing
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro

from elf.bench.machine import machine_facts, peak_memory_bytes
from elf.config import PRESETS, SamplerSettings
from elf.dev.make_random import random_model
from elf.errors import UsageError
from elf.models.exported_folder import is_exported
from elf.models.open_model import open_model
from elf.models.trained_model import TrainedModel
from elf.progress import say
from elf.sampling.networks import JaxNetwork, open_graphs
from elf.sampling.sampler import Network, sample

Array = np.ndarray

GROWTH_LENGTHS = (32, 64, 128, 256, 512, 1024)
GROWTH_BATCHES = (1, 2, 4, 8, 16)
GROWTH_STEPS = (1, 4, 16, 64, 256)
GROWTH_PRESETS = ("ELF-B", "ELF-M", "ELF-L")
SELF_COND_SCALE = 1.5


@dataclass(frozen=True, kw_only=True)
class Arguments:
    model: Annotated[Path, tyro.conf.Positional]
    """A folder of `elf export` whose model writes without a source."""
    steps: int = 16
    repeats: int = 3
    """Runs that are timed, after a first one."""
    seed: int = 7
    growth: bool = False
    """Also how the time of a pass grows with positions, samples and weights, and that of a run with steps, in JAX.
    Takes minutes, and 6 GB of memory for the largest."""
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Arguments) -> None:
    """One run of one model by everything that can compute it here: the page's loop, ONNX Runtime, JAX, torch.

    Each peer works in a process of its own, from the exported folder's weights, by the same settings and from the
    same noise, so that all of them have to write the same tokens. `npm run peers` lays the browser's figures beside.
    """
    if not is_exported(arguments.model):
        raise UsageError(f"{arguments.model} is no exported model", "Give a folder that `elf export` wrote.")
    model = open_model(arguments.model)
    if model.elf.needs_source:
        raise UsageError("the model writes to a source", "Give one that writes without: from a seed alone.")
    if arguments.steps < 2 or arguments.repeats < 1:
        raise UsageError("there are too few steps or repeats to measure", "Give 2 steps and 1 repeat or more.")
    report: dict[str, Any] = {
        "model": model.name,
        "parameters": sum(int(np.size(value)) for value in model.params.values()),
        "steps": arguments.steps,
        "repeats": arguments.repeats,
        "seed": arguments.seed,
        "selfCondScale": SELF_COND_SCALE,
        "length": model.elf.max_length,
        "machine": machine_facts(),
        "peers": [measured(name, arguments) for name in PEERS if name != "torch" or find_spec("torch")],
    }
    texts = {tuple(peer["tokens"]) for peer in report["peers"]}
    report["sameTokens"] = len(texts) == 1
    if arguments.growth:
        report["growth"] = growth(model)
    print(json.dumps(report) if arguments.json else table(report))


def measured(name: str, arguments: Arguments) -> dict[str, Any]:
    """What a peer takes, in a process of its own, whose memory is nobody else's."""
    say(f"{name}: {arguments.steps} steps, {arguments.repeats + 1} runs")
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_measure, (name, arguments))


def _measure(name: str, arguments: Arguments) -> dict[str, Any]:
    before = time.perf_counter()
    model = open_model(arguments.model)
    settings = SamplerSettings(steps=arguments.steps, seed=arguments.seed, self_cond_scale=SELF_COND_SCALE)
    shape = (1, model.elf.max_length, model.elf.latent_size)
    network = PEERS[name](model)
    loaded = time.perf_counter()
    run = sample(network, settings, model.flow, shape)
    first = time.perf_counter()
    steps: list[float] = []
    for _ in range(arguments.repeats):
        last = [time.perf_counter()]

        def on_step(step: int, last: list[float] = last) -> None:
            steps.append(time.perf_counter() - last[0])
            last[0] = time.perf_counter()

        sample(network, settings, model.flow, shape, on_step=on_step)
    return {
        "peer": name,
        "loadSeconds": loaded - before,
        "firstTextSeconds": first - loaded,
        "stepSeconds": statistics.median(steps),
        "peakBytes": peak_memory_bytes(),
        "tokens": run.tokens[0].tolist(),
    }


def _jax(model: TrainedModel) -> Network:
    return JaxNetwork(model.in_memory())


def _onnx_runtime(model: TrainedModel) -> Network:
    return open_graphs(model)[0]


class _Torch:
    """`training/torch_gradient.py`'s network, without gradients."""

    def __init__(self, model: TrainedModel):
        import torch

        from elf.training.torch_gradient import TorchNetwork

        weights = {name: torch.from_numpy(np.array(value)) for name, value in model.params.items()}
        self.network = TorchNetwork(model.elf, weights, torch.float32)
        self.takes_self_cond_scale = bool(model.elf.self_cond_cfg_tokens)

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        return self._run(self.network.denoise, z, x_hat_prev, t, self_cond_scale)

    def read(self, latent: Array, self_cond_scale: Array) -> Array:
        return self._run(self.network.decode, latent, self_cond_scale).argmax(-1)

    @staticmethod
    def _run(of: Callable[..., Any], *arrays: Array) -> Array:
        import torch

        with torch.inference_mode():
            return of(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays)).numpy()


PEERS: dict[str, Callable[[TrainedModel], Network]] = {
    "ONNX Runtime, native": _onnx_runtime,
    "JAX": _jax,
    "torch": _Torch,
}
"""How each has the network of an exported folder."""


def growth(model: TrainedModel) -> dict[str, dict[str, Any]]:
    """Seconds of a denoising pass against what grows, and the exponent of the line through their logarithms; of a whole
    run against its steps."""
    elf = replace(model.elf, max_length=max(GROWTH_LENGTHS), max_input_length=0, source_optional=False)
    network = JaxNetwork(random_model(elf))
    D = elf.latent_size

    def pass_seconds(network: Network, batch: int, length: int, width: int = D) -> float:
        z = np.random.default_rng(0).standard_normal((batch, length, width), np.float32)
        t, w = np.full(batch, 0.5, np.float32), np.full(batch, SELF_COND_SCALE, np.float32)
        say(f"a pass of {batch} × {length}")
        return fastest(lambda: network.denoise(z, z, t, w))

    def run_seconds(steps: int) -> float:
        settings = SamplerSettings(steps=steps, self_cond_scale=SELF_COND_SCALE)
        say(f"a run of {steps} steps")
        return fastest(lambda: sample(network, settings, model.flow, (1, min(96, elf.max_length), D)), most=2)

    def weights_of(preset: str) -> tuple[float, float]:
        sized = random_model(PRESETS[preset])
        count = float(sum(np.size(value) for value in sized.params.values()))
        return count, pass_seconds(JaxNetwork(sized), 1, 128, PRESETS[preset].latent_size)

    own = float(sum(np.size(value) for value in model.params.values()))
    sizes = [(own, pass_seconds(network, 1, min(128, elf.max_length))), *map(weights_of, GROWTH_PRESETS)]
    return {
        "positions": fitted([(L, pass_seconds(network, 1, L)) for L in GROWTH_LENGTHS]),
        "samples": fitted([(B, pass_seconds(network, B, min(96, elf.max_length))) for B in GROWTH_BATCHES]),
        "steps": fitted([(N, run_seconds(N)) for N in GROWTH_STEPS]),
        "weights": fitted(sizes),
    }


def fastest(call: Callable[[], Any], most: int = 5) -> float:
    """Of up to `most` calls after a first one, which compiles; fewer where they are long."""
    call()
    times: list[float] = []
    while len(times) < most and sum(times) < 10:
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return min(times)


def fitted(points: list[tuple[float, float]]) -> dict[str, Any]:
    """The points, and the exponent a of seconds ∝ xᵃ by least squares of their logarithms."""
    x, y = np.log(np.asarray(points, np.float64)).T
    return {"points": points, "exponent": float(np.polyfit(x, y, 1)[0])}


def table(report: dict[str, Any]) -> str:
    """Markdown: a peer a line, and below it the exponents."""
    lines = ["| | a step | first text | loading | memory |", "|---|---|---|---|---|"]
    for peer in report["peers"]:
        lines.append(
            f"| {peer['peer']} | {1e3 * peer['stepSeconds']:.0f} ms | {peer['firstTextSeconds']:.1f} s | "
            f"{peer['loadSeconds']:.1f} s | {peer['peakBytes'] / 1e6:,.0f} MB |"
        )
    same = "all write the same tokens" if report["sameTokens"] else "**not all write the same tokens**"
    lines += ["", f"{report['model']}, {report['length']} positions, {report['steps']} steps; {same}."]
    for name, grown in report.get("growth", {}).items():
        points = ", ".join(f"{x:,.0f}: {1e3 * seconds:,.0f} ms" for x, seconds in grown["points"])
        lines.append(f"- against {name}: exponent {grown['exponent']:.2f} ({points})")
    return "\n".join(lines)
