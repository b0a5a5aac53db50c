"""One training step on a mesh of devices: latents, loss, gradient, optimizer, EMA; spec section 4.

What the loss is, is an `Objective`: that of `elf train` is here, that of `elf distill` in distill.py.
"""

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from jax.sharding import Mesh

from elf.data.collation import Batch
from elf.devices import batch_sharding, check_batch, global_rows, replicated, state_shardings
from elf.errors import CheckpointMismatchError
from elf.models.trained_model import FlatParams
from elf.network.model import ELF, abstract_elf
from elf.network.modules import Params, bind, split
from elf.training.frozen_encoder import FrozenEncoder
from elf.training.literal_objective import literal_denoise_errors
from elf.training.objective import decode_errors, denoise_errors, draw_decode, draw_denoise, self_cond_rows
from elf.training.optimizer import ema_decay, learning_rate, make_optimizer
from elf.training.train_config import Resolved, TrainConfig

Metrics = dict[str, jax.Array]


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


@dataclass(frozen=True)
class Objective:
    """What a step minimises, once the latents are there."""

    draw: Callable[[jax.Array, tuple[int, int, int], bool], Any]
    """(key, shape (B, L, D), decode) → the random draws for a whole batch, each array with its rows first."""
    loss: Callable[..., tuple[jax.Array, Metrics]]
    """(params, frozen, x (B, L, D), held (B, L), ids (B, L), draws, weight (B, L), decode) → what is minimised, and
    what is logged. Both are sums over rows, so that the parts of a batch add up to the whole."""
    weigh: Callable[[jax.Array], jax.Array]
    """Positions that count, 1 or 0 (B, L) → their weights in the loss of the whole batch, which add up to 1."""
    group: int
    """So many consecutive rows stay together when a batch is taken in parts."""
    decode_prob: float = 0.0
    """Share of steps that are given decode = True."""
    frozen: FlatParams | None = None
    """Further weights that the loss reads: a teacher's."""


def flow_objective(config: TrainConfig) -> Objective:
    """That of spec section 4: per step the denoise or the decode branch."""
    flow = config.flow
    graphdef, _ = abstract_elf(config.elf, jnp.dtype(config.compute_dtype), config.remat)
    denoise = literal_denoise_errors if config.objective == "literal" else denoise_errors

    def draw(key: jax.Array, shape: tuple[int, int, int], decode: bool) -> Any:
        return (draw_decode if decode else draw_denoise)(key, shape, flow)

    def loss(params: Params, frozen: None, x, held, ids, draws, weight, decode: bool) -> tuple[jax.Array, Metrics]:
        network = bind(graphdef, params)
        errors = decode_errors(network, x, held, ids, draws, flow) if decode else denoise(network, x, held, draws, flow)
        value = (errors * weight).sum()
        return value, {"decode_loss" if decode else "loss": value}

    def weigh(counts: jax.Array) -> jax.Array:
        return counts / jnp.maximum(counts.sum(), 1.0)

    _, group = self_cond_rows(flow.self_cond_prob, config.batch_size // config.accumulation)
    return Objective(draw, loss, weigh, group, flow.decoder_prob)


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


def make_train_step(
    config: TrainConfig,
    resolved: Resolved,
    encoder: FrozenEncoder,
    mesh: Mesh,
    objective: Objective | None = None,
    start: FlatParams | None = None,
) -> TrainStep:
    """`objective`: that of `elf train` unless given. `start`: weights of the first state; random unless given.

    Raises CheckpointMismatchError for an encoder of another width, ConfigError for a batch that does not split.
    """
    elf = config.elf
    objective = flow_objective(config) if objective is None else objective
    if encoder.config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder is {encoder.config.d_model} wide, elf.latent_size is {elf.latent_size}",
            f"Set elf.latent_size={encoder.config.d_model}.",
        )
    check_batch(mesh, config.batch_size, config.accumulation)
    dtype = jnp.dtype(config.compute_dtype)
    optimizer = make_optimizer(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps)
    rate = learning_rate(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps)
    key = jax.random.key(config.seed)

    def first_state(params: Params) -> TrainState:
        # Copies, because an update takes the memory of all that it replaces.
        averaged = jax.tree.map(jnp.copy, params)
        return TrainState(jax.tree.map(jnp.copy, params), averaged, optimizer.init(params))

    def random_state() -> TrainState:
        return first_state(split(ELF(elf, rngs=nnx.Rngs(config.seed)))[1])

    def latents(encoder_params: Params, rows: Rows, drop_key: jax.Array):
        """x (B, L, D), the positions held (B, L), and 1 where a position counts in the loss, else 0 (B, L)."""
        dropped = None
        if resolved.conditional:
            dropped = jax.random.uniform(drop_key, rows.ids.shape[:1]) < config.label_drop
        x, held = encoder.latents(
            encoder_params,
            rows.ids,
            rows.real,
            rows.source_length if resolved.conditional else None,
            dropped,
            see_padding=config.pad_token == "eos",
            compute_dtype=dtype,
        )
        counts = rows.real if config.pad_token == "pad" else jnp.ones_like(rows.real)
        return jax.lax.stop_gradient(x), held, (counts & ~held).astype(jnp.float32)

    def gradient(params: Params, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool, frozen):
        """What the objective logs, and its gradient, over the batch in `accumulation` parts."""
        drop_key, draw_key = jax.random.split(jax.random.fold_in(key, step))
        x, held, counts = latents(encoder_params, rows, drop_key)
        draws = jax.lax.with_sharding_constraint(objective.draw(draw_key, x.shape, decode), batch_sharding(mesh))
        inputs = (x, held, rows.ids, draws, objective.weigh(counts))

        def of_part(part):
            (_, metrics), gradients = jax.value_and_grad(objective.loss, has_aux=True)(params, frozen, *part, decode)
            return metrics, gradients

        if config.accumulation == 1:
            return of_part(inputs)

        parts = jax.tree.map(lambda array: split_rows(array, config.accumulation, objective.group), inputs)
        first = jax.tree.map(lambda array: array[0], parts)
        nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), jax.eval_shape(of_part, first))
        return jax.lax.scan(lambda total, part: (jax.tree.map(jnp.add, total, of_part(part)), None), nothing, parts)[0]

    def update(state: TrainState, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool, frozen=None):
        measured, gradients = gradient(state.params, encoder_params, rows, step, decode, frozen)
        changes, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, changes)
        decay = ema_decay(step, config.ema_decay)
        ema = jax.tree.map(lambda average, new: decay * average + (1 - decay) * new, state.ema_params1, params)
        metrics = {"gradient_norm": optax.tree.norm(gradients), "learning_rate": rate(step)}
        return TrainState(params, ema, opt_state), measured | metrics

    shapes = jax.eval_shape(random_state)
    shardings = state_shardings(mesh, shapes)
    whole = replicated(mesh)
    jitted = jax.jit(update, static_argnames="decode", donate_argnums=0, out_shardings=(shardings, whole))

    def init() -> TrainState:
        if start is None:
            return jax.jit(random_state, out_shardings=shardings)()
        return jax.jit(first_state, out_shardings=shardings)(jax.device_put(start, shardings.params))

    @functools.cache
    def placed() -> tuple[Params, Params | None]:
        """The weights that do not change, on the devices."""
        weights = encoder.params, objective.frozen
        return jax.device_put(weights, state_shardings(mesh, weights))

    def run(state: TrainState, batch: Batch, step: int) -> tuple[TrainState, Metrics]:
        encoder_params, frozen = placed()
        rows = Rows(*global_rows(mesh, (batch.ids, batch.real, batch.source_length)))
        decode = is_decode_step(config.seed, step, objective.decode_prob)
        return jitted(state, encoder_params, rows, np.int32(step), decode=decode, frozen=frozen)

    abstract = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes, shardings
    )
    return TrainStep(mesh, init, abstract, run, jitted)


def is_decode_step(seed: int, step: int, decoder_prob: float) -> bool:
    """One coin for the whole batch, a function of the step, so that a resumed run and every process throw the same."""
    return bool(np.random.default_rng([seed, step, 1]).random() < decoder_prob)


def split_rows(rows: jax.Array, parts: int, group: int) -> jax.Array:
    """(B, …) → (parts, B / parts, …); groups of rows are dealt out in turn, so each device keeps its own."""
    if rows.shape[0] % (parts * group):
        group = 1
    dealt = rows.reshape(-1, parts, group, *rows.shape[1:])
    return jnp.moveaxis(dealt, 1, 0).reshape(parts, -1, *rows.shape[1:])
