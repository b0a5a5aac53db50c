"""The sets of one network's weights in a checkpoint, wherever in it they lie and whatever stands before their names."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, Unread

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
