"""JAX's random numbers in both layouts, as JSON: what src/flow/random.ts must reproduce.

    python -m elf.onnx_export.random_fixtures test/fixtures/random.json

Floats are written as their 32 bits, so that nothing is lost on the way.
"""

import json
import sys
from pathlib import Path

import jax
import numpy as np

SEEDS = [0, 1, 7, 42, 12345, 2**31 - 1, 2**31, 2**32 - 1]
SIZES = [1, 2, 3, 8, 31, 257]


def words(array: jax.Array) -> list[int]:
    return np.asarray(array).reshape(-1).view(np.uint32).tolist()


def layout_fixture(partitionable: bool) -> dict[str, object]:
    with jax.threefry_partitionable(partitionable):
        keys = []
        for seed in SEEDS:
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
        return {"keys": keys, "draws": draws, "latent": latent}


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
        sys.exit("usage: python -m elf.onnx_export.random_fixtures OUT.json")
    main(Path(sys.argv[1]))
