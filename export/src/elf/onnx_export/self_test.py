"""`onnx/self-test-<dtype>.safetensors`: inputs of every graph and what they must give with this dtype's weights.

A page runs them on the device it finds itself on before it trusts it: the fused kernels gave wrong numbers on some.
The names are the graphs' own: `denoiser.z`, `denoiser.x_hat`, … One sample of at most 48 positions, which with its
prefix is more than the 32 from which the known faults began.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from safetensors.numpy import save

from elf.data.tokenizer import UNK
from elf.models.exported.rearranged import official_encoder_params, official_params
from elf.models.trained_model import TrainedModel
from elf.onnx_export.check import check_outputs
from elf.onnx_export.graphs import FUSED
from elf.onnx_export.parity import Difference, reading, refuse_difference
from elf.sampling.networks import GraphSession, JaxEncoder, JaxNetwork, LoadedWeights

Array = np.ndarray
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
    for name, value in expected.items():
        difference = Difference()
        difference.add(value, tensors[name])
        graph, _, output = name.partition(".")
        refuse_difference(graph, output, difference)
