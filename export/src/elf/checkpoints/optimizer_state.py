"""What an optimizer kept for each weight of an ELF, in whichever form its checkpoint holds it.

Optax keeps trees of moments under the weights' own names, somewhere below `opt_state`. Torch keeps a list of states
and, group by group, which of them belong to it; the names of the weights are found again by their order and shapes.
"""

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from elf.checkpoints.elf_in_file import ElfWeights, number_of, official_name
from elf.checkpoints.stored_tensors import StoredTensor, Transposed, Unread, leaves, tensors
from elf.checkpoints.weight_sets import Parts, WeightSet, parts_of

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
