"""The dtypes of an exported model: each written by what its kernels multiply, measured over whole runs, offered where
it keeps the text."""

import math
import tempfile
from collections import ChainMap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.config import SamplerSettings
from elf.data.tokenizer import EOS
from elf.errors import ConfigError, ParityError
from elf.models.encodings import BITS, DTYPES, EMBEDDING, Dtype, encoding_of
from elf.models.exported_folder import StoredWeights, remove_weights, weights_stem, write_weights
from elf.models.rearranged import official_encoder_params, official_params
from elf.models.trained_model import ExportedGraphs, TrainedModel
from elf.onnx_export.calibration import InputProducts, input_products
from elf.onnx_export.check import check_outputs, open_graph, read_self_test
from elf.onnx_export.graphs import Graphs, PackedWeights, graphs_of, write_packed_graphs
from elf.onnx_export.parity import (
    Differences,
    Writer,
    compare_encoder,
    compare_network,
    report_of,
    self_test_name,
    write_self_test,
)
from elf.progress import say, told
from elf.sampling.networks import LoadedWeights, OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array, cut_at_eos


def dtypes_of(text: str) -> list[Dtype]:
    """The dtypes of the option, in its order. Raises ConfigError for what is none."""
    known: dict[str, Dtype] = {name: name for name in DTYPES}
    words = [word.strip() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise ConfigError(f"there is no dtype {unknown[0]!r}", f"Choose from {', '.join(DTYPES)}.")
    return [*dict.fromkeys(known[word] for word in words)]


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


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Least number of insertions, deletions and substitutions that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]


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
    settings and this length. A run feeds each prediction into the next pass, so small errors can grow: only whole runs
    tell."""
    if dtype == "f32":
        return unchanged(trained, stored, tokens)
    reference, narrow = OnnxNetwork(onnx_folder, trained), OnnxNetwork(onnx_folder, stored)
    graphs, _ = compare_network(model, reference, narrow)
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


def roundings(trial: Trial, dtype: Dtype, calibrated: bool) -> tuple[dict[str, tuple[int, ...]], InputProducts | None]:
    """The network's kernels that this dtype rounds to blocks, by name, and what they multiply in runs of the model."""
    quantised = {
        name: slot.shape
        for name, slot in trial.graphs.weights.slots.items()
        if encoding_of(name, slot.shape, dtype) in BITS
    }
    # What the encoder does to a run is done once, and does not grow from step to step.
    kernels = {name: shape for name, shape in quantised.items() if not name.startswith((ENCODER, EMBEDDING))}
    products = None
    if kernels and calibrated:
        used = quantised if trial.model.elf.max_input_length else kernels
        inputs = {name: shape[0] for name, shape in used.items() if name != EMBEDDING}
        products = input_products(
            trial.model, trial.folder, trial.graphs.weights.tensors, inputs, trial.settings, trial.length
        )
    return kernels, products


def write_dtype(trial: Trial, dtype: Dtype, calibrated: bool, gated: bool) -> tuple[list[str], StorageFigures]:
    """Writes the weights in this dtype; returns the shards' names and what it changes.

    Where `gated`, kernels are stored as float16 until the text is kept, or half of them are and it is not. `calibrated`
    says whether kernels are rounded by what they multiply in the model's runs.
    """
    layout = trial.graphs.weights
    kernels, products = roundings(trial, dtype, calibrated)
    stored = stored_before(trial.model, dtype)
    shards = write_weights(layout, trial.graphs.models, dtype, trial.folder, products, stored=stored)
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


@contextmanager
def rounded(
    model: TrainedModel, dtype: Dtype, settings: SamplerSettings, length: int, *, calibrated: bool
) -> Iterator[TrainedModel]:
    """The model whose weights are those that `dtype` stores of this one: stored again in it they do not change.

    Raises CheckpointError for weights that cannot be stored so.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "onnx"
        graphs = graphs_of(model)
        graphs.write(folder)
        trial = Trial(model, graphs, folder, settings, length, {})
        write_weights(graphs.weights, graphs.models, dtype, folder, roundings(trial, dtype, calibrated)[1])
        stored = StoredWeights(folder, dtype)
        encoder_params = dict(official_encoder_params(model.encoder, stored)) if model.encoder else {}
        yield replace(
            model,
            params=dict(official_params(model.elf, stored)),
            encoder_params=encoder_params,
            training=model.training | {"weights": f"rounded to {dtype}, and so measured"},
            exported=ExportedGraphs(folder.parent, dtype, length),
        )


def stored_before(model: TrainedModel, dtype: Dtype) -> StoredWeights | None:
    """The weights that the model was read from, if they are of this very dtype."""
    if model.exported is None or model.exported.dtype != dtype:
        return None
    return StoredWeights(model.exported.folder / "onnx", dtype)


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


def describe_packed(manifest: dict[str, Any], dtype: Dtype, packed: Mapping[str, str]) -> None:
    """Adds the graphs of one dtype whose kernels stay packed, file names by graph."""
    for graph, name in packed.items():
        manifest["graphs"][graph].setdefault("packed", {})[dtype] = f"onnx/{name}"


def describe_dtype(
    folder: Path, dtype: Dtype, shards: list[str], self_test: str, figures: StorageFigures
) -> dict[str, Any]:
    """One entry of the manifest's `dtypes`; `folder` holds the shards."""
    return {
        "index": f"onnx/{weights_stem(dtype)}.json",
        "shards": [f"onnx/{shard}" for shard in shards],
        "bytes": sum((folder / shard).stat().st_size for shard in shards),
        "selfTest": f"onnx/{self_test}",
        "tokenAgreement": figures.token_agreement,
        "normalisedEditDistance": figures.edit_distance,
        "approximate": dtype in APPROXIMATE or not figures.passes,
    }


def offer_dtypes(
    trial: Trial, dtypes: list[Dtype], manifest: dict[str, Any], *, calibrated: bool, gated: bool
) -> dict[Dtype, StorageFigures]:
    """Writes the dtypes into the trial's folder and enters those that may be offered in the manifest, the first of them
    as its default; returns the figures of all. Not `gated`, all may.

    Raises ParityError where none may, and ExportedModelError where a variant of a graph computes something else.
    """
    measured: dict[Dtype, StorageFigures] = {}
    manifest["dtypes"] = {}
    for dtype in dtypes:
        shards, figures = write_dtype(trial, dtype, calibrated, gated)
        measured[dtype] = figures
        if gated and not figures.passes and dtype not in APPROXIMATE:
            remove_weights(trial.folder, dtype)
            say(
                f"{dtype} is not offered: it keeps {figures.token_agreement:.4f} of the tokens that float32 writes, at "
                f"a normalised edit distance of {figures.edit_distance:.4f}"
            )
            continue
        self_test = write_self_test(trial.model, trial.folder, StoredWeights(trial.folder, dtype), dtype)
        manifest["dtypes"][dtype] = describe_dtype(trial.folder, dtype, shards, self_test, figures)
        manifest.setdefault("defaultDtype", dtype)
        if dtype in BITS:
            describe_packed(manifest, dtype, write_packed(trial, dtype))
    if not manifest["dtypes"]:
        raise ParityError(
            f"the weights stored as {', '.join(dtypes)} write another text than the trained ones",
            "Nothing was written. Add f32 to --dtype, or offer it as approximate with --ungated.",
        )
    return measured


def write_packed(trial: Trial, dtype: Dtype) -> dict[str, str]:
    """Writes the graphs whose kernels stay packed; their file names, by graph. Raises ExportedModelError where one of
    them fails the self-test of its dtype."""
    names = write_packed_graphs(trial.graphs.models, StoredWeights(trial.folder, dtype).index, trial.folder)
    weights, tests = (
        PackedWeights(StoredWeights(trial.folder, dtype)),
        read_self_test(trial.folder / self_test_name(dtype)),
    )
    for graph, name in names.items():
        check_outputs(name, graph, open_graph(trial.folder / name, weights), tests)
    return names
