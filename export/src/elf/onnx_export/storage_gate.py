"""What storing the weights in fewer bits changes in the text, and which dtypes may therefore be offered.

The graphs are proven with the trained weights (`parity`); here they run with those read back from a dtype's shards,
against themselves with the trained ones. A run feeds each prediction into the next pass, so small errors can grow:
only whole runs tell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.data.tokenizer import EOS
from elf.errors import ParityError
from elf.models.exported.encodings import Dtype
from elf.models.trained_model import TrainedModel
from elf.onnx_export.comparison import (
    Differences,
    Writer,
    compare_encoder,
    compare_network,
    edit_distance,
    report_of,
)
from elf.progress import told
from elf.sampler_settings import SamplerSettings
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array, cut_at_eos

MIN_TOKEN_AGREEMENT = 0.99
MAX_EDIT_DISTANCE = 0.01
APPROXIMATE: tuple[Dtype, ...] = ("q4",)
"""Offered whatever they change, and called approximate."""


@dataclass(frozen=True)
class StorageFigures:
    """What a dtype changes against float32."""

    graphs: Differences
    token_agreement: float
    """Share of the runs' positions that hold the same token."""
    edit_distance: float
    """Mean over the runs' texts, cut at eos, of the edit distance by the longer one's length."""
    tokens: dict[int, list[int]]
    """Seed → tokens that the stored weights wrote, before the cut at eos."""

    @property
    def passes(self) -> bool:
        return self.token_agreement >= MIN_TOKEN_AGREEMENT and self.edit_distance <= MAX_EDIT_DISTANCE

    def report(self) -> dict[str, Any]:
        return {
            "graphs": report_of(self.graphs),
            "tokenAgreement": self.token_agreement,
            "normalisedEditDistance": self.edit_distance,
            "passes": self.passes,
        }


def compare_storage(
    model: TrainedModel,
    onnx_folder: Path,
    trained: Mapping[str, Array],
    stored: Mapping[str, Array],
    dtype: Dtype,
    settings: SamplerSettings,
    length: int,
    tokens: Mapping[int, list[int]],
) -> StorageFigures:
    """The graphs with `stored` weights against the same with `trained` ones, which wrote `tokens`, by seed, at these
    settings and this length."""
    if dtype == "f32":
        return unchanged(trained, stored, tokens)
    reference, narrow = OnnxNetwork(onnx_folder, trained), OnnxNetwork(onnx_folder, stored)
    graphs = compare_network(model, reference, narrow)
    encoder = None
    if model.encoder:
        encoder = OnnxEncoder(onnx_folder, stored)
        graphs["encoder"] = {"latent": compare_encoder(model, OnnxEncoder(onnx_folder, trained), encoder)}
    writer, equal, distances = Writer(narrow, encoder), 0, []
    written: dict[int, list[int]] = {}
    for seed, expected in told(tokens.items(), f"measuring what {dtype} changes"):
        _, written[seed] = writer.run(model, replace(settings, seed=seed), length)
        equal += sum(a == b for a, b in zip(expected, written[seed], strict=True))
        a, b = cut_at_eos(expected, EOS), cut_at_eos(written[seed], EOS)
        distances.append(edit_distance(a, b) / max(len(a), len(b), 1))
    agreement = equal / sum(map(len, tokens.values()))
    return StorageFigures(graphs, agreement, math.fsum(distances) / len(distances), written)


def unchanged(
    trained: Mapping[str, Array], stored: Mapping[str, Array], tokens: Mapping[int, list[int]]
) -> StorageFigures:
    """The figures of weights stored as they are. Raises ParityError where they are not."""
    for name, value in trained.items():
        if not np.array_equal(value, stored[name], equal_nan=True):
            raise ParityError(f"{name} is not read back as it was stored", "Nothing was written. Look at the disk.")
    return StorageFigures({}, 1.0, 0.0, dict(tokens))
