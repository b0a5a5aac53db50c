"""A dtype of few bits; where that changes too much of the text, the kernels that do the most harm stay in float16."""

from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elf.models.exported.encodings import BITS, EMBEDDING, Dtype, encoding_of
from elf.models.exported.stored_weights import StoredWeights, remove_weights, write_weights
from elf.models.trained_model import TrainedModel
from elf.onnx_export.calibration import input_products
from elf.onnx_export.graphs import Graphs
from elf.onnx_export.storage_gate import APPROXIMATE, StorageFigures, compare_storage
from elf.progress import say, told
from elf.sampler_settings import SamplerSettings
from elf.sampling.networks import LoadedWeights, OnnxNetwork
from elf.sampling.sampler import Array

SHARES = (1 / 8, 1 / 4, 1 / 2)
"""Of the quantised weights, tried in float16 one after the other; with more the dtype would save next to nothing."""
ENCODER = "encoder/"
"""Starts the names of its weights, but for the EMBEDDING."""
GREATEST_LENGTH = 64
"""Positions of the passes that measure harm."""


@dataclass(frozen=True)
class Trial:
    """What a dtype is tried on."""

    model: TrainedModel
    graphs: Graphs
    folder: Path
    """Of the graphs, and for the weights."""
    settings: SamplerSettings
    length: int
    tokens: Mapping[int, list[int]]
    """Seed → what the trained weights write."""


def write_dtype(trial: Trial, dtype: Dtype, calibrated: bool, gated: bool) -> tuple[list[str], StorageFigures]:
    """Writes the weights in this dtype; returns the shards' names and what it changes.

    Where `gated`, kernels are stored as float16 until the text is kept, or half of them are and it is not. `calibrated`
    says whether kernels are rounded by what they multiply in the model's runs.
    """
    layout = trial.graphs.weights
    quantised = {
        name: slot.shape for name, slot in layout.slots.items() if encoding_of(name, slot.shape, dtype) in BITS
    }
    # What the encoder does to a run is done once, and does not grow from step to step.
    kernels = {name: shape for name, shape in quantised.items() if not name.startswith((ENCODER, EMBEDDING))}
    products = None
    if kernels and calibrated:
        used = quantised if trial.model.elf.max_input_length else kernels
        inputs = {name: shape[0] for name, shape in used.items() if name != EMBEDDING}
        products = input_products(trial.model, trial.folder, layout.tensors, inputs, trial.settings, trial.length)
    shards = write_weights(layout, trial.graphs.models, dtype, trial.folder, products)
    figures = _figures(trial, dtype)
    if figures.passes or not (kernels and gated) or dtype in APPROXIMATE:
        return shards, figures
    order = by_harm(trial, StoredWeights(trial.folder, dtype), kernels)
    for share in SHARES:
        widened = first_share(order, {name: int(np.prod(shape)) for name, shape in kernels.items()}, share)
        say(f"{dtype} keeps {figures.token_agreement:.4f} of the tokens: {len(widened)} kernels more in float16")
        remove_weights(trial.folder, dtype)
        shards = write_weights(layout, trial.graphs.models, dtype, trial.folder, products, widened)
        figures = _figures(trial, dtype)
        if figures.passes:
            break
    return shards, figures


def _figures(trial: Trial, dtype: Dtype) -> StorageFigures:
    trained, stored = trial.graphs.weights.tensors, StoredWeights(trial.folder, dtype)
    return compare_storage(
        trial.model, trial.folder, trained, stored, dtype, trial.settings, trial.length, trial.tokens
    )


def first_share(order: list[str], sizes: Mapping[str, int], share: float) -> list[str]:
    """The first kernels of `order` that together hold at most this share of all weights."""
    room = share * sum(sizes.values())
    chosen = []
    for name in order:
        if sizes[name] <= room:
            room -= sizes[name]
            chosen.append(name)
    return chosen


def by_harm(trial: Trial, stored: Mapping[str, Array], kernels: Mapping[str, tuple[int, ...]]) -> list[str]:
    """Kernels by what storing each alone changes in a pass, for its size; the most harmful first."""
    trained = LoadedWeights(trial.graphs.weights.tensors)
    passes = _Passes(trial)
    expected = passes.outputs(trained)
    harm = {}
    for name, shape in told(kernels.items(), "looking for the kernels that do the most harm"):
        outputs = passes.outputs(ChainMap({name: stored[name]}, trained))
        errors = (np.mean((a - b) ** 2) / np.mean(a**2) for a, b in zip(expected, outputs, strict=True))
        harm[name] = sum(errors) / np.prod(shape)
    return sorted(harm, key=lambda name: -harm[name])


class _Passes:
    """A few passes of the network, the same for any weights."""

    def __init__(self, trial: Trial):
        config, generator = trial.model.elf, np.random.default_rng(0)
        shape = (1, min(trial.length, GREATEST_LENGTH), config.latent_size)
        self._folder = trial.folder
        self._scale = np.full(1, trial.settings.self_cond_scale, np.float32)
        self._inputs = [
            (*generator.standard_normal((2, *shape), np.float32), np.full(1, t, np.float32)) for t in (0.1, 0.5, 0.9)
        ]

    def outputs(self, weights: Mapping[str, Array]) -> list[Array]:
        """Predictions; and logits, or the best tokens' probabilities where the graph gives no others."""
        network = OnnxNetwork(self._folder, weights)
        predictions = [network.denoise(z, previous, t, self._scale) for z, previous, t in self._inputs]
        readings = [network.decode(z, self._scale) for z, _, _ in self._inputs]
        return predictions + [read.get("logits", read["top_probabilities"]) for read in readings]
