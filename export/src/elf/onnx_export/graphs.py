"""The ONNX graphs of the ELF network, denoiser and decoder, and of a whole model (contract in export/FORMAT.md).

Pure functions from a configuration and its weights to graphs. The graphs hold no weights: those lie once each in
virtual files (`WeightLayout`), which the denoiser and the decoder, the same network but for its head, share.

The arithmetic is that of spec section 2 with exact rearrangements only, chosen for WebGPU:

- Attention is MatMul, Softmax, MatMul: the fused kernels gave wrong numbers on software adapters.
- Rotary turns the two halves of a head instead of interleaved pairs; `half_split` permutes the columns of q and k, and
  their norm gains, to match. A dot product does not care about the order of its terms.
- The inner width of SwiGLU is padded with zeros to a multiple of 4, the width of a GPU's vector load.
- Every dynamic shape comes from `Shape`, `Expand` and `Reshape` with copied dimensions: integer arithmetic on shapes
  would send nodes back to the CPU.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig, T5Config
from elf.network.parameters import TIMESTEP_FEATURES
from elf.network.trained_model import FlatParams
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.encoder_graph import encoder_graph, encoder_weights
from elf.onnx_export.weights import WeightLayout

TOP_K = 5
TO_THE_END = np.iinfo(np.int64).max


def half_split(heads: int, head_dim: int) -> np.ndarray:
    """Column order that turns interleaved rotary pairs (2i, 2i+1) into half-split pairs (i, i + head_dim/2).

    Returns (heads · head_dim,) indices; with one head, the order of a norm gain.
    """
    one_head = np.concatenate([np.arange(0, head_dim, 2), np.arange(1, head_dim, 2)])
    return (np.arange(heads)[:, None] * head_dim + one_head[None]).reshape(-1)


def padded_swiglu_size(config: ElfConfig) -> int:
    return -(-config.swiglu_size // 4) * 4


def network_weights(config: ElfConfig, params: FlatParams) -> FlatParams:
    """The weights as the graphs read them: official names and values, rearranged where the module's text says so.

    `params` holds exactly `parameter_shapes(config)`. Every output is a copy, permutation, slice or zero-padding of
    an input, so rounding to float16 before or after makes no difference.
    """
    weights = dict(params)

    # [z, x̂_prev]·kernel = z·upper + x̂_prev·lower: no Concat in the denoiser, half the work in the decoder.
    kernel = weights.pop("self_cond_proj/kernel")
    weights["self_cond_proj/kernel_z"] = kernel[: config.latent_size]
    weights["self_cond_proj/kernel_x_hat_prev"] = kernel[config.latent_size :]

    columns = half_split(config.heads, config.head_dim)
    H = config.hidden_size
    qkv_columns = np.concatenate([columns, H + columns, 2 * H + np.arange(H)])
    gain_order = half_split(1, config.head_dim)
    inner, extra = config.swiglu_size, padded_swiglu_size(config) - config.swiglu_size
    for i in range(config.depth):
        block = f"blocks_{i}"
        for part in ("kernel", "bias"):
            name = f"{block}/attn/qkv/{part}"
            weights[name] = weights[name][..., qkv_columns]
            name = f"{block}/mlp/w12/{part}"
            halves = weights[name][..., :inner], weights[name][..., inner:]
            pad = [(0, 0)] * (weights[name].ndim - 1) + [(0, extra)]
            weights[name] = np.concatenate([np.pad(half, pad) for half in halves], axis=-1)
        for norm in ("q_norm", "k_norm"):
            weights[f"{block}/attn/{norm}/weight"] = weights[f"{block}/attn/{norm}/weight"][gain_order]
        weights[f"{block}/mlp/w3/kernel"] = np.pad(weights[f"{block}/mlp/w3/kernel"], [(0, extra), (0, 0)])
    return weights


def rotary_tables(config: ElfConfig) -> FlatParams:
    """cos and sin of position × frequency, (max_length, head_dim/2) each, for text positions from 0."""
    pairs = np.arange(config.head_dim // 2)
    frequencies = 10000.0 ** (-2 * pairs / config.head_dim)
    angles = np.arange(config.max_length)[:, None] * frequencies[None]
    return {"rotary/cos": np.cos(angles).astype(np.float32), "rotary/sin": np.sin(angles).astype(np.float32)}


def denoiser_graph(config: ElfConfig, weights: WeightLayout) -> ir.Model:
    """(z, x_hat_prev (B, L, D), t, self_cond_scale (B)) → x_hat (B, L, D). No scale without its prefix tokens."""
    g = GraphBuilder("denoiser", weights)
    D = config.latent_size
    z = g.input("z", ["B", "L", D])
    x_hat_prev = g.input("x_hat_prev", ["B", "L", D])
    t = g.input("t", ["B"])
    scale = _scale_input(g, config)

    joined = g.op(
        "Add",
        g.op("MatMul", z, g.weight("self_cond_proj/kernel_z")),
        g.op("MatMul", x_hat_prev, g.weight("self_cond_proj/kernel_x_hat_prev")),
    )
    hidden = _trunk(g, config, joined, z, t, scale, decode=False)
    x_hat = g.dense(g.rms_norm(hidden, "final_layer/norm_final"), "final_layer/linear")
    g.output(x_hat, "x_hat", ["B", "L", D])
    return g.model()


def decoder_graph(config: ElfConfig, weights: WeightLayout) -> ir.Model:
    """(latent (B, L, D), self_cond_scale (B)) → the best tokens, their probabilities, entropies and all logits.

    The network in decode mode at t = 1 with x̂_prev = 0, which drops out of the sum.
    """
    g = GraphBuilder("decoder", weights)
    k = min(TOP_K, config.vocabulary_size)
    latent = g.input("latent", ["B", "L", config.latent_size])
    scale = _scale_input(g, config)

    joined = g.op("MatMul", latent, g.weight("self_cond_proj/kernel_z"))
    hidden = _trunk(g, config, joined, latent, g.constant(np.ones(1, np.float32)), scale, decode=True)
    projected = g.op("Add", g.op("MatMul", hidden, g.weight("proj_kernel")), g.weight("proj_bias"))
    logits = g.op("MatMul", g.gelu_tanh(projected), g.weight("unembed_kernel"))
    logits = g.op("Add", logits, g.weight("unembed_bias"))

    # Entropy without LogSoftmax, which falls back to the CPU on WebGPU: with s = logit − best logit and Z = Σ eˢ it is
    # log Z − Σ s·eˢ / Z. The best logit is the first of the top k.
    best, tokens = g.op("TopK", logits, ints(k), outputs=2, axis=-1, largest=1, sorted=1)
    peak = g.op("Slice", best, ints(0), ints(1), ints(2))
    shifted = g.op("Sub", logits, peak)
    exponentials = g.op("Exp", shifted)
    total = g.op("ReduceSum", exponentials, ints(-1), keepdims=1)
    probabilities = g.op("Div", g.op("Exp", g.op("Sub", best, peak)), total)
    weighted = g.op("ReduceSum", g.op("Mul", shifted, exponentials), ints(-1), keepdims=1)
    entropy = g.op("Sub", g.op("Log", total), g.op("Div", weighted, total))

    g.output(tokens, "top_tokens", ["B", "L", k], ir.DataType.INT64)
    g.output(probabilities, "top_probabilities", ["B", "L", k])
    g.output(g.op("Squeeze", entropy, ints(-1)), "entropy", ["B", "L"])
    g.output(logits, "logits", ["B", "L", config.vocabulary_size])
    return g.model()


def _trunk(
    g: GraphBuilder,
    config: ElfConfig,
    joined: ir.Value,
    text: ir.Value,
    t: ir.Value,
    scale: ir.Value | None,
    *,
    decode: bool,
) -> ir.Value:
    """From the product of self_cond_proj (B, L, D), still without its bias, to the last hidden state (B, L, H) of the
    text positions. `text` (B, L, D) gives batch and length; `t` is (B) or (1), `scale` (B) or None."""
    joined = g.op("Add", joined, g.weight("self_cond_proj/bias"))
    x = g.dense(g.dense(joined, "text_proj/proj1", bias=False), "text_proj/proj2")
    x = g.op("Concat", *_prefix(g, config, text, t, scale, decode=decode), x, axis=1)
    rotary = _rotary(g, config, text)
    for i in range(config.depth):
        x = g.op("Add", x, _attention(g, config, f"blocks_{i}", x, rotary))
        x = g.op("Add", x, _swiglu(g, config, f"blocks_{i}", x))
    return g.op("Slice", x, ints(config.prefix_length), ints(TO_THE_END), ints(1))


def _scale_input(g: GraphBuilder, config: ElfConfig) -> ir.Value | None:
    """The input w (B) of a network that has prefix tokens for it."""
    return g.input("self_cond_scale", ["B"]) if config.self_cond_cfg_tokens else None


def _prefix(
    g: GraphBuilder, config: ElfConfig, text: ir.Value, t: ir.Value, scale: ir.Value | None, *, decode: bool
) -> list[ir.Value]:
    """Time, self-cond CFG and mode tokens, each (B, n, H)."""
    # (B, 1, 1): Expand to this shape repeats a token for every sample without arithmetic on shapes.
    if scale is None:
        per_sample = g.op("Shape", g.op("Slice", text, ints(0, 0), ints(1, 1), ints(1, 2)))
    else:
        per_sample = g.op("Shape", g.op("Unsqueeze", scale, ints(1, 2)))
    time = g.op("Add", g.weight("t_emb_tokens"), _embed_number(g, "t_embedder", t))
    tokens = [g.op("Expand", time, per_sample) if decode else time]
    if scale is not None:
        tokens.append(g.op("Add", g.weight("self_cond_cfg_tokens"), _embed_number(g, "self_cond_cfg_embedder", scale)))
    off = np.zeros((1, config.mode_tokens, config.hidden_size), np.float32)
    tokens.append(g.op("Expand", g.weight("mode_tokens") if decode else g.constant(off), per_sample))
    return tokens


def _embed_number(g: GraphBuilder, name: str, value: ir.Value) -> ir.Value:
    """Sinusoidal features [cos, sin] of a number (B), then Dense, SiLU, Dense: (B, 1, H)."""
    half = TIMESTEP_FEATURES // 2
    frequencies = (10000.0 ** (-np.arange(half) / half)).astype(np.float32)
    angles = g.op("Mul", g.op("Unsqueeze", value, ints(1, 2)), frequencies)
    features = g.op("Concat", g.op("Cos", angles), g.op("Sin", angles), axis=-1)
    return g.dense(g.silu(g.dense(features, f"{name}/mlp_0")), f"{name}/mlp_2")


def _rotary(g: GraphBuilder, config: ElfConfig, text: ir.Value) -> dict[str, tuple[ir.Value, ir.Value]]:
    """For q and for k: (cos, signed sin), each (prefix + L, 1, head_dim). Computed once per pass, for all blocks.

    Prefix rows are 1 and 0: those tokens are not turned. The softmax scale 1/√head_dim rides on q's pair.
    """
    length = g.op("Shape", text, start=1, end=2)
    still = (config.prefix_length, config.head_dim // 2)

    def rows(name: str, prefix: np.ndarray) -> ir.Value:
        return g.op("Concat", prefix, g.op("Slice", g.weight(name), ints(0), length, ints(0)), axis=0)

    cos = rows("rotary/cos", np.ones(still, np.float32))
    sin = rows("rotary/sin", np.zeros(still, np.float32))
    cos = g.op("Unsqueeze", g.op("Concat", cos, cos, axis=-1), ints(1))
    sin = g.op("Unsqueeze", g.op("Concat", g.op("Neg", sin), sin, axis=-1), ints(1))
    scale = scalar(config.head_dim**-0.5)
    return {"q": (g.op("Mul", cos, scale), g.op("Mul", sin, scale)), "k": (cos, sin)}


def _attention(
    g: GraphBuilder, config: ElfConfig, block: str, x: ir.Value, rotary: dict[str, tuple[ir.Value, ir.Value]]
) -> ir.Value:
    """Bidirectional attention with RMSNorm and rotary on q and k; (B, S, H) → (B, S, H)."""
    H, half = config.hidden_size, config.head_dim // 2
    qkv = g.dense(g.rms_norm(x, f"{block}/norm1"), f"{block}/attn/qkv")
    parts = g.op("Split", qkv, ints(H, H, H), outputs=3, axis=-1)
    q, k, v = (g.op("Reshape", part, ints(0, 0, config.heads, config.head_dim)) for part in parts)

    def turned(which: str, part: ir.Value) -> ir.Value:
        part = g.rms_norm(part, f"{block}/attn/{which}_norm")
        first, second = g.op("Split", part, ints(half, half), outputs=2, axis=-1)
        cos, sin = rotary[which]
        swapped = g.op("Concat", second, first, axis=-1)
        return g.op("Add", g.op("Mul", part, cos), g.op("Mul", swapped, sin))

    q = g.op("Transpose", turned("q", q), perm=[0, 2, 1, 3])
    k = g.op("Transpose", turned("k", k), perm=[0, 2, 3, 1])
    v = g.op("Transpose", v, perm=[0, 2, 1, 3])
    return g.dense(g.attend(g.op("MatMul", q, k), v, H), f"{block}/attn/proj")


def _swiglu(g: GraphBuilder, config: ElfConfig, block: str, x: ir.Value) -> ir.Value:
    """w3(silu(a)·b) with a, b the halves of w12; (B, S, H) → (B, S, H)."""
    inner = padded_swiglu_size(config)
    both = g.dense(g.rms_norm(x, f"{block}/norm2"), f"{block}/mlp/w12")
    a, b = g.op("Split", both, ints(inner, inner), outputs=2, axis=-1)
    return g.dense(g.op("Mul", g.silu(a), b), f"{block}/mlp/w3")


@dataclass(frozen=True)
class Graphs:
    """The graphs of a model, by name, and where the weights lie that they read."""

    models: dict[str, ir.Model]
    weights: WeightLayout

    def write(self, folder: Path) -> None:
        """Writes `<name>.onnx` for each graph into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, model in self.models.items():
            ir.save(model, folder / f"{name}.onnx")


def build_graphs(
    config: ElfConfig,
    params: FlatParams,
    encoder: T5Config | None = None,
    encoder_params: FlatParams | None = None,
    latent_mean: float | np.ndarray = 0.0,
    latent_std: float | np.ndarray = 0.2,
) -> Graphs:
    """All graphs of a model over one layout of weights."""
    groups = [network_weights(config, params) | rotary_tables(config)]
    if encoder:
        groups.append(encoder_weights(encoder, encoder_params or {}))
    weights = WeightLayout(*groups)
    models = {"denoiser": denoiser_graph(config, weights), "decoder": decoder_graph(config, weights)}
    if encoder:
        models["encoder"] = encoder_graph(encoder, weights, latent_mean, latent_std)
    return Graphs(models, weights)
