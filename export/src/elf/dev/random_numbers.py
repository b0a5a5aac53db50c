"""JAX's random numbers in both layouts, as JSON: what src/flow/random.ts must reproduce."""

import json
import sys
from itertools import product
from pathlib import Path

import jax
import numpy as np

# `python -m elf.dev.random_numbers test/fixtures/random.json` writes them. Floats are written as their 32 bits, so that
# nothing is lost on the way.

SEEDS = [0, 1, 7, 42, 12345, 2**31 - 1, 2**31, 2**32 - 1]
MORE_SEEDS = [2, 3, 5, 11, 100, 999, 65535, 65536, 123456789, 2**30, 3000000000, 2**32 - 2]
SIZES = [1, 2, 3, 8, 31, 257]
SHAPES = [(1, 1, 1), (2, 3, 4), (3, 16, 2), (1, 7, 3), (4, 1, 5), (3, 5, 7), (2, 9, 1), (5, 2, 2)]
BATCHES = [(0, 0, 1), (0, 1, 1), (1, 0, 1), (2, 5, 1), (0, 0, 2), (0, 3, 4), (3, 1, 8)]
"""(config, batch, devices) of the official sampler."""


def words(array: jax.Array) -> list[int]:
    return np.asarray(array).reshape(-1).view(np.uint32).tolist()


def layout_fixture(partitionable: bool) -> dict[str, object]:
    with jax.threefry_partitionable(partitionable):
        keys = []
        for seed in SEEDS + MORE_SEEDS:
            key = jax.random.PRNGKey(np.uint32(seed))
            keys.append(
                {
                    "seed": seed,
                    "key": words(key),
                    "split2": words(jax.random.split(key)),
                    "split1": words(jax.random.split(key, 1)),
                    "split5": words(jax.random.split(key, 5)),
                    "foldIn": [[data, words(jax.random.fold_in(key, data))] for data in (0, 1, 31, 2**31 - 1)],
                }
            )
        draws = []
        for seed in SEEDS[:4]:
            for size in SIZES:
                key = jax.random.fold_in(jax.random.PRNGKey(np.uint32(seed)), size)
                draws.append(
                    {
                        "key": words(key),
                        "size": size,
                        "bits": words(jax.random.bits(key, (size,), np.uint32)),
                        "normal": words(jax.random.normal(key, (size,), np.float32)),
                    }
                )
        # Drawn as the shape (1, length, width) that the sampler asks for: the counters run over the flat array.
        key = jax.random.PRNGKey(3)
        latent = {"key": words(key), "shape": [1, 5, 12], "normal": words(jax.random.normal(key, (1, 5, 12)))}
        return {
            "keys": keys,
            "draws": draws,
            "latent": latent,
            "latents": [latent_draw(seed, shape) for seed, shape in product(MORE_SEEDS[:3], SHAPES)],
            "batches": [batch_keys_fixture(seed, *batch) for seed, batch in product((0, 7, 4294967295), BATCHES)],
        }


def latent_draw(seed: int, shape: tuple[int, ...]) -> dict[str, object]:
    """As `latent`, of other shapes (B, L, D)."""
    key = jax.random.PRNGKey(np.uint32(seed))
    return {"key": words(key), "shape": shape, "normal": words(jax.random.normal(key, shape, np.float32))}


def batch_keys_fixture(seed: int, config: int, batch: int, devices: int) -> dict[str, object]:
    """The official sampler's keys, line by line (spec section 3, *Random numbers of the official JAX sampler*)."""
    key = jax.random.PRNGKey(np.uint32(seed))
    for _ in range(config + 1):
        key, sample = jax.random.split(key)
    noise, times = jax.random.split(jax.random.fold_in(sample, batch))
    return {
        "seed": seed,
        "config": config,
        "batch": batch,
        "devices": devices,
        "noise": words(jax.random.split(noise, devices)),
        "times": words(jax.random.split(times, devices)),
    }


def main(out: Path) -> None:
    fixture = {
        "jax": jax.__version__,
        "original": layout_fixture(partitionable=False),
        "partitionable": layout_fixture(partitionable=True),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(fixture, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m elf.dev.random_numbers OUT.json")
    main(Path(sys.argv[1]))
