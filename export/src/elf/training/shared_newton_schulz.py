"""`optax.contrib.muon` over many devices: each orthogonalises a share of the matrices, and all get all results."""

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh, PartitionSpec
from optax.contrib import MuonDimensionNumbers, muon, scale_by_muon

from elf.devices import AXES, parameter_sharding

# By itself every device that keeps whole weights would turn all of them. Here a matrix has one device that turns it,
# whole, so that the products need no communication; matrices are dealt out by what they cost. Devices of one row of the
# mesh, which share a copy of the weights, send each other their parts before and after; then rows send each other what
# they turned. Matrices that are not worth the journey every device turns itself. The state is that of `muon`, leaf by
# leaf, so checkpoints know nothing of all this.

STEPS = 5
"""Iterations of Newton–Schulz, as `muon` makes."""

DATA, FSDP = AXES

FLOPS_PER_BYTE = 1000.0
"""Products that a device makes in the time in which one byte of others' results reaches it; TPUs and GPUs that are made
for such work come near this (v5p: some 200 TFLOP/s really reached, 200 GB/s)."""


def shared_muon(
    mesh: Mesh | None,
    learning_rate: optax.ScalarOrSchedule,
    *,
    weight_decay: float,
    adam_b2: float,
    muon_weight_dimension_numbers: Callable[[Any], Any],
    flops_per_byte: float = FLOPS_PER_BYTE,
) -> optax.GradientTransformation:
    """The `muon` of these arguments, its work shared out over the devices of `mesh`; without one, `muon` itself."""
    if mesh is None or mesh.size == 1:
        return muon(
            learning_rate,
            weight_decay=weight_decay,
            adam_b2=adam_b2,
            muon_weight_dimension_numbers=muon_weight_dimension_numbers,
        )

    def labels(params: Any) -> Any:
        numbers = muon_weight_dimension_numbers(params)
        return {name: "adam" if numbers[name] is None else "muon" for name in params}

    turned = optax.chain(
        # No iteration: what is left of Muon is the momentum, brought to norm 1.
        with_shared_turning(scale_by_muon(ns_steps=0, weight_dimension_numbers=_all_matrices), mesh, flops_per_byte),
        optax.stateless(lambda changes, params: jax.tree.map(scaled_by_shape, changes)),
        optax.add_decayed_weights(weight_decay),
        optax.scale_by_learning_rate(learning_rate),
    )
    others = optax.adamw(learning_rate, b2=adam_b2, weight_decay=0.0, nesterov=True)
    return optax.partition({"muon": turned, "adam": others}, labels)


def _all_matrices(tree: Any) -> Any:
    return jax.tree.map(lambda _: MuonDimensionNumbers(), tree)


def scaled_by_shape(change: jax.Array) -> jax.Array:
    """Matrices that write more outputs than they read inputs take larger steps."""
    fan_in, fan_out = change.shape
    return math.sqrt(max(1, fan_out / fan_in)) * change


def with_shared_turning(
    rule: optax.GradientTransformation, mesh: Mesh, flops_per_byte: float
) -> optax.GradientTransformation:
    """`rule`, a `scale_by_muon` that does not iterate, followed by the iterations."""

    def update(gradients: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        normalised, state = rule.update(gradients, state, params)
        matrices, tree = jax.tree.flatten(normalised)
        return jax.tree.unflatten(tree, turn_all(matrices, state.ns_coeffs, mesh, flops_per_byte)), state

    return optax.GradientTransformation(rule.init, update)


def newton_schulz(x: jax.Array, coefficients: jax.Array) -> jax.Array:
    """Matrices of norm 1, (…, rows, columns) → nearly orthogonal ones."""
    tall = x.shape[-2] > x.shape[-1]
    x = jnp.swapaxes(x, -1, -2) if tall else x
    for _ in range(STEPS):
        square = x @ jnp.swapaxes(x, -1, -2)
        x = coefficients[0] * x + (coefficients[1] * square + coefficients[2] * square @ square) @ x
    return jnp.swapaxes(x, -1, -2) if tall else x


def turning_flops(shape: tuple[int, ...]) -> int:
    """Of the products of `newton_schulz` for one matrix, two for each multiply-add."""
    short, long = sorted(shape)
    return STEPS * 2 * (2 * short * short * long + short**3)


@dataclass(frozen=True)
class Group:
    """Matrices that are alike on every device."""

    members: tuple[int, ...]
    """Their positions among all matrices."""
    shape: tuple[int, int]
    split: int | None
    """The axis that the mesh's axis `fsdp` splits."""


def grouped(shapes: Sequence[tuple[int, int]], mesh: Mesh) -> list[Group]:
    """All matrices, by shape."""
    members: dict[tuple[int, int], list[int]] = {}
    for number, shape in enumerate(shapes):
        members.setdefault(shape, []).append(number)

    def split(shape: tuple[int, int]) -> int | None:
        spec = parameter_sharding(mesh, shape).spec
        return spec.index(FSDP) if FSDP in spec else None

    return [Group(tuple(of), shape, split(shape)) for shape, of in members.items()]


def deal(costs: Sequence[int], devices: int) -> list[list[int]]:
    """For every device the numbers of the pieces of work it takes: the dearest first, each to whoever has least."""
    loads = [(0, device) for device in range(devices)]
    hands: list[list[int]] = [[] for _ in loads]
    for number in sorted(range(len(costs)), key=lambda number: -costs[number]):
        load, device = heapq.heappop(loads)
        hands[device].append(number)
        heapq.heappush(loads, (load + costs[number], device))
    return hands


@dataclass(frozen=True)
class Shares:
    """Who turns what, for devices numbered as in the mesh, (row, part) = (number // parts, number % parts)."""

    groups: list[Group]
    parts: int
    """Devices of one row of the mesh."""
    hands: list[list[tuple[int, ...]]]
    """(device, group) → its members, as numbers within the group."""

    @classmethod
    def of(cls, groups: list[Group], mesh: Mesh) -> "Shares":
        pieces = [(number, member) for number, group in enumerate(groups) for member in range(len(group.members))]
        dealt = deal([turning_flops(groups[number].shape) for number, _ in pieces], mesh.size)
        hands = [
            [tuple(pieces[i][1] for i in hand if pieces[i][0] == number) for number in range(len(groups))]
            for hand in dealt
        ]
        return cls(groups, mesh.shape[FSDP], hands)

    def table(self, number: int) -> np.ndarray:
        """(rows, parts, most members a device has) members of a group by device; what is lacking is filled with 0."""
        hands = [hand[number] for hand in self.hands]
        most = max(map(len, hands))
        filled = [[*hand, *[0] * (most - len(hand))] for hand in hands]
        return np.asarray(filled, np.int32).reshape(-1, self.parts, most)

    def kinds(self) -> tuple[list[tuple[int, ...]], np.ndarray]:
        """The different sorts of hands, as how many of each group they hold, and the sort that each device has."""
        counts = [tuple(map(len, hand)) for hand in self.hands]
        kinds = [*dict.fromkeys(counts)]
        return kinds, np.asarray([kinds.index(count) for count in counts], np.int32)

    def flops(self) -> int:
        """Of the device that has most to do."""
        return max(
            sum(len(members) * turning_flops(group.shape) for members, group in zip(hand, self.groups, strict=True))
            for hand in self.hands
        )

    def longest(self) -> int:
        """Elements that the results of one device have at most, of each one's part."""
        return max(sum(len(members) * self.part_size(i) for i, members in enumerate(hand)) for hand in self.hands)

    def received_bytes(self) -> int:
        """By a device from all: its parts of all results, in float32."""
        return 4 * len(self.hands) * self.longest()

    def part_size(self, number: int) -> int:
        """Elements of one part of a matrix of the group."""
        return math.prod(self.groups[number].shape) // self.parts


def turn_all(
    matrices: Sequence[jax.Array], coefficients: jax.Array, mesh: Mesh, flops_per_byte: float
) -> list[jax.Array]:
    """`newton_schulz` of each matrix, shared out over the mesh; inputs and results lie as weights do."""
    groups = grouped([(rows, columns) for rows, columns in (matrix.shape for matrix in matrices)], mesh)
    layouts = [parameter_sharding(mesh, matrix.shape).spec for matrix in matrices]
    turn = partial(_turn_on_device, groups=groups, shares=best_shares(groups, mesh, flops_per_byte))
    everywhere = PartitionSpec()
    return jax.shard_map(turn, mesh=mesh, in_specs=(layouts, everywhere), out_specs=layouts, check_vma=False)(
        list(matrices), coefficients
    )


def best_shares(groups: Sequence[Group], mesh: Mesh, flops_per_byte: float) -> Shares:
    """Those by which an update takes least time.

    What devices send each other is equally long for all, so one huge matrix, a vocabulary's, makes every journey as
    long as its own. So the largest may be left to every device itself, down to some size or all of them.
    """
    # In a mesh that splits weights those left whole are small.
    possible = [group for group in groups if group.split is not None or mesh.shape[FSDP] == 1]
    possible.sort(key=lambda group: -math.prod(group.shape))

    def time(shares: Shares) -> float:
        alone = sum(len(group.members) * turning_flops(group.shape) for group in possible if group not in shares.groups)
        return alone + shares.flops() + flops_per_byte * shares.received_bytes()

    return min((Shares.of(possible[left_out:], mesh) for left_out in range(len(possible) + 1)), key=time)


def flops_of_a_device(shapes: Sequence[tuple[int, ...]], mesh: Mesh, flops_per_byte: float = FLOPS_PER_BYTE) -> int:
    """Of an update of matrices of these shapes, on the device that has most to do."""
    groups = grouped([(rows, columns) for rows, columns in shapes], mesh)
    shares = best_shares(groups, mesh, flops_per_byte)
    alone = [group for group in groups if group not in shares.groups]
    return shares.flops() + sum(len(group.members) * turning_flops(group.shape) for group in alone)


def _turn_on_device(
    matrices: list[jax.Array], coefficients: jax.Array, *, groups: list[Group], shares: Shares
) -> list[jax.Array]:
    """Inside `shard_map`: this device's parts of the matrices before, and after."""
    stacks = {group: jnp.stack([matrices[member] for member in group.members]) for group in groups}
    results: dict[int, jax.Array] = {}
    for group in groups:
        if group not in shares.groups:
            turned_here = of_whole(partial(newton_schulz, coefficients=coefficients), stacks[group], group.split)
            results |= zip(group.members, turned_here, strict=True)
    if not shares.groups:
        return [results[number] for number in range(len(matrices))]

    row = jax.lax.axis_index(DATA)
    mine = []
    for number, group in enumerate(shares.groups):
        # To each device of the row this device's parts of what that one turns.
        sent = stacks[group][jnp.asarray(shares.table(number))[row]]
        mine.append(joined(jax.lax.all_to_all(sent, FSDP, split_axis=0, concat_axis=0), group.split))

    kinds, kind_of = shares.kinds()
    longest = shares.longest()

    def turned(kind: tuple[int, ...], whole: list[jax.Array]) -> jax.Array:
        """(parts, longest): the results, taken apart and laid end to end."""
        parts = [
            apart(newton_schulz(stack[:count], coefficients), group.split, shares.parts)
            for count, stack, group in zip(kind, whole, shares.groups, strict=True)
            if count
        ]
        flat = jnp.concatenate(parts, axis=1) if parts else jnp.zeros((shares.parts, 0), coefficients.dtype)
        return jnp.pad(flat, ((0, 0), (0, longest - flat.shape[1])))

    here = jnp.asarray(kind_of)[jax.lax.axis_index(AXES)]
    flat = jax.lax.switch(here, [partial(turned, kind) for kind in kinds], mine)
    flat = jax.lax.all_to_all(flat, FSDP, split_axis=0, concat_axis=0)
    everyones = jax.lax.all_gather(flat, DATA).reshape(-1, longest)
    for device, hand in enumerate(shares.hands):
        start = 0
        for number, (members, group) in enumerate(zip(hand, shares.groups, strict=True)):
            for member in members:
                end = start + shares.part_size(number)
                place = group.members[member]
                results[place] = everyones[device, start:end].reshape(matrices[place].shape)
                start = end
    return [results[number] for number in range(len(matrices))]


def of_whole(function: Callable[[jax.Array], jax.Array], parts: jax.Array, split: int | None) -> jax.Array:
    """This device's parts, (n, rows, columns), of `function` of whole matrices that `split` divides over a row."""
    if split is None:
        return function(parts)
    whole = function(jax.lax.all_gather(parts, FSDP, axis=1 + split, tiled=True))
    size = parts.shape[1 + split]
    return jax.lax.dynamic_slice_in_dim(whole, jax.lax.axis_index(FSDP) * size, size, axis=1 + split)


def joined(parts: jax.Array, split: int | None) -> jax.Array:
    """(parts, n, rows, columns), matrices split along `split` → (n, rows, columns), whole."""
    F, n, rows, columns = parts.shape
    if split is None:
        return parts[0]
    whole = (n, F * rows, columns) if split == 0 else (n, rows, F * columns)
    return jnp.moveaxis(parts, 0, 1 + split).reshape(whole)


def apart(whole: jax.Array, split: int | None, parts: int) -> jax.Array:
    """The inverse, each part laid end to end: (n, rows, columns) → (parts, n · rows · columns / parts)."""
    n, rows, columns = whole.shape
    if split == 0:
        whole = jnp.moveaxis(whole.reshape(n, parts, rows // parts, columns), 1, 0)
    elif split == 1:
        whole = jnp.moveaxis(whole.reshape(n, rows, parts, columns // parts), 2, 0)
    return whole.reshape(parts, -1)
