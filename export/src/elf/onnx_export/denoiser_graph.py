"""The ONNX graphs of a denoising pass: the prefix of all steps, once per run, and the denoiser (export/FORMAT.md).

The prefix is little arithmetic, but many small nodes: with six blocks it was 23 of a pass's 255 dispatches on WebGPU.
"""

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig
from elf.models.exported.weights import WeightLayout
from elf.onnx_export.builder import GraphBuilder, ints
from elf.onnx_export.trunk import prefix_tokens, rows_of, trunk


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
    """(z, x_hat_prev (B, L, D), prefix (1, P, H)) → x_hat (B, L, D). The whole batch shares the prefix."""
    g = GraphBuilder("denoiser", weights)
    D = config.latent_size
    z = g.input("z", ["B", "L", D])
    x_hat_prev = g.input("x_hat_prev", ["B", "L", D])
    prefix = g.input("prefix", [1, config.prefix_length, config.hidden_size])

    text = g.op("Add", g.product(z, "text_proj/z"), g.product(x_hat_prev, "text_proj/x_hat_prev"))
    text = g.op("Add", text, g.weight("text_proj/bias"))
    hidden = trunk(g, config, text, g.op("Expand", prefix, rows_of(g, z)), fused=fused)
    x_hat = g.dense(g.rms_norm(hidden, "final_layer/norm_final"), "final_layer/linear")
    g.output(x_hat, "x_hat", ["B", "L", D])
    return g.model()
