"""Proof that exported graphs are the trained model: JAX against ONNX Runtime, pass by pass and over whole runs.

Everything runs on the CPU in float32. An error is relative to the largest value that JAX gives anywhere:
max |a − b| / max |a|, a from JAX and b from ONNX Runtime, over all cases of an output together.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import onnxruntime

from elf.data.tokenizer import EOS, UNK
from elf.errors import ParityError
from elf.network.trained_model import FlatParams, TrainedModel
from elf.progress import say, told
from elf.sampling.condition import Encoder, encode_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork, OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array, Network, Run, cut_at_eos, sample, written
from elf.sampling.settings import SamplerSettings, named_settings

MAX_RELATIVE_ERROR = 1e-4
MIN_TOKEN_AGREEMENT = 0.999
SCHEMA_VERSION = 1


@dataclass
class Difference:
    """The largest difference of one output over all cases seen so far."""

    cases: int = 0
    absolute: float = 0.0
    magnitude: float = 0.0
    """Largest |value| that JAX gave."""

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


@dataclass(frozen=True)
class Parity:
    """What `check_parity` found."""

    report: dict[str, Any]
    """The contents of parity.json."""
    tokens: dict[int, list[int]] = field(default_factory=dict)
    """Seed → tokens that the exported graphs wrote, before the cut at eos."""


def check_parity(
    model: TrainedModel, onnx_folder: Path, dtype: str, settings: SamplerSettings, length: int, seeds: range
) -> Parity:
    """Compares a model with its graphs in `onnx_folder`.

    The model is taken with the weights that the file holds: for "f16", rounded to float16, since the graphs widen them
    and compute in float32 like JAX. What the rounding itself changes is reported apart, as information. Whole runs
    use `settings` with each of `seeds`, `length` positions each, and random sources where the model wants them.

    Raises ParityError when an output differs by more than 1e-4 relative, or less than 0.999 of the runs' tokens agree.
    """
    with jax.default_device(jax.devices("cpu")[0]):
        stored = stored_weights(model, dtype)
        network, exported = JaxNetwork(stored), OnnxNetwork(onnx_folder)
        say("comparing the graphs with JAX, pass by pass")
        graphs = compare_network(stored, network, exported)
        if model.encoder:
            graphs["encoder"] = compare_encoder(stored, onnx_folder)
        for graph, outputs in graphs.items():
            for output, difference in outputs.items():
                refuse_difference(graph, output, difference)
        encoders = (JaxEncoder(stored), OnnxEncoder(onnx_folder)) if model.encoder else (None, None)
        writers = Writer(network, encoders[0]), Writer(exported, encoders[1])
        runs, tokens = compare_runs(stored, *writers, settings, length, seeds)
        report: dict[str, Any] = {
            "schemaVersion": SCHEMA_VERSION,
            "jax": jax.__version__,
            "onnxruntime": onnxruntime.__version__,
            "device": "cpu",
            "relativeError": "max |a - b| / max |a|, a from JAX, over all cases of an output together",
            "limits": {"maxRelativeError": MAX_RELATIVE_ERROR, "minTokenAgreement": MIN_TOKEN_AGREEMENT},
            "weights": "the stored ones on both sides" if dtype == "f32" else "rounded to float16 on both sides",
            "graphs": {g: {o: d.report() for o, d in outputs.items()} for g, outputs in graphs.items()},
            "runs": runs,
        }
        if dtype != "f32":
            report["storage"] = compare_storage(model, tokens, settings, length)
    return Parity(report, tokens)


def stored_weights(model: TrainedModel, dtype: str) -> TrainedModel:
    """The model with its weights as the file holds them: rounded to float16 for "f16"."""
    if dtype == "f32":
        return model

    def rounded(params: FlatParams) -> FlatParams:
        return {name: value.astype(np.float16).astype(np.float32) for name, value in params.items()}

    return replace(model, params=rounded(model.params), encoder_params=rounded(model.encoder_params))


def refuse_difference(graph: str, output: str, difference: Difference) -> None:
    # `not ≤` rather than `>`: a NaN must not pass.
    if not difference.relative <= MAX_RELATIVE_ERROR:
        raise ParityError(
            f"the {graph} graph's {output} differs from JAX by {difference.relative:.2g} of its largest value "
            f"(allowed: {MAX_RELATIVE_ERROR:g})",
            "Nothing was written. The graph does not compute what was trained: mend elf/onnx_*.py.",
        )


def compare_network(
    model: TrainedModel, network: JaxNetwork, exported: OnnxNetwork
) -> dict[str, dict[str, Difference]]:
    """Denoiser and decoder on random inputs of a run's size: several batches, lengths, times and scales."""
    config = model.elf
    generator = np.random.default_rng(0)
    names = ("denoiser", "x_hat"), ("decoder", "logits"), ("decoder", "top_probabilities"), ("decoder", "entropy")
    found: dict[str, dict[str, Difference]] = {"denoiser": {}, "decoder": {}}
    for graph, output in names:
        found[graph][output] = Difference()
    for batch, length in {(1, 1), (2, min(7, config.max_length)), (1, config.max_length)}:
        shape = (batch, length, config.latent_size)
        for t in (0.0, 0.03, 0.5, 0.97, 1.0):
            clean, noise, x_hat_prev = (generator.standard_normal(shape, np.float32) for _ in range(3))
            z = np.float32(t) * clean + np.float32((1 - t) * model.flow.noise_scale) * noise
            x_hat_prev *= np.float32(t > 0)
            # Times a little apart, so that a graph which mixes up the samples of a batch shows.
            times = np.linspace(t, 0.9 * t, batch, dtype=np.float32)
            scale = generator.uniform(0.5, 5, batch).astype(np.float32)
            expected = network.denoise(z, x_hat_prev, times, scale)
            found["denoiser"]["x_hat"].add(expected, exported.denoise(z, x_hat_prev, times, scale))

            logits = network.decode(z, scale)
            outputs = ["logits", "top_probabilities", "entropy", "top_tokens"]
            actual = exported.decode_to(outputs, z, scale)
            log_probabilities = np.asarray(jax.nn.log_softmax(logits.astype(np.float32)))
            probabilities = np.exp(log_probabilities)
            # Read at the graph's own tokens: two equal logits may come in either order.
            top = np.take_along_axis(probabilities, actual["top_tokens"], axis=-1)
            found["decoder"]["logits"].add(logits, actual["logits"])
            found["decoder"]["top_probabilities"].add(top, actual["top_probabilities"])
            found["decoder"]["entropy"].add(-(probabilities * log_probabilities).sum(-1), actual["entropy"])
    return found


def compare_encoder(model: TrainedModel, onnx_folder: Path) -> dict[str, Difference]:
    """The encoder on random ids, with and without padding, up to beyond its largest relative distance."""
    assert model.encoder is not None
    generator = np.random.default_rng(0)
    encoder, exported = JaxEncoder(model), OnnxEncoder(onnx_folder)
    difference = Difference()
    for batch, length in ((1, 1), (2, 7), (1, 64), (2, model.encoder.relative_max_distance + 20)):
        ids = generator.integers(0, model.encoder.vocabulary_size, (batch, length))
        mask = np.ones_like(ids)
        mask[0, max(1, 2 * length // 3) :] = 0
        difference.add(encoder.encode(ids, mask), exported.encode(ids, mask))
    return {"latent": difference}


class Writer(NamedTuple):
    """One of the two that are compared over whole runs."""

    network: Network
    encoder: Encoder | None
    """Of the sources of a conditional model."""

    def run(self, model: TrainedModel, settings: SamplerSettings, length: int) -> tuple[Run, list[int]]:
        """A run of `length` positions and what it wrote, before the cut at eos; on a source made from the seed."""
        condition = None
        if model.elf.max_input_length and self.encoder:
            condition = encode_sources(self.encoder, [random_source(model, settings.seed, length)], length)
        shape = (1, length, model.elf.latent_size)
        run = sample(self.network, settings, model.flow, shape, condition)
        return run, written(run.tokens, model.elf, condition)[0]


def random_source(model: TrainedModel, seed: int, length: int) -> list[int]:
    """Tokens to write to, with room for one more in `length` positions."""
    generator = np.random.default_rng(seed)
    count = generator.integers(1, min(model.elf.max_input_length, length - 1), endpoint=True)
    return generator.integers(UNK + 1, model.elf.vocabulary_size, count).tolist()


def compare_runs(
    model: TrainedModel, jax_writer: Writer, onnx_writer: Writer, settings: SamplerSettings, length: int, seeds: range
) -> tuple[dict[str, Any], dict[int, list[int]]]:
    """Whole sampler runs; returns the report and, by seed, the tokens the graphs wrote. May raise ParityError."""
    equal = 0
    latents = Difference()
    tokens: dict[int, list[int]] = {}
    for seed in told(seeds, "comparing whole runs"):
        of_seed = replace(settings, seed=seed)
        expected, _ = jax_writer.run(model, of_seed, length)
        actual, tokens[seed] = onnx_writer.run(model, of_seed, length)
        equal += int((expected.tokens == actual.tokens).sum())
        latents.add(expected.z, actual.z)
    total = length * len(seeds)
    agreement = equal / total
    if not agreement >= MIN_TOKEN_AGREEMENT:
        raise ParityError(
            f"over {len(seeds)} whole runs only {agreement:.4f} of the tokens agree with JAX "
            f"(needed: {MIN_TOKEN_AGREEMENT:g}), though every single pass does",
            "Nothing was written. Train longer or with more noise: this model magnifies rounding errors.",
        )
    shared = {name: value for name, value in named_settings(settings, length).items() if name != "seed"}
    report = {
        **shared,
        "firstSeed": min(seeds),
        "lastSeed": max(seeds),
        "tokens": total,
        "tokenAgreement": agreement,
        "finalLatents": latents.report(),
    }
    return report, tokens


def compare_storage(
    model: TrainedModel, tokens: dict[int, list[int]], settings: SamplerSettings, length: int
) -> dict[str, Any]:
    """What rounding the weights changes in the text: graphs with stored weights against JAX with the trained ones."""
    writer = Writer(JaxNetwork(model), JaxEncoder(model) if model.encoder else None)
    equal, distances = 0, []
    for seed, ours in told(tokens.items(), "measuring what float16 changes"):
        _, trained = writer.run(model, replace(settings, seed=seed), length)
        equal += sum(a == b for a, b in zip(trained, ours, strict=True))
        a, b = cut_at_eos(trained, EOS), cut_at_eos(ours, EOS)
        distances.append(edit_distance(a, b) / max(len(a), len(b), 1))
    return {
        "comparison": "graphs with float16 weights against JAX with the trained float32 weights; information, no limit",
        "tokenAgreement": equal / sum(map(len, tokens.values())),
        "normalisedEditDistance": math.fsum(distances) / len(distances),
    }


def edit_distance(a: Sequence[int], b: Sequence[int]) -> int:
    """Least number of insertions, deletions and substitutions that turn `a` into `b`."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, start=1):
        diagonal, row[0] = row[0], i
        for j, y in enumerate(b, start=1):
            diagonal, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, diagonal + (x != y))
    return row[-1]
