"""GPT-2 (Radford et al. 2019) in JAX: pre-LayerNorm blocks, learned positions, causal attention, a tied head.

Shapes: B batch, S tokens, H width, V vocabulary. Parameters are named as in Hugging Face's transformers, with '/' for
'.', `h_0` for `h.0`, and Flax's `kernel`, `scale` and `embedding` for `weight` (`gpt2_files.py` translates).
"""

from dataclasses import dataclass

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from elf.errors import ConfigError
from elf.network.modules import Dense, Params, matmul

HEAD_CHUNK = 128
"""Positions whose logits exist at a time: of GPT-2's 50,257 ids, 1,024 positions would take 206 MB a row."""


@dataclass(frozen=True)
class Gpt2Config:
    """Sizes, under the names of config.json."""

    vocab_size: int
    n_positions: int
    """Most tokens of a text."""
    n_embd: int
    n_layer: int
    n_head: int
    n_inner: int | None = None
    """Width inside the feed-forward layers; 4 · n_embd if None."""
    layer_norm_epsilon: float = 1e-5

    def __post_init__(self) -> None:
        for name in ("vocab_size", "n_positions", "n_embd", "n_layer", "n_head"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", "Give at least 1.")
        if self.n_embd % self.n_head:
            raise ConfigError(
                f"a width of {self.n_embd} does not split into {self.n_head} heads", "Give a divisor of the width."
            )


class Attention(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.heads, H = config.n_head, config.n_embd
        self.c_attn = Dense(H, 3 * H, rngs=rngs, init=normal(), compute_dtype=compute_dtype)
        self.c_proj = Dense(H, H, rngs=rngs, init=normal(config.n_layer), compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        B, S, H = x.shape
        heads = self.c_attn(x).reshape(B, S, 3, self.heads, H // self.heads).astype(self.c_attn.compute_dtype)
        mixed = jax.nn.dot_product_attention(heads[:, :, 0], heads[:, :, 1], heads[:, :, 2], is_causal=True)
        return self.c_proj(mixed.reshape(B, S, H))


class FeedForward(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        H, inner = config.n_embd, config.n_inner or 4 * config.n_embd
        self.c_fc = Dense(H, inner, rngs=rngs, init=normal(), compute_dtype=compute_dtype)
        self.c_proj = Dense(inner, H, rngs=rngs, init=normal(config.n_layer), compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.c_proj(jax.nn.gelu(self.c_fc(x), approximate=True))


class Block(nnx.Module):
    def __init__(self, config: Gpt2Config, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.ln_1 = layer_norm(config, rngs)
        self.attn = Attention(config, compute_dtype, rngs)
        self.ln_2 = layer_norm(config, rngs)
        self.mlp = FeedForward(config, compute_dtype, rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = x + self.attn(self.ln_1(x))
        return x + self.mlp(self.ln_2(x))


class Gpt2(nnx.Module):
    """Weights are float32; `compute_dtype` is that of matrix products."""

    def __init__(self, config: Gpt2Config, *, rngs: nnx.Rngs, compute_dtype: jnp.dtype = jnp.float32):
        self.config, self.compute_dtype = config, compute_dtype
        self.wte = nnx.Embed(config.vocab_size, config.n_embd, embedding_init=normal(), rngs=rngs)
        self.wpe = nnx.Embed(config.n_positions, config.n_embd, embedding_init=normal(), rngs=rngs)
        for i in range(config.n_layer):
            setattr(self, f"h_{i}", Block(config, compute_dtype, rngs))
        self.ln_f = layer_norm(config, rngs)

    def hidden(self, ids: jax.Array) -> jax.Array:
        """ids (B, S), S at most n_positions → what the head reads, (B, S, H); no position sees a later one."""
        x = self.wte.embedding[...][ids] + self.wpe.embedding[...][: ids.shape[1]]
        for i in range(self.config.n_layer):
            x = getattr(self, f"h_{i}")(x)
        return self.ln_f(x)

    def logits(self, hidden: jax.Array) -> jax.Array:
        """(…, H) → (…, V)."""
        return matmul(hidden, self.wte.embedding[...].T, self.compute_dtype)

    def next_token_nll(self, ids: jax.Array) -> jax.Array:
        """ids (B, S + 1), S at most n_positions → −ln p of each token but the first, given those before it, (B, S)."""
        hidden, targets = self.hidden(ids[:, :-1]), ids[:, 1:]
        B, S = targets.shape
        chunk = min(S, HEAD_CHUNK)

        def chunks(rows: jax.Array) -> jax.Array:
            filled = jnp.pad(rows, [(0, 0), (0, -S % chunk)] + [(0, 0)] * (rows.ndim - 2))
            return jnp.moveaxis(filled.reshape(B, -1, chunk, *rows.shape[2:]), 1, 0)

        def nll(part: tuple[jax.Array, jax.Array]) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(self.logits(part[0]), part[1])

        return jnp.moveaxis(jax.lax.map(nll, (chunks(hidden), chunks(targets))), 0, 1).reshape(B, -1)[:, :S]


def normal(layers: int | None = None) -> jax.nn.initializers.Initializer:
    """N(0, 0.02²); of matrices that write into the residual stream divided by √(2 · layers) (GPT-2, section 2.3)."""
    return jax.nn.initializers.normal(0.02 if layers is None else 0.02 * (2 * layers) ** -0.5)


def layer_norm(config: Gpt2Config, rngs: nnx.Rngs) -> nnx.LayerNorm:
    # The fast variance, E x² − (E x)², loses digits where the mean is large, as it is in trained GPT-2s.
    return nnx.LayerNorm(config.n_embd, epsilon=config.layer_norm_epsilon, use_fast_variance=False, rngs=rngs)


def abstract_gpt2(config: Gpt2Config, compute_dtype: jnp.dtype = jnp.float32) -> tuple[nnx.GraphDef[Gpt2], Params]:
    """Structure and parameter shapes of a network; computes no weights."""
    module = nnx.eval_shape(lambda: Gpt2(config, rngs=nnx.Rngs(0), compute_dtype=compute_dtype))
    state = nnx.to_flat_state(nnx.state(module, nnx.Param))
    return nnx.graphdef(module), {"/".join(map(str, path)): variable.get_value() for path, variable in state}
