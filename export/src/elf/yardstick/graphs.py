"""A yardstick as two ONNX graphs: one reads a source, the other writes what comes next, with a memory of what it wrote.

The arithmetic is that of `translator.py`, for a CPU.
"""

import numpy as np
import onnx_ir as ir

from elf.models.exported.places import WeightLayout
from elf.network.model import rotary_tables
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.judge_graph import GRAPH, later
from elf.yardstick.stored import EMBEDDING
from elf.yardstick.translator import TranslatorConfig

READER = "reader"
Turns = tuple[ir.Value, ir.Value]
"""cos and sin (positions, 1, head_dim / 2)."""


def reader_graph(config: TranslatorConfig, weights: WeightLayout) -> ir.Model:
    """tokens (B, S) int64 of sources of one length → memory (2N, B, h, S, d): the keys and values that each of N
    decoder blocks reads."""
    g = GraphBuilder(READER, weights)
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    net = _Network(g, config)
    x = net.embed(tokens)
    length = g.op("Shape", tokens, start=1, end=2)
    turns = net.turns(config.max_input_length, ints(0), length)
    for i in range(config.encoder_layers):
        block = f"encoder_{i}"
        normed = net.norm(x, f"{block}/norm1")
        keys, values = net.keys_values(normed, f"{block}/attn", turns)
        x = g.op("Add", x, net.attention(normed, f"{block}/attn", keys, values, turns))
        x = g.op("Add", x, net.swiglu(net.norm(x, f"{block}/norm2"), f"{block}/mlp"))
    x = net.norm(x, "encoder_norm")
    kept = [part for i in range(config.decoder_layers) for part in net.keys_values(x, f"decoder_{i}/cross", turns)]
    g.output(net.stacked(kept), "memory", net.memory_shape("S"))
    return g.model()


def writer_graph(config: TranslatorConfig, weights: WeightLayout) -> ir.Model:
    """(tokens (B, S) int64, past (2N, B, h, P, d), memory (2N, B, h, R, d)) → logits (B, S, V), present (2N, B, h,
    P + S, d).

    As the graph of a judge, besides the memory of the source. The first token of all is what stands before a text;
    P + S is at most max_output_length + 1.
    """
    g = GraphBuilder(GRAPH, weights)
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    net = _Network(g, config)
    past = g.input("past", net.memory_shape("P"))
    memory = g.input("memory", net.memory_shape("R"))
    before = g.op("Shape", past, start=3, end=4)
    total = g.op("Add", before, g.op("Shape", tokens, start=1, end=2))
    turns = net.turns(config.max_output_length + 1, before, total)
    mask = later(g, before, total)
    x = net.embed(tokens)
    kept: list[ir.Value] = []
    for i in range(config.decoder_layers):
        block = f"decoder_{i}"
        normed = net.norm(x, f"{block}/norm1")
        new = net.keys_values(normed, f"{block}/attn", turns)
        keys, values = (
            g.op("Concat", g.op("Gather", past, np.asarray(2 * i + at, np.int64), axis=0), part, axis=2)
            for at, part in enumerate(new)
        )
        kept += [keys, values]
        x = g.op("Add", x, net.attention(normed, f"{block}/attn", keys, values, turns, mask))
        keys, values = (g.op("Gather", memory, np.asarray(2 * i + at, np.int64), axis=0) for at in (0, 1))
        x = g.op("Add", x, net.attention(net.norm(x, f"{block}/norm2"), f"{block}/cross", keys, values, turns))
        x = g.op("Add", x, net.swiglu(net.norm(x, f"{block}/norm3"), f"{block}/mlp"))
    scaled = g.op("Mul", net.norm(x, "decoder_norm"), scalar(config.hidden_size**-0.5))
    g.output(g.op("MatMul", scaled, g.weight(EMBEDDING)), "logits", ["B", "S", config.vocabulary_size])
    g.output(net.stacked(kept), "present", net.memory_shape("T"))
    return g.model()


class _Network:
    """The parts of both graphs, each named as in `translator.py`."""

    def __init__(self, g: GraphBuilder, config: TranslatorConfig):
        self.g, self.config = g, config

    def memory_shape(self, positions: str) -> list[str | int]:
        return [2 * self.config.decoder_layers, "B", self.config.heads, positions, self.config.head_dim]

    def stacked(self, parts: list[ir.Value]) -> ir.Value:
        return self.g.op("Concat", *(self.g.op("Unsqueeze", part, ints(0)) for part in parts), axis=0)

    def embed(self, tokens: ir.Value) -> ir.Value:
        return self.g.op("Transpose", self.g.op("Gather", self.g.weight(EMBEDDING), tokens, axis=1), perm=[1, 2, 0])

    def norm(self, x: ir.Value, name: str) -> ir.Value:
        return self.g.rms_norm(x, f"yardstick/{name}")

    def turns(self, longest: int, first: np.ndarray | ir.Value, last: ir.Value) -> Turns:
        """Of the positions from `first` to before `last`, of at most `longest`."""
        cos, sin = (
            self.g.op("Unsqueeze", self.g.op("Slice", table, first, last, ints(0)), ints(1))
            for table in rotary_tables(0, longest, self.config.head_dim)
        )
        return cos, sin

    def keys_values(self, x: ir.Value, name: str, turns: Turns) -> tuple[ir.Value, ir.Value]:
        """Both (B, h, S, d)."""
        g, H = self.g, self.config.hidden_size
        keys, values = g.op("Split", g.product(x, f"yardstick/{name}/kv"), ints(H, H), outputs=2, axis=-1)
        return self._turned(keys, f"{name}/k_norm", turns), self._in_heads(values)

    def attention(
        self, x: ir.Value, name: str, keys: ir.Value, values: ir.Value, turns: Turns, mask: ir.Value | None = None
    ) -> ir.Value:
        g, config = self.g, self.config
        queries = self._turned(g.product(x, f"yardstick/{name}/q"), f"{name}/q_norm", turns)
        queries = g.op("Mul", queries, scalar(config.head_dim**-0.5))
        scores = g.op("MatMul", queries, g.op("Transpose", keys, perm=[0, 1, 3, 2]))
        if mask is not None:
            scores = g.op("Add", scores, mask)
        return g.product(g.attend(scores, values, config.hidden_size), f"yardstick/{name}/out")

    def swiglu(self, x: ir.Value, name: str) -> ir.Value:
        g, inner = self.g, self.config.feed_forward_size
        a, b = g.op("Split", g.product(x, f"yardstick/{name}/w12"), ints(inner, inner), outputs=2, axis=-1)
        return g.product(g.op("Mul", g.silu(a), b), f"yardstick/{name}/w3")

    def _by_heads(self, x: ir.Value) -> ir.Value:
        return self.g.op("Reshape", x, ints(0, 0, self.config.heads, self.config.head_dim))

    def _in_heads(self, x: ir.Value) -> ir.Value:
        return self.g.op("Transpose", self._by_heads(x), perm=[0, 2, 1, 3])

    def _turned(self, x: ir.Value, norm: str, turns: Turns) -> ir.Value:
        """(B, S, H) → (B, h, S, d), normalised and turned by its place."""
        g, half = self.g, self.config.head_dim // 2
        cos, sin = turns
        first, second = g.op("Split", self.norm(self._by_heads(x), norm), ints(half, half), outputs=2, axis=-1)
        turned = g.op(
            "Concat",
            g.op("Sub", g.op("Mul", first, cos), g.op("Mul", second, sin)),
            g.op("Add", g.op("Mul", first, sin), g.op("Mul", second, cos)),
            axis=-1,
        )
        return g.op("Transpose", turned, perm=[0, 2, 1, 3])
