"""A trained model at rest: configuration, weights under their official names, and what it takes to read its text."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, load_file

from elf.checkpoints.array_files import write_safetensors
from elf.config import ElfConfig, FlowConfig, SamplerSettings, SelfCondStart, T5Config
from elf.data.tokenizer_json import copy_tokenizer
from elf.errors import CheckpointError, ConfigError
from elf.network.parameters import shapes_of
from elf.paths import is_address, written_whole
from elf.text_file import json_value

BEFORE_SELF_COND_START: SelfCondStart = "zero"
"""`FlowConfig.self_cond_start` of a model or a training of this project that says nothing of it: then there was no
choice."""

FlatParams = dict[str, np.ndarray]
"""Weights by path, the path's parts joined by '/', kernels laid out (in, out) (spec section 2)."""


@dataclass(frozen=True)
class ExportedGraphs:
    """That a model is also there as graphs: the folder that `elf export` wrote."""

    folder: Path
    dtype: str
    """Which of its weights."""
    length: int
    """Positions of a run unless asked otherwise."""


@dataclass
class TrainedModel:
    """Everything that defines a model. `params` are the weights to sample with (the EMA of a run, usually)."""

    name: str
    elf: ElfConfig
    flow: FlowConfig
    params: Mapping[str, np.ndarray]
    """May be LazyWeights, which are read from a checkpoint's file at every access."""
    encoder: T5Config | None = None
    encoder_params: Mapping[str, np.ndarray] = field(default_factory=dict)
    latent_mean: float | np.ndarray = 0.0
    """Subtracted from the encoder's output: a number, or (D,)."""
    latent_std: float | np.ndarray = 0.2
    tokenizer: Path | None = None
    """A `tokenizer.json`; None for a model that works on bare ids."""
    training: dict[str, Any] = field(default_factory=dict)
    """Facts for the model card: corpus, licence, command, steps, seconds, losses."""
    sampling: SamplerSettings = field(default_factory=SamplerSettings)
    """How it is sampled unless asked otherwise."""
    source: dict[str, str] = field(default_factory=dict)
    """`repository` and `revision` of weights that came from a hub."""
    exported: ExportedGraphs | None = None

    def in_memory(self) -> "TrainedModel":
        """The same, its weights held: what is read many times, or as a whole."""
        return replace(self, params=dict(self.params), encoder_params=dict(self.encoder_params))


def save_trained_model(model: TrainedModel, directory: Path) -> None:
    """Writes `config.json`, `model.safetensors`, `encoder.safetensors` and the tokenizer into `directory`.

    Each file is there whole, or as it was before: a run writes its model again and again, and may be killed meanwhile.
    Weights that lie in files are read one at a time.
    """
    directory.mkdir(parents=True, exist_ok=True)
    config = {
        "format": 1,
        "name": model.name,
        "elf": asdict(model.elf),
        "flow": asdict(model.flow),
        "encoder": asdict(model.encoder) if model.encoder else None,
        "latent_mean": plain_statistic(model.latent_mean),
        "latent_std": plain_statistic(model.latent_std),
        "training": model.training,
    }
    with written_whole(directory / "model.safetensors") as file:
        write_safetensors(file, shapes_of(model.params), model.params.values())
    if model.encoder:
        with written_whole(directory / "encoder.safetensors") as file:
            write_safetensors(file, shapes_of(model.encoder_params), model.encoder_params.values())
    if model.tokenizer:
        copy_tokenizer(model.tokenizer, directory)
    # Written last: a folder with a config.json is a whole model.
    with written_whole(directory / "config.json") as file:
        file.write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def load_trained_model(directory: Path) -> TrainedModel:
    """Reads what `save_trained_model` wrote. Raises CheckpointError naming the file that is missing or broken."""
    path = directory / "config.json"
    if not path.is_file():
        raise CheckpointError(
            f"{directory} holds no trained model: {path.name} is missing",
            "Give the folder of a training run's `model`, or one written by `elf make-random`.",
        )
    try:
        config = json_value(path.read_text(encoding="utf-8-sig"))
        encoder = T5Config(**config["encoder"]) if config["encoder"] else None
        path = directory / "model.safetensors"
        params = load_weights(path)
        path = directory / "encoder.safetensors"
        encoder_params = load_weights(path) if encoder else {}
        tokenizer = directory / "tokenizer.json"
        check_names(config["name"], config["training"], {})
        return TrainedModel(
            name=config["name"],
            elf=ElfConfig(**config["elf"]),
            flow=FlowConfig(**{"self_cond_start": BEFORE_SELF_COND_START, **config["flow"]}),
            params=params,
            encoder=encoder,
            encoder_params=encoder_params,
            latent_mean=read_statistic(config["latent_mean"]),
            latent_std=read_statistic(config["latent_std"]),
            tokenizer=tokenizer if tokenizer.is_file() else None,
            training=config["training"],
        )
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(
            f"{path} cannot be read: {error}", "Copy the folder again, or write it anew from the training run."
        ) from error


def load_weights(file: Path) -> FlatParams:
    """All tensors of a safetensors file. Raises OSError and SafetensorError."""
    return load(file.read_bytes()) if is_address(file) else load_file(file)


def plain_statistic(value: float | np.ndarray) -> float | list[float]:
    """A latent's mean or std for JSON."""
    return value.tolist() if isinstance(value, np.ndarray) else float(value)


def read_statistic(value: Any) -> float | np.ndarray:
    """The way back. Raises ValueError or TypeError for what is neither a finite number nor a list of some."""
    found = np.asarray(value, np.float32) if isinstance(value, list) else float(value)
    if isinstance(value, bool | str) or np.ndim(found) > 1 or not np.isfinite(found).all():
        raise ValueError("its latents have a mean or a deviation that is no number")
    return found


def check_names(name: Any, training: Any, source: Any) -> None:
    """Raises ValueError unless these may be the fields of a TrainedModel."""
    texts = isinstance(source, dict) and all(isinstance(text, str) for text in (*source.keys(), *source.values()))
    if not isinstance(name, str) or not isinstance(training, dict) or not texts:
        raise ValueError("its name is no text, or its training or its source holds no fields")


def fingerprint(params: Mapping[str, np.ndarray]) -> str:
    """Sixteen hexadecimal digits that tell one set of weights from another."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(params[name].tobytes())
    return digest.hexdigest()[:16]
