"""Orbax checkpoints of a running training: `checkpoint_<step>`, written in the background, whole or not at all."""

import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from elf.disk import named_when_full
from elf.errors import CheckpointError, CheckpointMismatchError, DiskFullError, first_line
from elf.paths import absolute, is_address


class Checkpoints:
    """The checkpoints below one output folder. Every process of a run must call its methods alike."""

    def __init__(self, directory: Path, keep: int = 2):
        self.directory = absolute(directory)
        self.manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                step_prefix="checkpoint",
                create=True,
                enable_async_checkpointing=True,
                # What a killed run had half written.
                cleanup_tmp_directories=True,
            ),
        )
        self.follower = ThreadPoolExecutor(1, "after_checkpoint")
        self.following: Future[None] | None = None
        self.saved: int | None = None
        """The step last given to `save`. The manager forgets the one whose writing fails."""

    def latest_step(self) -> int | None:
        return self.manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Starts writing; returns once the values are copied out of the way of the next step.

        Raises DiskFullError; the checkpoints before this one stay. What followed the last checkpoint has to be done
        with it first; what that raised is raised here, after saving.
        """
        error = self._followed()
        if self.manager.latest_step() != step:
            self.saved = step
            if not is_address(self.directory):
                self._check_room(step, state)
            with named_when_full(partial(self._full, step)):
                self.manager.save(step, args=ocp.args.StandardSave(state))
        if error is not None:
            raise error

    def _check_room(self, step: int, state: Any) -> None:
        """Raises DiskFullError."""
        arrays = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)]
        size = sum(part.data.nbytes for array in arrays for part in array.addressable_shards)
        free = shutil.disk_usage(self.directory).free
        if free < size:
            raise self._full(step, f"it needs {size / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")

    def follow(self, step: int, then: Callable[[Path], None]) -> None:
        """Has `then` called with the folder of the checkpoint last saved, in the background, once that is whole.

        What it raises, the next `save` or `wait` raises. Not every process need call this.
        """
        self.following = self.follower.submit(self._follow, step, then)

    def _follow(self, step: int, then: Callable[[Path], None]) -> None:
        try:
            self.manager.wait_until_finished()
        except Exception:  # raised once more to whoever waits for the checkpoint itself
            return
        then(self.directory / f"checkpoint_{step}")

    def _followed(self) -> BaseException | None:
        """Waits for what follows the last checkpoint; its error."""
        following, self.following = self.following, None
        return following.exception() if following else None

    def restore(self, state_like: Any, step: int | None = None) -> Any:
        """The state of `step` (newest by default), shaped and sharded like `state_like`, whose leaves may be abstract.

        Raises CheckpointError when there is none or it is unreadable, CheckpointMismatchError when its shapes differ.
        """
        step = self.latest_step() if step is None else step
        if step is None:
            raise CheckpointError("there is no checkpoint to restore", "Give the output folder of a training run.")
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state_like)
        try:
            restored = self.manager.restore(step, args=ocp.args.StandardRestore(abstract))
        except ValueError as error:
            raise CheckpointMismatchError(
                f"checkpoint_{step} does not fit this configuration: {first_line(error)}",
                "Train on with the configuration it was started with, or choose another output folder.",
            ) from error
        except (OSError, KeyError) as error:
            raise CheckpointError(
                f"checkpoint_{step} cannot be read: {error}", "Delete its folder; the one before it will be used."
            ) from error
        for wanted, got in zip(jax.tree.leaves(abstract), jax.tree.leaves(restored), strict=True):
            if wanted.shape != got.shape:
                raise CheckpointMismatchError(
                    f"checkpoint_{step} holds an array of shape {got.shape} where {wanted.shape} was expected",
                    "Train on with the configuration it was started with, or choose another output folder.",
                )
        return restored

    def wait(self) -> None:
        """Returns when everything saved is on disk, and what follows it is done. Raises DiskFullError when it does not
        fit there."""
        error = self._followed()
        with named_when_full(partial(self._full, self.saved)):
            self.manager.wait_until_finished()
        if error is not None:
            raise error

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.follower.shutdown()
        self.manager.close()

    def _full(self, step: int | None, detail: str) -> DiskFullError:
        kept = [number for number in self.manager.all_steps() if number != step]
        stands = f"checkpoint_{max(kept)} stands" if kept else "there is no earlier one"
        return DiskFullError(
            f"checkpoint_{step} could not be written to {self.directory.name}: {detail}; {stands}",
            "Make room, or lower checkpoints.keep, and run the same command again: it goes on from the last one.",
        )
