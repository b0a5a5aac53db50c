"""Check on paper that a training fits its devices: memory by shapes, or by compiling the real step for them."""

import dataclasses
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
from jax.sharding import Mesh

from elf.config import T5Config
from elf.config_file import load_config
from elf.devices import make_mesh
from elf.errors import ConfigError, DoesNotFitError, UsageError
from elf.models.text_encoder import load_encoder
from elf.paths import path_of
from elf.progress import say
from elf.training.ahead_of_time import compile_branch, simulated_devices, tpu_devices
from elf.training.memory_estimate import estimate, ways_to_fit
from elf.training.train_config import TrainConfig

GB = 10**9

CHIP_GB = {"v4": 32, "v5e": 16, "v5p": 95, "v6e": 32}
"""Memory of one chip, by the name its topologies begin with."""

ESTIMATE_ROWS = {
    "params": "weights",
    "ema_params1": "averaged weights",
    "opt_state": "optimizer state",
    "encoder_params": "frozen encoder",
    "gradient": "gradient and update",
    "batch": "ids, latents, noise",
    "kept": "kept for the backward pass",
    "remade": "computed again, one block",
    "total": "in all",
}

COMPILED_ROWS = ("arguments", "outputs", "aliased", "temporaries", "code", "total")


@dataclass(frozen=True)
class Arguments:
    config: Path
    """YAML of an experiment, see configs/."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: remat=dots accumulation=2 …"""
    devices: int | None = None
    """How many; 32 unless --topology says. A TPU v5p-64 has 64 cores in 32 chips, and each chip is one device."""
    fsdp: int | None = None
    """Devices that share one copy of the weights, over what the configuration says."""
    topology: str | None = None
    """TPU slice to compile for, such as v5p:4x4x2 or v5e:2x4. Needs libtpu, not a TPU."""
    hbm_gb: float | None = None
    """Memory of one device in 10⁹ bytes; of the --topology's chip, or a v5p's 95."""
    compile: bool = False
    """Compile both branches of the step for simulated devices."""
    json: bool = False
    """Print one JSON object instead of a table."""


def main(arguments: Arguments) -> None:
    """Check on paper that a training fits its devices: memory by shapes, or by compiling the real step for them.

    Needs none of the devices, no dataset and no encoder's weights. --compile simulates the devices on this
    machine's CPU;
    --topology v5p:4x4x2 compiles with the TPU's own compiler, libtpu, which any Linux machine can install.
    """
    # A TPU or GPU of this machine has nothing to do here, and may be busy.
    jax.config.update("jax_platforms", "cpu")
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    if arguments.fsdp is not None:
        config = dataclasses.replace(config, fsdp=arguments.fsdp)
    devices = device_count(arguments)
    if devices % config.fsdp:
        raise ConfigError(f"fsdp is {config.fsdp}", f"Give a divisor of the number of devices, which is {devices}.")
    limit = GB * (arguments.hbm_gb or CHIP_GB[(arguments.topology or "v5p").partition(":")[0]])
    mesh = None
    if arguments.topology or arguments.compile:
        # Before anything else: how many devices JAX simulates is settled when it first uses one.
        mesh = make_mesh(
            config.fsdp, tpu_devices(arguments.topology) if arguments.topology else simulated_devices(devices)
        )
    encoder = encoder_shape(config)

    estimated = estimate(config, devices, encoder)
    needed = estimated.total
    report: dict[str, Any] = {
        "name": config.name,
        "devices": devices,
        "fsdp": config.fsdp,
        "accumulation": config.accumulation,
        "remat": config.remat,
        "rows_per_device": config.batch_size // devices,
        "limit": int(limit),
        "estimate": estimated._asdict() | {"total": needed},
    }
    if mesh is not None:
        report["compiled"] = compile_both(config, encoder, mesh)
        needed = max(branch["total"] for branch in report["compiled"].values())
    report["fits"] = needed <= limit
    print(json.dumps(report) if arguments.json else table(report))
    if not report["fits"]:
        # The compiler's number and the estimate differ; other settings are weighed by their estimates.
        ways = ways_to_fit(config, devices, encoder, limit * estimated.total / needed)
        raise DoesNotFitError(
            f"{config.name} needs {needed / GB:.3g} GB on each of {devices} devices, which have {limit / GB:g}",
            advice(ways),
        )


def device_count(arguments: Arguments) -> int:
    """Raises UsageError for a topology that is none, one of another size than --devices, and for impossible sizes."""
    if arguments.hbm_gb is not None and not arguments.hbm_gb > 0:
        raise UsageError(f"--hbm-gb is {arguments.hbm_gb}", "Give the memory of one device in GB, above 0.")
    if arguments.devices is not None and arguments.devices < 1:
        raise UsageError(f"--devices is {arguments.devices}", "Give at least 1.")
    if arguments.topology is None:
        return arguments.devices or 32
    chip, _, sizes = arguments.topology.partition(":")
    if chip not in CHIP_GB or not all(size.isdigit() for size in sizes.split("x")):
        raise UsageError(
            f"--topology is {arguments.topology!r}",
            f"Give CHIP:SIZES, such as v5p:4x4x2; the chips are {', '.join(CHIP_GB)}.",
        )
    devices = math.prod(int(size) for size in sizes.split("x"))
    if arguments.devices not in (None, devices):
        raise UsageError(f"{arguments.topology} has {devices} devices, not {arguments.devices}", "Give one of the two.")
    return devices


def encoder_shape(config: TrainConfig) -> T5Config:
    """The encoder's own where its folder is here; otherwise T5-small's, as wide as the latents."""
    if path_of(config.encoder).is_dir():
        return load_encoder(config.encoder)[0]
    return T5Config(d_model=config.elf.latent_size)


def compile_both(config: TrainConfig, encoder: T5Config, mesh: Mesh) -> dict[str, dict]:
    """Branch → what the compiler says of it."""
    branches = {}
    for branch in ("denoise", "decode"):
        kind = mesh.devices.flat[0].device_kind
        say(f"compiling the {branch} step for {mesh.size} × {kind}; a large model takes minutes")
        branches[branch] = compile_branch(config, encoder, mesh, branch == "decode")
    return branches


def table(report: dict[str, Any]) -> str:
    """The report to read; sizes are those on one device, GB = 10⁹ bytes."""
    unit, size = ("GB", GB) if report["estimate"]["total"] >= GB else ("MB", 10**6)
    sharing = f"{report['devices']} devices (data {report['devices'] // report['fsdp']} × fsdp {report['fsdp']})"
    lines = [
        f"{report['name']} on {sharing}, {report['rows_per_device']} rows each, "
        f"accumulation {report['accumulation']}, remat {report['remat']}",
        "",
        f"{'estimated from shapes':30} {unit:>10}",
    ]
    lines += [f"  {words:28} {report['estimate'][name] / size:10.3f}" for name, words in ESTIMATE_ROWS.items()]
    branches = list(report.get("compiled", {}).values())

    def row(words: str, numbers: list[float]) -> str:
        return f"  {words:28}" + "".join(f" {number:10.3f}" for number in numbers)

    if branches:
        lines += ["", f"{'compiled':30}" + "".join(f" {branch:>10}" for branch in report["compiled"])]
        lines += [row(f"{name}, {unit}", [branch[name] / size for branch in branches]) for name in COMPILED_ROWS]
        lines.append(row("TFLOP a step", [branch["flops"] / 1e12 for branch in branches]))
        if all(branch["seconds"] for branch in branches):
            lines.append(row("seconds, as XLA predicts", [branch["seconds"] for branch in branches]))
        for name in sorted({name for branch in branches for name in branch["collectives"]}):
            uses = [branch["collectives"].get(name, {"count": 0, "bytes": 0}) for branch in branches]
            lines.append(f"  {name:28}" + "".join(f" {use['count']:9}×" for use in uses))
            lines.append(row(f"{name}, {unit}", [use["bytes"] / size for use in uses]))
    verdict = "fits" if report["fits"] else "does not fit"
    return "\n".join([*lines, "", f"{verdict} in {report['limit'] / GB:g} GB"])


def advice(ways: list[tuple[str, int]]) -> str:
    if not ways:
        return "Neither remat, accumulation nor fsdp alone is enough: combine them, or use more devices."
    return "Enough would be " + ", or ".join(f"{change} (about {size / GB:.3g} GB)" for change, size in ways) + "."
