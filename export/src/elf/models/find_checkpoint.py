"""The one checkpoint that a path or a name on the hub stands for, with all that a training keeps in it."""

import re
from pathlib import Path

from elf.checkpoints.newest import newest_checkpoint
from elf.checkpoints.orbax_folder import orbax_item
from elf.checkpoints.source_record import read_source
from elf.errors import CheckpointError
from elf.models.hub_models import fetched_checkpoint, hub_name

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
"""A finished one: what is still being written has a longer name."""


def checkpoints_of(run: Path) -> dict[int, Path]:
    """The finished checkpoints of a training of this project, by their steps."""
    return {int(match[1]): path for path in run.glob("checkpoints/*") if (match := CHECKPOINT.fullmatch(path.name))}


def checkpoint_at(name: str) -> Path:
    """A file, or the folder of an Orbax checkpoint: that one itself, or the newest in a training's output folder, in a
    folder of checkpoints, or in a repository of the hub.

    Raises CheckpointError where there is none, and what fetching one raises.
    """
    on_hub = hub_name(name)
    path = fetched_checkpoint(on_hub) if on_hub else Path(name)
    if path.is_file() or orbax_item(path) is not None:
        return path
    own = checkpoints_of(path)
    if own:
        return own[max(own)]
    if not path.is_dir():
        raise CheckpointError(f"there is no {name}", "Give a checkpoint, a folder of some, or a name on the hub.")
    source = read_source(path)
    files = [file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()]
    return path / (source.checkpoint if source else newest_checkpoint(files, name, "Give one of its checkpoints."))
