"""Whole batches as one compiled function over a mesh: noise, every step of the flow, decode, the likeliest tokens."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jax.sharding import Mesh, NamedSharding

from elf.config import FlowConfig, SamplerSettings
from elf.devices import batch_sharding, check_batch, on_mesh, replicated, state_shardings
from elf.errors import CheckpointMismatchError, ConfigError, UsageError
from elf.models.trained_model import TrainedModel
from elf.network.encoder import T5Encoder
from elf.network.model import ELF
from elf.network.modules import Params, abstract, bind
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.sampling.condition import Condition
from elf.sampling.sampler import batch_keys, bit_layout, time_schedule

# --- The flow of a batch in JAX, to be compiled with the network inside ---------------------------------------------
#
# ODE and SDE, condition, CFG (spec section 3). Shapes: B rows, L positions, D latent width, G groups of rows with
# random numbers of their own, N steps.

Denoise = Callable[[jax.Array, jax.Array, jax.Array, jax.Array], jax.Array]
"""(z (B, L, D), x̂_prev (B, L, D), t (B,), self-cond scale w (B,)) → x̂ (B, L, D)."""


class Draws(NamedTuple):
    """Where a batch's random numbers come from. The first B / G rows are group 0, the next ones group 1, …"""

    noise_keys: jax.Array
    """(G, 2) uint32, the data of one key a group."""
    times: jax.Array
    """(G, N + 1) float32, ascending from 0 to 1."""


class Scales(NamedTuple):
    """Numbers of a run that its program does not depend on: w and ω of shape (), and γ of every step."""

    gamma: jax.Array
    """(G, N)"""
    self_cond_scale: jax.Array
    cfg: jax.Array


class State(NamedTuple):
    """A run between two steps; all (B, L, D)."""

    z: jax.Array
    x_hat: jax.Array
    """The last prediction."""
    older: jax.Array | None
    """The one before it, where the solver is multistep."""


def follow_flow(
    denoise: Denoise,
    flow: FlowConfig,
    draws: Draws,
    scales: Scales,
    shape: tuple[int, int, int],
    condition: Condition | None = None,
    *,
    sde: bool,
    guided: bool = False,
    two_pass: bool = False,
    multistep: bool = False,
    place: Callable[[jax.Array], jax.Array] = lambda array: array,
) -> jax.Array:
    """From noise to the final latents z (B, L, D), which hold the condition. `shape` is (B, L, D).

    `sde` is whether γ is heeded, `guided` whether ω is; ω costs a second pass of the network at every step. `two_pass`
    is for networks that do not take w: it weighs a pass with x̂_prev against one without. `multistep` carries
    predictions on from earlier ones, as `solvers.multistep` explains; without `sde` only. `place` lays a (B, L, D)
    array out over devices.
    """
    keys = jax.random.wrap_key_data(draws.noise_keys, impl="threefry2x32")
    groups, steps = draws.times.shape[0], draws.times.shape[1] - 1
    rows = shape[0] // groups
    self_cond_scale = jnp.full(shape[0], scales.self_cond_scale)

    def hold(array: jax.Array) -> jax.Array:
        return condition.hold(array) if condition else array

    def nothing() -> jax.Array:
        # What stands for x̂_prev where there is none.
        zeros = jnp.zeros(shape)
        return hold(zeros) if flow.self_cond_start == "condition" else zeros

    def noise(keys: jax.Array) -> jax.Array:
        drawn = jax.vmap(lambda key: jax.random.normal(key, (rows, *shape[1:])))(keys)
        return flow.noise_scale * place(drawn.reshape(shape))

    def self_guided(z: jax.Array, x_hat_prev: jax.Array, no_x_hat: jax.Array, t: jax.Array) -> jax.Array:
        x_hat = denoise(z, x_hat_prev, t, self_cond_scale)
        if not two_pass:
            return x_hat
        without = denoise(z, no_x_hat, t, self_cond_scale)
        return without + scales.self_cond_scale * (x_hat - without)

    def predict(z: jax.Array, x_hat_prev: jax.Array, t: jax.Array) -> jax.Array:
        x_hat = self_guided(z, x_hat_prev, nothing(), t)
        if guided and condition:
            # Where a velocity counts both passes have the same z, so guiding x̂ guides v by the same formula.
            without = self_guided(condition.hide(z), condition.hide(x_hat_prev), jnp.zeros(shape), t)
            x_hat = without + scales.cfg * (x_hat - without)
        return hold(x_hat)

    def time(k: jax.Array) -> jax.Array:
        return jnp.repeat(draws.times[:, k], rows)[:, None, None]

    def step(k: jax.Array, state: State) -> State:
        z, x_hat_prev, older = state
        t, t_next = time(k), time(k + 1)
        if sde:
            # γ 0 makes a step the ODE's, which the last one always is.
            gamma = jnp.where(k < steps - 1, jnp.repeat(scales.gamma[:, k], rows)[:, None, None], 0)
            alpha = jnp.clip(1 - gamma * (t_next - t), 0, 1)
            fresh = noise(jax.vmap(jax.random.fold_in, (0, None))(keys, k))
            z, t = hold(alpha * z + (1 - alpha) * fresh), alpha * t
        if older is None:
            aim = x_hat = predict(z, x_hat_prev, t[:, 0, 0])
        else:
            # The first steps have no past: times before the first are the first, and a ratio to no time at all is 0.
            t_last, t_older = time(jnp.maximum(k - 1, 0)), time(jnp.maximum(k - 2, 0))
            shown = x_hat_prev + step_ratio(t - t_last, t_last - t_older) * (x_hat_prev - older)
            x_hat = predict(z, shown, t[:, 0, 0])
            # At t' = 1 the step leads to the prediction as it is.
            ahead = jnp.where(t_next < 1, step_ratio(t_next - t, t - t_last), 0)
            aim = x_hat + 0.5 * ahead * (x_hat - x_hat_prev)
        # On the held positions the aim is z to the last bit, so v is 0 there and z stays.
        velocity = (aim - z) / jnp.maximum(1 - t, flow.t_eps)
        return State(z + (t_next - t) * velocity, x_hat, None if older is None else x_hat_prev)

    start = nothing()
    return jax.lax.fori_loop(0, steps, step, State(hold(noise(keys)), start, start if multistep else None)).z


def step_ratio(span: jax.Array, before: jax.Array) -> jax.Array:
    """Length of a step over that of the one before, as in `sampler`: at most 2; 0 after one of none."""
    return jnp.where(before > 0, jnp.minimum(span / jnp.where(before > 0, before, 1), 2), 0)


# --- Whole batches --------------------------------------------------------------------------------------------------
#
# The same run as the reference sampler's, token for token, with what evaluation needs on top: conditions, many rows
# with the random numbers of the official sampler, several devices, bfloat16.


class Source(NamedTuple):
    """The conditions of a batch as tokens."""

    ids: jax.Array
    """(B, S) int32, filled up with any token."""
    length: jax.Array
    """(B,) int32"""


class Weights(NamedTuple):
    elf: Params
    encoder: Params
    mean: jax.Array
    """What the encoder's output is normalised by: a number, or (D,)."""
    std: jax.Array


@partial(
    jax.jit,
    static_argnames=(
        "graphdef",
        "encoder_graphdef",
        "flow",
        "shape",
        "sde",
        "guided",
        "two_pass",
        "multistep",
        "mesh",
        "entropies",
    ),
)
def _write(
    weights: Weights,
    draws: Draws,
    scales: Scales,
    source: Source | None,
    *,
    graphdef: nnx.GraphDef[ELF],
    encoder_graphdef: nnx.GraphDef[T5Encoder] | None,
    flow: FlowConfig,
    shape: tuple[int, int, int],
    sde: bool,
    guided: bool,
    two_pass: bool,
    multistep: bool,
    mesh: Mesh,
    entropies: bool = False,
) -> tuple[jax.Array, ...]:
    """Tokens (B, L) int32 of a whole batch, the same on every device; `shape` is (B, L, D). With `entropies` also those
    of the decoder's distributions, (B, L) in nats."""

    def place(array: jax.Array) -> jax.Array:
        return jax.lax.with_sharding_constraint(array, batch_sharding(mesh))

    condition = None
    if source is not None and encoder_graphdef is not None:
        S = source.ids.shape[1]
        held = jnp.arange(shape[1]) < source.length[:, None]
        hidden = bind(encoder_graphdef, weights.encoder)(source.ids, held[:, :S])
        latents = jnp.pad((hidden - weights.mean) / weights.std, ((0, 0), (0, shape[1] - S), (0, 0)))
        condition = Condition(place(latents), held[..., None])
    network = bind(graphdef, weights.elf)
    ways = {"sde": sde, "guided": guided, "two_pass": two_pass, "multistep": multistep}
    z = follow_flow(network.denoise, flow, draws, scales, shape, condition, **ways, place=place)
    # z holds the condition, so it is decoded beside clean embeddings of the source.
    logits = network.decode(z, jnp.full(shape[0], scales.self_cond_scale))
    tokens = jnp.argmax(logits, axis=-1).astype(jnp.int32)
    written: tuple[jax.Array, ...] = (tokens,)
    if entropies:
        written += (-(jax.nn.softmax(logits) * jax.nn.log_softmax(logits)).sum(-1),)
    return jax.lax.with_sharding_constraint(written, replicated(mesh))


class BatchSampler:
    """A trained model, ready to write batches of `batch_size` texts over all devices of `mesh`.

    The random numbers are those of `processes` official hosts with `devices` each, whatever the mesh: a single CPU
    writes the very texts of eight of them. `length` is that of a text: at most max_length, and behind sources at most
    max_length − max_input_length. Weights are split over the mesh's axis `fsdp`. Raises CheckpointMismatchError where
    weights and configuration do not fit, ConfigError for a batch that does not split.
    """

    def __init__(
        self,
        model: TrainedModel,
        mesh: Mesh,
        batch_size: int,
        length: int,
        *,
        compute_dtype: str = "float32",
        processes: int = 1,
        devices: int = 1,
    ):
        check_batch(mesh, batch_size)
        if batch_size < 1 or batch_size % (processes * devices):
            raise ConfigError(
                f"a batch of {batch_size} rows does not split into {processes} × {devices} equal parts",
                f"Give a multiple of {processes * devices}: each official device draws for rows of its own.",
            )
        check_parameters(model.params, parameter_shapes(model.elf), "the ELF network")
        self.longest_source, self.needs_source = model.elf.max_input_length, model.elf.needs_source
        self.takes_self_cond_scale = bool(model.elf.self_cond_cfg_tokens)
        encoder_graphdef = None
        if self.longest_source:
            if model.encoder is None:
                raise CheckpointMismatchError(
                    "the model writes to a source but has no encoder to read it with",
                    "Give a model folder with encoder.safetensors.",
                )
            check_parameters(model.encoder_params, encoder_parameter_shapes(model.encoder), "the encoder")
            encoder_graphdef, _ = abstract(T5Encoder, model.encoder)
        self.flow, self.mesh, self.batch_size, self.length = model.flow, mesh, batch_size, length
        self.processes, self.devices = processes, devices
        # Products asked for in float32 are made in float32, not in the shorter formats that accelerators prefer.
        self.precision = "highest" if compute_dtype == "float32" else None
        self.static = {
            "graphdef": abstract(ELF, model.elf, jnp.dtype(compute_dtype))[0],
            "encoder_graphdef": encoder_graphdef,
            "flow": model.flow,
            "mesh": mesh,
        }
        self.latent_size = model.elf.latent_size
        mean, std = (np.asarray(statistic, np.float32) for statistic in (model.latent_mean, model.latent_std))
        encoder_params = model.encoder_params if encoder_graphdef else {}
        self.weights = Weights({}, *(self._placed(each) for each in (encoder_params, mean, std)))
        self.take(model.params)

    def take(self, params: Mapping[str, np.ndarray | jax.Array]) -> None:
        """Goes on with other weights of the same shapes; none at all lets go of those it has."""
        self.weights = self.weights._replace(elf=self._placed(dict(params)))

    def _placed(self, tree: Any) -> Any:
        """Arrays that every process has whole, or that lie on the devices already, each where it belongs."""

        def place(array: np.ndarray | jax.Array, sharding: NamedSharding) -> jax.Array:
            return jax.device_put(array, sharding) if isinstance(array, jax.Array) else on_mesh(array, sharding)

        return jax.tree.map(place, tree, state_shardings(self.mesh, tree))

    def write(
        self,
        settings: SamplerSettings,
        *,
        config: int = 0,
        batch: int = 0,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> np.ndarray:
        """Tokens (B, length) int32 of one batch, without the source and before the cut at eos.

        `config` and `batch` number the configurations of a run and the batches of each, from 0;
        they choose the random numbers. `sources` are the conditions, one a row, each cut to max_input_length. Raises
        UsageError for sources or a cfg scale that the model cannot have.
        """
        return self._written(settings, entropies=False, config=config, batch=batch, sources=sources)[0]

    def write_with_entropies(self, settings: SamplerSettings, **batch: Any) -> tuple[np.ndarray, np.ndarray]:
        """The tokens as `write` gives them, and how sure the decoder is of each: its entropy in nats, (B, length)."""
        tokens, entropies = self._written(settings, entropies=True, **batch)
        return tokens, entropies

    def _written(self, settings: SamplerSettings, *, entropies: bool, **batch: Any) -> list[np.ndarray]:
        arguments, static = self.call(settings, **batch)
        with bit_layout(settings.rng), jax.default_matmul_precision(self.precision):
            written = [np.asarray(array) for array in _write(*arguments, **static, entropies=entropies)]
        sources = batch.get("sources")
        if sources is None:
            return written
        behind = self._source_lengths(sources)[:, None] + np.arange(self.length)
        return [np.take_along_axis(array, behind, axis=1) for array in written]

    def memory(self, settings: SamplerSettings, **batch: Any) -> Any:
        """XLA's analysis of the memory that one batch takes on a device, from compiling it ahead of time."""
        arguments, static = self.call(settings, **batch)
        with bit_layout(settings.rng), jax.default_matmul_precision(self.precision):
            return _write.lower(*arguments, **static).compile().memory_analysis()

    def call(
        self,
        settings: SamplerSettings,
        *,
        config: int = 0,
        batch: int = 0,
        sources: Sequence[Sequence[int]] | None = None,
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The positional and the static arguments of the compiled function."""
        wanted = [f"exactly {self.batch_size} sources"] if self.longest_source else []
        wanted += [] if self.needs_source else ["no source"]
        fits = not self.needs_source if sources is None else self.longest_source and len(sources) == self.batch_size
        if not fits:
            raise UsageError(
                f"a batch of this model takes {' or '.join(wanted)}", "Give as many as the batch has rows, or none."
            )
        if sources is None and settings.cfg_scale != 1:
            raise UsageError(f"cfg is {settings.cfg_scale:g}", "There is no source to guide by: leave cfg at 1.")

        keys = [
            batch_keys(settings.seed, settings.rng, config, batch * self.processes + process, self.devices)
            for process in range(self.processes)
        ]
        noise_keys = np.concatenate([jax.random.key_data(of.noise) for of in keys])
        # From the reference, because NumPy's exp and XLA's differ in the last bit.
        times = np.stack([time_schedule(settings, self.flow, key) for of in keys for key in of.times])
        whole, rows = replicated(self.mesh), batch_sharding(self.mesh)
        draws = Draws(on_mesh(noise_keys, whole), on_mesh(times, whole))
        gamma = np.asarray([[settings.gamma_at(float(t)) for t in row[:-1]] for row in times], np.float32)
        numbers = (gamma, *np.asarray([settings.self_cond_scale, settings.cfg_scale], np.float32))
        scales = Scales(*(on_mesh(np.asarray(number), whole) for number in numbers))
        source, positions = None, self.length
        if sources is not None:
            positions += self.longest_source
            ids = np.zeros((self.batch_size, self.longest_source), np.int32)
            for row, tokens in zip(ids, sources, strict=True):
                row[: len(tokens)] = tokens[: self.longest_source]
            source = Source(on_mesh(ids, rows), on_mesh(self._source_lengths(sources), rows))
        sde = settings.method == "sde" and bool((gamma > 0).any())
        two_pass = not self.takes_self_cond_scale and settings.self_cond_scale != 1
        multistep = settings.solver == "multistep"
        ways = {"sde": sde, "guided": settings.cfg_scale != 1, "two_pass": two_pass, "multistep": multistep}
        shape = (self.batch_size, positions, self.latent_size)
        return (self.weights, draws, scales, source), {**self.static, **ways, "shape": shape}

    def _source_lengths(self, sources: Sequence[Sequence[int]]) -> np.ndarray:
        return np.asarray([min(len(source), self.longest_source) for source in sources], np.int32)
