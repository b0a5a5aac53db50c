"""The two ways to run a trained model behind the sampler's `Network`: JAX, and the exported graphs in ONNX Runtime."""

from pathlib import Path

import jax
import numpy as np
import onnxruntime

from elf.encoder import abstract_encoder
from elf.model import abstract_elf
from elf.modules import bind
from elf.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.trained_model import TrainedModel

Array = np.ndarray


class JaxNetwork:
    """The model in JAX with float32 arithmetic, compiled once per input shape, on JAX's default device.

    Raises CheckpointMismatchError where the weights do not fit the configuration.
    """

    def __init__(self, model: TrainedModel):
        check_parameters(model.params, parameter_shapes(model.elf), "the ELF network")
        graphdef, _ = abstract_elf(model.elf)
        # Weights go in as arguments: closed over, they would be copied into the compiled program.
        self._params = jax.device_put(model.params)
        self._denoise = jax.jit(lambda params, *inputs: bind(graphdef, params).denoise(*inputs))
        self._decode = jax.jit(lambda params, *inputs: bind(graphdef, params).decode(*inputs))

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return np.asarray(self._denoise(self._params, z, x_hat_prev, t, self_cond_scale))

    def decode(self, latent: Array, self_cond_scale: Array) -> Array:
        with jax.default_matmul_precision("highest"):
            return np.asarray(self._decode(self._params, latent, self_cond_scale))


class JaxEncoder:
    """The T5 encoder in JAX with the latents' normalisation. Raises CheckpointMismatchError as JaxNetwork does."""

    def __init__(self, model: TrainedModel):
        assert model.encoder is not None
        check_parameters(model.encoder_params, encoder_parameter_shapes(model.encoder), "the encoder")
        graphdef, _ = abstract_encoder(model.encoder)
        self._params = jax.device_put(model.encoder_params)
        mean, std = np.asarray(model.latent_mean, np.float32), np.asarray(model.latent_std, np.float32)
        self._encode = jax.jit(lambda params, ids, mask: (bind(graphdef, params)(ids, mask) - mean) / std)

    def encode(self, ids: Array, mask: Array) -> Array:
        """ids, mask (B, S) integers → normalised latents (B, S, D)."""
        with jax.default_matmul_precision("highest"):
            return np.asarray(self._encode(self._params, ids.astype(np.int32), mask.astype(np.int32)))


class OnnxNetwork:
    """The exported graphs of a folder (`denoiser.onnx`, `decoder.onnx`, `weights.bin`) on the CPU."""

    def __init__(self, folder: Path):
        self.denoiser = open_session(folder / "denoiser.onnx")
        self.decoder = open_session(folder / "decoder.onnx")

    def denoise(self, z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        feeds = {"z": z, "x_hat_prev": x_hat_prev, "t": t, "self_cond_scale": self_cond_scale}
        return self.denoiser.run(["x_hat"], feeds)[0]

    def decode(self, latent: Array, self_cond_scale: Array) -> Array:
        return self.decoder.run(["logits"], {"latent": latent, "self_cond_scale": self_cond_scale})[0]


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session on the CPU; reads the weights file beside the graph."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
