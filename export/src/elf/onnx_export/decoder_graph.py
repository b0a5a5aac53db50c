"""The ONNX graph that reads latents as tokens (contract in export/FORMAT.md)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig
from elf.models.exported.network_weights import TOKEN_NUMBERS, vocabulary_parts
from elf.models.exported.weights import WeightLayout
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.trunk import prefix_tokens, rows_of, trunk

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
