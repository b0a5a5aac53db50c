"""What the devices do in some steps of a training, recorded by JAX's profiler."""

import tempfile
from pathlib import Path
from types import TracebackType
from typing import Any

import jax

from elf.paths import files_below, is_address
from elf.progress import say


class Profiler:
    """Records the steps numbered `steps[0]` to `steps[1]`, from 1, into `folder`; none where `steps` is None.

    A run that is resumed among them records the rest. TensorBoard (with the plugin tensorboard-plugin-profile) and
    Perfetto (ui.perfetto.dev) show what is written.
    """

    def __init__(self, folder: Path, steps: tuple[int, int] | None):
        self.folder = folder
        # JAX writes on this machine only.
        self.scratch = tempfile.TemporaryDirectory() if steps and is_address(folder) else None
        self.here = Path(self.scratch.name) if self.scratch else folder
        self.first, self.last = steps or (0, -1)
        self.records = False

    def begin(self, step: int) -> None:
        """Before the step of this number."""
        if not self.records and self.first <= step <= self.last:
            jax.profiler.start_trace(str(self.here))
            self.records = True

    def end(self, step: int, state: Any) -> None:
        """After it; `state` is what it computes."""
        if self.records and step >= self.last:
            # Steps are only handed to the devices; their work is to be in the record.
            jax.block_until_ready(state)
            self._stop()

    def __enter__(self) -> "Profiler":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.records:
            self._stop()

    def _stop(self) -> None:
        self.records = False
        jax.profiler.stop_trace()
        if self.scratch:
            for name in files_below(self.here):
                (self.folder / name).write_bytes((self.here / name).read_bytes())
            self.scratch.cleanup()
        if jax.process_index() == 0:
            say(f"recorded steps {self.first} to {self.last} in {self.folder}")
