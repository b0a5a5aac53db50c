"""The forms that checkpoints come in, told apart by what is in a file, and the sets of one network's weights in any of
them."""

import re
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from elf.checkpoints.array_files import SUFFIX, read_npz, read_numpy_pickle, read_safetensors
from elf.checkpoints.flax_msgpack import read_msgpack
from elf.checkpoints.orbax_folder import orbax_item, read_orbax
from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, Tree, Unread, UnsupportedError, tensors
from elf.checkpoints.torch_file import is_legacy, read_torch_archive, read_torch_legacy
from elf.errors import CheckpointError
from elf.paths import COPY, absolute, file_size, is_name_below, refuse_address
from elf.text_file import foreign_file, json_value

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
        places = json_value(index.read_text(encoding="utf-8-sig"))["weight_map"]
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
    if not is_name_below(file) or "/" in file:
        raise UnsupportedError(
            f"{file!r} is no name of a file beside it", "Put all files into one folder, and their bare names into it."
        )
    return file


READERS = {
    "Flax msgpack": read_msgpack,
    "Orbax folder": read_orbax,
    "torch archive": read_torch_archive,
    "torch file of the old form": read_torch_legacy,
    "safetensors": read_safetensors,
    "NumPy pickle": read_numpy_pickle,
    "NumPy archive": read_npz,
}

SHARDS = "files with an index"

IN_BUCKETS = ("Orbax folder", "safetensors", SHARDS)
"""The forms that are read where they lie also in a bucket; the others are gone through in ways that a disk allows."""

DISTRIBUTED = ".metadata"
"""The file that every such folder of torch has."""

PART = re.compile(r"-\d{5}-of-\d{5}\.\w+$")
"""How the names of files end that hold a part of a model's weights."""

COPY_AGAIN = "The file may be damaged or cut short: copy or fetch it again."


def format_of(path: Path) -> str:
    """The key in READERS of what `path` is, or SHARDS. Raises CheckpointError for what is none of them."""
    if path.is_dir():
        if orbax_item(path) is not None:
            return "Orbax folder"
        if index_in(path):
            return SHARDS
        if (path / DISTRIBUTED).is_file():
            raise CheckpointError(
                f"{path} is a folder of torch.distributed.checkpoint, which is not read",
                "Make a file of it: python -m torch.distributed.checkpoint.format_utils dcp_to_torch FOLDER FILE",
            )
        if part := next(filter(PART.search, sorted(file.name for file in path.iterdir())), None):
            raise CheckpointError(
                f"{path} holds parts of weights, such as {part}, without their index", "Copy the ….index.json, too."
            )
        raise CheckpointError(f"{path} is a folder without a checkpoint in it", "Give a checkpoint's file or folder.")
    try:
        with path.open("rb") as file:
            start = file.read(64)
        size = file_size(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    # First, because the length that these files start with may look like the start of any other.
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        return "safetensors"
    if foreign := foreign_file(start):
        raise CheckpointError(
            f"{path} is no checkpoint: it is {foreign.what}", foreign.action or f"Known are: {', '.join(READERS)}."
        )
    if start.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path} is a web page", "Something answered in place of the file: fetch it again.")
    if start.startswith(b"PK\x03\x04"):
        return "NumPy archive" if _holds_arrays(path) else "torch archive"
    if is_legacy(start):
        return "torch file of the old form"
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "NumPy pickle"
    if path.name.endswith(".json"):
        return SHARDS
    if start[:1] and (0x81 <= start[0] <= 0x8F or start[0] in (0xDE, 0xDF)):
        return "Flax msgpack"
    raise CheckpointError(
        f"{path} is {'empty' if not size else 'no checkpoint'}",
        f"Known are: {', '.join(READERS)}. {COPY_AGAIN}",
    )


def _holds_arrays(archive: Path) -> bool:
    try:
        with zipfile.ZipFile(archive) as opened:
            names = opened.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        return False  # reading it will say why
    return any(name.endswith(SUFFIX) for name in names) and not any(name.endswith("data.pkl") for name in names)


def read_tree(path: Path) -> tuple[str, Tree]:
    """Format and contents of a checkpoint; tensors stay in their files where the format allows.

    What is in it and can't be read is Unread in the tree. Raises CheckpointError for a file that is missing, damaged,
    of no known format, or no tree of names.
    """
    path = absolute(path)
    kind = format_of(path)
    if kind not in IN_BUCKETS:
        refuse_address(path, f"this {kind}", f"{COPY} {path} .")
    if kind == SHARDS:
        tree, kinds = read_shards(path, read_tree)
        return f"{kinds}, {SHARDS}", tree
    try:
        return kind, READERS[kind](path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, OverflowError) as error:
        reason = str(error) or type(error).__name__
        action = error.action if isinstance(error, UnsupportedError) else COPY_AGAIN
        raise CheckpointError(f"{path} cannot be read as {kind}: {reason}", action) from error


# --- The sets of one network's weights in a checkpoint, wherever in it they lie -------------------------------------
#
# A set is known by a name that every network of its kind has: `unembed_kernel`, or a T5's first block. What stands
# before that name in the tree is where the set lies, what its rank is, and what is taken off its names. So containers
# and prefixes may come in any order, as deep as they like.

Parts = tuple[str, ...]
"""A name, taken apart at its dots and slashes."""

WRAPPERS = frozenset(
    (
        *("module", "_orig_mod", "_module", "_forward_module"),
        *("_fsdp_wrapped_module", "_fpw_module", "_checkpoint_wrapped_module"),
        *("_modules", "_parameters", "_buffers"),
    )
)
"""What torch and its companions put into names: DataParallel, compile, DeepSpeed, FSDP, checkpointing, whole modules.
No weight has such a part in its own name, so they are taken off wherever they stand."""

AVERAGED = frozenset(("ema", "avg", "average", "averaged", "averages", "swa", "shadow", "polyak", "ewa"))
"""Words in the names of containers that hold weights averaged over a training."""

OPTIMIZER = re.compile(r"opt(im\w*|_state\w*)?|mu|nu|trace|exp_avg\w*|momentum\w*|(acc_)?grads?\w*|gradients?")
"""Containers of what an optimizer keeps for each weight, under the weight's own name."""

LAST = frozenset(("teacher", "target", "target_network"))
"""Containers of another network than the one that is trained."""

FIRST_CHOICE = "ema_params1"
"""The official code's averaged weights."""

RAW = "params"
"""The official code's name for the weights of the last step, and ours where nothing says another."""


def parts_of(name: str) -> Parts:
    """Without what only wraps."""
    return tuple(part for part in re.split(r"[/.]", name) if part and part not in WRAPPERS)


def is_averaged(container: Parts) -> bool:
    return any(AVERAGED & set(re.split(r"[_\-\d]+", part.lower())) for part in container)


@dataclass(frozen=True)
class WeightSet:
    """All weights of one network, by their official names."""

    container: Parts
    """Where in the tree they lie."""
    weights: dict[str, StoredTensor]
    """In the order of the file."""
    names: dict[str, str] = field(default_factory=dict)
    """Official name → the name in the tree."""
    others: tuple[str, ...] = ()
    """Names beside them that are no weights of this network."""
    flaw: str = ""
    """Why it can't be taken, if so."""
    is_average: bool = False
    """Whether something else than its container's name says that they are averaged."""

    @property
    def averaged(self) -> bool:
        return self.is_average or is_averaged(self.container)

    @property
    def label(self) -> str:
        """A short name: `state/params/params` is `params`."""
        parts = [part for part in self.container if part != "state"]
        while len(parts) > 1 and parts[-1] == RAW:
            parts.pop()
        return "/".join(parts) or RAW

    @property
    def lazy(self) -> LazyWeights:
        """Raises CheckpointError naming the first that cannot be read."""
        for name, tensor in self.weights.items():
            if isinstance(tensor, Unread):
                LazyWeights({name: tensor})[name]
        return LazyWeights(self.weights)

    @property
    def wrappers(self) -> Parts:
        """What was taken off their names."""
        found = (part for name in self.names.values() for part in re.split(r"[/.]", name) if part in WRAPPERS)
        return tuple(dict.fromkeys(found))

    def told(self) -> str:
        """What it is, for people: which weights, and what was taken off their names."""
        off = " and ".join(f"{part}." for part in self.wrappers)
        return f"{'averaged' if self.averaged else 'raw'} weights{f', {off} taken off their names' if off else ''}"


def find_sets(
    tensors: Mapping[str, StoredTensor],
    container_of: Callable[[Parts], Parts | None],
    official: Callable[[Parts, StoredTensor], tuple[str, StoredTensor] | None],
) -> list[WeightSet]:
    """The sets among `tensors`, by their names in the tree.

    `container_of` knows a set's mark, a name and what stands before it, by its parts, and gives what stands before it.
    `official` gives the weight of a name inside a set; None for what is no weight of the network.
    """
    names = {name: parts_of(name) for name in tensors}
    containers = {container for parts in names.values() if (container := container_of(parts)) is not None}
    containers = {each for each in containers if not any(OPTIMIZER.fullmatch(part) for part in each)}
    found = {container: WeightSet(container, {}) for container in sorted(containers)}
    others: dict[Parts, list[str]] = {container: [] for container in containers}
    for name, parts in names.items():
        # Of the sets around a name the innermost.
        container = max((each for each in containers if parts[: len(each)] == each), key=len, default=None)
        if container is None:
            continue
        weight = official(parts[len(container) :], tensors[name])
        if weight is None:
            others[container].append(name)
            continue
        stored = as_numbers(name, tensors[name], tensors)
        found[container].weights[weight[0]] = stored if isinstance(stored, Unread) else weight[1]
        found[container].names[weight[0]] = name
    return [replace(each, others=tuple(others[each.container])) for each in found.values()]


def as_numbers(name: str, tensor: StoredTensor, beside: Iterable[str]) -> StoredTensor:
    """The tensor, unless its numbers are not yet the weight's: integers, or 8-bit floats with a scale beside them."""
    dtype = getattr(tensor, "dtype", None)
    if dtype is None:
        return tensor
    if np.dtype(dtype).kind in "iub":
        return Unread(f"it is quantised: it is of type {dtype}", tuple(tensor.shape))
    owner = re.split(r"[/.][^/.]+$", name)[0]
    if "float8" in np.dtype(dtype).name and any(
        other.startswith(owner) and other != name and re.search(r"scale(_inv)?$", other) for other in beside
    ):
        return Unread(f"it is quantised: it is of type {dtype}, with a scale beside it", tuple(tensor.shape))
    return tensor
