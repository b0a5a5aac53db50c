"""What sampling costs: its throughput, an evaluation of many samples, and how many passes each way of following the ODE
needs."""

import json
import math
import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import numpy as np
import tyro

from elf.bench.cost_model import decode_flops, denoise_flops, encoder_flops
from elf.bench.machine import interleaved, machine_facts, matmul_peak, peak_memory_bytes
from elf.bench.train_step import MEASURABLE
from elf.config import SamplerSettings, Schedule, Solver
from elf.dev.make_random import random_model
from elf.devices import make_mesh
from elf.errors import UsageError
from elf.models.open_model import open_model
from elf.models.trained_model import TrainedModel
from elf.progress import say, ticker, told
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.networks import JaxNetwork
from elf.sampling.options import SamplerOptions
from elf.sampling.sampler import sample


@dataclass(frozen=True, kw_only=True)
class Arguments(SamplerOptions):
    checkpoint: Path | None = None
    """Folder of a trained model."""
    preset: str = "stories-mini"
    """Without --checkpoint: stories-mini, ELF-B, ELF-M or ELF-L with random weights."""
    batch_sizes: tuple[int, ...] = (1, 8, 32)
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    repeats: int = 3
    samples: int = 1000
    """Of an evaluation, to be told the time of."""
    whole: bool = False
    """Write all --samples instead of reckoning from one batch."""
    json: bool = False
    """Print one JSON object instead of lines to read."""


@dataclass(frozen=True)
class Bench:
    """A model and how it is to be sampled."""

    model: TrainedModel
    settings: SamplerSettings
    length: int
    compute_dtype: str

    def sampler(self, batch_size: int) -> BatchSampler:
        return BatchSampler(self.model, make_mesh(), batch_size, self.length, compute_dtype=self.compute_dtype)

    def sources(self, batch_size: int) -> list[list[int]] | None:
        """Sources as long as they may be, for a conditional model."""
        longest = self.model.elf.max_input_length
        if not longest:
            return None
        return np.random.default_rng(0).integers(3, self.model.elf.vocabulary_size, (batch_size, longest)).tolist()

    def flops(self, batch_size: int) -> int:
        """Of one batch, counted by hand: every pass of the flow, the decode pass, the encoder."""
        elf, encoder = self.model.elf, self.model.encoder
        positions = elf.max_input_length + self.length
        passes = self.settings.steps * (1 if self.settings.cfg_scale == 1 else 2)
        total = passes * denoise_flops(elf, batch_size, positions) + decode_flops(elf, batch_size, positions)
        if elf.max_input_length and encoder:
            total += encoder_flops(encoder, batch_size, elf.max_input_length)
        return total


def prepared(arguments: Arguments) -> Bench:
    """Raises UsageError for what cannot be measured."""
    if arguments.checkpoint:
        model = open_model(arguments.checkpoint).in_memory()
    elif arguments.preset in MEASURABLE:
        model = random_model(MEASURABLE[arguments.preset], arguments.preset, encoder=False)
    else:
        raise UsageError(f"there is no preset {arguments.preset!r}", f"Choose one of {', '.join(MEASURABLE)}.")
    if not arguments.batch_sizes or min(arguments.batch_sizes) < 1 or arguments.repeats < 1 or arguments.samples < 1:
        raise UsageError("--batch-sizes, --repeats and --samples must be at least 1", "Raise them.")
    length = arguments.length_for(model, UsageError)
    return Bench(model, arguments.settings(), length, arguments.compute_dtype)


def bench_batches(bench: Bench, batch_sizes: tuple[int, ...], repeats: int, peak: float) -> list[dict[str, Any]]:
    """Throughput of whole batches, one row a size; `peak` in FLOP/s of the machine."""
    rows = []
    for size in batch_sizes:
        say(f"writing batches of {size}")
        sampler, sources = bench.sampler(size), bench.sources(size)

        def write(sampler: BatchSampler = sampler, sources: list[list[int]] | None = sources) -> np.ndarray:
            return sampler.write(bench.settings, sources=sources)

        seconds = statistics.median(interleaved({"write": write}, repeats)["write"].wall)
        rows.append(
            {
                "batch_size": size,
                "seconds": seconds,
                "tokens_per_second": size * bench.length / seconds,
                "flops": bench.flops(size),
                "share_of_matmul_peak": bench.flops(size) / seconds / peak,
            }
        )
    return rows


def bench_evaluation(bench: Bench, best: dict[str, Any], samples: int, whole: bool) -> dict[str, Any]:
    """Time and memory of `samples` samples at the batch size of the row `best`; judges and metrics come on top."""
    size = best["batch_size"]
    batches = math.ceil(samples / size)
    sampler, sources = bench.sampler(size), bench.sources(size)
    seconds = batches * best["seconds"]
    if whole:
        tick = ticker("batches", batches)

        def write_all() -> None:
            for batch in range(batches):
                sampler.write(bench.settings, batch=batch, sources=sources)
                tick(batch + 1)

        [seconds] = interleaved({"all": write_all}, 1, warm_up=False)["all"].wall
    memory = sampler.memory(bench.settings, sources=sources)
    return {
        "samples": samples,
        "batch_size": size,
        "seconds": seconds,
        "measured": whole,
        "device_bytes": memory.argument_size_in_bytes + memory.output_size_in_bytes + memory.temp_size_in_bytes,
        "process_peak_bytes": peak_memory_bytes(),
    }


def main(arguments: Arguments) -> None:
    """Throughput of sampling for several batch sizes, and what an evaluation of many samples takes.

    Without a model the weights are random, which costs the same. Tokens a second count the text alone, whatever
    network passes stand behind it.
    """
    bench = prepared(arguments)
    peak = matmul_peak(arguments.compute_dtype)
    machine = machine_facts()
    rows = bench_batches(bench, arguments.batch_sizes, arguments.repeats, peak["flops_per_second"] * machine["devices"])
    best = max(rows, key=lambda row: row["tokens_per_second"])
    evaluation = bench_evaluation(bench, best, arguments.samples, arguments.whole)
    report = {
        "machine": machine | {"matmul_peak": peak, "compute_dtype": arguments.compute_dtype},
        "model": vars(bench.model.elf) | {"name": bench.model.name},
        "settings": vars(bench.settings) | {"length": bench.length},
        "batches": rows,
        "evaluation": evaluation,
    }
    if arguments.json:
        print(json.dumps(report))
        return
    for row in rows:
        print(
            f"batch {row['batch_size']:4}  {row['seconds']:8.3f} s  {row['tokens_per_second']:9,.0f} tokens/s"
            f"  {row['share_of_matmul_peak']:4.0%} of matmul peak"
        )
    how = "" if evaluation["measured"] else ", reckoned from one batch"
    device, process = (evaluation[name] / 2**20 for name in ("device_bytes", "process_peak_bytes"))
    print(f"{evaluation['samples']:,} samples: {evaluation['seconds']:,.0f} s{how};", end=" ")
    print(f"a batch takes {device:,.0f} MiB on a device, the process {process:,.0f} MiB")


# --- How many passes each way of following the ODE needs, by tokens that agree with those of very many steps --------


@dataclass(frozen=True)
class SolversArguments:
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """A model that writes without a source, as `elf evaluate` takes it."""
    passes: tuple[int, ...] = (8, 16, 32, 64)
    reference_steps: int = 256
    seeds: tuple[int, ...] = (1, 2)
    batch: int = 8
    """Texts of each seed."""
    self_cond_cfg: float = 3.0
    json: bool = False
    """Print one JSON object instead of a table."""


def solvers(arguments: SolversArguments) -> None:
    """How many passes each way of following the ODE needs: agreement of tokens with the same ODE in very many steps.

    Every run starts from the same noise. The reference is Euler's method on evenly spaced times. One with quantile
    times and as many steps is compared with it as well: each pass also feeds the next one its prediction, so that
    even very many steps do not settle every token.
    """
    model = open_model(arguments.checkpoint).in_memory()
    if model.elf.needs_source:
        raise UsageError("the model writes to a source", "Give one that writes without: from a seed alone.")
    network = JaxNetwork(model)
    shape = (arguments.batch, model.elf.max_length, model.elf.latent_size)

    def tokens(steps: int, schedule: Schedule, solver: Solver, seed: int) -> np.ndarray:
        settings = SamplerSettings(steps, "ode", 0.0, arguments.self_cond_cfg, schedule, seed=seed, solver=solver)
        return sample(network, settings, model.flow, shape).tokens

    many = arguments.reference_steps
    references = {seed: tokens(many, "uniform", "euler", seed) for seed in told(arguments.seeds, "following the ODE")}

    def agreement(steps: int, schedule: Schedule, solver: Solver) -> float:
        return float(np.mean([tokens(steps, schedule, solver, seed) == of for seed, of in references.items()]))

    def rows() -> Iterator[dict[str, Any]]:
        ways = [(schedule, solver) for schedule in get_args(Schedule) for solver in get_args(Solver)]
        for schedule, solver in told(ways, "following it in few steps"):
            found = {steps: agreement(steps, schedule, solver) for steps in arguments.passes}
            yield {"schedule": schedule, "solver": solver, "agreement": found}

    report = {
        "reference": {"steps": many, "schedule": "uniform", "solver": "euler"},
        "texts": len(arguments.seeds) * arguments.batch,
        "length": model.elf.max_length,
        "self_cond_scale": arguments.self_cond_cfg,
        "quantile_reference_agreement": agreement(many, "quantile", "euler"),
        "rows": [*rows()],
    }
    print(json.dumps(report) if arguments.json else table(report))


def table(report: dict[str, Any]) -> str:
    """Markdown: a way a line, a number of passes a column."""
    passes = [*report["rows"][0]["agreement"]]
    lines = [f"| schedule | solver | {' | '.join(map(str, passes))} |", f"|---|---|{'---|' * len(passes)}"]
    for row in report["rows"]:
        figures = " | ".join(f"{row['agreement'][count]:.3f}" for count in passes)
        lines.append(f"| {row['schedule']} | {row['solver']} | {figures} |")
    return "\n".join(lines)
