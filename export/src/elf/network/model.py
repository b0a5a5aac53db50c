"""The ELF network (spec section 2): one transformer that denoises embeddings and, in decode mode, names tokens."""

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.config import ElfConfig
from elf.network.modules import Dense, Dropout, Remat, RMSNorm, attend, dropped_blocks, matmul
from elf.network.parameters import TIMESTEP_FEATURES

# Shapes: B batch, L text tokens, P prefix tokens, D latent width, H hidden width, V vocabulary.

ROTARY_THETA = 10000.0

learned = jax.nn.initializers.normal(0.02)


class TimestepEmbedder(nnx.Module):
    """A number per example (B,) → (B, H): 256 sinusoids of the raw value, then Dense, SiLU, Dense."""

    def __init__(self, config: ElfConfig, rngs: nnx.Rngs):
        H = config.hidden_size
        self.mlp_0 = Dense(TIMESTEP_FEATURES, H, rngs=rngs, init=learned)
        self.mlp_2 = Dense(H, H, rngs=rngs, init=learned)

    def __call__(self, value: jax.Array) -> jax.Array:
        half = TIMESTEP_FEATURES // 2
        frequency = jnp.exp(-jnp.log(10000.0) * jnp.arange(half) / half)
        angle = value[:, None] * frequency[None, :]
        features = jnp.concatenate([jnp.cos(angle), jnp.sin(angle)], axis=-1)
        return self.mlp_2(jax.nn.silu(self.mlp_0(features)))


class TextProjection(nnx.Module):
    """(…, D) → bottleneck → (…, H)."""

    def __init__(self, config: ElfConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.proj1 = Dense(
            config.latent_size, config.bottleneck_size, rngs=rngs, use_bias=False, compute_dtype=compute_dtype
        )
        self.proj2 = Dense(config.bottleneck_size, config.hidden_size, rngs=rngs, compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array) -> jax.Array:
        return self.proj2(self.proj1(x))


def rotary_tables(prefix: int, length: int, head_dim: int) -> tuple[np.ndarray, np.ndarray]:
    """cos and sin (P + L, head_dim / 2): text token j turns by j, counted from 0; prefix tokens do not turn."""
    frequency = ROTARY_THETA ** (-np.arange(0, head_dim, 2) / head_dim)
    angle = np.arange(length)[:, None] * frequency[None, :]
    cos = np.concatenate([np.ones((prefix, head_dim // 2)), np.cos(angle)])
    sin = np.concatenate([np.zeros((prefix, head_dim // 2)), np.sin(angle)])
    return cos.astype(np.float32), sin.astype(np.float32)


def rotate(x: jax.Array, cos: np.ndarray | jax.Array, sin: np.ndarray | jax.Array) -> jax.Array:
    """Turns the interleaved pairs (2i, 2i+1) of x (B, S, heads, head_dim)."""
    even, odd = x[..., 0::2], x[..., 1::2]
    cos, sin = cos[None, :, None, :], sin[None, :, None, :]
    return jnp.stack([even * cos - odd * sin, even * sin + odd * cos], axis=-1).reshape(x.shape)


class Attention(nnx.Module):
    """Bidirectional attention with RMSNorm on queries and keys; every position sees every other, or `blind` itself."""

    def __init__(self, config: ElfConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs, blind: bool = False):
        self.heads, self.head_dim = config.heads, config.head_dim
        self.blind = blind
        H = config.hidden_size
        self.qkv = Dense(H, 3 * H, rngs=rngs, compute_dtype=compute_dtype)
        self.q_norm = RMSNorm(config.head_dim)
        self.k_norm = RMSNorm(config.head_dim)
        self.proj = Dense(H, H, rngs=rngs, compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array, cos: np.ndarray, sin: np.ndarray, dropout: Dropout | None = None) -> jax.Array:
        B, S, H = x.shape
        q, k, v = jnp.moveaxis(self.qkv(x).reshape(B, S, 3, self.heads, self.head_dim), 2, 0)
        q, k = rotate(self.q_norm(q), cos, sin), rotate(self.k_norm(k), cos, sin)
        dtype = self.qkv.compute_dtype
        q, k, v = (a.astype(dtype) for a in (q, k, v))
        mixed = v if self.blind else attend(q, k, v, dropout)
        projected = self.proj(mixed.reshape(B, S, H))
        return dropout.of(1, projected, dropout.projection) if dropout else projected


class SwiGLU(nnx.Module):
    def __init__(self, config: ElfConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.w12 = Dense(config.hidden_size, 2 * config.swiglu_size, rngs=rngs, compute_dtype=compute_dtype)
        self.w3 = Dense(config.swiglu_size, config.hidden_size, rngs=rngs, compute_dtype=compute_dtype)

    def __call__(self, x: jax.Array, dropout: Dropout | None = None) -> jax.Array:
        a, b = jnp.split(self.w12(x), 2, axis=-1)
        hidden = jax.nn.silu(a) * b
        return self.w3(dropout.of(2, hidden, dropout.projection) if dropout else hidden)


class Block(nnx.Module):
    def __init__(self, config: ElfConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs, blind: bool = False):
        self.norm1 = RMSNorm(config.hidden_size)
        self.attn = Attention(config, compute_dtype, rngs, blind)
        self.norm2 = RMSNorm(config.hidden_size)
        self.mlp = SwiGLU(config, compute_dtype, rngs)

    def __call__(self, x: jax.Array, cos: np.ndarray, sin: np.ndarray, dropout: Dropout | None = None) -> jax.Array:
        x = x + self.attn(self.norm1(x), cos, sin, dropout)
        return x + self.mlp(self.norm2(x), dropout)


class FinalLayer(nnx.Module):
    """The denoise head (B, L, H) → x̂ (B, L, D); starts at zero, so training starts from x̂ = 0."""

    def __init__(self, config: ElfConfig, compute_dtype: jnp.dtype, rngs: nnx.Rngs):
        self.norm_final = RMSNorm(config.hidden_size)
        self.linear = Dense(
            config.hidden_size,
            config.latent_size,
            rngs=rngs,
            init=jax.nn.initializers.zeros,
            compute_dtype=compute_dtype,
        )

    def __call__(self, h: jax.Array) -> jax.Array:
        return self.linear(self.norm_final(h))


class ELF(nnx.Module):
    """`denoise` and `decode` share everything but their heads and the mode tokens."""

    def __init__(
        self,
        config: ElfConfig,
        *,
        rngs: nnx.Rngs,
        compute_dtype: jnp.dtype = jnp.float32,
        remat: Remat = "none",
        scan: bool = False,
        blind_blocks: tuple[int, ...] = (),
    ):
        """`scan`: one program serves all blocks, whose weights are first laid together; not with `blind_blocks`, in
        which, counted from 0, a position sees only itself: the same weights, made to guess worse."""
        assert not (scan and blind_blocks)
        self.config = config
        self.remat = remat
        self.scan = scan
        self.compute_dtype = compute_dtype
        D, H, V = config.latent_size, config.hidden_size, config.vocabulary_size
        if config.self_conditioning:
            self.self_cond_proj = Dense(2 * D, D, rngs=rngs, compute_dtype=compute_dtype)
        self.text_proj = TextProjection(config, compute_dtype, rngs)
        self.t_embedder = TimestepEmbedder(config, rngs)
        self.t_emb_tokens = nnx.Param(learned(rngs.params(), (1, config.time_tokens, H)))
        if config.self_cond_cfg_tokens:
            self.self_cond_cfg_embedder = TimestepEmbedder(config, rngs)
            self.self_cond_cfg_tokens = nnx.Param(learned(rngs.params(), (1, config.self_cond_cfg_tokens, H)))
        self.mode_tokens = nnx.Param(learned(rngs.params(), (1, config.mode_tokens, H)))
        for i in range(config.depth):
            setattr(self, f"blocks_{i}", Block(config, compute_dtype, rngs, i in blind_blocks))
        self.final_layer = FinalLayer(config, compute_dtype, rngs)
        xavier = jax.nn.initializers.xavier_uniform()
        self.proj_kernel = nnx.Param(xavier(rngs.params(), (H, D)))
        self.proj_bias = nnx.Param(jnp.zeros(D))
        self.unembed_kernel = nnx.Param(xavier(rngs.params(), (D, V)))
        self.unembed_bias = nnx.Param(jnp.zeros(V))

    def trunk(
        self,
        z: jax.Array,
        x_hat_prev: jax.Array,
        t: jax.Array,
        self_cond_scale: jax.Array,
        mode: float | jax.Array,
        dropout: Dropout | None = None,
    ) -> jax.Array:
        """z, x_hat_prev (B, L, D), t and self_cond_scale (B,), mode 1 to decode and 0 to denoise, for all rows or for
        each (B,) → h (B, L, H). `dropout` is for a training pass."""
        B = len(z)
        read = self.self_cond_proj(jnp.concatenate([z, x_hat_prev], axis=-1)) if self.config.self_conditioning else z
        text = self.text_proj(read)
        prefix = [self.t_emb_tokens[...] + self.t_embedder(t)[:, None]]
        if self.config.self_cond_cfg_tokens:
            prefix.append(self.self_cond_cfg_tokens[...] + self.self_cond_cfg_embedder(self_cond_scale)[:, None])
        prefix.append(
            jnp.broadcast_to(self.mode_tokens[...] * jnp.reshape(mode, (-1, 1, 1)), (B, *self.mode_tokens.shape[1:]))
        )
        x = self._through_blocks(jnp.concatenate([*prefix, text], axis=1), dropout)
        return x[:, self.config.prefix_length :]

    def _through_blocks(self, x: jax.Array, dropout: Dropout | None) -> jax.Array:
        """x (B, P + L, H) → the same shape."""
        prefix, depth = self.config.prefix_length, self.config.depth
        cos, sin = rotary_tables(prefix, x.shape[1] - prefix, self.config.head_dim)

        def apply(block: Block, x: jax.Array, dropout: Dropout | None) -> jax.Array:
            return block(x, cos, sin, dropout)

        if self.remat != "none":
            kept = jax.checkpoint_policies.dots_with_no_batch_dims_saveable if self.remat == "dots" else None
            apply = nnx.remat(apply, policy=kept)
        blocks = [getattr(self, f"blocks_{i}") for i in range(depth)]
        if not self.scan:
            for i, block in enumerate(blocks):
                x = apply(block, x, dropout.of_block(i) if dropout and i in dropped_blocks(depth) else None)
            return x

        structure = nnx.graphdef(blocks[0])

        def through(x: jax.Array, numbers: range, dropout: Dropout | None) -> jax.Array:
            def step(x: jax.Array, block: tuple[jax.Array, nnx.State]) -> tuple[jax.Array, None]:
                number, weights = block
                return apply(nnx.merge(structure, weights), x, dropout and dropout.of_block(number)), None

            if not numbers:
                return x
            stacked = jax.tree.map(lambda *of: jnp.stack(of), *(nnx.state(blocks[i]) for i in numbers))
            return jax.lax.scan(step, x, (jnp.asarray(numbers), stacked))[0]

        if dropout is None:
            return through(x, range(depth), None)
        dropped = dropped_blocks(depth)
        x = through(x, range(dropped.start), None)
        x = through(x, dropped, dropout)
        return through(x, range(dropped.stop, depth), None)

    def denoise(
        self,
        z: jax.Array,
        x_hat_prev: jax.Array,
        t: jax.Array,
        self_cond_scale: jax.Array,
        dropout: Dropout | None = None,
    ) -> jax.Array:
        """The predicted clean embeddings x̂ (B, L, D) of the state z (B, L, D) at time t (B,)."""
        return self.final_layer(self.trunk(z, x_hat_prev, t, self_cond_scale, 0.0, dropout))

    def decode(self, latent: jax.Array, self_cond_scale: jax.Array, dropout: Dropout | None = None) -> jax.Array:
        """Token logits (B, L, V) of embeddings (B, L, D): one pass at t = 1 on `[latent, 0]` in decode mode."""
        nothing, end = jnp.zeros_like(latent), jnp.ones(latent.shape[0])
        return self.logits(self.trunk(latent, nothing, end, self_cond_scale, 1.0, dropout))

    def logits(self, h: jax.Array) -> jax.Array:
        """The decode head: h (B, L, H) → (B, L, V)."""
        h = matmul(h, self.proj_kernel[...], self.compute_dtype) + self.proj_bias[...]
        h = jax.nn.gelu(h, approximate=True)
        return matmul(h, self.unembed_kernel[...], self.compute_dtype) + self.unembed_bias[...]
