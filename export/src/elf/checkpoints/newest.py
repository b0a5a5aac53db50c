"""Which of many files is the checkpoint: the one of the latest step, in a folder or a repository."""

import re
from collections.abc import Iterable

from elf.errors import CheckpointError

STEP = re.compile(r"^((?:.*/)?checkpoint_(\d+)(?:\.\w+)?)(?:/.*)?$")
"""`checkpoint_95000`, a file or a folder with files in it; -torch files may have an ending."""

INDEX = re.compile(r"^(.*)\.(\w+)\.index\.json$")
"""Of weights in several files: `model.safetensors.index.json` is that of `model-00001-of-00002.safetensors` and on."""

WEIGHTS = re.compile(r"\.(pt|pth|ckpt|bin|msgpack|safetensors|pkl)$")


def newest_checkpoint(paths: Iterable[str], where: str, action: str) -> str:
    """The file, or the folder, of the latest step among `paths`; the only file of weights where none says its step, or
    the only index of several.

    Raises CheckpointError with `action` where there is none, or several to choose from.
    """
    paths = sorted(paths)
    steps = [(int(match[2]), match[1]) for path in paths if (match := STEP.match(path))]
    if steps:
        latest = max(step for step, _ in steps)
        found = sorted({name for step, name in steps if step == latest})
    else:
        parts = {part for path in paths if INDEX.match(path) for part in parts_of(path, paths)}
        found = [path for path in paths if path not in parts and (WEIGHTS.search(path) or INDEX.match(path))]
    if len(found) == 1:
        return found[0]
    what = f"several checkpoints: {', '.join(found)}" if found else "no checkpoint"
    raise CheckpointError(f"{where} holds {what}", action)


def parts_of(index: str, paths: Iterable[str]) -> list[str]:
    """Which of `paths` are the files that an index is of, by their names; none where it is no index."""
    match = INDEX.match(index)
    if not match:
        return []
    part = re.compile(rf"{re.escape(match[1])}-\d+-of-\d+\.{match[2]}")
    return [path for path in paths if part.fullmatch(path)]
