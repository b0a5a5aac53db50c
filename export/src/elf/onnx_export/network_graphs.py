"""The network as ONNX graphs: prefix, denoiser and decoder, with one transformer in common (export/FORMAT.md)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig
from elf.models.rearranged import TOKEN_NUMBERS, padded_head_dim, padded_swiglu_size, vocabulary_parts
from elf.models.weight_places import WeightLayout
from elf.network.parameters import TIMESTEP_FEATURES
from elf.onnx_export.builder import MICROSOFT, NORM_EPS, GraphBuilder, ints, scalar

# The arithmetic is that of spec section 2 with exact rearrangements only, chosen for WebGPU (`rearranged` has those of
# the weights):
#
# - Attention is MatMul, Softmax, MatMul; only where a graph is `fused` it is one MultiHeadAttention of com.microsoft.
#   That is 5 dispatches a block less and needs no memory for the scores, but on software adapters it gave wrong numbers
#   from 32 positions on (onnxruntime-web 1.30), prefix included; on a CPU it is no faster.
# - Every dynamic shape comes from `Shape`, `Expand` and `Reshape` with copied dimensions: integer arithmetic on shapes
#   would send nodes back to the CPU.
# - The prefix is a graph of its own, for all steps of a run at once. It is little arithmetic, but many small nodes:
#   with six blocks it was 23 of a pass's 255 dispatches.

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


def prefix_graph(config: ElfConfig, weights: WeightLayout) -> ir.Model:
    """(t, self_cond_scale (N)) → prefix (N, P, H): tokens of time, scale and mode, which is off. No scale without its
    tokens."""
    g = GraphBuilder("prefix", weights)
    t = g.input("t", ["N"])
    scale = g.input("self_cond_scale", ["N"]) if config.self_cond_cfg_tokens else None
    off = g.constant(np.zeros((1, config.mode_tokens, config.hidden_size), np.float32))
    prefix = prefix_tokens(g, config, t, scale, off, g.op("Shape", g.op("Unsqueeze", t, ints(1, 2))))
    g.output(prefix, "prefix", ["N", config.prefix_length, config.hidden_size])
    return g.model()


def denoiser_graph(config: ElfConfig, weights: WeightLayout, *, fused: bool = False) -> ir.Model:
    """(z, x_hat_prev (B, L, D), prefix (N, P, H)) → x_hat (B, L, D). N is 1, one prefix for the whole batch, or B."""
    g = GraphBuilder("denoiser", weights)
    D = config.latent_size
    z = g.input("z", ["B", "L", D])
    x_hat_prev = g.input("x_hat_prev", ["B", "L", D])
    prefix = g.input("prefix", ["N", config.prefix_length, config.hidden_size])

    text = g.op("Add", g.product(z, "text_proj/z"), g.product(x_hat_prev, "text_proj/x_hat_prev"))
    text = g.op("Add", text, g.weight("text_proj/bias"))
    hidden = trunk(g, config, text, g.op("Expand", prefix, rows_of(g, z)), fused=fused)
    x_hat = g.dense(g.rms_norm(hidden, "final_layer/norm_final"), "final_layer/linear")
    g.output(x_hat, "x_hat", ["B", "L", D])
    return g.model()


TOP_K = 5


def has_logits(config: ElfConfig) -> bool:
    """Whether the decoder gives all logits: only where they are computed as one part."""
    return len(vocabulary_parts(config)) == 1


def decoder_graph(config: ElfConfig, weights: WeightLayout, *, fused: bool = False) -> ir.Model:
    """(latent (B, L, D), self_cond_scale (B)) → the best tokens, their probabilities, entropies; logits where small.

    The network in decode mode at t = 1 with x̂_prev = 0, which drops out of the sum.
    """
    g = GraphBuilder("decoder", weights)
    k = min(TOP_K, config.vocabulary_size)
    latent = g.input("latent", ["B", "L", config.latent_size])
    scale = g.input("self_cond_scale", ["B"]) if config.self_cond_cfg_tokens else None

    t = g.constant(np.ones(1, np.float32))
    prefix = prefix_tokens(g, config, t, scale, g.weight("mode_tokens"), rows_of(g, latent))
    text = g.op("Add", g.product(latent, "text_proj/z"), g.weight("text_proj/bias"))
    hidden = trunk(g, config, text, prefix, fused=fused)
    projected = g.gelu_tanh(g.dense(hidden, "proj"))

    ranges = vocabulary_parts(config)
    parts = [_read_part(g, g.dense(projected, f"unembed_{i}"), min(k, len(part))) for i, part in enumerate(ranges)]
    tokens, probabilities, entropy = _summary(g, _joined(g, parts, ranges, k) if len(parts) > 1 else parts[0])
    g.output(tokens, "top_tokens", ["B", "L", k], ir.DataType.INT64)
    g.output(probabilities, "top_probabilities", ["B", "L", k])
    g.output(entropy, "entropy", ["B", "L"])
    if has_logits(config):
        g.output(parts[0].logits, "logits", ["B", "L", config.vocabulary_size])
    return g.model()


@dataclass(frozen=True)
class _Part:
    """What is kept of some tokens' logits l (B, L, n), m the greatest of them."""

    logits: ir.Value
    best: ir.Value
    """The k greatest, in falling order; (B, L, k). The first is m."""
    tokens: ir.Value
    """Whose they are, counted within the part; (B, L, k) int64."""
    peak: ir.Value
    """m; (B, L, 1)."""
    total: ir.Value
    """Z = Σ exp(l − m); (B, L, 1)."""
    weighted: ir.Value
    """W = Σ (l − m)·exp(l − m); (B, L, 1)."""


def _read_part(g: GraphBuilder, logits: ir.Value, k: int) -> _Part:
    best, tokens = g.op("TopK", logits, ints(k), outputs=2, axis=-1, largest=1, sorted=1)
    peak = _first(g, best)
    shifted = g.op("Sub", logits, peak)
    exponentials = g.op("Exp", shifted)
    total = g.op("ReduceSum", exponentials, ints(-1), keepdims=1)
    weighted = g.op("ReduceSum", g.op("Mul", shifted, exponentials), ints(-1), keepdims=1)
    return _Part(logits, best, tokens, peak, total, weighted)


def _joined(g: GraphBuilder, parts: list[_Part], ranges: list[range], k: int) -> _Part:
    """The same of all parts together, tokens counted from the first: with m the greatest of their m_p and
    e_p = exp(m_p − m), Z = Σ e_p·Z_p and W = Σ e_p·(W_p + (m_p − m)·Z_p)."""

    def beside(values: Iterable[ir.Value]) -> ir.Value:
        return g.op("Concat", *values, axis=-1)

    best, places = g.op("TopK", beside(part.best for part in parts), ints(k), outputs=2, axis=-1, largest=1, sorted=1)
    # As floats, which hold every id exactly: on WebGPU each node of integers would wait for the CPU.
    numbers = (g.op("Gather", g.weight(TOKEN_NUMBERS), part.tokens, axis=0) for part in parts)
    ids = beside(g.op("Add", n, scalar(tokens.start)) for n, tokens in zip(numbers, ranges, strict=True))
    tokens = g.op("Cast", g.op("GatherElements", ids, places, axis=-1), to=int(ir.DataType.INT64))
    peak = _first(g, best)
    below = g.op("Sub", beside(part.peak for part in parts), peak)
    share = g.op("Exp", below)
    totals = beside(part.total for part in parts)
    weighted = g.op("Add", beside(part.weighted for part in parts), g.op("Mul", below, totals))
    total = g.op("ReduceSum", g.op("Mul", share, totals), ints(-1), keepdims=1)
    weighted = g.op("ReduceSum", g.op("Mul", share, weighted), ints(-1), keepdims=1)
    return _Part(parts[0].logits, best, tokens, peak, total, weighted)


def _summary(g: GraphBuilder, part: _Part) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Tokens, probabilities and entropy. The latter without LogSoftmax, which falls back to the CPU on WebGPU:
    log Z − W/Z."""
    probabilities = g.op("Div", g.op("Exp", g.op("Sub", part.best, part.peak)), part.total)
    entropy = g.op("Sub", g.op("Log", part.total), g.op("Div", part.weighted, part.total))
    return part.tokens, probabilities, g.op("Squeeze", entropy, ints(-1))


def _first(g: GraphBuilder, falling: ir.Value) -> ir.Value:
    """The greatest of values in falling order; (B, L, k) → (B, L, 1)."""
    return g.op("Slice", falling, ints(0), ints(1), ints(2))
