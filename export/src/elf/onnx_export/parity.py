"""Proof that exported graphs are the trained model: JAX against ONNX Runtime, pass by pass and over whole runs.

Everything runs on the CPU in float32, with the trained weights on both sides. What storing them in fewer bits changes
is the business of `storage_gate`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jax
import onnxruntime

from elf.errors import ParityError
from elf.models.trained_model import TrainedModel
from elf.onnx_export.comparison import Difference, Writer, compare_encoder, compare_network, compared_run, report_of
from elf.progress import say, told
from elf.sampler_settings import SamplerSettings, named_settings
from elf.sampling.networks import JaxEncoder, JaxNetwork, OnnxEncoder, OnnxNetwork
from elf.sampling.sampler import Array

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
    """The contents of parity.json, but for what `storage_gate` adds."""
    tokens: dict[int, list[int]] = field(default_factory=dict)
    """Seed → tokens that the graphs wrote with the trained weights, before the cut at eos."""


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
    probabilities), or less than 0.999 of the runs' tokens agree.
    """
    with jax.default_device(jax.devices("cpu")[0]):
        network, exported = JaxNetwork(model), OnnxNetwork(onnx_folder, weights)
        encoders = (JaxEncoder(model), OnnxEncoder(onnx_folder, weights)) if model.encoder else None
        say("comparing the graphs with JAX, pass by pass")
        graphs = compare_network(model, network, exported)
        if encoders:
            graphs["encoder"] = {"latent": compare_encoder(model, *encoders)}
        of_probabilities = max(MAX_RELATIVE_ERROR, LOGIT_ROUNDING * graphs["decoder"]["logits"].magnitude)
        for graph, outputs in graphs.items():
            for output, difference in outputs.items():
                allowed = of_probabilities if output in OF_PROBABILITIES else MAX_RELATIVE_ERROR
                refuse_difference(graph, output, difference, allowed)
        jax_encoder, onnx_encoder = encoders or (None, None)
        writers = Writer(network, jax_encoder), Writer(exported, onnx_encoder)
        runs, tokens = compare_runs(model, *writers, settings, length, seeds)
        report: dict[str, Any] = {
            "schemaVersion": SCHEMA_VERSION,
            "jax": jax.__version__,
            "onnxruntime": onnxruntime.__version__,
            "device": "cpu",
            "relativeError": "max |a - b| / max |a|, over all cases of an output together",
            "limits": {
                "maxRelativeError": MAX_RELATIVE_ERROR,
                "maxRelativeErrorOfProbabilities": of_probabilities,
                "minTokenAgreement": MIN_TOKEN_AGREEMENT,
            },
            "graphs": report_of(graphs),
            "runs": runs,
        }
    return Parity(report, tokens)


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
    free = sum(not compared_run(model, replace(settings, seed=seed), length)[1] for seed in seeds)
    report = {
        **shared,
        **({"runsWithoutSource": free} if model.elf.source_optional else {}),
        "firstSeed": min(seeds),
        "lastSeed": max(seeds),
        "tokens": total,
        "tokenAgreement": agreement,
        "finalLatents": latents.report(),
    }
    return report, tokens
