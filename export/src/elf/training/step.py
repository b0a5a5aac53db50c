"""One training step on a mesh of devices: latents, loss, gradient, optimizer, EMA; spec section 4."""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh, PartitionSpec

from elf.data.rows import Batch
from elf.devices import AXES, batch_sharding, check_batch, global_rows, on_mesh, replicated, state_shardings
from elf.errors import CheckpointMismatchError, ConfigError
from elf.network.model import ELF
from elf.network.modules import Params, abstract, split
from elf.training.objective import Metrics, Objective, Share, flow_objective
from elf.training.optimizer import averaged_weights, descend, ema_decay, learning_rate, make_optimizer
from elf.training.step_inputs import FrozenEncoder, is_decode_step
from elf.training.torch_gradient import TorchGradient, make_torch_gradient
from elf.training.train_config import Resolved, TrainConfig

# What the loss is, is an `Objective`: that of `elf train` is in objective.py, that of `elf distill` in distill.py. How
# its mean is taken is one of two ways:
#
# - over the whole batch: written for the global arrays, and XLA inserts the communication;
# - over each group of rows by itself, then over the groups, as the official code does with its devices (`loss_mean:
#   device`). Groups throw coins of their own, so devices run different branches at once; that is written for one
#   device, and the only communication is the mean of the gradients.


class TrainState(NamedTuple):
    """What a checkpoint keeps, under the names of official checkpoints."""

    params: Params
    ema_params1: Params
    """The averaged weights, which are the ones sampled."""
    opt_state: Any


class Rows(NamedTuple):
    """A batch on the devices."""

    ids: jax.Array
    """(B, L) int32"""
    real: jax.Array
    """(B, L) bool"""
    source_length: jax.Array
    """(B,) int32"""


class Examples(NamedTuple):
    """What the loss reads of a batch, or of some of its rows."""

    x: jax.Array
    """(B, L, D), the clean latents."""
    held: jax.Array
    """(B, L) bool, the condition's positions."""
    ids: jax.Array
    """(B, L)"""
    counts: jax.Array
    """(B, L), 1 where a position counts in the loss, else 0."""
    draws: Any


@dataclass(frozen=True)
class TrainStep:
    """The compiled parts of a run."""

    mesh: Mesh
    init: Callable[[], TrainState]
    """The first state, made where its parts belong: no device ever holds a sharded state whole."""
    abstract_state: TrainState
    """Shapes, types and shardings of the state."""
    update: Callable[[TrainState, Batch, int], tuple[TrainState, Metrics]]
    """(state, this process's rows of the batch, number of the step from 0). The state's memory is used again."""
    jitted: Any
    """The function that `update` calls, for ahead-of-time compilation: (state, encoder_params, rows, step, decode), and
    `frozen` where the objective has such weights."""
    latents: Callable[..., Examples]
    """(encoder_params, rows, dropped (B,) bool or None, draws) → what the loss reads; not compiled."""
    measure: Callable[..., tuple[jax.Array, Params]]
    """(params, frozen, examples of one mean, decode) → their loss and its gradient; not compiled."""
    learn: Callable[..., tuple[TrainState, Metrics]]
    """(state, examples, step, decode, frozen) → the state after the update; not compiled. `update` is `learn` of the
    latents with draws of its own: a test may give others."""


def make_train_step(
    config: TrainConfig,
    resolved: Resolved,
    encoder: FrozenEncoder,
    mesh: Mesh,
    objective: Objective | None = None,
    start: Mapping[str, np.ndarray] | None = None,
) -> TrainStep:
    """`objective`: that of `elf train` unless given. `start`: weights of the first state, read one by one where they
    lie in files; random unless given.

    Raises CheckpointMismatchError for an encoder of another width, ConfigError for a batch that does not split.
    """
    elf, choices = config.elf, config.choices
    groups = device_groups(config, mesh)
    objective = flow_objective(config, groups) if objective is None else objective
    if encoder.config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder is {encoder.config.d_model} wide, elf.latent_size is {elf.latent_size}",
            f"Set elf.latent_size={encoder.config.d_model}.",
        )
    check_batch(mesh, config.batch_size, config.accumulation)
    dtype = jnp.dtype(config.compute_dtype)
    optimizer = make_optimizer(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps, mesh)
    rate = learning_rate(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps)
    key = jax.random.key(config.seed)

    def first_state(params: Params) -> TrainState:
        # Copies, because an update takes the memory of all that it replaces.
        averaged = jax.tree.map(jnp.copy, params)
        return TrainState(jax.tree.map(jnp.copy, params), averaged, optimizer.init(params))

    def random_state() -> TrainState:
        return first_state(split(ELF(elf, rngs=nnx.Rngs(config.seed)))[1])

    def latents(encoder_params: Params, rows: Rows, dropped: jax.Array | None, draws: Any) -> Examples:
        x, held = encoder.latents(
            encoder_params,
            rows.ids,
            rows.real,
            rows.source_length if resolved.conditional else None,
            dropped,
            see_padding=config.sees_filling,
            compute_dtype=dtype,
        )
        counts = rows.real if config.pad_token == "pad" else jnp.ones_like(rows.real)
        return Examples(jax.lax.stop_gradient(x), held, rows.ids, (counts & ~held).astype(jnp.float32), draws)

    # A function of its own to JAX, which XLA takes back: it is traced once, however often it is asked for, as for the
    # shape of a sum and for the sum itself.
    @functools.partial(jax.jit, static_argnames="decode")
    def value_and_gradient(params: Params, frozen, examples: Examples, weight: jax.Array, decode: bool | None):
        """(loss, what is logged of it), and its gradient."""
        x, held, ids, _, draws = examples
        return jax.value_and_grad(objective.loss, has_aux=True)(params, frozen, x, held, ids, draws, weight, decode)

    def measure(params: Params, frozen, examples: Examples, decode: bool | None) -> tuple[jax.Array, Params]:
        weight = objective.weigh(examples.counts)
        (value, _), gradients = value_and_gradient(params, frozen, examples, weight, decode=decode)
        return value, gradients

    def metrics_and_gradient(params: Params, frozen, examples: Examples, weight: jax.Array, decode: bool | None):
        (_, metrics), gradients = value_and_gradient(params, frozen, examples, weight, decode=decode)
        return metrics, gradients

    def gradient_of_batch(params: Params, frozen, examples: Examples, decode: bool | None):
        """What the objective logs, and its gradient, over the batch in `accumulation` parts: of one mean or, where each
        is clipped by itself, means of their own."""
        parts = config.accumulation
        if parts == 1:
            return metrics_and_gradient(params, frozen, examples, objective.weigh(examples.counts), decode)
        weights = None if choices.clip_each_part else objective.weigh(examples.counts)
        split_up = jax.tree.map(lambda array: split_rows(array, parts, objective.group), (examples, weights))

        def of_part(part) -> tuple[Metrics, Params]:
            examples, weight = part
            if weight is not None:
                return metrics_and_gradient(params, frozen, examples, weight, decode)
            weight = objective.weigh(examples.counts)
            metrics, gradients = metrics_and_gradient(params, frozen, examples, weight, decode)
            return averaged(metrics, parts), jax.tree.map(lambda leaf: leaf / parts, clipped(gradients))

        return add_up(of_part, split_up)

    def gradient_of_groups(params: Params, frozen, examples: Examples, decode: bool | None):
        """The same where every group of rows is a mean of its own: on each device for its own groups."""
        parts, here = config.accumulation, groups // mesh.size

        def on_device(params: Params, frozen, examples: Examples):
            # (rows, …) → (parts, groups, rows of one group in one part, …)
            split_up = jax.tree.map(
                lambda array: jnp.swapaxes(array.reshape(here, parts, -1, *array.shape[1:]), 0, 1), examples
            )

            def of_group(examples: Examples) -> tuple[Metrics, Params]:
                return metrics_and_gradient(params, frozen, examples, objective.weigh(examples.counts), decode)

            def of_part(examples: Examples) -> tuple[Metrics, Params]:
                metrics, gradients = jax.lax.psum(add_up(of_group, examples), AXES)
                gradients = jax.tree.map(lambda leaf: leaf / groups, gradients)
                if choices.clip_each_part and parts > 1:
                    gradients = clipped(gradients)
                return averaged(metrics, groups * parts), jax.tree.map(lambda leaf: leaf / parts, gradients)

            return add_up(of_part, split_up)

        rows, whole = PartitionSpec(AXES), PartitionSpec()
        return jax.shard_map(
            on_device, mesh=mesh, in_specs=(whole, whole, rows), out_specs=whole, check_vma=False
        )(params, frozen, examples)  # fmt: skip

    def clipped(gradients: Params) -> Params:
        return optax.clip_by_global_norm(config.optimizer.clip).update(gradients, optax.EmptyState())[0]

    def learn(state: TrainState, examples: Examples, step: jax.Array, decode: bool | None, frozen=None):
        gradient = gradient_of_groups if choices.loss_mean == "device" else gradient_of_batch
        measured, gradients = gradient(state.params, frozen, examples, decode)
        return follow(state, measured, gradients, step)

    def follow(state: TrainState, measured: Metrics, gradients: Params, step: jax.Array):
        """The state after an update by these gradients, and what is logged."""
        params, opt_state = descend(optimizer, (state.params, state.opt_state), gradients)
        decay = ema_decay(step, config.ema_decay) if choices.ema_warm_up else config.ema_decay
        ema = averaged_weights(state.ema_params1, params, decay)
        metrics = {"gradient_norm": optax.tree.norm(gradients), "learning_rate": rate(step)}
        return TrainState(params, ema, opt_state), {**measured, **metrics}

    def examples_of(encoder_params: Params, rows: Rows, step: jax.Array, decode: bool | None) -> Examples:
        drop_key, draw_key = jax.random.split(jax.random.fold_in(key, step))
        dropped = None
        if resolved.conditional and choices.label_drop:
            dropped = jax.random.uniform(drop_key, rows.ids.shape[:1]) < choices.label_drop
        B, L = rows.ids.shape
        draws = jax.lax.with_sharding_constraint(
            objective.draw(draw_key, (B, L, elf.latent_size), decode), batch_sharding(mesh)
        )
        return latents(encoder_params, rows, dropped, draws)

    def update(
        state: TrainState, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool | None, frozen=None
    ):
        return learn(state, examples_of(encoder_params, rows, step, decode), step, decode, frozen)

    shapes = jax.eval_shape(first_state, abstract(ELF, elf)[1])
    shardings = state_shardings(mesh, shapes)
    whole = replicated(mesh)
    jitted = jax.jit(update, static_argnames="decode", donate_argnums=0, out_shardings=(shardings, whole))

    by_torch = None
    if config.gradient == "torch":
        by_torch = with_gradient(make_torch_gradient(config), examples_of, objective, follow)

    def init() -> TrainState:
        if start is None:
            return jax.jit(random_state, out_shardings=shardings)()
        params = {name: on_mesh(start[name], sharding) for name, sharding in shardings.params.items()}
        return jax.jit(first_state, out_shardings=shardings)(params)

    @functools.cache
    def placed() -> tuple[Params, Params | None]:
        """The weights that do not change, on the devices."""
        weights = encoder.params, objective.frozen
        return jax.tree.map(on_mesh, weights, state_shardings(mesh, weights))

    def run(state: TrainState, batch: Batch, step: int) -> tuple[TrainState, Metrics]:
        encoder_params, frozen = placed()
        rows = Rows(*global_rows(mesh, (batch.ids, batch.real, batch.source_length)))
        decode = None if objective.decode_prob is None else is_decode_step(config.seed, step, objective.decode_prob)
        # Given as a plain number it would be one more transfer that the step waits for.
        number = on_mesh(np.asarray(step, np.int32), whole)
        if by_torch:
            return by_torch(state, encoder_params, rows, number, bool(decode))
        return jitted(state, encoder_params, rows, number, decode=decode, frozen=frozen)

    abstract_state = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes, shardings
    )
    return TrainStep(mesh, init, abstract_state, run, jitted, latents, measure, learn)


def with_gradient(gradient: TorchGradient, examples_of: Any, objective: Objective, follow: Any) -> Callable[..., Any]:
    """An update whose gradient another than XLA computes: JAX's part before it and after it, each compiled."""

    def before(encoder_params: Params, rows: Rows, step: jax.Array, decode: bool) -> Examples:
        examples = examples_of(encoder_params, rows, step, decode)
        return examples._replace(counts=objective.weigh(examples.counts))

    before = jax.jit(before, static_argnames="decode")
    after = jax.jit(follow, donate_argnums=0)

    def update(state: TrainState, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool):
        examples = before(encoder_params, rows, step, decode)
        return after(state, *gradient(state.params, examples, decode), step)

    return update


def device_groups(config: TrainConfig, mesh: Mesh) -> int:
    """Groups of rows that are a mean of their own. Raises ConfigError where they do not split over the devices."""
    if config.choices.loss_mean != "device":
        return 1
    groups = config.device_groups or mesh.size
    if groups % mesh.size or config.batch_size % (groups * config.accumulation):
        raise ConfigError(
            f"{groups} device groups of a batch of {config.batch_size} rows in {config.accumulation} part(s) do not "
            f"split over {mesh.size} device(s)",
            f"Give device_groups a multiple of {mesh.size}, and batch_size one of device_groups × accumulation.",
        )
    return groups


def averaged(metrics: Metrics, count: int) -> Metrics:
    """Of `count` means that will be added up. Shares carry their weights with them."""
    return {name: value if isinstance(value, Share) else value / count for name, value in metrics.items()}


def add_up(of_part: Callable[[Any], Any], parts: Any) -> Any:
    """The sum of `of_part` over the first axis of a tree of arrays, one part after another."""
    first = jax.tree.map(lambda array: array[0], parts)
    if jax.tree.leaves(parts)[0].shape[0] == 1:
        return of_part(first)
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_part, first))
    return jax.lax.scan(lambda total, part: (jax.tree.map(jnp.add, total, of_part(part)), None), nothing, parts)[0]


def split_rows(rows: jax.Array, parts: int, group: int) -> jax.Array:
    """(B, …) → (parts, B / parts, …); groups of rows are dealt out in turn, so each device keeps its own."""
    if rows.shape[0] % (parts * group):
        group = 1
    dealt = rows.reshape(-1, parts, group, *rows.shape[1:])
    return jnp.moveaxis(dealt, 1, 0).reshape(parts, -1, *rows.shape[1:])
