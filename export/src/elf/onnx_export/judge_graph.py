"""A judge as an ONNX graph: what comes next after each token, with a memory of the tokens before (export/FORMAT.md).

The arithmetic is that of `evaluation/gpt2.py`. The graph is made for a CPU: beside the flow's it is small, and it goes
token by token.
"""

import numpy as np
import onnx_ir as ir

from elf.evaluation.gpt2 import Gpt2Config
from elf.evaluation.judge import EMBEDDING
from elf.models.exported.places import WeightLayout
from elf.onnx_export.builder import GraphBuilder, ints, scalar

GRAPH = "judge"
HIDDEN = -1e9
"""Added to the scores of tokens that are still to come."""


def judge_graph(config: Gpt2Config, weights: WeightLayout) -> ir.Model:
    """(tokens (B, S) int64, past (2N, B, h, P, d)) → logits (B, S, V), present (2N, B, h, P + S, d).

    `past` holds keys and values of N blocks, one after the other, for the P tokens before; P is 0 at first. P + S is at
    most n_positions.
    """
    g = GraphBuilder(GRAPH, weights)
    head_dim = config.n_embd // config.n_head
    memory: list[str | int] = [2 * config.n_layer, "B", config.n_head]
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    past = g.input("past", [*memory, "P", head_dim])

    before = g.op("Shape", past, start=3, end=4)
    total = g.op("Add", before, g.op("Shape", tokens, start=1, end=2))
    positions = g.op("Slice", g.weight("judge/wpe"), before, total, ints(0))
    columns = g.op("Gather", g.weight(EMBEDDING), tokens, axis=1)
    x = g.op("Add", g.op("Transpose", columns, perm=[1, 2, 0]), positions)
    mask = later(g, before, total)
    kept: list[ir.Value] = []
    for i in range(config.n_layer):
        block = f"judge/h_{i}"
        mixed, keys, values = _attention(
            g, config, f"{block}/attn", _norm(g, config, x, f"{block}/ln_1"), past, i, mask
        )
        kept += [keys, values]
        x = g.op("Add", x, mixed)
        inner = g.gelu_tanh(g.dense(_norm(g, config, x, f"{block}/ln_2"), f"{block}/mlp/c_fc"))
        x = g.op("Add", x, g.dense(inner, f"{block}/mlp/c_proj"))
    logits = g.op("MatMul", _norm(g, config, x, "judge/ln_f"), g.weight(EMBEDDING))
    g.output(logits, "logits", ["B", "S", config.vocab_size])
    present = g.op("Concat", *(g.op("Unsqueeze", part, ints(0)) for part in kept), axis=0)
    g.output(present, "present", [*memory, "T", head_dim])
    return g.model()


def later(g: GraphBuilder, before: ir.Value, total: ir.Value) -> ir.Value:
    """(S, P + S): 0 where a token may look, a great negative number where it would look ahead."""
    zero, one = np.asarray(0, np.int64), np.asarray(1, np.int64)
    columns = g.op("Range", zero, g.op("Squeeze", total), one)
    rows = g.op("Slice", columns, before, total, ints(0))
    is_later = g.op("Greater", g.op("Unsqueeze", columns, ints(0)), g.op("Unsqueeze", rows, ints(1)))
    return g.op("Where", is_later, scalar(HIDDEN), scalar(0.0))


def _norm(g: GraphBuilder, config: Gpt2Config, x: ir.Value, name: str) -> ir.Value:
    scale, bias = g.weight(f"{name}/scale"), g.weight(f"{name}/bias")
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=config.layer_norm_epsilon)


def _attention(
    g: GraphBuilder, config: Gpt2Config, name: str, x: ir.Value, past: ir.Value, block: int, mask: ir.Value
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Attention over the past and what has come by now: (B, S, H); and its keys and values (B, h, P + S, d)."""
    width, heads = config.n_embd, config.n_head
    parts = g.op("Split", g.dense(x, f"{name}/c_attn"), ints(width, width, width), outputs=3, axis=-1)
    q, k, v = (
        g.op("Transpose", g.op("Reshape", part, ints(0, 0, heads, width // heads)), perm=[0, 2, 1, 3]) for part in parts
    )
    keys, values = (
        g.op("Concat", g.op("Gather", past, np.asarray(2 * block + at, np.int64), axis=0), new, axis=2)
        for at, new in enumerate((k, v))
    )
    scores = g.op(
        "MatMul", g.op("Mul", q, scalar((width // heads) ** -0.5)), g.op("Transpose", keys, perm=[0, 1, 3, 2])
    )
    mixed = g.attend(g.op("Add", scores, mask), values, width)
    return g.dense(mixed, f"{name}/c_proj"), keys, values


def no_past(config: Gpt2Config, rows: int = 1) -> np.ndarray:
    """`past` before the first token."""
    return np.zeros((2 * config.n_layer, rows, config.n_head, 0, config.n_embd // config.n_head), np.float32)
