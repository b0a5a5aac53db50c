"""The reference sampler (spec section 3), the oracle that the TypeScript sampler is checked against."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np

from elf.config import ElfConfig, FlowConfig, SamplerSettings
from elf.errors import UsageError
from elf.sampling.condition import Condition, Denoise, Guided

# A run starts from noise z at t = 0 and follows the velocity that the network predicts to text at t = 1. The network is
# passed in, so the same lines drive JAX, ONNX Runtime and the toy networks of the fixtures. Steps are plain NumPy
# float32, operation by operation; only the random numbers come from JAX, because their bits are part of the contract
# (export/FORMAT.md).

Array = np.ndarray


# --- Random numbers: keys derived from a seed as the official sampler does, and draws -------------------------------

Key = Any
"""A typed JAX random key."""


class RunKeys(NamedTuple):
    """The two keys of a run, derived from its seed as the official sampler does on one device."""

    noise: Key
    times: Key


def bit_layout(rng: str) -> Any:
    """Context in which jax.random draws with the bits of `rng`; `split` and `normal` depend on it."""
    return jax.threefry_partitionable(rng == "partitionable")


def batch_keys(seed: int, rng: str, config: int = 0, batch: int = 0, devices: int = 1) -> RunKeys:
    """Keys of one batch, an array of `devices` keys each: the official sampler's devices draw noise and schedule apart.

    `config` is the position of the sampling configuration in its run. `batch` counts over all processes: the batch b
    of process p of P has the number b·P + p.
    """
    with bit_layout(rng):
        key = jax.random.key(np.uint32(seed), impl="threefry2x32")
        for _ in range(config + 1):
            key, sample = jax.random.split(key)
        noise, times = jax.random.split(jax.random.fold_in(sample, batch))
        return RunKeys(jax.random.split(noise, devices), jax.random.split(times, devices))


def run_keys(seed: int, rng: str) -> RunKeys:
    """Keys of the first batch of the first sampling configuration of a run on one device."""
    keys = batch_keys(seed, rng)
    return RunKeys(keys.noise[0], keys.times[0])


def normal(key: Key, shape: tuple[int, ...], rng: str) -> np.ndarray:
    """Standard normal draws, float32."""
    with bit_layout(rng):
        return np.asarray(jax.random.normal(key, shape, np.float32))


def step_normal(key: Key, step: int, shape: tuple[int, ...], rng: str) -> np.ndarray:
    """The fresh ε of one SDE step, numbered from 0; float32."""
    with bit_layout(rng):
        return normal(jax.random.fold_in(key, step), shape, rng)


# --- The times of a run (*Schedule*) --------------------------------------------------------------------------------


def time_schedule(settings: SamplerSettings, flow: FlowConfig, key: Key) -> np.ndarray:
    """The N + 1 times of a run from 0 to 1, ascending, float32.

    `uniform` is evenly spaced, `logit_normal` draws the inner times from `key`, and `quantile` takes the quantiles of
    the distribution they would be drawn from, those of the middles of N − 1 equal parts.
    """
    N = settings.steps
    if settings.schedule == "uniform":
        return np.linspace(0, 1, N + 1, dtype=np.float32)
    standard = normal_quantiles(N - 1) if settings.schedule == "quantile" else normal(key, (N - 1,), settings.rng)
    inner = np.sort(_sigmoid(standard * np.float32(flow.p_std) + np.float32(flow.p_mean)))
    return np.concatenate([[0], inner, [1]]).astype(np.float32)


def normal_quantiles(count: int) -> np.ndarray:
    """Φ⁻¹((k − ½) / count) for k = 1 … count, float32: √2 · erfinv(u) as for a draw, u = (2k − 1 − count) / count."""
    u = (2.0 * np.arange(1, count + 1) - 1 - count) / max(count, 1)
    return np.float32(np.sqrt(2)) * np.asarray(jax.lax.erf_inv(u.astype(np.float32)))


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# --- One step of the flow from t to t': Euler's, the SDE's, and one that looks back for the ODE ---------------------
#
# Every state is (B, L, D) float32 and holds the condition where there is one; x̂ does too, so that v is 0 there.


class Step(NamedTuple):
    """Where a step starts and ends."""

    t: np.float32
    t_next: np.float32
    t_eps: float
    """Least divisor 1 − t of the velocity."""

    def velocity(self, z: Array, x_hat: Array, t: np.float32) -> Array:
        return (x_hat - z) / max(np.float32(1) - t, np.float32(self.t_eps))


class Prediction(NamedTuple):
    """What the network said at a step, as `multistep` remembers it."""

    t: np.float32
    x_hat: Array


def euler(network: Guided, z: Array, x_hat_prev: Array, step: Step) -> tuple[Array, Array]:
    """z ← z + (t' − t)·v with v of the prediction at t; returns (z, x̂)."""
    x_hat = network.predict(z, x_hat_prev, step.t)
    return network.hold(z + (step.t_next - step.t) * step.velocity(z, x_hat, step.t)), x_hat


def sde(
    network: Guided, z: Array, x_hat_prev: Array, step: Step, gamma: float, fresh_noise: Array
) -> tuple[Array, Array]:
    """Goes back in time by mixing in `fresh_noise` (already times s), then Euler to t'; returns (z, x̂)."""
    alpha = np.clip(np.float32(1) - np.float32(gamma) * (step.t_next - step.t), np.float32(0), np.float32(1))
    z_back = network.hold(alpha * z + (np.float32(1) - alpha) * fresh_noise)
    return euler(network, z_back, x_hat_prev, step._replace(t=alpha * step.t))


def multistep(
    network: Guided, z: Array, x_hat_prev: Array, step: Step, history: Sequence[Prediction]
) -> tuple[Array, Array]:
    """Euler's step with predictions carried on in a straight line from earlier ones; returns (z, x̂). One prediction.

    On the straight path z = t·x + (1 − t)·s·ε the exponential integrator of DPM-Solver++ (Lu et al. 2022) is Euler's
    step, and its second order, 2M, is that step towards an x̂ carried on to the step's middle. The network's own input
    lags as well: x̂_prev is of the time before, so it is carried on to t first. Of both, the second matters more.
    `history` holds the predictions made so far, two at least where there are two, the last one last.
    """
    if len(history) >= 2:
        (t_older, older), (t_last, last) = history[-2:]
        x_hat_prev = last + _ratio(step.t - t_last, t_last - t_older) * (last - older)
    x_hat = network.predict(z, x_hat_prev, step.t)
    aim = x_hat
    # At t' = 1 the step leads to `aim` itself, which therefore is the prediction as it is.
    if history and step.t_next < 1:
        t_last, last = history[-1]
        aim = x_hat + np.float32(0.5) * _ratio(step.t_next - step.t, step.t - t_last) * (x_hat - last)
    return network.hold(z + (step.t_next - step.t) * step.velocity(z, aim, step.t)), x_hat


def _ratio(span: np.float32, before: np.float32) -> np.float32:
    """Length of a step over that of the one before: at most 2, as drawn times may lie close; 0 after one of none."""
    return min(span / before, np.float32(2)) if before > 0 else np.float32(0)


# --- The noise that a run starts from: of a seed, between two seeds, or of a text -----------------------------------


@dataclass(frozen=True)
class Towards:
    """The way to the start noise of another seed. Raises UsageError for a value that cannot be."""

    seed: int
    """From 0 to 2³² − 1."""
    weight: float
    """How far: 0 is the noise of the run's own seed, 1 that of the other."""

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"the seed to go towards is {self.seed}", "Give an integer from 0 to 4294967295.")
        if not 0 <= self.weight <= 1:
            raise UsageError(f"the weight of the other seed is {self.weight}", "Give a number from 0 to 1.")


def start_noise(
    settings: SamplerSettings, noise_scale: np.float32, shape: tuple[int, ...], towards: Towards | None = None
) -> Array:
    """s·ε₀ of `shape` (B, L, D), float32. The schedule, and the noise that the SDE mixes in later, are those of the
    run's own seed whatever the way."""
    own, *other = (
        noise_scale * normal(run_keys(seed, settings.rng).noise, shape, settings.rng)
        for seed in (settings.seed, *([towards.seed] if towards else []))
    )
    return slerp(own, other[0], towards.weight) if towards else own


def slerp(a: Array, b: Array, weight: float) -> Array:
    """Spherical interpolation (Shoemake 1985): sin((1 − w)Ω)/sin Ω · a + sin(wΩ)/sin Ω · b, Ω the angle between them.

    On a straight line the middle of two noises is shorter than either, and unlike any that the network has seen.
    """
    x, y = (array.astype(np.float64).reshape(-1) for array in (a, b))
    size = float(np.sqrt((x @ x) * (y @ y)))
    angle = np.arccos(np.clip(x @ y / size, -1, 1)) if size > 0 else 0.0
    if not np.sin(angle) > 0:
        # Of two that point the same way, or have no length, every one between is either.
        return a if weight < 1 else b
    of_a, of_b = (np.float32(np.sin(part * angle) / np.sin(angle)) for part in (1 - weight, weight))
    return of_a * a + of_b * b


def noise_of(
    denoise: Denoise,
    clean: Array,
    settings: SamplerSettings,
    flow: FlowConfig,
    condition: Condition | None = None,
    *,
    takes_self_cond_scale: bool = True,
) -> Array:
    """The noise (B, L, D) that the ODE of `settings` would have made these clean latents (B, L, D) from.

    Going back is Euler's with the velocity of the later time, so both ways agree as steps get small. The last step has
    no way back, for it lands on the prediction from wherever it starts: the clean latents are taken for the state
    before it. Where that is close to t = 1, as with `uniform`, what the network makes of the text otherwise than it is
    counts 1/(1 − t) times, and noise of many times the usual size is found; the times of a logit-normal end early
    enough (experiments.md). N − 1 predictions.
    """
    times = time_schedule(settings, flow, run_keys(settings.seed, settings.rng).times)
    network = Guided(denoise, settings, condition, takes_self_cond_scale, flow.self_cond_start)
    z = x_hat = network.hold(clean)
    for t, earlier in zip(times[-2:0:-1], times[-3::-1], strict=True):
        x_hat = network.predict(z, x_hat, t)
        z = network.hold(z + (earlier - t) * Step(t, earlier, flow.t_eps).velocity(z, x_hat, t))
    return z


# --- A run ----------------------------------------------------------------------------------------------------------


class Network(Protocol):
    """What the sampler needs of a model. JAX, ONNX Runtime and toys all fit."""

    takes_self_cond_scale: bool
    """Whether w is an input. The passes of a network without it get one all the same, and must not heed it."""

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        """Predicts the clean latents x̂ (B, L, D) from z at time t (B,), its last prediction and w (B,)."""

    def read(self, latent: Array, self_cond_scale: Array) -> Array:
        """The most likely tokens (B, L) of a finished latent (B, L, D)."""


class State(NamedTuple):
    """The run after a step."""

    t: float
    z: Array
    """(B, L, D)"""
    x_hat: Array
    """(B, L, D), the prediction that led here; at the start zeros, but for the condition unless the model's x̂ starts
    without it (`FlowConfig.self_cond_start`)."""


def run_flow(
    denoise: Denoise,
    settings: SamplerSettings,
    flow: FlowConfig,
    shape: tuple[int, int, int],
    condition: Condition | None = None,
    *,
    takes_self_cond_scale: bool = True,
    start: Array | None = None,
    towards: Towards | None = None,
) -> Iterator[State]:
    """Yields the start and the state after each of the N steps, N + 1 states in all.

    `shape` is (B, L, D). With B > 1 the samples share one schedule, and the noise is drawn for the whole batch at
    once, so sample 0 of a batch is not the single sample of the same seed. `start` (B, L, D) stands in for the noise
    that the seed draws, which goes `towards` that of another seed. Raises UsageError for a cfg scale without a
    condition.
    """
    if settings.cfg_scale != 1 and condition is None:
        raise UsageError(f"cfg is {settings.cfg_scale:g}", "Without a condition there is nothing to guide by: give 1.")
    keys = run_keys(settings.seed, settings.rng)
    times = time_schedule(settings, flow, keys.times)
    noise_scale = np.float32(flow.noise_scale)
    network = Guided(denoise, settings, condition, takes_self_cond_scale, flow.self_cond_start)
    z = network.hold(start_noise(settings, noise_scale, shape, towards) if start is None else start)
    x_hat = network.nothing(shape)
    history: list[Prediction] = []
    yield State(float(times[0]), z, x_hat)
    for k in range(settings.steps):
        step = Step(times[k], times[k + 1], flow.t_eps)
        # The last step is always ODE: noise mixed in there could not be removed any more.
        if settings.method == "sde" and k < settings.steps - 1:
            fresh = noise_scale * step_normal(keys.noise, k, shape, settings.rng)
            z, x_hat = sde(network, z, x_hat, step, settings.gamma_at(float(step.t)), fresh)
        elif settings.solver == "multistep":
            z, x_hat = multistep(network, z, x_hat, step, history)
            history = [*history[-1:], Prediction(step.t, x_hat)]
        else:
            z, x_hat = euler(network, z, x_hat, step)
        yield State(float(step.t_next), z, x_hat)


class Run(NamedTuple):
    """A finished run."""

    t: Array
    """(N + 1,)"""
    z0: Array
    """(B, L, D), the noise it started from, and the condition."""
    z: Array
    """(B, L, D), the latents it ended with."""
    tokens: Array
    """(B, L) int32, the source's positions included, before the cut at eos."""


def sample(
    network: Network,
    settings: SamplerSettings,
    flow: FlowConfig,
    shape: tuple[int, int, int],
    condition: Condition | None = None,
    on_step: Callable[[int], None] = lambda step: None,
    start: Array | None = None,
    towards: Towards | None = None,
) -> Run:
    """A whole run: the flow, then one decode pass at t = 1 and the most likely token at each position.

    `on_step` is called after each of the N steps with its number, from 1. Raises what `run_flow` raises.
    """
    states = run_flow(
        network.denoise,
        settings,
        flow,
        shape,
        condition,
        takes_self_cond_scale=network.takes_self_cond_scale,
        start=start,
        towards=towards,
    )
    first = last = next(states)
    times = [first.t]
    for last in states:
        times.append(last.t)
        on_step(len(times) - 1)
    scale = np.full(shape[0], settings.self_cond_scale, np.float32)
    tokens = network.read(last.z, scale).astype(np.int32)
    return Run(np.asarray(times, np.float32), first.z, last.z, tokens)


def written(tokens: Array, elf: ElfConfig, condition: Condition | None = None) -> list[list[int]]:
    """What a run (B, L) wrote, before the cut at eos: all of it or, behind a source, at most max_length −
    max_input_length tokens."""
    lengths = condition.lengths if condition else np.zeros(len(tokens), int)
    longest = elf.longest_text(prompted=condition is not None)
    return [row[start : start + longest].tolist() for row, start in zip(tokens, lengths, strict=True)]


def cut_at_eos(tokens: Sequence[int] | Array, eos: int) -> list[int]:
    """The ids of one sample up to the first `eos`, which is dropped with everything after it."""
    ids = [int(token) for token in tokens]
    return ids[: ids.index(eos)] if eos in ids else ids
