"""Dropout as the official code has it: in the middle half of the blocks, and in the training pass alone."""

import dataclasses
from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp


def dropped_blocks(depth: int) -> range:
    """The blocks that leave anything out: the middle half."""
    return range(depth // 4, depth // 4 * 3)


@partial(jax.tree_util.register_dataclass, data_fields=["key"], meta_fields=["attention", "projection"])
@dataclass(frozen=True)
class Dropout:
    """What a training pass leaves out. Programs are compiled for its shares."""

    key: jax.Array
    attention: float = 0.0
    """Share of the attention weights."""
    projection: float = 0.0
    """Share of what attention projects, and of SwiGLU's hidden values."""

    def of_block(self, number: int | jax.Array) -> "Dropout":
        """That of one of the `dropped_blocks`, with a key of its own."""
        return dataclasses.replace(self, key=jax.random.fold_in(self.key, number))

    def of(self, place: int, values: jax.Array, rate: float) -> jax.Array:
        """`values` without a share of them, the others larger for it; `place` tells one use in a block from another."""
        if not rate:
            return values
        kept = jax.random.bernoulli(jax.random.fold_in(self.key, place), 1 - rate, values.shape)
        return jnp.where(kept, values / (1 - rate), 0.0)
