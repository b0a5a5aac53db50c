"""The two ways to run a trained model behind the sampler's `Network`: JAX, and the exported graphs in ONNX Runtime."""

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import jax
import numpy as np
import onnxruntime
from flax import nnx

from elf.models.trained_model import TrainedModel
from elf.network.encoder import T5Encoder
from elf.network.model import ELF
from elf.network.modules import Params, abstract, bind
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.paths import is_name_below

if TYPE_CHECKING:
    import onnx_ir as ir
from typing import cast

from elf.errors import CheckpointError, first_line
from elf.models.encodings import Dtype
from elf.models.exported_folder import EXPORT_AGAIN, StoredWeights

Array = np.ndarray

MOST_COPIED = 2**30
"""Bytes of weights up to which each session has its own copy, laid out for the CPU: its products are faster then."""


# Compiled once per structure and input shape, whichever model asks. Weights go in as arguments: closed over, they would
# be copied into the compiled program.
@partial(jax.jit, static_argnums=0)
def _denoise(graphdef: nnx.GraphDef[ELF], params: Params, z, x_hat_prev, t, self_cond_scale) -> jax.Array:
    return bind(graphdef, params).denoise(z, x_hat_prev, t, self_cond_scale)


@partial(jax.jit, static_argnums=0)
def _decode(graphdef: nnx.GraphDef[ELF], params: Params, latent, self_cond_scale) -> jax.Array:
    return bind(graphdef, params).decode(latent, self_cond_scale)


@partial(jax.jit, static_argnums=0)
def _encode(graphdef: nnx.GraphDef[T5Encoder], params: Params, *inputs: jax.Array) -> jax.Array:
    return bind(graphdef, params)(*inputs)


class JaxNetwork:
    """The model in JAX with float32 arithmetic on JAX's default device.

    Raises CheckpointMismatchError where the weights do not fit the configuration.
    """

    def __init__(self, model: TrainedModel):
        check_parameters(model.params, parameter_shapes(model.elf), "the ELF network")
        self.graphdef, _ = abstract(ELF, model.elf)
        # One at a time: those that lie in a file are then in memory once.
        self.params = {name: jax.device_put(value) for name, value in model.params.items()}
        self.takes_self_cond_scale = bool(model.elf.self_cond_cfg_tokens)

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return np.asarray(_denoise(self.graphdef, self.params, z, x_hat_prev, t, self_cond_scale))

    def decode(self, latent: Array, self_cond_scale: Array) -> Array:
        """Logits (B, L, V) of latents (B, L, D)."""
        with jax.default_matmul_precision("highest"):
            return np.asarray(_decode(self.graphdef, self.params, latent, self_cond_scale))

    def read(self, latent: Array, self_cond_scale: Array) -> Array:
        return self.decode(latent, self_cond_scale).argmax(-1)


class JaxEncoder:
    """The T5 encoder in JAX with the latents' normalisation. Raises CheckpointMismatchError as JaxNetwork does."""

    def __init__(self, model: TrainedModel):
        assert model.encoder is not None
        check_parameters(model.encoder_params, encoder_parameter_shapes(model.encoder), "the encoder")
        self.graphdef, _ = abstract(T5Encoder, model.encoder)
        self.params = {name: jax.device_put(value) for name, value in model.encoder_params.items()}
        self.mean, self.std = np.asarray(model.latent_mean, np.float32), np.asarray(model.latent_std, np.float32)

    def encode(self, ids: Array, mask: Array) -> Array:
        """ids, mask (B, S) integers → normalised latents (B, S, D)."""
        with jax.default_matmul_precision("highest"):
            hidden = _encode(self.graphdef, self.params, ids.astype(np.int32), mask.astype(np.int32))
        return (np.asarray(hidden) - self.mean) / self.std


class OnnxNetwork:
    """The exported graphs of a folder, `prefix`, `denoiser` and `decoder`, on the CPU, with these weights."""

    def __init__(self, folder: Path, weights: Mapping[str, Array]):
        loaded = LoadedWeights(weights)
        self.prefix = GraphSession(folder / "prefix.onnx", loaded)
        self.denoiser = GraphSession(folder / "denoiser.onnx", loaded)
        self.decoder = GraphSession(folder / "decoder.onnx", loaded)
        self.takes_self_cond_scale = any(value.name == "self_cond_scale" for value in self.prefix.get_inputs())

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        """All samples share the first one's time and scale."""
        prefix = self.prefix.run(["prefix"], self._with_scale({"t": t[:1]}, self_cond_scale[:1]))[0]
        return self.denoiser.run(["x_hat"], {"z": z, "x_hat_prev": x_hat_prev, "prefix": prefix})[0]

    def read(self, latent: Array, self_cond_scale: Array) -> Array:
        return self.decode(latent, self_cond_scale, ["top_tokens"])["top_tokens"][..., 0]

    def decode(self, latent: Array, self_cond_scale: Array, outputs: list[str] | None = None) -> dict[str, Array]:
        """The decoder graph's outputs of these names; of all, unless given."""
        outputs = outputs or [value.name for value in self.decoder.get_outputs()]
        feeds = self._with_scale({"latent": latent}, self_cond_scale)
        return dict(zip(outputs, self.decoder.run(outputs, feeds), strict=True))

    def _with_scale(self, feeds: dict[str, Array], self_cond_scale: Array) -> dict[str, Array]:
        return feeds | ({"self_cond_scale": self_cond_scale} if self.takes_self_cond_scale else {})


class OnnxEncoder:
    """The exported encoder of a folder, on the CPU, with these weights."""

    def __init__(self, folder: Path, weights: Mapping[str, Array]):
        self.session = GraphSession(folder / "encoder.onnx", weights)

    def encode(self, ids: Array, mask: Array) -> Array:
        """ids, mask (B, S) integers → normalised latents (B, S, D)."""
        feeds = {"input_ids": ids.astype(np.int64), "attention_mask": mask.astype(np.int64)}
        return self.session.run(["latent"], feeds)[0]


class LoadedWeights(dict[str, Array]):
    """Weights that are loaded once however many sessions read them."""

    def __init__(self, source: Mapping[str, Array]):
        super().__init__()
        self._source = source

    def __missing__(self, name: str) -> Array:
        self[name] = self._source[name]
        return self[name]


class GraphSession(onnxruntime.InferenceSession):
    """An ONNX Runtime session on the CPU; `weights` has the tensors that the graph keeps outside, by name.

    Of a large model it reads them in place, whoever else does. Raises KeyError for a tensor that is lacking, ValueError
    for one that would lie elsewhere than beside the graph, or in one of its operations.
    """

    def __init__(self, path: Path, weights: Mapping[str, Array]):
        # It loads sympy, which takes a second that a sampler in JAX need not wait.
        import onnx_ir as ir

        graph = ir.load(path).graph
        initializers = {name: value.const_value for name, value in graph.initializers.items()}
        outside = {name: value for name, value in initializers.items() if isinstance(value, ir.ExternalTensor)}
        _check_places(graph, outside.values())
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3
        # Idle threads sleep: spinning ones take the cores from whatever else the machine does.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self.kept = {name: onnxruntime.OrtValue.ortvalue_from_numpy(weights[name]) for name in outside}
        if sum(value.nbytes for value in outside.values()) <= MOST_COPIED:
            options.add_external_initializers([*self.kept], [*self.kept.values()])
            super().__init__(str(path), options, providers=["CPUExecutionProvider"])
            return
        for name, value in self.kept.items():
            options.add_initializer(name, value)
        # Laid out anew for the CPU, kernels would take memory once more; computed with beforehand, they would be read
        # from the files, which are not there.
        options.add_session_config_entry("session.disable_prepacking", "1")
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        with placeholders(path, outside.values()) as copy:
            super().__init__(str(copy), options, providers=["CPUExecutionProvider"])


def _check_places(graph: "ir.Graph", outside: Iterable["ir.ExternalTensor"]) -> None:
    """Raises ValueError where a graph names a file that is none beside it, or keeps numbers outside that nobody gives:
    what it names would be made, or read."""
    import onnx_ir as ir

    for tensor in outside:
        location = str(tensor.location)
        if not is_name_below(location) or "/" in location:
            raise ValueError(f"{tensor.name} lies in {location!r}, which is no file beside it")
    for node in graph.all_nodes():
        for attribute in node.attributes.values():
            inner = [attribute.value] if attribute.type == ir.AttributeType.GRAPH else []
            inner = [*attribute.value] if attribute.type == ir.AttributeType.GRAPHS else inner
            held = [value.const_value for each in inner for value in each.initializers.values()]
            held += [attribute.value] if attribute.type == ir.AttributeType.TENSOR else []
            if any(isinstance(each, ir.ExternalTensor) for each in held):
                raise ValueError(f"the operation {node.name or node.op_type} keeps numbers in another file")


@contextmanager
def placeholders(path: Path, outside: Iterable["ir.ExternalTensor"]) -> Iterator[Path]:
    """A copy of a graph beside empty files, which take no room, in the place of those that its tensors lie in: ONNX
    Runtime looks whether these are there, also for tensors that it is given."""
    with TemporaryDirectory() as scratch:
        ends: dict[str, int] = {}
        for tensor in outside:
            end = (tensor.offset or 0) + (tensor.length or 0)
            ends[str(tensor.location)] = max(end, ends.get(str(tensor.location), 0))
        for location, end in ends.items():
            with (Path(scratch) / location).open("wb") as file:
                file.truncate(end)
        yield Path(shutil.copy(path, scratch))


def open_graphs(model: TrainedModel) -> tuple[OnnxNetwork, OnnxEncoder | None]:
    """The graphs of a model that was opened from an exported folder. Raises CheckpointError for broken ones."""
    assert model.exported is not None
    folder = model.exported.folder
    graphs = folder / "onnx"
    try:
        weights = StoredWeights(graphs, cast(Dtype, model.exported.dtype))
        return OnnxNetwork(graphs, weights), OnnxEncoder(graphs, weights) if model.encoder else None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the graphs of {folder} cannot be opened: {first_line(error)}", EXPORT_AGAIN) from error
