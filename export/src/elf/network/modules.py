"""Layers that the ELF network and the T5 encoder share, and their weights as a flat dict of official names."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache, partial
from typing import Any, Literal, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

# A matrix product may run in bfloat16 (`compute_dtype`); sums, norms and softmax are always float32.


def dropped_blocks(depth: int) -> range:
    """The blocks that leave anything out: the middle half."""
    return range(depth // 4, depth // 4 * 3)


@partial(jax.tree_util.register_dataclass, data_fields=["key"], meta_fields=["attention", "projection"])
@dataclass(frozen=True)
class Dropout:
    """What a training pass leaves out, in the middle half of the blocks, as in the official code. Programs are compiled
    for its shares."""

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


FLASH_HEAD_DIM = 128
"""Of the widest heads that cuDNN's kernel takes on every GPU that has it."""


def attend(q: jax.Array, k: jax.Array, v: jax.Array, dropout: Dropout | None = None) -> jax.Array:
    """q, k, v (B, S, heads, head_dim) → softmax(q·kᵀ / √head_dim)·v, of the same shape.

    By whichever kernel the device has. Scores and softmax are float32. The result has the type of the inputs, except
    where weights are left out.
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


Params = dict[str, jax.Array]
"""Weights by path, parts joined by '/', as in the parameter trees of spec section 2."""

M = TypeVar("M", bound=nnx.Module)

Remat = Literal["none", "dots", "blocks"]
"""What a backward pass computes again instead of keeping it from the forward pass: nothing; all but the products with
weights (attention scores, norms, activations); or whole blocks, of which only the input is kept."""

XAVIER = jax.nn.initializers.xavier_uniform()


_platform: ContextVar[str | None] = ContextVar("_platform", default=None)


@contextmanager
def compiled_for(platform: str) -> Iterator[None]:
    """What is traced inside is meant for devices of this platform, which need not be the one of this process."""
    token = _platform.set(platform)
    try:
        yield
    finally:
        _platform.reset(token)


def matmul(x: jax.Array, kernel: jax.Array, compute_dtype: jnp.dtype) -> jax.Array:
    """x (…, in) · kernel (in, out) → (…, out) float32, multiplied in `compute_dtype` and summed in float32."""
    rows = x.astype(compute_dtype)
    # Only of one matrix has XLA's CPU backend a fast product for the kernel's gradient (1.1 × a step and more). On TPUs
    # the reshape would be a copy: 9.03 instead of 7.86 ms for a block of ELF-B on a v5p, by its compiler's prediction.
    # `jax.lax.platform_dependent` would choose as well, but transformations take it for a conditional: a step whose
    # loss has one of its own took half as long again to trace and compile.
    if (_platform.get() or jax.default_backend()) == "cpu":
        rows = rows.reshape(-1, x.shape[-1])
    y = jnp.matmul(rows, kernel.astype(compute_dtype), preferred_element_type=jnp.float32)
    return y.reshape(*x.shape[:-1], kernel.shape[-1])


class Dense(nnx.Module):
    """x·kernel + bias with a Xavier-uniform kernel (in, out) and a zero bias; spec section 2, initialisation."""

    def __init__(
        self,
        in_size: int,
        out_size: int,
        *,
        rngs: nnx.Rngs,
        use_bias: bool = True,
        init: jax.nn.initializers.Initializer = XAVIER,
        compute_dtype: jnp.dtype = jnp.float32,
    ):
        self.kernel = nnx.Param(init(rngs.params(), (in_size, out_size)))
        self.bias = nnx.Param(jnp.zeros(out_size)) if use_bias else None
        self.compute_dtype = compute_dtype

    def __call__(self, x: jax.Array) -> jax.Array:
        y = matmul(x, self.kernel[...], self.compute_dtype)
        return y if self.bias is None else y + self.bias[...]


class RMSNorm(nnx.Module):
    """x / √(mean x² + eps) · weight over the last axis."""

    def __init__(self, size: int, eps: float = 1e-6):
        self.weight = nnx.Param(jnp.ones(size))
        self.eps = eps

    def __call__(self, x: jax.Array) -> jax.Array:
        return x * jax.lax.rsqrt(jnp.mean(x * x, axis=-1, keepdims=True) + self.eps) * self.weight[...]


def _leaves(module: nnx.Module) -> Iterator[tuple[str, nnx.Variable]]:
    for path, variable in nnx.to_flat_state(nnx.state(module, nnx.Param)):
        yield "/".join(map(str, path)), variable


def split(module: M) -> tuple[nnx.GraphDef[M], Params]:
    """A module as its structure and its weights by official name."""
    return nnx.graphdef(module), {name: variable[...] for name, variable in _leaves(module)}


def bind(graphdef: nnx.GraphDef[M], params: Params) -> M:
    """The module of a structure from `split` with the given weights; free inside `jax.jit`."""
    state = nnx.from_flat_state([(tuple(name.split("/")), nnx.Param(value)) for name, value in params.items()])
    return nnx.merge(graphdef, state)


def abstract(
    kind: type[M], config: Any, compute_dtype: jnp.dtype = jnp.float32, **options: Any
) -> tuple[nnx.GraphDef[M], Params]:
    """Structure and parameter shapes of a network of this kind; computes no weights. Made once: nobody changes it."""
    return _abstract(kind, config, compute_dtype, **options)


@cache
def _abstract(kind: Any, config: Any, compute_dtype: jnp.dtype, **options: Any) -> Any:
    module = nnx.eval_shape(lambda: kind(config, rngs=nnx.Rngs(0), compute_dtype=compute_dtype, **options))
    return nnx.graphdef(module), {name: variable.get_value() for name, variable in _leaves(module)}
