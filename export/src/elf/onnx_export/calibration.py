"""What the kernels of a model multiply in its own runs: the products that `encodings` rounds them by."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from elf.config import SamplerSettings
from elf.models.trained_model import TrainedModel
from elf.onnx_export.graphs import TAP, tapped_graphs
from elf.onnx_export.parity import Writer
from elf.progress import told
from elf.sampling.networks import GraphSession, OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array

# No text is needed: the sampler's states, from noise to text, are what the network sees when it is used.

Owner = TypeVar("Owner", OnnxNetwork, OnnxEncoder)

RUNS, STEPS = 8, 8
"""Of the calibration: some thousands of inputs to each kernel."""
FIRST_SEED = 1_000_000
"""Other seeds than those by which the outcome is judged."""
GREATEST_HELD = 2**30
"""Bytes of products held at a time; a large model is run several times, for some of its kernels each."""


class InputProducts(Mapping[str, Array]):
    """Kernel → XᵀX (K, K) float32 of its inputs X in some runs of the model. Ask in the order of `kernels`: those asked
    for are measured together with as many of the following as memory allows, and then forgotten."""

    def __init__(self, measure: Callable[[list[str]], dict[str, Array]], kernels: Mapping[str, int]):
        """`kernels`: name → K. `measure` gives the products of some of them."""
        self._measure, self._kernels = measure, dict(kernels)
        self._held: dict[str, Array] = {}

    def __getitem__(self, name: str) -> Array:
        if name not in self._held:
            if name not in self._kernels:
                raise KeyError(name)
            self._held.clear()
            self._held = self._measure(self._group(name))
        return self._held[name]

    def _group(self, first: str) -> list[str]:
        names, room = [*self._kernels], GREATEST_HELD
        group: list[str] = []
        for name in names[names.index(first) :]:
            room -= 4 * self._kernels[name] ** 2
            if group and room < 0:
                break
            group.append(name)
        return group

    def __contains__(self, name: object) -> bool:
        return name in self._kernels

    def __iter__(self) -> Iterator[str]:
        return iter(self._kernels)

    def __len__(self) -> int:
        return len(self._kernels)


def input_products(
    model: TrainedModel,
    onnx_folder: Path,
    weights: Mapping[str, Array],
    kernels: Mapping[str, int],
    settings: SamplerSettings,
    length: int,
) -> InputProducts:
    """Of `kernels` (name → K) in runs with these settings, but of few steps, and on random sources where the model
    wants them, as runs are compared. Kernels that no run uses have zeros."""

    def measure(names: list[str]) -> dict[str, Array]:
        products = {name: np.zeros((kernels[name], kernels[name]), np.float32) for name in names}
        with tapped_graphs(onnx_folder, products) as folder:
            network = tapped(OnnxNetwork(folder, weights), products)
            reads = bool(model.elf.max_input_length)
            encoder = tapped(OnnxEncoder(folder, weights), products) if reads else None
            seeds = range(FIRST_SEED, FIRST_SEED + RUNS)
            few = replace(settings, steps=min(settings.steps, STEPS))
            for seed in told(seeds, f"looking at the inputs of {len(names)} kernels"):
                Writer(network, encoder).run(model, replace(few, seed=seed), length)
        return products

    return InputProducts(measure, kernels)


def tapped(owner: Owner, products: dict[str, Array]) -> Owner:
    """`owner`, each of whose sessions from now on adds to `products` what its taps give."""
    for name, session in list(vars(owner).items()):
        if isinstance(session, GraphSession):
            setattr(owner, name, TappedSession(session, products))
    return owner


class TappedSession:
    """Stands in for a session of a tapped graph."""

    def __init__(self, session: GraphSession, products: dict[str, Array]):
        self._session, self._products = session, products
        self._taps = [output.name for output in session.get_outputs() if output.name.startswith(TAP)]

    def run(self, outputs: list[str], feeds: dict[str, Array]) -> list[Array]:
        results = self._session.run([*outputs, *self._taps], feeds)
        for tap, inputs in zip(self._taps, results[len(outputs) :], strict=True):
            rows = inputs.reshape(-1, inputs.shape[-1])
            self._products[tap.removeprefix(TAP)] += rows.T @ rows
        return results[: len(outputs)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
