"""All graphs of a model, over one layout of weights (contract in export/FORMAT.md)."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx_ir as ir

from elf.config import ElfConfig, T5Config
from elf.models.exported.places import WeightLayout
from elf.models.exported.rearranged_encoder import encoder_weights
from elf.models.exported.rearranged_network import exact_tables, grouped, network_weights
from elf.onnx_export.encoder_graph import encoder_graph
from elf.onnx_export.network_graphs import decoder_graph, denoiser_graph, prefix_graph

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
