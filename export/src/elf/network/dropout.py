"""Dropout as the official code has it: in the middle half of the blocks, and in the training pass alone."""

from typing import NamedTuple

import jax
import jax.numpy as jnp


class Dropout(NamedTuple):
    """What a training pass leaves out."""

    key: jax.Array
    attention: float = 0.0
    """Share of the attention weights."""
    projection: float = 0.0
    """Share of what attention projects, and of SwiGLU's hidden values."""

    def of_block(self, number: int, depth: int) -> "Dropout | None":
        """That of one block, with a key of its own; None outside the middle half."""
        if not depth // 4 <= number < depth // 4 * 3:
            return None
        return self._replace(key=jax.random.fold_in(self.key, number))

    def of(self, place: int, values: jax.Array, rate: float) -> jax.Array:
        """`values` without a share of them, the others larger for it; `place` tells one use in a block from another."""
        if not rate:
            return values
        kept = jax.random.bernoulli(jax.random.fold_in(self.key, place), 1 - rate, values.shape)
        return jnp.where(kept, values / (1 - rate), 0.0)
