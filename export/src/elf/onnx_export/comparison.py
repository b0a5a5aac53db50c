"""What parity checks measure: errors of single passes, whole runs, and how far two texts lie apart.

An error is relative to the largest value that the reference gives anywhere: max |a − b| / max |a|, a from the
reference, over all cases of an output together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import jax
import numpy as np

from elf.data.tokenizer import UNK
from elf.models.trained_model import TrainedModel
from elf.network.parameters import parameter_shapes
from elf.sampler_settings import SamplerSettings
from elf.sampling.condition import Encoder, encode_sources
from elf.sampling.networks import JaxNetwork, OnnxNetwork
from elf.sampling.sampler import Array, Network, Run, sample, written

LARGE = 250_000_000
"""Weights of a network from which on fewer and shorter passes are compared: each takes seconds."""


@dataclass
class Difference:
    """The largest difference of one output over all cases seen so far."""

    cases: int = 0
    absolute: float = 0.0
    magnitude: float = 0.0
    """Largest |value| that the reference gave."""

    def add(self, expected: Array, actual: Array) -> None:
        self.cases += 1
        # Written so that a NaN in either wins over every number.
        self.absolute = float(np.maximum(self.absolute, np.max(np.abs(expected - actual))))
        self.magnitude = float(np.maximum(self.magnitude, np.max(np.abs(expected))))

    @property
    def relative(self) -> float:
        return self.absolute / max(self.magnitude, 1e-30)

    def report(self) -> dict[str, float]:
        return {"cases": self.cases, "maxAbsoluteError": self.absolute, "maxRelativeError": self.relative}


Differences = dict[str, dict[str, Difference]]
"""Graph → output → how far it is off."""


def report_of(differences: Differences) -> dict[str, dict[str, dict[str, float]]]:
    """As parity.json has it."""
    return {graph: {output: d.report() for output, d in outputs.items()} for graph, outputs in differences.items()}


def compare_network(model: TrainedModel, network: JaxNetwork | OnnxNetwork, exported: OnnxNetwork) -> Differences:
    """Denoiser and decoder on random inputs of a run's size: several batches, lengths, times and scales."""
    config = model.elf
    generator = np.random.default_rng(0)
    found: Differences = {"denoiser": {"x_hat": Difference()}, "decoder": {}}
    sizes, moments = [(1, 1), (2, min(7, config.max_length)), (1, config.max_length)], [0.0, 0.03, 0.5, 0.97, 1.0]
    if sum(map(math.prod, parameter_shapes(config).values())) > LARGE:
        sizes, moments = [(2, min(7, config.max_length)), (1, min(64, config.max_length))], [0.0, 0.5]
    for batch, length in dict.fromkeys(sizes):
        shape = (batch, length, config.latent_size)
        for t in moments:
            clean, noise, x_hat_prev = (generator.standard_normal(shape, np.float32) for _ in range(3))
            z = np.float32(t) * clean + np.float32((1 - t) * model.flow.noise_scale) * noise
            x_hat_prev *= np.float32(t > 0)
            # The denoiser's time and scale are the batch's; the decoder's scales are the samples' own.
            times = np.full(batch, t, np.float32)
            scale = generator.uniform(0.5, 5, batch).astype(np.float32)
            shared = np.full_like(scale, scale[0])
            expected = network.denoise(z, x_hat_prev, times, shared)
            found["denoiser"]["x_hat"].add(expected, exported.denoise(z, x_hat_prev, times, shared))

            actual = exported.decode(z, scale)
            tokens = actual.pop("top_tokens")
            outputs = (
                network.decode(z, scale) if isinstance(network, OnnxNetwork) else reading(network, z, scale, tokens)
            )
            for output, value in actual.items():
                found["decoder"].setdefault(output, Difference()).add(outputs[output], value)
    return found


def reading(network: JaxNetwork, latent: Array, scale: Array, tokens: Array) -> dict[str, Array]:
    """What the decoder graph gives, by JAX; probabilities at `tokens` (B, L, k), which another has found the best: two
    equal logits may come in either order."""
    logits = network.decode(latent, scale)
    log_probabilities = np.asarray(jax.nn.log_softmax(logits.astype(np.float32)))
    probabilities = np.exp(log_probabilities)
    return {
        "logits": logits,
        "top_probabilities": np.take_along_axis(probabilities, tokens, axis=-1),
        "entropy": -(probabilities * log_probabilities).sum(-1),
    }


def compare_encoder(model: TrainedModel, encoder: Encoder, exported: Encoder) -> Difference:
    """The encoder on random ids, with and without padding, up to beyond its largest relative distance."""
    assert model.encoder is not None
    generator = np.random.default_rng(0)
    difference = Difference()
    for batch, length in ((1, 1), (2, 7), (1, 64), (2, model.encoder.relative_max_distance + 20)):
        ids = generator.integers(0, model.encoder.vocabulary_size, (batch, length))
        mask = np.ones_like(ids)
        mask[0, max(1, 2 * length // 3) :] = 0
        difference.add(encoder.encode(ids, mask), exported.encode(ids, mask))
    return difference


class Writer(NamedTuple):
    """One of the two that are compared over whole runs."""

    network: Network
    encoder: Encoder | None
    """Of the sources of a conditional model."""

    def run(self, model: TrainedModel, settings: SamplerSettings, length: int) -> tuple[Run, list[int]]:
        """A run of `length` positions and what it wrote, before the cut at eos; see `compared_run`."""
        condition = None
        settings, source = compared_run(model, settings, length)
        if source and self.encoder:
            condition = encode_sources(self.encoder, [source], length)
        shape = (1, length, model.elf.latent_size)
        run = sample(self.network, settings, model.flow, shape, condition)
        return run, written(run.tokens, model.elf, condition)[0]


def compared_run(model: TrainedModel, settings: SamplerSettings, length: int) -> tuple[SamplerSettings, list[int]]:
    """What a run of `length` positions is compared by: its settings, and its source, empty for none. A model that may
    do without a source gets one for odd seeds; without it there is nothing for cfg to guide by."""
    if not model.elf.max_input_length:
        return settings, []
    if model.elf.source_optional and (settings.seed % 2 == 0 or length < 2):
        return replace(settings, cfg_scale=1.0), []
    return settings, random_source(model, settings.seed, length)


def random_source(model: TrainedModel, seed: int, length: int) -> list[int]:
    """Tokens to write to, with room for one more in `length` positions."""
    generator = np.random.default_rng(seed)
    count = generator.integers(1, min(model.elf.max_input_length, length - 1), endpoint=True)
    return generator.integers(UNK + 1, model.elf.vocabulary_size, count).tolist()


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Least number of insertions, deletions and substitutions that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
