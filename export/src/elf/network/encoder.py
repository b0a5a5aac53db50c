"""The T5 v1.0 encoder that makes ELF's embeddings: frozen while the flow trains (spec section 2, *T5 encoder*)."""

import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.config import T5Config
from elf.network.modules import Dense, RMSNorm, abstract, bind
from elf.network.parameters import check_parameters, encoder_parameter_shapes

# Pre-RMSNorm blocks, no biases, ReLU feed-forward, unscaled attention with one relative-position bias for all layers.

MASKED = -1e9
"""Added to the scores of positions that must not be seen."""


def biasless(in_size: int, out_size: int, std: float, *, rngs: nnx.Rngs, compute_dtype: jnp.dtype) -> Dense:
    """T5's only kind of Dense: no bias, normally distributed at the start."""
    init = jax.nn.initializers.normal(std)
    return Dense(in_size, out_size, rngs=rngs, use_bias=False, init=init, compute_dtype=compute_dtype)


class Embedding(nnx.Module):
    def __init__(self, config: T5Config, rngs: nnx.Rngs):
        init = jax.nn.initializers.normal(1.0)
        self.embedding = nnx.Param(init(rngs.params(), (config.vocabulary_size, config.d_model)))

    def __call__(self, ids: jax.Array) -> jax.Array:
        return self.embedding[...][ids]


class RelativeAttentionBias(nnx.Module):
    def __init__(self, config: T5Config, rngs: nnx.Rngs):
        init = jax.nn.initializers.normal(config.d_model**-0.5)
        self.rel_embedding = nnx.Param(init(rngs.params(), (config.relative_buckets, config.heads)))


class SelfAttention(nnx.Module):
    def __init__(self, config: T5Config, first: bool, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.config = config
        inner = config.heads * config.d_kv
        dense = partial(biasless, rngs=rngs, compute_dtype=compute_dtype)
        # T5's initialisation: the scores are unscaled, so the queries start small instead.
        self.q = dense(config.d_model, inner, (config.d_model * config.d_kv) ** -0.5)
        self.k = dense(config.d_model, inner, config.d_model**-0.5)
        self.v = dense(config.d_model, inner, config.d_model**-0.5)
        self.o = dense(inner, config.d_model, inner**-0.5)
        if first:
            self.relative_attention_bias = RelativeAttentionBias(config, rngs)

    def __call__(self, x: jax.Array, bias: jax.Array) -> jax.Array:
        B, L, _ = x.shape
        q, k, v = (
            project(x).reshape(B, L, self.config.heads, self.config.d_kv) for project in (self.q, self.k, self.v)
        )
        dtype = self.q.compute_dtype
        scores = jnp.einsum("blhd,bmhd->bhlm", q.astype(dtype), k.astype(dtype), preferred_element_type=jnp.float32)
        weights = jax.nn.softmax(scores + bias, axis=-1)
        mixed = jnp.einsum(
            "bhlm,bmhd->blhd", weights.astype(dtype), v.astype(dtype), preferred_element_type=jnp.float32
        )
        return self.o(mixed.reshape(B, L, -1))


class AttentionLayer(nnx.Module):
    def __init__(self, config: T5Config, first: bool, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.layer_norm = RMSNorm(config.d_model)
        self.SelfAttention = SelfAttention(config, first, compute_dtype, rngs)


class DenseReluDense(nnx.Module):
    def __init__(self, config: T5Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        dense = partial(biasless, rngs=rngs, compute_dtype=compute_dtype)
        self.wi = dense(config.d_model, config.d_ff, config.d_model**-0.5)
        self.wo = dense(config.d_ff, config.d_model, config.d_ff**-0.5)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.wo(jax.nn.relu(self.wi(x)))


class FeedForwardLayer(nnx.Module):
    def __init__(self, config: T5Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.layer_norm = RMSNorm(config.d_model)
        self.DenseReluDense = DenseReluDense(config, compute_dtype, rngs)


class Block(nnx.Module):
    def __init__(self, config: T5Config, first: bool, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.layer_0 = AttentionLayer(config, first, compute_dtype, rngs)
        self.layer_1 = FeedForwardLayer(config, compute_dtype, rngs)

    def __call__(self, x: jax.Array, bias: jax.Array) -> jax.Array:
        x = x + self.layer_0.SelfAttention(self.layer_0.layer_norm(x), bias)
        return x + self.layer_1.DenseReluDense(self.layer_1.layer_norm(x))


class Stack(nnx.Module):
    def __init__(self, config: T5Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.block_0 = Block(config, True, compute_dtype, rngs)
        for i in range(1, config.layers):
            setattr(self, f"block_{i}", Block(config, False, compute_dtype, rngs))
        self.final_layer_norm = RMSNorm(config.d_model)


def relative_buckets(length: int, config: T5Config) -> np.ndarray:
    """Bucket of each (query, key) offset, (L, L) int32: half per direction, exact when near, logarithmic beyond."""
    offset = np.arange(length)[None, :] - np.arange(length)[:, None]
    half = config.relative_buckets // 2
    exact = half // 2
    distance = np.abs(offset)
    far = np.log(np.maximum(distance, 1) / exact) / math.log(config.relative_max_distance / exact) * (half - exact)
    bucket = np.where(distance < exact, distance, np.minimum(exact + far.astype(np.int64), half - 1))
    return (bucket + np.where(offset > 0, half, 0)).astype(np.int32)


class T5Encoder(nnx.Module):
    """ids (B, L) → contextual embeddings (B, L, d_model)."""

    def __init__(self, config: T5Config, *, rngs: nnx.Rngs, compute_dtype: jnp.dtype = jnp.float32):
        self.config = config
        self.shared = Embedding(config, rngs)
        self.encoder = Stack(config, compute_dtype, rngs)

    def __call__(self, ids: jax.Array, visible: jax.Array | None = None) -> jax.Array:
        """`visible` says which key each query may see: (B, L) for all queries alike, or (B, L, L); None for all."""
        L = ids.shape[1]
        table = self.encoder.block_0.layer_0.SelfAttention.relative_attention_bias.rel_embedding[...]
        bias = table[relative_buckets(L, self.config)].transpose(2, 0, 1)[None]
        if visible is not None:
            mask = visible[:, None, None, :] if visible.ndim == 2 else visible[:, None]
            bias = bias + jnp.where(mask.astype(bool), 0.0, MASKED)
        x = self.shared(ids)
        for i in range(self.config.layers):
            x = getattr(self.encoder, f"block_{i}")(x, bias)
        return self.encoder.final_layer_norm(x)


def conditional_visibility(source_length: jax.Array, length: int) -> jax.Array:
    """Who sees whom when source and target are encoded as one sequence, (B, L, L) bool: source positions see source
    positions only, target positions see everything; so a source alone gets the same embeddings (spec section 3)."""
    is_source = jnp.arange(length)[None, :] < source_length[:, None]
    return ~is_source[:, :, None] | is_source[:, None, :]


def encoder_from_params(
    config: T5Config, params: dict[str, np.ndarray], compute_dtype: jnp.dtype = jnp.float32
) -> T5Encoder:
    """An encoder with given weights. Raises CheckpointMismatchError where they do not fit `config`."""
    check_parameters(params, encoder_parameter_shapes(config), "the encoder")
    graphdef, _ = abstract(T5Encoder, config, compute_dtype)
    return bind(graphdef, {name: jnp.asarray(value) for name, value in params.items()})
