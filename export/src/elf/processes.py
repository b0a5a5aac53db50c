"""How the processes of one command find each other."""

from dataclasses import dataclass
from typing import Literal

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
