"""What a training step keeps in the memory of each device, by shapes and shardings alone: nothing is computed."""

import dataclasses
import functools
import math
from bisect import bisect_left
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.sharding import AbstractMesh, Mesh

from elf.config import T5Config
from elf.devices import AXES, check_batch, state_shardings
from elf.errors import ConfigError
from elf.network.encoder import T5Encoder
from elf.network.model import ELF
from elf.network.modules import Params, Remat, abstract
from elf.training.objective import check_row_shares, flow_objective
from elf.training.step import TrainState, TrainStep, device_groups, make_train_step
from elf.training.step_inputs import FrozenEncoder
from elf.training.train_config import Resolved, TrainConfig

# What the backward pass keeps is counted as JAX writes it down; compilers fuse some of it away and add room to work in.
# The TPU's compiler came to 0.85 of the estimate for ELF-B and to 1.14 for ELF-L with remat, on 32 chips; `elf plan
# --topology` asks it.


class Estimate(NamedTuple):
    """Bytes on one device."""

    params: int
    ema_params1: int
    opt_state: int
    encoder_params: int
    gradient: int
    """The gradient, and the update made of it."""
    batch: int
    """Token ids, latents and noise of this device's rows."""
    kept: int
    """For the backward pass: of one part of the batch, in the costlier of the two branches."""
    remade: int
    """What is not kept but computed again: of the one block whose backward pass is running."""

    @property
    def total(self) -> int:
        return sum(self)


def paper_mesh(devices: int, fsdp: int) -> Mesh:
    """A mesh of no devices: enough for shardings, not to compile or run."""
    return cast(Mesh, AbstractMesh((devices // fsdp, fsdp), AXES))


def planned_step(config: TrainConfig, mesh: Mesh, encoder: T5Config) -> TrainStep:
    """The step of a run whose dataset and encoder are not at hand; only their sizes enter."""
    _, shapes = abstract(T5Encoder, encoder)
    frozen = FrozenEncoder(encoder, cast(Any, shapes), 0.0, 0.2)
    # How many steps there are decides no shape.
    resolved = Resolved(config.steps or 1, 1, None, 1.0, conditional=config.elf.max_input_length > 0)
    return make_train_step(config, resolved, frozen, mesh)


def estimate(config: TrainConfig, devices: int, encoder: T5Config) -> Estimate:
    """Raises ConfigError where batch or fsdp do not split over the devices."""
    mesh = paper_mesh(devices, config.fsdp)
    check_batch(mesh, config.batch_size, config.accumulation)
    groups = device_groups(config, mesh)
    check_row_shares(config, groups)
    state = sharded(mesh, state_shapes(dataclasses.replace(undivided(config), remat="none"), encoder))
    _, encoder_params = abstract(T5Encoder, encoder)
    rows = config.batch_size // devices
    positions = rows * config.elf.max_length
    params = device_bytes(state.params)

    # A device takes its groups of rows one after another (step.py).
    at_once = config.accumulation * max(1, groups // mesh.size)
    part, depth = rows // at_once, config.elf.depth

    def kept(remat: Remat) -> tuple[int, int]:
        """In all, and of one block."""
        branches = [
            kept_for_backward(dataclasses.replace(config, remat=remat), part, decode) for decode in (False, True)
        ]
        return max((around + depth * block, block) for around, block in branches)

    in_all, block = kept(config.remat)
    return Estimate(
        params=params,
        ema_params1=device_bytes(state.ema_params1),
        opt_state=device_bytes(state.opt_state),
        encoder_params=device_bytes(sharded(mesh, encoder_params)),
        gradient=2 * params,
        # ids int32 and real bool; x and ε float32.
        batch=positions * (4 + 1) + 2 * positions * config.elf.latent_size * 4,
        kept=in_all,
        remade=0 if config.remat == "none" else kept("none")[1] - block,
    )


def undivided(config: TrainConfig) -> TrainConfig:
    """Without what divides the work: neither the whole state nor what some rows leave behind depends on it."""
    return dataclasses.replace(config, fsdp=1, accumulation=1)


@functools.cache
def state_shapes(config: TrainConfig, encoder: T5Config) -> TrainState:
    """The whole state as abstract arrays."""
    return planned_step(config, paper_mesh(1, 1), encoder).abstract_state


def sharded(mesh: Mesh, tree: Any) -> Any:
    """Abstract arrays with the shardings that weights get."""
    return jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
        tree,
        state_shardings(mesh, tree),
    )


def device_bytes(tree: Any) -> int:
    """Of abstract arrays with shardings, on one device."""
    return sum(math.prod(leaf.sharding.shard_shape(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def kept_for_backward(config: TrainConfig, rows: int, decode: bool) -> tuple[int, int]:
    """Bytes that the forward pass of `rows` rows leaves for the backward pass: around the blocks, and of each block."""
    # Blocks are alike, so two small networks tell of all depths.
    one, two = (kept_at_depth(undivided(config), depth, rows, decode) for depth in (1, 2))
    return 2 * one - two, two - one


@functools.cache
def kept_at_depth(config: TrainConfig, depth: int, rows: int, decode: bool) -> int:
    """Bytes that a network of `depth` blocks leaves for its backward pass, weights left out."""
    config = dataclasses.replace(config, elf=dataclasses.replace(config.elf, depth=depth))
    objective = flow_objective(config)
    _, params = abstract(ELF, config.elf)
    shape = (rows, config.elf.max_length, config.elf.latent_size)

    def backward(params: Params, x: jax.Array, held: jax.Array, ids: jax.Array, weight: jax.Array, key: jax.Array):
        draws = objective.draw(key, shape, decode)
        # The function that JAX gives for the gradient is a tree whose leaves are what it keeps.
        return jax.vjp(lambda params: objective.loss(params, None, x, held, ids, draws, weight, decode)[0], params)[1]

    positions = [jax.ShapeDtypeStruct(shape[:2], dtype) for dtype in (jnp.bool_, jnp.int32, jnp.float32)]
    x, key = jax.ShapeDtypeStruct(shape, jnp.float32), jax.eval_shape(lambda: jax.random.key(0))
    kept = jax.tree.leaves(jax.eval_shape(backward, params, x, *positions, key))
    # Weights, and their copies in compute_dtype, lie with the state.
    weights = {leaf.shape for leaf in params.values()}
    return sum(leaf.size * leaf.dtype.itemsize for leaf in kept if leaf.shape not in weights)


def ways_to_fit(config: TrainConfig, devices: int, encoder: T5Config, limit: float) -> list[tuple[str, int]]:
    """Single changes that bring the estimate to `limit` bytes, gentlest of each kind: ("remat=dots", bytes then)."""

    def fsdp_sizes() -> list[int]:
        return [size for size in range(config.fsdp + 1, devices + 1) if devices % size == 0]

    def parts() -> list[int]:
        return [n for n in range(config.accumulation + 1, 65) if is_taken_in(n)]

    def is_taken_in(parts: int) -> bool:
        """Whether a training would be, in so many parts."""
        try:
            changed("accumulation", parts)
        except ConfigError:
            return False
        return True

    def changed(field: str, value: int | str) -> int:
        changes: dict[str, Any] = {field: value}
        return estimate(dataclasses.replace(config, **changes), devices, encoder).total

    stronger = {"none": ["dots", "blocks"], "dots": ["blocks"], "blocks": []}[config.remat]
    # Fewer rows at a time leave less behind, and to find how much takes a second: not every number is tried.
    possible = parts()
    fewest = bisect_left(possible, True, key=lambda number: changed("accumulation", number) <= limit)
    choices: list[tuple[str, list]] = [("remat", stronger), ("accumulation", possible[fewest:]), ("fsdp", fsdp_sizes())]
    ways = []
    for field, values in choices:
        for value in values:
            total = changed(field, value)
            if total <= limit:
                ways.append((f"{field}={value}", total))
                break
    return ways
