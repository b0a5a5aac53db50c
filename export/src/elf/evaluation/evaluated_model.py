"""The model of a checkpoint: a folder of its own, what a training's output folder holds by now, or an official one."""

import dataclasses
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from elf.checkpoints.elf_weights import read_elf_weights
from elf.checkpoints.open_official import is_official, open_official
from elf.checkpoints.options import CheckpointOptions
from elf.config import ElfConfig
from elf.config_file import load_config
from elf.data.dataset import open_dataset
from elf.errors import CheckpointError, UsageError
from elf.network.parameters import check_parameters, parameter_shapes
from elf.network.pretrained import load_encoder, tokenizer_file
from elf.network.trained_model import FlatParams, TrainedModel, load_trained_model
from elf.training.frozen_encoder import FrozenEncoder
from elf.training.train_config import TrainConfig

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
"""A finished one: what is still being written has a longer name."""


def open_evaluated(
    checkpoint: Path, config: Path | None = None, options: CheckpointOptions | None = None
) -> TrainedModel:
    """The model that `open_model` opens, its weights in memory."""
    model = open_model(checkpoint, config, options)
    return dataclasses.replace(model, params=dict(model.params))


def open_model(checkpoint: Path, config: Path | None = None, options: CheckpointOptions | None = None) -> TrainedModel:
    """The model of a folder, of a training's output folder (also while it runs), of `…/checkpoints/checkpoint_N`, or of
    an official checkpoint, with what `options` say of it.

    A checkpoint that is newer than the training's `model` folder, or another than its, is read itself, its averaged
    weights. `config` is the training's YAML, for a checkpoint that lies beside neither a `model` nor a `config.yml`.
    Raises CheckpointError for what is missing or unreadable, CheckpointMismatchError for weights of another shape,
    UsageError for options that a model of this project leaves no choice about.
    """
    options = options or CheckpointOptions()
    if (checkpoint / "manifest.json").is_file():
        raise CheckpointError(
            f"{checkpoint} is an exported model", "Give the checkpoint it was made of; `elf sample` alone runs graphs."
        )
    if not (config or _of_a_training(checkpoint)) and is_official(checkpoint):
        return open_official(checkpoint, options)
    if options.given_for_official():
        raise UsageError(
            f"{', '.join(options.given_for_official())}: a model of this project brings its own", "Leave it out."
        )
    return _own_model(checkpoint, config, options.raw)


def _of_a_training(checkpoint: Path) -> bool:
    """Whether it is a model folder, or belongs to a training of this project."""
    run = checkpoint.parent.parent if CHECKPOINT.fullmatch(checkpoint.name) else checkpoint
    own = (checkpoint / "model.safetensors").is_file() and (checkpoint / "config.json").is_file()
    return own or any((run / mark).exists() for mark in ("model/config.json", "config.yml"))


def _own_model(checkpoint: Path, config: Path | None, raw: bool) -> TrainedModel:
    if (checkpoint / "config.json").is_file():
        if raw:
            raise UsageError("a model folder has one set of weights only", "Give the training's folder, or no --raw.")
        return load_trained_model(checkpoint)
    chosen = CHECKPOINT.fullmatch(checkpoint.name)
    run = checkpoint.parent.parent if chosen else checkpoint
    folders = {int(match[1]): path for path in run.glob("checkpoints/*") if (match := CHECKPOINT.fullmatch(path.name))}
    step = int(chosen[1]) if chosen else max(folders, default=None)
    if step is not None and step not in folders:
        raise CheckpointError(f"there is no {checkpoint}", f"Its folder holds {sorted(folders) or 'no checkpoint'}.")
    model = None
    if (run / "model" / "config.json").is_file():
        model = load_trained_model(run / "model")
        if not raw and (step is None or model.training.get("steps") == step):
            return model
    if step is None:
        raise CheckpointError(
            f"{checkpoint} holds neither a model nor a checkpoint",
            "Give a `model` folder or the output folder of `elf train`; the first checkpoint may still be to come.",
        )
    model = model or _without_weights(run, config)
    params = read_weights(folders[step], model.elf, raw)
    return dataclasses.replace(model, params=params, training={**model.training, "steps": step})


def _without_weights(run: Path, config_file: Path | None) -> TrainedModel:
    """All of a run's model but its weights, from its configuration."""
    remembered = run / "config.yml"
    if config_file is None and not remembered.is_file():
        raise CheckpointError(
            f"{run} has a checkpoint, but neither a model folder nor a config.yml", "Give the training's --config."
        )
    config = load_config(TrainConfig, config_file or remembered)
    encoder_config, encoder_params = load_encoder(config.encoder)
    dataset = open_dataset(config.data, config.split, config.revision)
    encoder = FrozenEncoder.make(
        encoder_config, encoder_params, config.latent_normalisation, dataset, config.elf.max_length
    )
    return TrainedModel(
        name=config.name,
        elf=config.elf,
        flow=config.flow,
        params={},
        encoder=encoder.config,
        encoder_params=encoder.params,
        latent_mean=encoder.mean,
        latent_std=encoder.std,
        tokenizer=tokenizer_file(config.tokenizer),
        training={"batch_size": config.batch_size},
    )


def read_weights(checkpoint: Path, elf: ElfConfig, raw: bool = False) -> FlatParams:
    """The averaged weights of one checkpoint folder, or the raw ones, without the rest of the training's state."""
    params = read_elf_weights(checkpoint).chosen(raw)[1]
    check_parameters(params, parameter_shapes(elf), "the ELF network")
    return dict(params)


def fingerprint(params: Mapping[str, np.ndarray]) -> str:
    """Sixteen hexadecimal digits that tell one set of weights from another."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(params[name].tobytes())
    return digest.hexdigest()[:16]
