"""The one way to open a model, wherever it comes from."""

import dataclasses
from pathlib import Path
from typing import Any

from elf.checkpoints.elf_in_file import read_elf_weights
from elf.checkpoints.official import LATENT_MEAN, LATENT_STD
from elf.checkpoints.stored_tensors import LazyWeights
from elf.config import ElfConfig, T5Config
from elf.data.rows import open_dataset
from elf.errors import CheckpointError, UsageError
from elf.models.exported.folder import is_exported, open_folder
from elf.models.hub_models import fetched, hub_name
from elf.models.latent_statistics import latent_statistics
from elf.models.open_official import CheckpointOptions, is_official, open_official
from elf.models.pretrained import load_encoder, tokenizer_file
from elf.models.run_folder import RunFolder, RunSettings, read_run_settings
from elf.models.trained_model import FlatParams, TrainedModel, load_trained_model
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.paths import COPY, path_of, refuse_address


def open_model(
    checkpoint: str | Path,
    config: Path | None = None,
    options: CheckpointOptions | None = None,
    dtype: str | None = None,
    weights_only: bool = False,
    where_needed: bool = False,
) -> TrainedModel:
    """The model at a path, or of a name on the hub, whatever wrote it:

    - a `model` folder, of a training or of `elf make-random`;
    - a training's output folder, also while it runs, or one of its `checkpoints/checkpoint_N`. A checkpoint that is
      newer than the training's `model` folder, or another than its, is read itself, its averaged weights. `config` is
      the training's YAML, for one that lies beside neither a `model` nor a `config.yml`;
    - a folder that `elf export` wrote, with its weights in `dtype`, its own choice unless given;
    - a checkpoint of any other code, as file, as folder, or as `elf fetch` left it, with what `options` say of it.

    `weights_only` is for whoever has lengths, encoder and tokenizer elsewhere: a checkpoint that lacks them is opened
    without. `where_needed` is for options that are there anyhow: a model that brings its own is opened with that.
    Weights may stay in their files, see `TrainedModel.in_memory`.

    Raises CheckpointError for what is missing or unreadable, CheckpointMismatchError for weights of another shape,
    HubError for what cannot be fetched, UsageError for options that the model leaves no choice about.
    """
    options = options or CheckpointOptions()
    name = hub_name(str(checkpoint))
    if name is not None:
        model = open_model(fetched(name, dtype), config, options, dtype, weights_only, where_needed)
        return dataclasses.replace(model, source=model.source or {"repository": name["repository"]})
    checkpoint = path_of(checkpoint)
    given = [] if where_needed else options.given_for_official()
    if is_exported(checkpoint):
        given += ["--raw"] * options.raw + ["--config"] * (config is not None)
        if given:
            raise UsageError(f"{', '.join(given)}: an exported model has its own", "Leave it out.")
        refuse_address(checkpoint, "the exported model", f"{COPY} {checkpoint} .")
        return open_folder(checkpoint, dtype)
    if dtype:
        raise UsageError("--dtype is given for a checkpoint", "It chooses the weights of an exported folder.")
    if not (config or _of_a_training(checkpoint)) and is_official(checkpoint):
        return open_official(checkpoint, options, weights_only)
    if given:
        raise UsageError(f"{', '.join(given)}: a model of this project brings its own", "Leave it out.")
    return _own_model(checkpoint, config, options.raw)


def _of_a_training(checkpoint: Path) -> bool:
    """Whether it is a model folder, or belongs to a training of this project."""
    own = (checkpoint / "model.safetensors").is_file() and (checkpoint / "config.json").is_file()
    return own or RunFolder.of(checkpoint).is_there


def _own_model(checkpoint: Path, config: Path | None, raw: bool) -> TrainedModel:
    if (checkpoint / "config.json").is_file():
        if raw:
            raise UsageError("a model folder has one set of weights only", "Give the training's folder, or no --raw.")
        return load_trained_model(checkpoint)
    run = RunFolder.of(checkpoint)
    folders = run.checkpoints()
    step = max(folders, default=None) if run.step is None else run.step
    if step is not None and step not in folders:
        raise CheckpointError(f"there is no {checkpoint}", f"Its folder holds {sorted(folders) or 'no checkpoint'}.")
    model = None
    if run.has_model:
        model = load_trained_model(run.model)
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


def _without_weights(run: RunFolder, config_file: Path | None) -> TrainedModel:
    """All of a run's model but its weights, from its configuration."""
    if config_file is None and not run.settings.is_file():
        raise CheckpointError(
            f"{run.path} has a checkpoint, but neither a model folder nor a config.yml", "Give the training's --config."
        )
    settings = read_run_settings(config_file or run.settings, remembered=config_file is None)
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


def read_weights(checkpoint: Path, elf: ElfConfig, raw: bool = False) -> LazyWeights:
    """The averaged weights of one checkpoint folder, or the raw ones, without the rest of the training's state; they
    stay in their files."""
    params = read_elf_weights(checkpoint).chosen(raw)[1]
    check_parameters(params, parameter_shapes(elf), "the ELF network")
    return params
