"""The ONNX graphs of a model, built node by node: denoiser, decoder and T5 encoder (contract in export/FORMAT.md).

Pure functions from a configuration and its weights to graphs. The graphs hold no weights: those lie once each in one
file beside them (`WeightFile`), so the denoiser and the decoder, which are the same network but for its head, share it.

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
from typing import Any

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig, T5Config
from elf.parameters import TIMESTEP_FEATURES
from elf.trained_model import FlatParams

OPSET = 21
IR_VERSION = 10
WEIGHTS_FILE = "weights.bin"
ALIGNMENT = 64
"""Bytes; a tensor can be viewed in place as any typed array, and starts a cache line."""
NORM_EPS = 1e-6
TOP_K = 5
TO_THE_END = np.iinfo(np.int64).max


# --- Weights -----------------------------------------------------------------------------------------------------


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


def encoder_weights(config: T5Config, params: FlatParams) -> FlatParams:
    """The encoder's weights as its graph reads them: the bias table by distance instead of by bucket, rest unchanged.

    Names start with `encoder/` or `shared/`, so they never meet those of the network.
    """
    weights = dict(params)
    table = weights.pop(T5_BIAS)
    reach = config.relative_max_distance
    weights[T5_BIAS_BY_DISTANCE] = table[relative_bucket(np.arange(-reach, reach + 1), config)]
    return weights


T5_BIAS = "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/rel_embedding"
T5_BIAS_BY_DISTANCE = "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/by_distance"


def relative_bucket(distance: np.ndarray, config: T5Config) -> np.ndarray:
    """T5's bucket of a key's position minus the query's, any shape: exact when near, logarithmic up to the maximum.

    Written apart from elf.encoder on purpose: the parity check then compares two readings of the spec.
    """
    per_direction = config.relative_buckets // 2
    exact = per_direction // 2
    size = np.abs(distance)
    growth = np.log(np.maximum(size, 1) / exact) / np.log(config.relative_max_distance / exact)
    far = np.minimum(exact + (growth * (per_direction - exact)).astype(np.int64), per_direction - 1)
    return np.where(distance > 0, per_direction, 0) + np.where(size < exact, size, far)


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies in the weights file."""

    offset: int
    length: int
    dtype: ir.DataType
    shape: tuple[int, ...]


class WeightFile:
    """The one file of all graphs' weights: gives each tensor its place, then writes them.

    `dtype` is how they are stored, "f32" or "f16". Tensors named in `keep_f32` are stored as float32 regardless.
    """

    def __init__(self, tensors: FlatParams, dtype: str = "f32", keep_f32: frozenset[str] = frozenset()):
        self.tensors: FlatParams = {}
        self.slots: dict[str, Slot] = {}
        self.size = 0
        for name, value in tensors.items():
            stored = np.float16 if dtype == "f16" and name not in keep_f32 else np.float32
            array = np.ascontiguousarray(value, stored)
            offset = -(-self.size // ALIGNMENT) * ALIGNMENT
            kind = ir.DataType.FLOAT16 if stored is np.float16 else ir.DataType.FLOAT
            self.tensors[name] = array
            self.slots[name] = Slot(offset, array.nbytes, kind, array.shape)
            self.size = offset + array.nbytes

    def write(self, path: Path) -> None:
        """Writes the tensors at their offsets, zeros between them. Little-endian, as ONNX asks."""
        with path.open("wb") as file:
            for name, array in self.tensors.items():
                file.write(bytes(self.slots[name].offset - file.tell()))
                file.write(array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes())


# --- Building a graph ----------------------------------------------------------------------------------------------


class GraphBuilder:
    """Collects the nodes of one graph. Values that are plain arrays become small inline constants."""

    def __init__(self, name: str, weights: WeightFile):
        self.name = name
        self.weights = weights
        self.nodes: list[ir.Node] = []
        self.inputs: list[ir.Value] = []
        self.outputs: list[ir.Value] = []
        self.initializers: dict[str, ir.Value] = {}
        self._widened: dict[str, ir.Value] = {}
        self._constants: dict[tuple[str, tuple[int, ...], bytes], ir.Value] = {}

    def input(self, name: str, shape: list[str | int], dtype: ir.DataType = ir.DataType.FLOAT) -> ir.Value:
        value = ir.Value(name=name, shape=ir.Shape(shape), type=ir.TensorType(dtype))
        self.inputs.append(value)
        return value

    def output(
        self, value: ir.Value, name: str, shape: list[str | int], dtype: ir.DataType = ir.DataType.FLOAT
    ) -> None:
        value.name, value.shape, value.type = name, ir.Shape(shape), ir.TensorType(dtype)
        self.outputs.append(value)

    def op(self, kind: str, *inputs: ir.Value | np.ndarray, outputs: int = 1, **attributes: Any) -> Any:
        """Adds a node; returns its output, or a tuple of them where there are several."""
        values = [self.constant(x) if isinstance(x, np.ndarray) else x for x in inputs]
        node = ir.node(kind, values, attributes, num_outputs=outputs, name=f"{kind}_{len(self.nodes)}")
        for i, value in enumerate(node.outputs):
            value.name = f"{node.name}_{i}"
        self.nodes.append(node)
        return node.outputs[0] if outputs == 1 else tuple(node.outputs)

    def constant(self, array: np.ndarray) -> ir.Value:
        key = (str(array.dtype), array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._initializer(name, ir.tensor(array, name=name))
        return self._constants[key]

    def weight(self, name: str) -> ir.Value:
        """A tensor of the weights file as float32: by itself, or behind one Cast where it is stored as float16."""
        if name not in self._widened:
            slot = self.weights.slots[name]
            shape = ir.Shape(slot.shape)
            tensor = ir.ExternalTensor(WEIGHTS_FILE, slot.offset, slot.length, slot.dtype, shape=shape, name=name)
            stored = self._initializer(name, tensor)
            narrow = slot.dtype == ir.DataType.FLOAT16
            self._widened[name] = self.op("Cast", stored, to=int(ir.DataType.FLOAT)) if narrow else stored
        return self._widened[name]

    def _initializer(self, name: str, tensor: Any) -> ir.Value:
        value = ir.Value(name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor)
        self.initializers[name] = value
        return value

    def model(self) -> ir.Model:
        graph = ir.Graph(
            self.inputs,
            self.outputs,
            nodes=self.nodes,
            initializers=list(self.initializers.values()),
            opset_imports={"": OPSET},
            name=self.name,
        )
        return ir.Model(graph, ir_version=IR_VERSION, producer_name="elf")

    # Small helpers named after what they compute.

    def dense(self, x: ir.Value, name: str, bias: bool = True) -> ir.Value:
        """x (…, in) · kernel + bias."""
        product = self.op("MatMul", x, self.weight(f"{name}/kernel"))
        return self.op("Add", product, self.weight(f"{name}/bias")) if bias else product

    def rms_norm(self, x: ir.Value, name: str) -> ir.Value:
        """ONNX Runtime's own RMSNorm over the last axis: it sums in float32 on every device."""
        gain = self.weight(f"{name}/weight")
        return self.op("SimplifiedLayerNormalization", x, gain, axis=-1, epsilon=NORM_EPS, stash_type=1)

    def silu(self, x: ir.Value) -> ir.Value:
        return self.op("Mul", x, self.op("Sigmoid", x))

    def gelu_tanh(self, x: ir.Value) -> ir.Value:
        """0.5·x·(1 + tanh(√(2/π)·(x + 0.044715·x³)))."""
        cubic = self.op("Mul", self.op("Mul", self.op("Mul", x, x), x), scalar(0.044715))
        inner = self.op("Mul", self.op("Add", x, cubic), scalar(np.sqrt(2 / np.pi)))
        gate = self.op("Add", self.op("Tanh", inner), scalar(1.0))
        return self.op("Mul", self.op("Mul", x, scalar(0.5)), gate)

    def attend(self, scores: ir.Value, values: ir.Value, width: int) -> ir.Value:
        """softmax(scores (B, h, S, S)) · values (B, h, S, d), heads joined: (B, S, width)."""
        mixed = self.op("MatMul", self.op("Softmax", scores, axis=-1), values)
        return self.op("Reshape", self.op("Transpose", mixed, perm=[0, 2, 1, 3]), ints(0, 0, width))


def scalar(value: float) -> np.ndarray:
    return np.asarray(value, np.float32)


def ints(*values: int) -> np.ndarray:
    return np.asarray(values, np.int64)


# --- The ELF network -----------------------------------------------------------------------------------------------


def denoiser_graph(config: ElfConfig, weights: WeightFile) -> ir.Model:
    """(z, x_hat_prev (B, L, D), t, self_cond_scale (B)) → x_hat (B, L, D)."""
    g = GraphBuilder("denoiser", weights)
    D = config.latent_size
    z = g.input("z", ["B", "L", D])
    x_hat_prev = g.input("x_hat_prev", ["B", "L", D])
    t = g.input("t", ["B"])
    scale = g.input("self_cond_scale", ["B"])

    joined = g.op(
        "Add",
        g.op("MatMul", z, g.weight("self_cond_proj/kernel_z")),
        g.op("MatMul", x_hat_prev, g.weight("self_cond_proj/kernel_x_hat_prev")),
    )
    hidden = _trunk(g, config, joined, z, t, scale, decode=False)
    x_hat = g.dense(g.rms_norm(hidden, "final_layer/norm_final"), "final_layer/linear")
    g.output(x_hat, "x_hat", ["B", "L", D])
    return g.model()


def decoder_graph(config: ElfConfig, weights: WeightFile) -> ir.Model:
    """(latent (B, L, D), self_cond_scale (B)) → the best tokens, their probabilities, entropies and all logits.

    The network in decode mode at t = 1 with x̂_prev = 0, which drops out of the sum.
    """
    g = GraphBuilder("decoder", weights)
    k = min(TOP_K, config.vocabulary_size)
    latent = g.input("latent", ["B", "L", config.latent_size])
    scale = g.input("self_cond_scale", ["B"])

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
    scale: ir.Value,
    *,
    decode: bool,
) -> ir.Value:
    """From the product of self_cond_proj (B, L, D), still without its bias, to the last hidden state (B, L, H) of the
    text positions. `text` (B, L, D) gives the length; `t` is (B) or (1), `scale` (B)."""
    joined = g.op("Add", joined, g.weight("self_cond_proj/bias"))
    x = g.dense(g.dense(joined, "text_proj/proj1", bias=False), "text_proj/proj2")
    x = g.op("Concat", *_prefix(g, config, t, scale, decode=decode), x, axis=1)
    rotary = _rotary(g, config, text)
    for i in range(config.depth):
        x = g.op("Add", x, _attention(g, config, f"blocks_{i}", x, rotary))
        x = g.op("Add", x, _swiglu(g, config, f"blocks_{i}", x))
    return g.op("Slice", x, ints(config.prefix_length), ints(TO_THE_END), ints(1))


def _prefix(g: GraphBuilder, config: ElfConfig, t: ir.Value, scale: ir.Value, *, decode: bool) -> list[ir.Value]:
    """Time, self-cond CFG and mode tokens, each (B, n, H)."""
    # (B, 1, 1): Expand to this shape repeats a token for every sample without arithmetic on shapes.
    per_sample = g.op("Shape", g.op("Unsqueeze", scale, ints(1, 2)))
    time = g.op("Add", g.weight("t_emb_tokens"), _embed_number(g, "t_embedder", t))
    tokens = [g.op("Expand", time, per_sample) if decode else time]
    if config.self_cond_cfg_tokens:
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


# --- The T5 encoder ------------------------------------------------------------------------------------------------


def encoder_graph(config: T5Config, weights: WeightFile, mean: float | np.ndarray, std: float | np.ndarray) -> ir.Model:
    """(input_ids, attention_mask (B, S) int64) → normalised latents (B, S, D): (T5 output − mean) / std.

    `mean` and `std` are numbers or (D,). Positions with mask 0 are seen by none. S is free.
    """
    g = GraphBuilder("encoder", weights)
    ids = g.input("input_ids", ["B", "S"], ir.DataType.INT64)
    mask = g.input("attention_mask", ["B", "S"], ir.DataType.INT64)

    hidden_keys = g.op("Sub", scalar(1.0), g.op("Cast", mask, to=int(ir.DataType.FLOAT)))
    hidden_keys = g.op("Unsqueeze", g.op("Mul", hidden_keys, scalar(-1e9)), ints(1, 2))
    bias = g.op("Add", _relative_bias(g, config, ids), hidden_keys)

    x = g.op("Gather", g.weight("shared/embedding"), ids, axis=0)
    for i in range(config.layers):
        x = g.op("Add", x, _t5_attention(g, config, f"encoder/block_{i}/layer_0", x, bias))
        layer = f"encoder/block_{i}/layer_1"
        inner = g.dense(g.rms_norm(x, f"{layer}/layer_norm"), f"{layer}/DenseReluDense/wi", bias=False)
        x = g.op("Add", x, g.dense(g.op("Relu", inner), f"{layer}/DenseReluDense/wo", bias=False))
    x = g.rms_norm(x, "encoder/final_layer_norm")
    latent = g.op("Div", g.op("Sub", x, np.asarray(mean, np.float32)), np.asarray(std, np.float32))
    g.output(latent, "latent", ["B", "S", config.d_model])
    return g.model()


def _relative_bias(g: GraphBuilder, config: T5Config, ids: ir.Value) -> ir.Value:
    """(1, heads, S, S): looked up by key position − query position, beyond the maximum distance as at it."""
    reach = config.relative_max_distance
    length = g.op("Squeeze", g.op("Shape", ids, start=1, end=2))
    positions = g.op("Range", np.asarray(0, np.int64), length, np.asarray(1, np.int64))
    distance = g.op("Sub", g.op("Unsqueeze", positions, ints(0)), g.op("Unsqueeze", positions, ints(1)))
    near = g.op("Clip", distance, np.asarray(-reach, np.int64), np.asarray(reach, np.int64))
    row = g.op("Add", near, np.asarray(reach, np.int64))
    table = g.op("Gather", g.weight(T5_BIAS_BY_DISTANCE), row, axis=0)
    return g.op("Unsqueeze", g.op("Transpose", table, perm=[2, 0, 1]), ints(0))


def _t5_attention(g: GraphBuilder, config: T5Config, layer: str, x: ir.Value, bias: ir.Value) -> ir.Value:
    """Unscaled attention with the shared bias; (B, S, D) → (B, S, D)."""
    normed = g.rms_norm(x, f"{layer}/layer_norm")
    orders = {"q": [0, 2, 1, 3], "k": [0, 2, 3, 1], "v": [0, 2, 1, 3]}
    heads = {}
    for which, order in orders.items():
        part = g.dense(normed, f"{layer}/SelfAttention/{which}", bias=False)
        heads[which] = g.op("Transpose", g.op("Reshape", part, ints(0, 0, config.heads, config.d_kv)), perm=order)
    scores = g.op("Add", g.op("MatMul", heads["q"], heads["k"]), bias)
    mixed = g.attend(scores, heads["v"], config.heads * config.d_kv)
    return g.dense(mixed, f"{layer}/SelfAttention/o", bias=False)


# --- A whole model -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Graphs:
    """The graphs of a model, by name, and the file of weights they read."""

    models: dict[str, ir.Model]
    weights: WeightFile

    def write(self, folder: Path) -> None:
        """Writes `<name>.onnx` for each graph and `weights.bin` into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        self.weights.write(folder / WEIGHTS_FILE)
        for name, model in self.models.items():
            ir.save(model, folder / f"{name}.onnx")


def build_graphs(
    config: ElfConfig,
    params: FlatParams,
    encoder: T5Config | None = None,
    encoder_params: FlatParams | None = None,
    latent_mean: float | np.ndarray = 0.0,
    latent_std: float | np.ndarray = 0.2,
    dtype: str = "f32",
) -> Graphs:
    """All graphs of a model over one weights file. `dtype` is that of the stored weights, "f32" or "f16"."""
    tables = rotary_tables(config)
    tensors = network_weights(config, params) | tables
    if encoder:
        tensors |= encoder_weights(encoder, encoder_params or {})
    # Angles in float16 would turn distant positions wrongly; the tables are small.
    weights = WeightFile(tensors, dtype, keep_f32=frozenset(tables))
    models = {"denoiser": denoiser_graph(config, weights), "decoder": decoder_graph(config, weights)}
    if encoder:
        models["encoder"] = encoder_graph(encoder, weights, latent_mean, latent_std)
    return Graphs(models, weights)
