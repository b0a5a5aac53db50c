"""One mesh of devices, from a single CPU to a TPU pod: rows lie over all of it, parameters over its axis `fsdp`."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from jax.experimental.mesh_utils import create_device_mesh
from jax.sharding import Mesh, NamedSharding, PartitionSpec, Sharding

from elf.errors import ConfigError, DistributedError, UsageError, first_line

# Nothing else in the package knows how many devices or processes there are: computations are written for the global
# arrays, and XLA inserts the communication that their shardings ask for.

AXES = ("data", "fsdp")

SMALLEST_SPLIT = 2**14
"""Arrays of fewer elements stay whole on every device: fetching the parts would cost more than keeping them."""


def initialize_distributed(
    coordinator: str | None = None, process_count: int | None = None, process_id: int | None = None
) -> None:
    """Joins this process to the others of the run; to be called before anything touches a device.

    Without arguments the cluster is recognised (TPU pod, SLURM, Open MPI …). Raises DistributedError when the others do
    not answer. CPU processes talk through gloo.
    """
    jax.config.update("jax_cpu_collectives_implementation", "gloo")
    try:
        jax.distributed.initialize(coordinator, process_count, process_id)
    except (RuntimeError, ValueError) as error:
        raise DistributedError(
            f"the processes of this run could not be joined: {first_line(error)}",
            "Give every process the same --coordinator HOST:PORT and --processes N, and its own --process-id from 0.",
        ) from error


def make_mesh(fsdp: int = 1, devices: list[jax.Device] | None = None) -> Mesh:
    """All devices of all processes as (data, fsdp). Raises ConfigError where `fsdp` does not divide their number.

    Devices that share weights, which they send each other all the time, are neighbours where devices have places, as
    the chips of a TPU slice do.
    """
    devices = jax.devices() if devices is None else devices
    if fsdp < 1 or len(devices) % fsdp:
        raise ConfigError(f"fsdp is {fsdp}", f"Give a divisor of the number of devices, which is {len(devices)}.")
    return Mesh(create_device_mesh((len(devices) // fsdp, fsdp), devices, allow_split_physical_axes=True), AXES)


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """Of arrays whose first axis is the rows of a batch."""
    return NamedSharding(mesh, PartitionSpec(AXES))


def replicated(mesh: Mesh) -> NamedSharding:
    return NamedSharding(mesh, PartitionSpec())


def parameter_sharding(mesh: Mesh, shape: tuple[int, ...]) -> NamedSharding:
    """Of a weight, or of anything kept per weight: its largest axis that `fsdp` divides is split, if it is worth it."""
    parts = mesh.shape["fsdp"]
    divisible = [axis for axis, size in enumerate(shape) if size % parts == 0]
    if parts == 1 or not divisible or np.prod(shape) < SMALLEST_SPLIT:
        return replicated(mesh)
    widest = max(divisible, key=lambda axis: shape[axis])
    return NamedSharding(mesh, PartitionSpec(*("fsdp" if axis == widest else None for axis in range(len(shape)))))


def state_shardings(mesh: Mesh, state: Any) -> Any:
    """`parameter_sharding` for every array, or abstract array, of a tree."""
    return jax.tree.map(lambda leaf: parameter_sharding(mesh, tuple(leaf.shape)), state)


def global_rows(mesh: Mesh, local: Any) -> Any:
    """A tree of this process's rows (NumPy, first axis rows) as global arrays over the mesh."""
    sharding = batch_sharding(mesh)
    return jax.tree.map(lambda rows: jax.make_array_from_process_local_data(sharding, rows), local)


def on_mesh(array: np.ndarray, sharding: Sharding) -> jax.Array:
    """An array that every process has whole, laid out over the devices of all of them without any communication.

    JAX's own `device_put` would send it to all processes, to see that they have the same.
    """
    parts = sharding.addressable_devices_indices_map(array.shape)
    here = [jax.device_put(array[part], device) for device, part in parts.items()]
    return jax.make_array_from_single_device_arrays(array.shape, sharding, here)


def check_batch(mesh: Mesh, batch_size: int, parts: int = 1) -> None:
    """Raises ConfigError where a batch of `batch_size` rows, taken in `parts`, does not split over the mesh."""
    if batch_size % (mesh.size * parts):
        raise ConfigError(
            f"a batch of {batch_size} rows does not split into {parts} × {mesh.size} equal parts",
            f"Give a multiple of {mesh.size * parts}: {mesh.size} devices"
            + (f", {parts} rounds of accumulation." if parts > 1 else "."),
        )


def on_host(tree: Any) -> Any:
    """The whole arrays of a tree as NumPy on every process, gathered where they are spread over several."""
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    from jax.experimental import multihost_utils

    return jax.tree.map(lambda array: np.asarray(multihost_utils.process_allgather(array, tiled=True)), tree)


@dataclass(frozen=True, kw_only=True)
class ProcessArguments:
    """Base of the arguments of commands that may run as several processes."""

    distributed: Literal["auto", "off"] = "off"
    """`auto`: joins the other processes of a TPU pod, SLURM or MPI job."""
    coordinator: str | None = None
    """HOST:PORT of the first process, where the processes are started by hand; with --processes and --process-id."""
    processes: int | None = None
    process_id: int | None = None

    def join_processes(self) -> None:
        """Before anything touches a device. Raises DistributedError, and UsageError where nothing says whom to join."""
        alone = self.distributed == "off" and not self.coordinator
        if alone and (self.processes is not None or self.process_id is not None):
            # Taken for one process each, all of them would train by themselves and write into one folder.
            raise UsageError(
                "--processes or --process-id is given, but no --coordinator",
                "Give --coordinator HOST:PORT of the first process too, or none of them for a run of one process.",
            )
        if self.distributed == "auto" or self.coordinator:
            initialize_distributed(self.coordinator, self.processes, self.process_id)


def from_first_process(value: Any) -> Any:
    """The first process's `value`, anything that JSON can hold, on every process; all of them must call this."""
    if jax.process_count() == 1:
        return value
    from jax.experimental.multihost_utils import broadcast_one_to_all

    told = np.frombuffer(json.dumps(value).encode(), np.uint8)
    size = int(broadcast_one_to_all(np.int64(len(told))))
    if jax.process_index():
        told = np.zeros(size, np.uint8)
    return json.loads(np.asarray(broadcast_one_to_all(told)).tobytes())
