"""How the processes of one command find each other, and what the first alone knows is told to all."""

import json
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np

from elf.devices import initialize_distributed


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
        """Before anything touches a device. Raises DistributedError."""
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
