"""The random numbers of a run: keys derived from its seed as the official sampler does (spec section 3), and draws.

Only these come from JAX in the reference sampler, because their bits are part of the contract (export/FORMAT.md).
"""

from typing import Any, NamedTuple

import jax
import numpy as np

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
