"""The weights of an ELF in a checkpoint, and what an optimizer kept for each, whichever code wrote them and wherever
they lie."""

import itertools
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.formats import (
    FIRST_CHOICE,
    LAST,
    RAW,
    Parts,
    WeightSet,
    find_sets,
    is_averaged,
    parts_of,
    read_tree,
)
from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, Transposed, Tree, Unread, leaves, tensors
from elf.config import ElfConfig
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.network.parameters import elf_config, parameter_shapes

MARKS = frozenset(("unembed_kernel", "unembed_bias", "proj_kernel", "proj_bias", "mode_tokens", "t_emb_tokens"))
"""Names that the weights of every ELF have, with no layer around them."""

LAYERS = re.compile(
    r"self_cond_proj|text_proj|t_embedder|t_emb_tokens|self_cond_cfg_embedder|self_cond_cfg_tokens|mode_tokens"
    r"|blocks_\d+|final_layer|proj_(kernel|bias)|unembed_(kernel|bias)"
)
"""How the official names start. What starts otherwise belongs to something else: a text encoder, tables of cosines."""


NETWORK = re.compile(
    "|".join(re.escape(name).replace("blocks_0", r"blocks_\d+") for name in parameter_shapes(ElfConfig(depth=1)))
)
"""The official names of all weights that an ELF may have."""

NO_WEIGHT = re.compile(r".*(rope|rotary|\w*freqs?(_cis)?|cos|sin|mask|cached?)([_/].*)?|.*_ids")
"""Tables that programs keep beside the weights of a layer and can make anew. Other numbers change what it does."""

CURRENT = "current_model_state"
"""Where Lightning keeps the weights of the last step when those in `state_dict` are the averaged ones."""


@dataclass(frozen=True)
class ElfWeights:
    """What a checkpoint has."""

    format: str
    sets: tuple[WeightSet, ...]
    """In the order of choice: the averaged ones first."""
    step: int | None
    epoch: float | None
    flawed: tuple[WeightSet, ...] = ()
    """Sets that cannot be taken while there are others."""
    tree: Tree = field(default_factory=dict, repr=False)
    """All that the file holds."""

    @property
    def groups(self) -> dict[str, LazyWeights]:
        """`params`, `ema_params1`: name → weight, by official names."""
        return {each.label: LazyWeights(each.weights) for each in self.sets}

    def set_for(self, raw: bool) -> WeightSet:
        """The averaged weights, or with `raw` the ones of the last step; the only ones where there are no others.

        Raises CheckpointError for raw weights that the file does not have.
        """
        if not raw:
            return self.sets[0]
        found = [each for each in self.sets if not each.averaged]
        if not found:
            labels = ", ".join(each.label for each in self.sets)
            raise CheckpointError(f"the checkpoint has no {RAW}, only {labels}", "Leave --raw out.")
        return found[0]

    def chosen(self, raw: bool) -> tuple[str, LazyWeights]:
        """The label of `set_for` and its weights. Raises CheckpointError also for one that cannot be read."""
        found = self.set_for(raw)
        return found.label, found.lazy

    def told(self, raw: bool) -> str:
        """What is taken, and what is not, for people."""
        taken = self.set_for(raw)
        text = f"taking {taken.label} of {', '.join(sorted(each.label for each in self.sets))}: {taken.told()}"
        for each in self.flawed:
            text += f"; not {each.label}: {each.flaw}"
        depth = len(taken.container)
        others = [parts_of(name) for name in taken.others if "_modules" not in name]
        # What stands among the weights of a layer is named by itself, the rest by where it lies.
        others = [parts if LAYERS.match("_".join(parts[depth:])) else parts[: depth + 1] for parts in others]
        owners = list(dict.fromkeys("/".join(parts) for parts in others if not parts[-1].startswith("_")))
        if owners:
            more = f" and {len(owners) - 3} more" if len(owners) > 3 else ""
            text += f"; passing over {', '.join(owners[:3])}{more}"
        return text


def read_elf_weights(path: Path) -> ElfWeights:
    """Opens a checkpoint; reads names and shapes. Raises CheckpointError for what has no ELF's weights."""
    kind, tree = read_tree(path)
    stored = tensors(tree)
    found = find_sets(stored, _container, official_name)
    if any(CURRENT in each.container for each in found):
        found = [replace(each, is_average="state_dict" in each.container) for each in found]
    found = [replace(each, flaw=_flaw(each, found)) for each in found]
    renamed = _by_other_names(stored, found)
    found = [each for each in found if each.container not in {other.container for other in renamed}] + renamed
    if not found:
        some = ", ".join(sorted(name for name in tree)[:6])
        raise CheckpointError(
            f"{path} holds no weights of an ELF; it has {some or 'nothing'}",
            "Give an official checkpoint, or a model of this project.",
        )
    # If none is whole, whoever asks for one learns what it lacks.
    usable = [each for each in found if not each.flaw] or found
    flawed = tuple(each for each in found if each not in usable)
    numbers = {name: value for name, value in leaves(tree) if name in ("step", "epoch", "global_step")}
    step, epoch = number_of(numbers.get("step", numbers.get("global_step"))), number_of(numbers.get("epoch"))
    return ElfWeights(kind, tuple(sorted(usable, key=_rank)), None if step is None else int(step), epoch, flawed, tree)


def _flaw(found: WeightSet, beside: list[WeightSet]) -> str:
    """Why a set cannot be taken; "" where it can."""
    unread = next((name for name, tensor in found.weights.items() if isinstance(tensor, Unread)), None)
    if unread:
        return f"{unread} cannot be read: {found.weights[unread].what}"  # type: ignore[attr-defined]
    for other in beside:
        # Fewer blocks alone are a network, too, but not this one averaged.
        lacking = sorted(other.weights.keys() - found.weights.keys())
        of_this = found.averaged and not other.averaged and not LAST & {*found.container, *other.container}
        if of_this and lacking and found.weights.keys() < other.weights.keys():
            return f"it lacks {lacking[0]}, which {other.label} has"
    try:
        # Lengths are no weights.
        elf_config(LazyWeights(found.weights), max_length=1, max_input_length=0)
    except CheckpointMismatchError as error:
        return str(error)
    return ""


def _rank(found: WeightSet) -> Any:
    """Averaged weights first, those of the official name before others; what belongs to another network last."""
    container = found.container
    return (
        bool(LAST & set(container)),
        not found.averaged,
        found.label != FIRST_CHOICE,
        found.label != RAW,
        len(container),
        container,
    )


def _container(parts: Parts) -> Parts | None:
    return parts[:-1] if parts and parts[-1] in MARKS else None


def official_name(parts: Parts, tensor: StoredTensor) -> tuple[str, StoredTensor] | None:
    """Torch's names and (out, in) matrices as Flax's: blocks.0.attn.qkv.weight → blocks_0/attn/qkv/kernel.

    Vectors called weight are gains and stay; parameters without a layer around them keep name and layout.
    """
    if len(parts) > 1 and parts[0] == "blocks":
        parts = (f"blocks_{parts[1]}", *parts[2:])
    # Torch keeps notes of its own beside a module's weights, under names that start with an underscore.
    if not parts or not LAYERS.fullmatch(parts[0]) or parts[-1].startswith("_"):
        return None
    name = "/".join(parts)
    if len(parts) > 1 and parts[-1] == "weight" and len(tensor.shape) == 2:
        name, tensor = "/".join([*parts[:-1], "kernel"]), Transposed(tensor)
    if _is_weight(name) or not (_is_count(tensor) or NO_WEIGHT.fullmatch(name)):
        return name, tensor
    return None


def _is_weight(name: str) -> bool:
    """Whether an ELF has a weight of that name; the axes of one that cannot be read may not be known."""
    return NETWORK.fullmatch(re.sub(r"/weight$", "/kernel", name)) is not None or NETWORK.fullmatch(name) is not None


def _is_count(tensor: StoredTensor) -> bool:
    """Whether a tensor of an unknown name is no weight: a whole number, a truth value, without axes, or unreadable."""
    dtype = getattr(tensor, "dtype", None)
    return not tensor.shape or isinstance(tensor, Unread) or (dtype is not None and np.dtype(dtype).kind in "iub")


def _by_other_names(stored: Mapping[str, StoredTensor], found: list[WeightSet]) -> list[WeightSet]:
    """Averaged weights that have no names, or changed ones, but are those of a set that has: a list of tensors in the
    order of the network's parameters, or names without their dots."""
    more: list[WeightSet] = []
    raw = next((each for each in found if not each.averaged and not each.flaw), None)
    if raw is None:
        return more
    containers: dict[Parts, dict[str, str]] = {}
    for name in stored:
        parts = parts_of(name)
        if is_averaged(parts[:-1]) and parts[:-1] not in (each.container for each in found if not each.flaw):
            containers.setdefault(parts[:-1], {})[parts[-1]] = name
    for container, names in containers.items():
        # As a module's parameters() and named_parameters() give them; some programs drop the dots of these names.
        pairs = {ours: names.get("".join(parts_of(name)[len(raw.container) :])) for ours, name in raw.names.items()}
        if all(str(i) in names for i in range(len(names))):
            listed = [names[str(i)] for i in range(len(names))]
            pairs = dict(zip(raw.names, listed, strict=False))
            if [stored[name].shape for name in listed] != [stored[name].shape for name in raw.names.values()]:
                flaw = f"it is a list of {len(listed)} tensors, which are not those of {raw.label} in their order"
                more.append(replace(raw, container=container, flaw=flaw))
                continue
        if None not in pairs.values():
            weights = {ours: _like(raw.weights[ours], stored[name]) for ours, name in pairs.items() if name}
            more.append(replace(raw, container=container, weights=weights, names={}, others=()))
    return more


def _like(known: StoredTensor, tensor: StoredTensor) -> StoredTensor:
    """Laid out as the same weight of another set."""
    return Transposed(tensor) if isinstance(known, Transposed) else tensor


def number_of(value: object) -> float | None:
    """A number, alone or as a tensor without axes; None for none, or one without an end."""
    read = getattr(value, "read", None)
    try:
        if isinstance(value, int | float):
            return value if math.isfinite(value) else None
        found = float(read()) if read and not getattr(value, "shape", None) else math.nan
        return found if math.isfinite(found) else None
    except (ValueError, TypeError, OverflowError):  # it is only told to people
        return None


# --- What an optimizer kept for each weight of an ELF, in whichever form its checkpoint holds it --------------------
#
# Optax keeps trees of moments under the weights' own names, somewhere below `opt_state`. Torch keeps a list of states
# and, group by group, which of them belong to it; the names of the weights are found again by their order and shapes.

MOMENTS = {
    **dict.fromkeys(("mu", "exp_avg", "momentum_buffer"), "mu"),
    **dict.fromkeys(("nu", "exp_avg_sq"), "nu"),
}
"""Names of running means of gradients and of their squares → optax's. A weight under Muon has only the first."""

COUNTS = ("gradient_step", "count", "step")
"""Names of numbers of updates, the surest first: with accumulation a `count` is inside what counts the updates."""


@dataclass(frozen=True)
class OptimizerState:
    moments: Mapping[str, Mapping[str, StoredTensor]]
    """Official name of a weight → `mu`, `nu` → its values, laid out as the weight is."""
    updates: int | None
    """How many were made."""


def read_optimizer(found: ElfWeights, raw: WeightSet) -> OptimizerState:
    """The state in a checkpoint of the weights `raw`; empty where there is none."""
    moments: dict[str, dict[str, StoredTensor]] = {}
    stored = tensors(found.tree)
    for name, tensor in stored.items():
        *before, last = parts_of(name)
        role = next((i for i, part in enumerate(before) if part in ("mu", "nu", "exp_avg", "exp_avg_sq")), None)
        weight = None if role is None else official_name((*_without_params(tuple(before[role + 1 :])), last), tensor)
        if weight and weight[0] in raw.weights and not isinstance(weight[1], Unread):
            moments.setdefault(weight[0], {}).setdefault(MOMENTS[before[role or 0]], weight[1])
    for name, states in _of_torch(found.tree, raw, stored):
        moments.setdefault(name, states)
    return OptimizerState(moments, _updates(found.tree))


def _without_params(parts: Parts) -> Parts:
    while parts[:1] == ("params",):
        parts = parts[1:]
    return parts


def _of_torch(
    tree: Mapping[str, Any], raw: WeightSet, stored: Mapping[str, StoredTensor]
) -> Iterator[tuple[str, dict[str, StoredTensor]]]:
    """The states of a `state_dict` of an optimizer of torch, or of two, one for matrices and one for the rest."""
    shapes = {name: tuple(stored[raw.names[name]].shape) for name in raw.names}
    optimizers = [*_optimizers(tree)]
    for several in (optimizers, *([each] for each in optimizers)):
        groups = [_states(each, group) for each in several for group in _values(each["param_groups"])]
        for names in _assignments([len(group) for group in groups], shapes):
            named = [*zip(names, itertools.chain(*groups), strict=True)]
            if all(_fits(state, shapes[name]) for name, state in named):
                for name, state in named:
                    kept = {MOMENTS[key]: value for key, value in state.items() if _moment(key, value)}
                    turned = isinstance(raw.weights[name], Transposed)
                    if kept:
                        yield name, {role: Transposed(value) if turned else value for role, value in kept.items()}
                return


def _states(optimizer: Mapping[str, Any], group: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Of the weights of a group, in its order; empty for one that has none yet."""
    states = {str(index): state for index, state in optimizer["state"].items() if isinstance(state, Mapping)}
    return [states.get(str(index), {}) for index in _values(group.get("params"))]


def _optimizers(tree: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    if isinstance(tree.get("state"), Mapping) and isinstance(tree.get("param_groups"), Mapping):
        yield tree
        return
    for value in tree.values():
        if isinstance(value, Mapping):
            yield from _optimizers(value)


def _values(listed: Any) -> list[Any]:
    """Of a list, which a tree holds by its numbers."""
    return [*listed.values()] if isinstance(listed, Mapping) else []


def _moment(key: str, value: Any) -> bool:
    return key in MOMENTS and hasattr(value, "read") and not isinstance(value, Unread)


def _fits(state: Mapping[str, Any], shape: tuple[int, ...]) -> bool:
    return all(tuple(value.shape) == shape for key, value in state.items() if _moment(key, value))


def _assignments(sizes: list[int], shapes: Mapping[str, tuple[int, ...]]) -> Iterator[list[str]]:
    """Which weights groups of these sizes may hold, in their order: all together, or matrices apart from the rest, as
    Muon has it, in the order of the network or by size from the largest."""
    matrices = [[name for name in shapes if len(shapes[name]) == 2], [name for name in shapes if len(shapes[name]) > 1]]
    ways = [[[*shapes]]]
    for found in matrices:
        rest = [name for name in shapes if name not in found]
        ways += [[found, rest], [rest, found]]
    for way in ways:
        by_size = [sorted(names, key=lambda name: shapes[name], reverse=True) for names in way]
        for choice in itertools.product(*zip(way, by_size, strict=True)):
            if [len(names) for names in choice] == sizes:
                yield [name for names in choice for name in names]


def _updates(tree: Mapping[str, Any]) -> int | None:
    found: dict[str, list[int]] = {}
    for name, value in leaves(tree):
        *before, last = parts_of(name) or ("",)
        if last in COUNTS and before and any("opt" in part for part in before):
            number = _integer(value)
            if number is not None:
                found.setdefault(last, []).append(number)
    return next((max(found[name]) for name in COUNTS if name in found), None)


def _integer(value: Any) -> int | None:
    number = number_of(value)
    return None if number is None else int(number)
