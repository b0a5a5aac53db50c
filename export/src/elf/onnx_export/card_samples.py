"""The texts that a model card shows: unpicked, seeds in order, by the graphs with the weights that the page takes."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

from elf.models.exported.encodings import Dtype
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import TrainedModel
from elf.progress import told
from elf.sampler_settings import SamplerSettings
from elf.sampling.condition import encode_sources
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import sample, written

SAMPLES = 10
SAMPLES_TO_SOURCES = 20

Source = list[int]


class Sample(NamedTuple):
    seed: int
    text: str
    source: str | None = None
    """The text that it was written to, where the card shows one."""


@dataclass(frozen=True)
class CardSamples:
    """By what they were written to."""

    to_sources: list[Sample] = field(default_factory=list)
    free: list[Sample] = field(default_factory=list)
    of_parity: list[Sample] = field(default_factory=list)
    """Runs that the export was proven by: to random tokens, where the model needs a source and none are given."""


def write_samples(
    model: TrainedModel,
    onnx_folder: Path,
    dtype: Dtype,
    settings: SamplerSettings,
    length: int,
    sources: Sequence[Source],
) -> CardSamples:
    """A text to each of `sources`, the first with seed 0, the next with 1, …; and SAMPLES written freely, from seed 0
    on, where the model may do without a source. Runs of `length` positions."""
    weights, read = StoredWeights(onnx_folder, dtype), text_reader(model)
    network, encoder = OnnxNetwork(onnx_folder, weights), OnnxEncoder(onnx_folder, weights)
    shape = (1, length, model.elf.latent_size)
    samples = CardSamples()
    for seed, source in told([*enumerate(sources)], "samples for the card, to given sources"):
        # A source leaves room for one token at least.
        source = source[: length - 1]
        condition = encode_sources(encoder, [source], length)
        run = sample(network, replace(settings, seed=seed), model.flow, shape, condition)
        samples.to_sources.append(Sample(seed, read(written(run.tokens, model.elf, condition)[0]), read(source)))
    if model.elf.source_optional:
        free = replace(settings, cfg_scale=1.0)
        for seed in told(range(SAMPLES), "samples for the card, written freely"):
            run = sample(network, replace(free, seed=seed), model.flow, shape)
            samples.free.append(Sample(seed, read(written(run.tokens, model.elf)[0])))
    return samples
