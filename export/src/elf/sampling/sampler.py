"""The reference sampler (spec section 3), the oracle that the TypeScript sampler is checked against.

A run starts from noise z at t = 0 and follows the velocity that the network predicts to text at t = 1. The network is
passed in, so the same lines drive JAX, ONNX Runtime and the toy networks of the fixtures. Steps are plain NumPy
float32, operation by operation; only the random numbers come from JAX.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple, Protocol

import numpy as np

from elf.config import ElfConfig, FlowConfig
from elf.errors import UsageError
from elf.sampler_settings import SamplerSettings
from elf.sampling.condition import Condition, Denoise, Guided
from elf.sampling.keys import run_keys, step_normal
from elf.sampling.schedule import time_schedule
from elf.sampling.solvers import Prediction, Step, euler, multistep, sde
from elf.sampling.start_noise import Towards, start_noise

Array = np.ndarray


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
