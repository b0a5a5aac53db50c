"""Check on paper that a training fits its devices: memory by shapes, or by compiling the real step for them."""

import contextlib
import dataclasses
import json
import math
import os
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError
from jax.sharding import Mesh

from elf.config import T5Config
from elf.config_file import load_config
from elf.devices import batch_sharding, make_mesh
from elf.errors import ConfigError, DoesNotFitError, UsageError, first_line
from elf.models.text_encoder import load_encoder
from elf.network.encoder import T5Encoder
from elf.network.modules import abstract, compiled_for
from elf.paths import path_of
from elf.progress import say
from elf.training.memory_estimate import estimate, planned_step, sharded, ways_to_fit
from elf.training.step import Rows
from elf.training.train_config import TrainConfig

# --- The real training step compiled for devices that are not there -------------------------------------------------
#
# What a compiler reserves, computes and communicates. Either for devices simulated on this machine's CPU, or, where
# libtpu is installed, by the TPU's own compiler.

# `%name = TYPE all-gather(…)`; TYPE is an array or a tuple of arrays, with layouts such as {1,0:T(8,128)} between. An
# asynchronous operation is two instructions: its `-done` has the type of the result and is the one counted.
INSTRUCTION = re.compile(
    r"= (?P<type>\([^=]*?\)|\S+) "
    r"(?:(?P<whole>all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"|(?P<begun>all-reduce|all-gather|collective-permute)-done)\("
)
ARRAY = re.compile(r"\b(?P<kind>pred|bf16|[fsuc]\d+)\w*\[(?P<sizes>[\d,]*)\]")


@dataclass(frozen=True)
class Collective:
    count: int
    bytes: int
    """Of the results on one device."""


def collectives(hlo: str) -> dict[str, Collective]:
    """Name of an operation → how often it stands in the text and what its results hold.

    An operation in a loop stands there once, however often the loop runs.
    """
    found: dict[str, Collective] = {}
    for line in hlo.splitlines():
        # In a long tuple a comment counts: /*index=5*/.
        match = INSTRUCTION.search(re.sub(r"/\*.*?\*/", "", line))
        if match:
            name = match["whole"] or match["begun"]
            before = found.get(name, Collective(0, 0))
            found[name] = Collective(before.count + 1, before.bytes + type_bytes(match["type"]))
    return dict(sorted(found.items()))


def type_bytes(text: str) -> int:
    """Bytes of an HLO type: `bf16[512,128]{1,0}` or a tuple of such."""
    return sum(
        math.prod(int(size) for size in match["sizes"].split(",") if size) * _bits(match["kind"]) // 8
        for match in ARRAY.finditer(text)
    )


def _bits(kind: str) -> int:
    return {"pred": 8, "bf16": 16}.get(kind) or int(kind[1:])


UNOPTIMISED = {"xla_backend_optimization_level": 0}
"""For simulated devices: memory and communication are settled before machine code is made, which nobody will run."""


WITHOUT_A_TPU = {
    "TPU_SKIP_MDS_QUERY": "1",
    "TPU_WORKER_HOSTNAMES": "localhost",
    "TPU_ACCELERATOR_TYPE": "v5p-8",
    "ALLOW_MULTIPLE_LIBTPU_LOAD": "1",
}
"""For libtpu, which otherwise asks this machine for the facts of a TPU host, and wants to be the only one there."""


def simulated_devices(count: int) -> list[jax.Device]:
    """Raises UsageError where this process has already begun to use fewer."""
    # Refused where JAX is running already; the devices it has may do.
    with contextlib.suppress(RuntimeError):
        jax.config.update("jax_num_cpu_devices", count)
    devices = jax.devices("cpu")
    if len(devices) < count:
        raise UsageError(f"this process has {len(devices)} of {count} simulated devices", "Run the command by itself.")
    return devices[:count]


def tpu_devices(topology: str) -> list[jax.Device]:
    """The chips of a slice such as `v5p:4x4x2`, to compile for and nothing else.

    Raises UsageError without libtpu, or for a slice it does not know.
    """
    from jax.experimental import topologies

    for name, value in WITHOUT_A_TPU.items():
        os.environ.setdefault(name, value)
    # In v4 and v5p the two cores of a chip are one device.
    megacore = {"chip_config_name": "megacore"} if topology.startswith(("v4:", "v5p:")) else {}
    try:
        return list(topologies.get_topology_desc(topology, platform="tpu", **megacore).devices)
    except (RuntimeError, ValueError, NotImplementedError) as error:
        said = first_line(error)
        action = "Give a slice that exists, such as v5p:4x4x2 or v5e:2x4."
        if "not installed" in said:
            action = f"Install the compiler that belongs to this JAX: pip install 'jax[tpu]=={jax.__version__}'."
        raise UsageError(f"{topology} cannot be compiled for: {said}", action) from error


def compile_branch(config: TrainConfig, encoder: T5Config, mesh: Mesh, decode: bool | None) -> dict[str, Any]:
    """Bytes on one device by kind, FLOPs of one device, `seconds` where the compiler predicts them, collectives.

    Raises DoesNotFitError where the compiler gives up for want of memory.
    """
    step = planned_step(config, mesh, encoder)
    _, encoder_params = abstract(T5Encoder, encoder)
    B, L = config.batch_size, config.elf.max_length

    def rows(shape: tuple[int, ...], dtype: Any) -> Any:
        return jax.ShapeDtypeStruct(shape, dtype, sharding=batch_sharding(mesh))

    batch = Rows(rows((B, L), jnp.int32), rows((B, L), jnp.bool_), rows((B,), jnp.int32))
    platform = mesh.devices.flat[0].platform
    number = jax.ShapeDtypeStruct((), jnp.int32)
    with compiled_for(platform):
        lowered = step.jitted.lower(step.abstract_state, sharded(mesh, encoder_params), batch, number, decode=decode)
    try:
        executable = lowered.compile(compiler_options=None if platform == "tpu" else UNOPTIMISED)
    except JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        raise DoesNotFitError(
            f"the compiler finds no room for {config.name}: {first_line(error)}",
            "Raise remat, accumulation or fsdp; without --topology this command says which are enough.",
        ) from error
    memory, cost = executable.memory_analysis(), executable.cost_analysis()
    sizes = {
        "arguments": memory.argument_size_in_bytes,
        "outputs": memory.output_size_in_bytes,
        "aliased": memory.alias_size_in_bytes,
        "temporaries": memory.temp_size_in_bytes,
        "code": memory.generated_code_size_in_bytes,
    }
    return {
        **sizes,
        # Outputs that take the place of arguments count once.
        "total": sum(sizes.values()) - 2 * sizes["aliased"],
        "flops": cost.get("flops"),
        "seconds": cost.get("optimal_seconds"),
        "collectives": {name: asdict(use) for name, use in collectives(executable.as_text()).items()},
    }


# --- The plan: memory by shapes, or by compiling the real step ------------------------------------------------------

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
    """Compile the step for simulated devices: each of its branches, or the one program that coin=example has."""
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
        report["compiled"] = compile_branches(config, encoder, mesh)
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


def compile_branches(config: TrainConfig, encoder: T5Config, mesh: Mesh) -> dict[str, dict]:
    """Branch → what the compiler says of it; `mixed` alone where every row has its own, in one program."""
    decodes: dict[str, bool | None] = {"denoise": False, "decode": True}
    if config.choices.coin == "example":
        decodes = {"mixed": None}
    branches = {}
    for branch, decode in decodes.items():
        kind = mesh.devices.flat[0].device_kind
        say(f"compiling the {branch} step for {mesh.size} × {kind}; a large model takes minutes")
        branches[branch] = compile_branch(config, encoder, mesh, decode)
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
