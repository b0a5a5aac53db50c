"""The model of a checkpoint: a folder of its own, what a training's output folder holds by now, or an official one."""

import dataclasses
import re
from pathlib import Path
from typing import Any

from elf.checkpoints.elf_weights import read_elf_weights
from elf.checkpoints.official import LATENT_MEAN, LATENT_STD
from elf.config import ElfConfig, T5Config
from elf.data.dataset import open_dataset
from elf.errors import CheckpointError, UsageError
from elf.models.latent_statistics import latent_statistics
from elf.models.open_official import is_official, open_official
from elf.models.options import CheckpointOptions
from elf.models.pretrained import load_encoder, tokenizer_file
from elf.models.run_settings import RunSettings, read_run_settings
from elf.models.trained_model import FlatParams, TrainedModel, load_trained_model
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes

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
    settings = read_run_settings(config_file or remembered, remembered=config_file is None)
    encoder, encoder_params = load_encoder(settings.encoder)
    check_parameters(encoder_params, encoder_parameter_shapes(encoder), "the encoder")
    mean, std = _statistics(settings, encoder, encoder_params)
    return TrainedModel(
        name=settings.name,
        elf=settings.elf,
        flow=settings.flow,
        params={},
        encoder=encoder,
        encoder_params=encoder_params,
        latent_mean=mean,
        latent_std=std,
        tokenizer=tokenizer_file(settings.tokenizer),
        training={"batch_size": settings.batch_size},
    )


def _statistics(settings: RunSettings, encoder: T5Config, params: FlatParams) -> tuple[Any, Any]:
    """The latents' mean and deviation as the training measured them, over the same texts, cut and filled alike."""
    if settings.latent_normalisation == "official":
        return LATENT_MEAN, LATENT_STD
    return latent_statistics(
        encoder,
        params,
        open_dataset(settings.data, settings.split, settings.revision),
        settings.elf.max_length,
        settings.elf.max_input_length or None,
        see_padding=settings.sees_filling,
    )


def read_weights(checkpoint: Path, elf: ElfConfig, raw: bool = False) -> FlatParams:
    """The averaged weights of one checkpoint folder, or the raw ones, without the rest of the training's state."""
    params = read_elf_weights(checkpoint).chosen(raw)[1]
    check_parameters(params, parameter_shapes(elf), "the ELF network")
    return dict(params)
