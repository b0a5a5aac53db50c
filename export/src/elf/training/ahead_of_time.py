"""The real training step compiled for devices that are not there: what a compiler reserves, computes and communicates.

Either for devices simulated on this machine's CPU, or, where libtpu is installed, by the TPU's own compiler.
"""

import contextlib
import math
import os
import re
from dataclasses import asdict, dataclass
from typing import Any

import jax
import jax.numpy as jnp
from jax.errors import JaxRuntimeError
from jax.sharding import Mesh

from elf.config import T5Config
from elf.devices import batch_sharding
from elf.errors import DoesNotFitError, UsageError, first_line
from elf.network.encoder import T5Encoder
from elf.network.modules import abstract, compiled_for
from elf.training.memory_estimate import planned_step, sharded
from elf.training.step import Rows
from elf.training.train_config import TrainConfig

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


def compile_branch(config: TrainConfig, encoder: T5Config, mesh: Mesh, decode: bool) -> dict[str, Any]:
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
