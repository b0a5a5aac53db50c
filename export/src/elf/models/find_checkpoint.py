"""The one checkpoint that a path or a name on the hub stands for, with all that a training keeps in it."""

import re
from pathlib import Path

from elf.checkpoints.newest import newest_checkpoint
from elf.checkpoints.orbax_folder import orbax_item
from elf.checkpoints.source_record import read_source
from elf.errors import CheckpointError
from elf.models.hub_models import fetched_checkpoint, hub_name
from elf.paths import files_below, is_address, path_of

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
"""A finished one: what is still being written has a longer name, but for buckets."""


DONE = "commit_success.txt"


def checkpoints_of(run: Path) -> dict[int, Path]:
    """The finished checkpoints of a training of this project, by their steps."""
    found = {int(match[1]): path for path in run.glob("checkpoints/*") if (match := CHECKPOINT.fullmatch(path.name))}
    return {step: path for step, path in found.items() if is_whole(path)}


def is_whole(checkpoint: Path) -> bool:
    """Whether a folder with the name of a finished checkpoint is one. In a bucket, where renaming a folder is copying
    it, Orbax writes under that name, and last of all a file that says it is done."""
    return not is_address(checkpoint) or (checkpoint / DONE).is_file()


def checkpoint_at(name: str) -> Path:
    """A file, or the folder of an Orbax checkpoint: that one itself, or the newest in a training's output folder, in a
    folder of checkpoints, or in a repository of the hub.

    Raises CheckpointError where there is none, and what fetching one raises.
    """
    on_hub = hub_name(name)
    path = fetched_checkpoint(on_hub) if on_hub else path_of(name)
    if path.is_file() or orbax_item(path) is not None:
        return path
    own = checkpoints_of(path)
    if own:
        return own[max(own)]
    if not path.is_dir():
        raise CheckpointError(f"there is no {name}", "Give a checkpoint, a folder of some, or a name on the hub.")
    source = read_source(path)
    files = files_below(path)
    return path / (source.checkpoint if source else newest_checkpoint(files, name, "Give one of its checkpoints."))
