"""Attention over all positions: what scores, softmax and mixture come to, by whichever kernel the device has."""

import jax
import jax.numpy as jnp
import numpy as np

from elf.network.dropout import Dropout

FLASH_HEAD_DIM = 128
"""Of the widest heads that cuDNN's kernel takes on every GPU that has it."""


def attend(q: jax.Array, k: jax.Array, v: jax.Array, dropout: Dropout | None = None) -> jax.Array:
    """q, k, v (B, S, heads, head_dim) → softmax(q·kᵀ / √head_dim)·v, of the same shape.

    Scores and softmax are float32. The result has the type of the inputs, except where weights are left out.
    """
    if dropout and dropout.attention:
        return attend_written_out(q, k, v, dropout)
    return jax.nn.dot_product_attention(q, k, v, implementation="cudnn" if has_flash_kernel(q) else None)


def has_flash_kernel(q: jax.Array) -> bool:
    """Whether the scores, (B, heads, S, S), need not be written to memory: on NVIDIA's GPUs, in 16 bits. TPUs' compiler
    fuses them by itself where it pays."""
    head_dim = q.shape[-1]
    fits = head_dim <= FLASH_HEAD_DIM and head_dim % 8 == 0
    return jax.default_backend() == "gpu" and q.dtype in (jnp.bfloat16, jnp.float16) and fits


def attend_written_out(q: jax.Array, k: jax.Array, v: jax.Array, dropout: Dropout | None = None) -> jax.Array:
    """The definition, which the kernels are held to; float32."""
    scores = jnp.einsum("bshd,bthd->bhst", q, k, preferred_element_type=jnp.float32)
    weights = jax.nn.softmax(scores / np.sqrt(q.shape[-1]).astype(np.float32), axis=-1)
    weights = dropout.of(0, weights, dropout.attention) if dropout else weights
    return jnp.einsum("bhst,bthd->bshd", weights.astype(q.dtype), v, preferred_element_type=jnp.float32)
