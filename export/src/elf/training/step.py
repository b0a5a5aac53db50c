"""One training step on a mesh of devices: latents, one of two branches, gradient, optimizer, EMA; spec section 4."""

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
    """The function that `update` calls, for ahead-of-time compilation: (state, encoder_params, rows, step, decode)."""


def make_train_step(config: TrainConfig, resolved: Resolved, encoder: FrozenEncoder, mesh: Mesh) -> TrainStep:
    """Raises CheckpointMismatchError for an encoder of another width, ConfigError for a batch that does not split."""
    elf, flow = config.elf, config.flow
    if encoder.config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder is {encoder.config.d_model} wide, elf.latent_size is {elf.latent_size}",
            f"Set elf.latent_size={encoder.config.d_model}.",
        )
    check_batch(mesh, config.batch_size, config.accumulation)
    dtype = jnp.dtype(config.compute_dtype)
    graphdef, _ = abstract_elf(elf, dtype, config.remat)
    optimizer = make_optimizer(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps)
    rate = learning_rate(config.optimizer, config.batch_size, resolved.steps, resolved.warmup_steps)
    key = jax.random.key(config.seed)
    denoise = literal_denoise_errors if config.objective == "literal" else denoise_errors

    def init() -> TrainState:
        _, params = split(ELF(elf, rngs=nnx.Rngs(config.seed)))
        return TrainState(params, jax.tree.map(jnp.copy, params), optimizer.init(params))

    def latents(encoder_params: Params, rows: Rows, drop_key: jax.Array):
        """x (B, L, D), the positions held (B, L) and the weight of every position in the loss (B, L)."""
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

    def gradient(params: Params, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool):
        """The loss and its gradient, over the batch in `accumulation` parts."""
        drop_key, draw_key = jax.random.split(jax.random.fold_in(key, step))
        x, held, weight = latents(encoder_params, rows, drop_key)
        draws = (draw_decode if decode else draw_denoise)(draw_key, x.shape, flow)
        draws = jax.lax.with_sharding_constraint(draws, batch_sharding(mesh))
        # Divided by the count of the whole batch, so that the parts add up to exactly its mean.
        weight = weight / jnp.maximum(weight.sum(), 1.0)

        def loss(params: Params, x, held, ids, draws, weight) -> jax.Array:
            network = bind(graphdef, params)
            errors = decode_errors(network, x, ids, draws, flow) if decode else denoise(network, x, held, draws, flow)
            return (errors * weight).sum()

        inputs = (x, held, rows.ids, draws, weight)
        if config.accumulation == 1:
            return jax.value_and_grad(loss)(params, *inputs)

        _, group = self_cond_rows(flow.self_cond_prob, config.batch_size // config.accumulation)
        parts = jax.tree.map(lambda array: split_rows(array, config.accumulation, group), inputs)

        def add(total, part):
            return jax.tree.map(jnp.add, total, jax.value_and_grad(loss)(params, *part)), None

        nothing = (jnp.zeros(()), jax.tree.map(jnp.zeros_like, params))
        return jax.lax.scan(add, nothing, parts)[0]

    def update(state: TrainState, encoder_params: Params, rows: Rows, step: jax.Array, decode: bool):
        value, gradients = gradient(state.params, encoder_params, rows, step, decode)
        changes, opt_state = optimizer.update(gradients, state.opt_state, state.params)
        params = optax.apply_updates(state.params, changes)
        decay = ema_decay(step, config.ema_decay)
        ema = jax.tree.map(lambda average, new: decay * average + (1 - decay) * new, state.ema_params1, params)
        metrics = {
            "decode_loss" if decode else "loss": value,
            "gradient_norm": optax.tree.norm(gradients),
            "learning_rate": rate(step),
        }
        return TrainState(params, ema, opt_state), metrics

    shapes = jax.eval_shape(init)
    shardings = state_shardings(mesh, shapes)
    whole = replicated(mesh)
    jitted = jax.jit(update, static_argnames="decode", donate_argnums=0, out_shardings=(shardings, whole))
    encoder_params: list[Params] = []

    def run(state: TrainState, batch: Batch, step: int) -> tuple[TrainState, Metrics]:
        if not encoder_params:
            encoder_params.append(jax.device_put(encoder.params, state_shardings(mesh, encoder.params)))
        rows = Rows(*global_rows(mesh, (batch.ids, batch.real, batch.source_length)))
        decode = is_decode_step(config.seed, step, flow.decoder_prob)
        return jitted(state, encoder_params[0], rows, np.int32(step), decode=decode)

    abstract = jax.tree.map(
        lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), shapes, shardings
    )
    return TrainStep(mesh, jax.jit(init, out_shardings=shardings), abstract, run, jitted)


def is_decode_step(seed: int, step: int, decoder_prob: float) -> bool:
    """One coin for the whole batch, a function of the step, so that a resumed run and every process throw the same."""
    return bool(np.random.default_rng([seed, step, 1]).random() < decoder_prob)


def split_rows(rows: jax.Array, parts: int, group: int) -> jax.Array:
    """(B, …) → (parts, B / parts, …); groups of rows are dealt out in turn, so each device keeps its own."""
    if rows.shape[0] % (parts * group):
        group = 1
    dealt = rows.reshape(-1, parts, group, *rows.shape[1:])
    return jnp.moveaxis(dealt, 1, 0).reshape(parts, -1, *rows.shape[1:])
