"""Proof that exported graphs are the trained model: JAX against ONNX Runtime, pass by pass and over whole runs, and
tests for the page."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
import onnxruntime
from safetensors.numpy import save

from elf.config import SamplerSettings, named_settings
from elf.data.tokenizer import EOS, UNK
from elf.errors import ParityError
from elf.models.rearranged import official_encoder_params, official_params
from elf.models.trained_model import TrainedModel
from elf.network.parameters import parameter_shapes
from elf.onnx_export.check import check_outputs
from elf.onnx_export.graphs import FUSED
from elf.progress import say, told
from elf.sampling.condition import Encoder, encode_sources
from elf.sampling.networks import GraphSession, JaxEncoder, JaxNetwork, LoadedWeights, OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array, Network, Run, cut_at_eos, sample, written

# Everything runs on the CPU in float32, with the trained weights on both sides. What storing them in fewer bits changes
# is the business of `dtypes`. An error is relative to the largest value that the reference gives anywhere: max |a − b|
# / max |a|, a from the reference, over all cases of an output together.

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


def compare_network(
    model: TrainedModel, network: JaxNetwork | OnnxNetwork, exported: OnnxNetwork
) -> tuple[Differences, float]:
    """Denoiser and decoder on random inputs of a run's size: several batches, lengths, times and scales; and the
    largest |logit| that `network` gave, 0 for a graph that gives none."""
    config = model.elf
    generator = np.random.default_rng(0)
    found: Differences = {"denoiser": {"x_hat": Difference()}, "decoder": {}}
    largest_logit = 0.0
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
            if "logits" in outputs:
                largest_logit = max(largest_logit, float(np.max(np.abs(outputs["logits"]))))
    return found, largest_logit


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


MAX_RELATIVE_ERROR = 1e-4
LOGIT_ROUNDING = 2.0**-24
"""What float32 cannot tell of a logit, relative to its size. The logit's absolute error is its probability's relative
one, so where logits reach thousands no two ways to sum them agree on probabilities to MAX_RELATIVE_ERROR."""
OF_PROBABILITIES = ("top_probabilities", "entropy")
"""Outputs of the decoder that are made of probabilities."""
MIN_TOKEN_AGREEMENT = 0.999
SCHEMA_VERSION = 2


@dataclass(frozen=True)
class Parity:
    """What `check_parity` found."""

    report: dict[str, Any]
    """The contents of parity.json, but for what `dtypes` adds."""
    tokens: dict[int, list[int]] = field(default_factory=dict)
    """Seed → tokens that the graphs wrote with the trained weights, before the cut at eos."""
    ends: Array = field(default_factory=lambda: np.zeros((0, 0), np.float32))
    """The latents (n, D) that these texts ended in, all positions behind the sources."""


def check_parity(
    model: TrainedModel,
    onnx_folder: Path,
    weights: Mapping[str, Array],
    settings: SamplerSettings,
    length: int,
    seeds: range,
) -> Parity:
    """Compares a model with its graphs in `onnx_folder` over `weights`, those of the graphs' layout.

    Whole runs use `settings` with each of `seeds`, `length` positions each, and random sources where the model wants
    them; every other one of a model that may do without.

    Raises ParityError when an output differs by more than 1e-4 relative (or by what rounding of large logits makes of
    probabilities), or less than 0.999 of the runs' tokens agree, of all or, but for one, of those of their texts.
    """
    with jax.default_device(jax.devices("cpu")[0]):
        network, exported = JaxNetwork(model), OnnxNetwork(onnx_folder, weights)
        encoders = (JaxEncoder(model), OnnxEncoder(onnx_folder, weights)) if model.encoder else None
        say("comparing the graphs with JAX, pass by pass")
        graphs, largest_logit = compare_network(model, network, exported)
        if encoders:
            graphs["encoder"] = {"latent": compare_encoder(model, *encoders)}
        for graph, outputs in graphs.items():
            for output, difference in outputs.items():
                refuse_difference(graph, output, difference, allowed_error(output, largest_logit))
        jax_encoder, onnx_encoder = encoders or (None, None)
        writers = Writer(network, jax_encoder), Writer(exported, onnx_encoder)
        runs, tokens, ends = compare_runs(model, *writers, settings, length, seeds)
        report: dict[str, Any] = {
            "schemaVersion": SCHEMA_VERSION,
            "jax": jax.__version__,
            "onnxruntime": onnxruntime.__version__,
            "device": "cpu",
            "relativeError": "max |a - b| / max |a|, over all cases of an output together",
            "limits": {
                "maxRelativeError": MAX_RELATIVE_ERROR,
                "maxRelativeErrorOfProbabilities": allowed_error("entropy", largest_logit),
                "minTokenAgreement": MIN_TOKEN_AGREEMENT,
            },
            "graphs": report_of(graphs),
            "runs": runs,
        }
    return Parity(report, tokens, ends)


def allowed_error(output: str, largest_logit: float) -> float:
    """Of an output, relative, where no logit is larger than that."""
    of_probabilities = max(MAX_RELATIVE_ERROR, LOGIT_ROUNDING * largest_logit)
    return of_probabilities if output in OF_PROBABILITIES else MAX_RELATIVE_ERROR


def refuse_difference(graph: str, output: str, difference: Difference, allowed: float = MAX_RELATIVE_ERROR) -> None:
    # `not ≤` rather than `>`: a NaN must not pass.
    if not difference.relative <= allowed:
        raise ParityError(
            f"the {graph} graph's {output} differs from JAX by {difference.relative:.2g} of its largest value "
            f"(allowed: {allowed:.2g})",
            "Nothing was written. The graph does not compute what was trained: mend elf/onnx_export.",
        )


def compare_runs(
    model: TrainedModel, jax_writer: Writer, onnx_writer: Writer, settings: SamplerSettings, length: int, seeds: range
) -> tuple[dict[str, Any], dict[int, list[int]], Array]:
    """Whole sampler runs; returns the report, by seed the tokens the graphs wrote, and the latents (n, D) that these
    ended in. May raise ParityError."""
    equal, differing, count_written = 0, 0, 0
    latents = Difference()
    tokens: dict[int, list[int]] = {}
    ends: list[Array] = []
    for seed in told(seeds, "comparing whole runs"):
        of_seed = replace(settings, seed=seed)
        expected, text = jax_writer.run(model, of_seed, length)
        actual, tokens[seed] = onnx_writer.run(model, of_seed, length)
        equal += int((expected.tokens == actual.tokens).sum())
        # Neither a source, which is given, nor what fills a row behind both texts says anything of them.
        end = 1 + max(len(cut_at_eos(each, EOS)) for each in (text, tokens[seed]))
        pairs = [*zip(text[:end], tokens[seed][:end], strict=True)]
        differing += sum(a != b for a, b in pairs)
        count_written += len(pairs)
        latents.add(expected.z, actual.z)
        _, source = compared_run(model, of_seed, length)
        ends.append(actual.z[0, len(source) :])
    total = length * len(seeds)
    agreement, of_written = equal / total, 1 - differing / count_written
    # One near tie between two tokens may be more than a thousandth of short texts.
    if agreement < MIN_TOKEN_AGREEMENT or differing > max(1, (1 - MIN_TOKEN_AGREEMENT) * count_written):
        raise ParityError(
            f"over {len(seeds)} whole runs only {min(agreement, of_written):.4f} of the tokens agree with JAX "
            f"(needed: {MIN_TOKEN_AGREEMENT:g}), though every single pass does",
            "Nothing was written. Train longer or with more noise: this model magnifies rounding errors.",
        )
    shared = {name: value for name, value in named_settings(settings, length).items() if name != "seed"}
    free = sum(not compared_run(model, replace(settings, seed=seed), length)[1] for seed in seeds)
    report = {
        **shared,
        **({"runsWithoutSource": free} if model.elf.source_optional else {}),
        "firstSeed": min(seeds),
        "lastSeed": max(seeds),
        "tokens": total,
        "tokenAgreement": agreement,
        "writtenTokens": count_written,
        "writtenTokenAgreement": of_written,
        "finalLatents": latents.report(),
    }
    return report, tokens, np.concatenate(ends)


# --- `onnx/self-test-<dtype>.safetensors`: what every graph must give with the weights of this dtype ----------------
#
# A page runs them on the device it finds itself on before it trusts it: the fused kernels gave wrong numbers on some.
# The names are the graphs' own: `denoiser.z`, `denoiser.x_hat`, … One sample of at most 48 positions, which with its
# prefix is more than the 32 from which the known faults began.

Tensors = dict[str, Array]

POSITIONS = 48
TIMES = (0.2, 0.6)
SCALES = (3.0, 1.0)
"""Of the two prefixes; the denoiser is given the second."""


def self_test_name(dtype: str) -> str:
    return f"self-test-{dtype}.safetensors"


def write_self_test(model: TrainedModel, folder: Path, weights: Mapping[str, Array], dtype: str) -> str:
    """Runs the plain graphs of `folder` with these weights and writes what they gave; returns the file's name.

    `weights` are those of the dtype, by the names of the graphs. Raises ParityError where the graphs' outputs are not
    JAX's with the same weights, ExportedModelError where the fused graphs' are not theirs.
    """
    tensors = self_test(model, folder, weights)
    check_against_jax(model, weights, tensors)
    name = self_test_name(dtype)
    (folder / name).write_bytes(save(tensors))
    for path in sorted(folder.glob(f"*{FUSED}.onnx")):
        check_outputs(path.name, path.stem.removesuffix(FUSED), GraphSession(path, weights), tensors)
    return name


class Sessions(dict[str, GraphSession]):
    """The graphs that a folder has, by name, over one copy of the weights; opened when asked for."""

    def __init__(self, folder: Path, weights: Mapping[str, Array]):
        super().__init__()
        self.folder, self.weights = folder, LoadedWeights(weights)

    def __missing__(self, graph: str) -> GraphSession:
        self[graph] = GraphSession(self.folder / f"{graph}.onnx", self.weights)
        return self[graph]

    def answers(self, graph: str, inputs: Tensors) -> Tensors:
        """All outputs of a graph but the logits, which are large and say nothing more."""
        names = [output.name for output in self[graph].get_outputs() if output.name != "logits"]
        return dict(zip(names, self[graph].run(names, inputs), strict=True))


def self_test(model: TrainedModel, folder: Path, weights: Mapping[str, Array]) -> Tensors:
    """Inputs made from random tokens, or from noise where the model has no encoder, and the graphs' outputs."""
    sessions = Sessions(folder, weights)
    config, generator = model.elf, np.random.default_rng(0)
    length = min(config.max_length, POSITIONS)
    shape = (1, length, config.latent_size)
    tensors: Tensors = {}

    def run(graph: str, **inputs: Array) -> Tensors:
        known = {value.name for value in sessions[graph].get_inputs()}
        inputs = {name: np.ascontiguousarray(value) for name, value in inputs.items() if name in known}
        outputs = sessions.answers(graph, inputs)
        tensors.update({f"{graph}.{name}": value for name, value in (inputs | outputs).items()})
        return outputs

    clean, noise = (generator.standard_normal(shape, np.float32) for _ in range(2))
    if model.encoder:
        ids = generator.integers(UNK + 1, model.encoder.vocabulary_size, (1, length))
        mask = np.ones_like(ids)
        # Hidden positions show a mask that is not heeded.
        mask[0, length - length // 4 :] = 0
        clean = run("encoder", input_ids=ids, attention_mask=mask)["latent"]
    t, scale = np.asarray(TIMES, np.float32), np.asarray(SCALES, np.float32)
    prefix = run("prefix", t=t, self_cond_scale=scale)["prefix"][1:]
    z = t[1] * clean + (1 - t[1]) * np.float32(model.flow.noise_scale) * noise
    run("denoiser", z=z, x_hat_prev=np.float32(0.5) * clean, prefix=prefix)
    run("decoder", latent=clean, self_cond_scale=scale[:1])
    return tensors


def check_against_jax(model: TrainedModel, weights: Mapping[str, Array], tensors: Tensors) -> None:
    """Raises ParityError where a stored output is not what JAX computes with the same weights."""
    same = replace(model, params=official_params(model.elf, weights))
    if same.encoder:
        same = replace(same, encoder_params=official_encoder_params(same.encoder, weights))
    network = JaxNetwork(same)
    z, x_hat_prev = tensors["denoiser.z"], tensors["denoiser.x_hat_prev"]
    t, w = (np.asarray(values[1:], np.float32) for values in (TIMES, SCALES))
    scale = tensors.get("decoder.self_cond_scale", np.ones(1, np.float32))
    read = reading(network, tensors["decoder.latent"], scale, tensors["decoder.top_tokens"])
    expected = {
        "denoiser.x_hat": network.denoise(z, x_hat_prev, t, w),
        "decoder.top_probabilities": read["top_probabilities"],
        "decoder.entropy": read["entropy"],
    }
    if same.encoder:
        ids, mask = tensors["encoder.input_ids"], tensors["encoder.attention_mask"]
        expected["encoder.latent"] = JaxEncoder(same).encode(ids, mask)
    largest_logit = float(np.max(np.abs(read["logits"])))
    for name, value in expected.items():
        difference = Difference()
        difference.add(value, tensors[name])
        graph, _, output = name.partition(".")
        refuse_difference(graph, output, difference, allowed_error(output, largest_logit))
