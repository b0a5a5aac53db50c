"""What denoiser and decoder have in common: the transformer of spec section 2, from prefix and text to hidden states.

The arithmetic is the specification's with exact rearrangements only, chosen for WebGPU (`network_weights` has those of
the weights):

- Attention is MatMul, Softmax, MatMul; only where a graph is `fused` it is one MultiHeadAttention of com.microsoft.
  That is 5 dispatches a block less and needs no memory for the scores, but on software adapters it gave wrong numbers
  from 32 positions on (onnxruntime-web 1.30), prefix included; on a CPU it is no faster.
- Every dynamic shape comes from `Shape`, `Expand` and `Reshape` with copied dimensions: integer arithmetic on shapes
  would send nodes back to the CPU.
"""

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig
from elf.models.exported.network_weights import padded_head_dim, padded_swiglu_size
from elf.network.parameters import TIMESTEP_FEATURES
from elf.onnx_export.builder import MICROSOFT, NORM_EPS, GraphBuilder, ints, scalar

TO_THE_END = np.iinfo(np.int64).max

Rotary = dict[str, tuple[ir.Value, ir.Value]]


def prefix_tokens(
    g: GraphBuilder, config: ElfConfig, t: ir.Value, scale: ir.Value | None, mode: ir.Value, per_row: ir.Value
) -> ir.Value:
    """Time, self-cond CFG and mode tokens (N, P, H).

    `t` is (N) or (1), `scale` (N), or None without tokens for it; `mode` is (1, n, H), `per_row` the shape (N, 1, 1).
    Expand repeats a token for every row without arithmetic on shapes.
    """
    time = g.op("Add", g.weight("t_emb_tokens"), _embed_number(g, "t_embedder", t))
    tokens = [g.op("Expand", time, per_row)]
    if scale is not None:
        tokens.append(g.op("Add", g.weight("self_cond_cfg_tokens"), _embed_number(g, "self_cond_cfg_embedder", scale)))
    tokens.append(g.op("Expand", mode, per_row))
    return g.op("Concat", *tokens, axis=1)


def _embed_number(g: GraphBuilder, name: str, value: ir.Value) -> ir.Value:
    """Sinusoidal features [cos, sin] of a number (N), then Dense, SiLU, Dense: (N, 1, H)."""
    half = TIMESTEP_FEATURES // 2
    frequencies = (10000.0 ** (-np.arange(half) / half)).astype(np.float32)
    angles = g.op("Mul", g.op("Unsqueeze", value, ints(1, 2)), frequencies)
    features = g.op("Concat", g.op("Cos", angles), g.op("Sin", angles), axis=-1)
    return g.dense(g.silu(g.dense(features, f"{name}/mlp_0")), f"{name}/mlp_2")


def rows_of(g: GraphBuilder, text: ir.Value) -> ir.Value:
    """The shape (B, 1, 1) of a text (B, L, D)."""
    return g.op("Shape", g.op("Slice", text, ints(0, 0), ints(1, 1), ints(1, 2)))


def trunk(g: GraphBuilder, config: ElfConfig, text: ir.Value, prefix: ir.Value, *, fused: bool = False) -> ir.Value:
    """The last hidden state (B, L, H) of the text positions, from `text` (B, L, bottleneck) and `prefix` (B, P, H)."""
    x = g.op("Concat", prefix, g.dense(text, "text_proj/proj2"), axis=1)
    rotary = _rotary(g, config, text)
    for i in range(config.depth):
        x = g.op("Add", x, _attention(g, config, f"blocks_{i}", x, rotary, fused))
        x = g.op("Add", x, _swiglu(g, config, f"blocks_{i}", x))
    return g.op("Slice", x, ints(config.prefix_length), ints(TO_THE_END), ints(1))


def _rotary(g: GraphBuilder, config: ElfConfig, text: ir.Value) -> Rotary:
    """For q and for k: (cos, signed sin), each (prefix + L, 1, padded head_dim). Computed once for all blocks.

    Prefix rows are 1 and 0: those tokens are not turned. The softmax scale 1/√head_dim rides on q's pair.
    """
    length = g.op("Shape", text, start=1, end=2)
    still = (config.prefix_length, padded_head_dim(config) // 2)

    def rows(name: str, prefix: np.ndarray) -> ir.Value:
        return g.op("Concat", prefix, g.op("Slice", g.weight(name), ints(0), length, ints(0)), axis=0)

    cos = rows("tables/cos", np.ones(still, np.float32))
    sin = rows("tables/sin", np.zeros(still, np.float32))
    cos = g.op("Unsqueeze", g.op("Concat", cos, cos, axis=-1), ints(1))
    sin = g.op("Unsqueeze", g.op("Concat", g.op("Neg", sin), sin, axis=-1), ints(1))
    scale = scalar(config.head_dim**-0.5)
    return {"q": (g.op("Mul", cos, scale), g.op("Mul", sin, scale)), "k": (cos, sin)}


def _attention(g: GraphBuilder, config: ElfConfig, block: str, x: ir.Value, rotary: Rotary, fused: bool) -> ir.Value:
    """Bidirectional attention with RMSNorm and rotary on q and k; (B, S, H) → (B, S, H)."""
    heads, head_dim = config.heads, padded_head_dim(config)
    width, half = heads * head_dim, head_dim // 2
    qkv = g.dense(g.rms_norm(x, f"{block}/norm1"), f"{block}/attn/qkv")
    q, k, v = g.op("Split", qkv, ints(width, width, width), outputs=3, axis=-1)

    def in_heads(part: ir.Value) -> ir.Value:
        return g.op("Reshape", part, ints(0, 0, heads, head_dim))

    def turned(which: str, part: ir.Value) -> ir.Value:
        # The mean of squares is over the padding too.
        eps = NORM_EPS * config.head_dim / head_dim
        part = g.rms_norm(in_heads(part), f"{block}/attn/{which}_norm", eps)
        first, second = g.op("Split", part, ints(half, half), outputs=2, axis=-1)
        cos, sin = rotary[which]
        swapped = g.op("Concat", second, first, axis=-1)
        return g.op("Add", g.op("Mul", part, cos), g.op("Mul", swapped, sin))

    if fused:
        q, k = (g.op("Reshape", turned(which, part), ints(0, 0, width)) for which, part in (("q", q), ("k", k)))
        mixed = g.op("MultiHeadAttention", q, k, v, domain=MICROSOFT, num_heads=heads, scale=1.0)
    else:
        q = g.op("Transpose", turned("q", q), perm=[0, 2, 1, 3])
        k = g.op("Transpose", turned("k", k), perm=[0, 2, 3, 1])
        v = g.op("Transpose", in_heads(v), perm=[0, 2, 1, 3])
        mixed = g.attend(g.op("MatMul", q, k), v, width)
    return g.dense(mixed, f"{block}/attn/proj")


def _swiglu(g: GraphBuilder, config: ElfConfig, block: str, x: ir.Value) -> ir.Value:
    """w3(silu(a)·b) with a, b the halves of w12; (B, S, H) → (B, S, H)."""
    inner = padded_swiglu_size(config)
    both = g.dense(g.rms_norm(x, f"{block}/norm2"), f"{block}/mlp/w12")
    a, b = g.op("Split", both, ints(inner, inner), outputs=2, axis=-1)
    return g.dense(g.op("Mul", g.silu(a), b), f"{block}/mlp/w3")
