"""Weights in several files, as Hugging Face writes large models: an index tells which file has which."""

import json
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from elf.checkpoints.stored import Tree, Unread, UnsupportedError, tensors
from elf.errors import CheckpointError

INDEXES = ("model.safetensors.index.json", "pytorch_model.bin.index.json", "flax_model.msgpack.index.json")
"""In the order of choice."""

WHOLE = "Copy or fetch the folder again, with all of its files."


def index_in(folder: Path) -> Path | None:
    """The index of a folder, the first of INDEXES, or else the only one; None where it has none."""
    known = [folder / name for name in INDEXES if (folder / name).is_file()]
    others = [file for file in folder.glob("*.index*.json") if re.search(r"\.index(\.\w+)?\.json$", file.name)]
    return known[0] if known else others[0] if len(others) == 1 else None


def read_shards(path: Path, read_tree: Callable[[Path], tuple[str, Tree]]) -> tuple[Tree, str]:
    """All tensors that an index, or the one in a folder, names, and the format of their files.

    A tensor is Unread whose file is missing or lacks it. Raises CheckpointError for an index that is broken, and for a
    file that `read_tree` cannot read.
    """
    index = (index_in(path) or path) if path.is_dir() else path
    try:
        places = json.loads(index.read_text(encoding="utf-8-sig"))["weight_map"]
        files = {name: index.parent / _plain(file) for name, file in places.items()}
    except UnsupportedError as error:
        raise CheckpointError(f"{index} cannot be read as an index of weights: {error}", error.action) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{error}" if not isinstance(error, KeyError) else "it has no weight_map"
        raise CheckpointError(f"{index} cannot be read as an index of weights: {reason}", WHOLE) from error
    found, kinds = {}, {}
    for file in sorted(set(files.values())):
        if not file.is_file():
            continue
        kinds[file], tree = read_tree(file)
        found[file] = {name.replace("/", "."): tensor for name, tensor in tensors(tree).items()}
    joined = {}
    for name, file in files.items():
        absent = Unread(f"{index.name} says that it is in {file.name}, which is not there", damaged=True)
        if file in found:
            absent = Unread(f"{index.name} says that it is in {file.name}, which lacks it", damaged=True)
        joined[name] = found.get(file, {}).get(name.replace("/", "."), absent)
    return joined, " and ".join(sorted(set(kinds.values())))


def _plain(file: str) -> str:
    """The name of a file in the folder, "./" taken off. Raises UnsupportedError for what leads out of it."""
    if isinstance(file, str):
        file = file.removeprefix("./")
    if not isinstance(file, str) or len(PurePosixPath(file).parts) != 1 or file in ("", ".", "..") or "\\" in file:
        raise UnsupportedError(
            f"{file!r} is no name of a file beside it", "Put all files into one folder, and their bare names into it."
        )
    return file
