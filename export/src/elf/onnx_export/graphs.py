"""All graphs of a model over one layout of weights, the T5 encoder's among them (contract in export/FORMAT.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig, T5Config
from elf.models.exported.places import WeightLayout
from elf.models.exported.rearranged_encoder import T5_BIAS_BY_DISTANCE, encoder_weights
from elf.models.exported.rearranged_network import exact_tables, grouped, network_weights
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.network_graphs import decoder_graph, denoiser_graph, prefix_graph


def encoder_graph(
    config: T5Config, weights: WeightLayout, mean: float | np.ndarray, std: float | np.ndarray
) -> ir.Model:
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
        inner = g.product(g.rms_norm(x, f"{layer}/layer_norm"), f"{layer}/DenseReluDense/wi")
        x = g.op("Add", x, g.product(g.op("Relu", inner), f"{layer}/DenseReluDense/wo"))
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
        part = g.product(normed, f"{layer}/SelfAttention/{which}")
        heads[which] = g.op("Transpose", g.op("Reshape", part, ints(0, 0, config.heads, config.d_kv)), perm=order)
    scores = g.op("Add", g.op("MatMul", heads["q"], heads["k"]), bias)
    mixed = g.attend(scores, heads["v"], config.heads * config.d_kv)
    return g.product(mixed, f"{layer}/SelfAttention/o")


FUSED = "-fused"
"""Ends the names of the graphs whose attention is one node."""


@dataclass(frozen=True)
class Graphs:
    """The graphs of a model, by name, and where the weights lie that they read. They hold none themselves: what several
    read lies once, in virtual files."""

    models: dict[str, ir.Model]
    weights: WeightLayout

    def write(self, folder: Path) -> None:
        """Writes `<name>.onnx` for each graph into `folder`."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, model in self.models.items():
            ir.save(model, folder / f"{name}.onnx")


def build_graphs(
    config: ElfConfig,
    params: Mapping[str, np.ndarray],
    encoder: T5Config | None = None,
    encoder_params: Mapping[str, np.ndarray] | None = None,
    latent_mean: float | np.ndarray = 0.0,
    latent_std: float | np.ndarray = 0.2,
) -> Graphs:
    """All graphs of a model over one layout of weights, which are read later, one at a time."""
    groups: list[Mapping[str, np.ndarray]] = [*grouped(network_weights(config, params)), exact_tables(config)]
    if encoder:
        groups.append(encoder_weights(encoder, encoder_params or {}))
    weights = WeightLayout(*groups)
    models = {
        "prefix": prefix_graph(config, weights),
        "denoiser": denoiser_graph(config, weights),
        f"denoiser{FUSED}": denoiser_graph(config, weights, fused=True),
        "decoder": decoder_graph(config, weights),
        f"decoder{FUSED}": decoder_graph(config, weights, fused=True),
    }
    if encoder:
        models["encoder"] = encoder_graph(encoder, weights, latent_mean, latent_std)
    return Graphs(models, weights)
