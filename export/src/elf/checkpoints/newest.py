"""Which of many files is the checkpoint: the one of the latest step, in a folder or a repository."""

import re
from collections.abc import Iterable

from elf.errors import CheckpointError

STEP = re.compile(r"^((?:.*/)?checkpoint_(\d+)(?:\.\w+)?)(?:/.*)?$")
"""`checkpoint_95000`, a file or a folder with files in it; -torch files may have an ending."""

WEIGHTS = re.compile(r"\.(pt|pth|ckpt|bin|msgpack|safetensors|pkl)$")


def newest_checkpoint(paths: Iterable[str], where: str, action: str) -> str:
    """The file, or the folder, of the latest step among `paths`; the only file of weights where none says its step.

    Raises CheckpointError with `action` where there is none, or several to choose from.
    """
    paths = sorted(paths)
    steps = [(int(match[2]), match[1]) for path in paths if (match := STEP.match(path))]
    if steps:
        latest = max(step for step, _ in steps)
        found = sorted({name for step, name in steps if step == latest})
    else:
        found = [path for path in paths if WEIGHTS.search(path)]
    if len(found) == 1:
        return found[0]
    what = f"several checkpoints: {', '.join(found)}" if found else "no checkpoint"
    raise CheckpointError(f"{where} holds {what}", action)
