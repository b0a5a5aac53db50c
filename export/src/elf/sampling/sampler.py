"""The reference sampler (spec section 3), the oracle that the TypeScript sampler is checked against.

A run starts from noise z at t = 0 and follows the velocity that the network predicts to text at t = 1. The network is
passed in, so the same lines drive JAX, ONNX Runtime and the toy network of the fixtures. Steps are plain NumPy float32;
only the random numbers come from JAX, because their bits are part of the contract (export/FORMAT.md).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import jax
import numpy as np

from elf.config import FlowConfig
from elf.errors import UsageError

Array = np.ndarray
Key = Any
"""A typed JAX random key."""

Denoise = Callable[[Array, Array, Array, Array], Array]
"""(z (B, L, D), x̂_prev (B, L, D), t (B,), self-cond scale w (B,)) → x̂ (B, L, D), all float32."""


class Network(Protocol):
    """What the sampler needs of a model. JAX, ONNX Runtime and toys all fit."""

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        """Predicts the clean latents x̂ (B, L, D) from z at time t (B,), its last prediction and w (B,)."""

    def decode(self, latent: Array, self_cond_scale: Array) -> Array:
        """Logits (B, L, V) of the tokens that a finished latent (B, L, D) stands for."""


@dataclass(frozen=True)
class SamplerSettings:
    """One run's settings. Raises UsageError for a value that cannot be."""

    steps: int = 32
    """N, network passes before the decode pass; at least 1."""
    method: Literal["ode", "sde"] = "sde"
    gamma: float = 1.5
    """γ ≥ 0, how much of the state the SDE replaces by fresh noise; 0 makes it the ODE. Unused by the ODE."""
    self_cond_scale: float = 3.0
    """w > 0, an input of the network: larger is more fluent and less varied."""
    schedule: Literal["uniform", "logit_normal"] = "logit_normal"
    rng: Literal["original", "partitionable"] = "original"
    """Layout of the random bits: of jax ≤ 0.4 (the official sampler) or of jax ≥ 0.5."""
    seed: int = 7

    def __post_init__(self) -> None:
        if self.steps < 1:
            raise UsageError(f"steps is {self.steps}", "Give at least 1.")
        if not 0 <= self.gamma < np.inf:
            raise UsageError(f"gamma is {self.gamma}", "Give a number from 0 up; 1 to 2 is usual.")
        if not 0 < self.self_cond_scale < np.inf:
            raise UsageError(f"the self-cond CFG scale is {self.self_cond_scale}", "Give a number above 0.")
        if not 0 <= self.seed < 2**32:
            # Beyond 32 bits JAX's answer depends on its x64 switch.
            raise UsageError(f"the seed is {self.seed}", "Give an integer from 0 to 4294967295.")


def named_settings(settings: SamplerSettings, length: int) -> dict[str, Any]:
    """Settings under the names of the manifest."""
    return {
        "steps": settings.steps,
        "method": settings.method,
        "gamma": settings.gamma,
        "selfCondScale": settings.self_cond_scale,
        "schedule": settings.schedule,
        "rng": settings.rng,
        "seed": settings.seed,
        "length": length,
    }


class RunKeys(NamedTuple):
    """The two keys of a run, derived from its seed as the official sampler does on one device."""

    noise: Key
    times: Key


class State(NamedTuple):
    """The run after a step."""

    t: float
    z: Array
    """(B, L, D)"""
    x_hat: Array
    """(B, L, D), the prediction that led here; zeros at the start."""


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


def normal(key: Key, shape: tuple[int, ...], rng: str) -> Array:
    """Standard normal draws, float32."""
    with bit_layout(rng):
        return np.asarray(jax.random.normal(key, shape, np.float32))


def time_schedule(settings: SamplerSettings, flow: FlowConfig, key: Key) -> Array:
    """The N + 1 times of a run from 0 to 1, ascending, float32. `logit_normal` draws the inner ones from `key`."""
    if settings.schedule == "uniform":
        return np.linspace(0, 1, settings.steps + 1, dtype=np.float32)
    draws = normal(key, (settings.steps - 1,), settings.rng) * np.float32(flow.p_std) + np.float32(flow.p_mean)
    inner = np.sort(1 / (1 + np.exp(-draws)))
    return np.concatenate([[0], inner, [1]]).astype(np.float32)


def euler_step(
    denoise: Denoise, z: Array, x_hat_prev: Array, t: np.float32, t_next: np.float32, scale: Array, t_eps: float
) -> tuple[Array, Array]:
    """One ODE step from `t` to `t_next`; returns (z, x̂), both (B, L, D)."""
    x_hat = denoise(z, x_hat_prev, np.full(len(z), t, np.float32), scale)
    velocity = (x_hat - z) / max(np.float32(1) - t, np.float32(t_eps))
    return z + (t_next - t) * velocity, x_hat


def sde_step(
    denoise: Denoise,
    z: Array,
    x_hat_prev: Array,
    t: np.float32,
    t_next: np.float32,
    scale: Array,
    t_eps: float,
    gamma: float,
    fresh_noise: Array,
) -> tuple[Array, Array]:
    """One SDE step: go back in time by mixing in `fresh_noise` (already times s), then Euler to `t_next`."""
    alpha = np.clip(np.float32(1) - np.float32(gamma) * (t_next - t), np.float32(0), np.float32(1))
    z_back = alpha * z + (np.float32(1) - alpha) * fresh_noise
    return euler_step(denoise, z_back, x_hat_prev, alpha * t, t_next, scale, t_eps)


def run_flow(
    denoise: Denoise, settings: SamplerSettings, flow: FlowConfig, shape: tuple[int, int, int]
) -> Iterator[State]:
    """Yields the start and the state after each of the N steps, N + 1 states in all.

    `shape` is (B, L, D). With B > 1 the samples share one schedule, and the noise is drawn for the whole batch at
    once, so sample 0 of a batch is not the single sample of the same seed.
    """
    keys = run_keys(settings.seed, settings.rng)
    times = time_schedule(settings, flow, keys.times)
    noise_scale = np.float32(flow.noise_scale)
    scale = np.full(shape[0], settings.self_cond_scale, np.float32)
    z = noise_scale * normal(keys.noise, shape, settings.rng)
    x_hat = np.zeros(shape, np.float32)
    yield State(float(times[0]), z, x_hat)
    for k in range(settings.steps):
        t, t_next = times[k], times[k + 1]
        # The last step is always ODE: noise mixed in there could not be removed any more.
        if settings.method == "sde" and k < settings.steps - 1:
            with bit_layout(settings.rng):
                step_key = jax.random.fold_in(keys.noise, k)
            fresh = noise_scale * normal(step_key, shape, settings.rng)
            z, x_hat = sde_step(denoise, z, x_hat, t, t_next, scale, flow.t_eps, settings.gamma, fresh)
        else:
            z, x_hat = euler_step(denoise, z, x_hat, t, t_next, scale, flow.t_eps)
        yield State(float(t_next), z, x_hat)


class Run(NamedTuple):
    """A finished run."""

    t: Array
    """(N + 1,)"""
    z0: Array
    """(B, L, D), the noise it started from."""
    z: Array
    """(B, L, D), the latents it ended with."""
    tokens: Array
    """(B, L) int32, before the cut at eos."""


def sample(
    network: Network,
    settings: SamplerSettings,
    flow: FlowConfig,
    shape: tuple[int, int, int],
    on_step: Callable[[int], None] = lambda step: None,
) -> Run:
    """A whole run: the flow, then one decode pass at t = 1 and the most likely token at each position.

    `on_step` is called after each of the N steps with its number, from 1.
    """
    states = run_flow(network.denoise, settings, flow, shape)
    first = last = next(states)
    times = [first.t]
    for last in states:
        times.append(last.t)
        on_step(len(times) - 1)
    scale = np.full(shape[0], settings.self_cond_scale, np.float32)
    tokens = np.argmax(network.decode(last.z, scale), axis=-1).astype(np.int32)
    return Run(np.asarray(times, np.float32), first.z, last.z, tokens)


def cut_at_eos(tokens: Array, eos: int) -> list[int]:
    """The ids of one sample up to the first `eos`, which is dropped with everything after it."""
    ids = [int(token) for token in tokens]
    return ids[: ids.index(eos)] if eos in ids else ids
