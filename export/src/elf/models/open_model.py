"""The one way to open a model, wherever it comes from, official checkpoints with what belongs to them among them."""

import dataclasses
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from elf.checkpoints.elf_in_file import read_elf_weights
from elf.checkpoints.fetch import fetched, hub_name
from elf.checkpoints.official import (
    LATENT_MEAN,
    LATENT_STD,
    SOURCE_FILE,
    STEP,
    TASKS,
    WEIGHTS,
    SourceRecord,
    Task,
    model_name,
    newest_checkpoint,
    read_source,
    sampling_of,
    task_of,
)
from elf.checkpoints.orbax_folder import orbax_item
from elf.checkpoints.stored_tensors import LazyWeights
from elf.config import ElfConfig, T5Config
from elf.data.rows import open_dataset
from elf.data.tokenizer import load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError, UsageError
from elf.models.exported_folder import is_exported, open_folder
from elf.models.run_folder import RunFolder, RunSettings, read_run_settings
from elf.models.text_encoder import latent_statistics, load_encoder, tokenizer_file
from elf.models.trained_model import FlatParams, TrainedModel, fingerprint, load_trained_model
from elf.network.parameters import check_parameters, elf_config, encoder_parameter_shapes, parameter_shapes
from elf.paths import COPY, absolute, files_below, path_of, refuse_address
from elf.progress import say


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """What is said of an official checkpoint: base of the arguments of commands that open models. Those of this project
    bring all of it with them."""

    encoder: str | None = None
    """Official checkpoints: the T5 that reads text, t5_small_encoder_jax.pkl or a T5's weights; needed for sources."""
    tokenizer: str | None = None
    """Official checkpoints: tokenizer.json or spiece.model, or their folder. Without one the model works on ids."""
    task: Task | None = None
    """Official checkpoints: what it was trained on, which decides lengths and sampler; owt where nothing says."""
    max_length: int | None = None
    """Official checkpoints: positions, a source's included; the task's unless given."""
    max_input_length: int | None = None
    """Official checkpoints: of them at most for a source; the task's unless given."""
    latent_mean: float | None = None
    """Official checkpoints: subtracted from the encoder's output; 0 unless given."""
    latent_std: float | None = None
    """Official checkpoints: the encoder's output is divided by it; 0.2 unless given."""
    raw: bool = False
    """Take the weights of a checkpoint's last step instead of their moving average."""

    def given_for_official(self) -> list[str]:
        """The options that only make sense with an official checkpoint and were given."""
        names = [field.name for field in fields(CheckpointOptions) if field.name != "raw"]
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


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
        folder, source = fetched(name, dtype)
        model = open_model(folder, config, options, dtype, weights_only, where_needed)
        return dataclasses.replace(model, source=model.source or source)
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
    return dataclasses.replace(model, params=params, training=_facts_at(step, model.training))


def _facts_at(step: int, training: dict[str, Any]) -> dict[str, Any]:
    """What is known of a checkpoint of `step` from what a model of the same training says of its own: not how long it
    took, nor its losses."""
    known = training.get("steps")
    if known == step:
        return training
    facts = {name: value for name, value in training.items() if name not in ("seconds", "losses", "epoch")}
    if known and "epoch" in training:
        facts["epoch"] = round(training["epoch"] * step / known, 4)
    return facts | {"steps": step}


def _without_weights(run: RunFolder, config_file: Path | None) -> TrainedModel:
    """All of a run's model but its weights, from its configuration."""
    if config_file is None and not run.settings.is_file():
        raise CheckpointError(
            f"{run.path} has a checkpoint, but neither a model folder nor a config.yml", "Give the training's --config."
        )
    settings = read_run_settings(config_file or run.settings, remembered=config_file is None)
    encoder, encoder_params = load_encoder(settings.encoder)
    check_parameters(encoder_params, encoder_parameter_shapes(encoder), "the encoder")
    kept = run.statistics()
    same = kept is not None and kept[0] == fingerprint(encoder_params)
    mean, std = kept[1] if kept and same else _statistics(settings, encoder, encoder_params)
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


# --- An official checkpoint and what belongs to it, as a model like any other ---------------------------------------


def is_official(checkpoint: Path) -> bool:
    """Whether `checkpoint` is for `open_official`: a file, an Orbax folder, or a folder with either, fetched or not."""
    if checkpoint.is_file() or orbax_item(checkpoint) is not None or (checkpoint / SOURCE_FILE).is_file():
        return True
    names = [path.name for path in checkpoint.glob("*") if path.is_file() or orbax_item(path) is not None]
    return any(STEP.match(name) or WEIGHTS.search(name) for name in names)


def open_official(checkpoint: Path, options: CheckpointOptions, weights_only: bool = False) -> TrainedModel:
    """The model of an official checkpoint; its weights stay in the file until they are asked for.

    What no weight tells comes from `options`, else from the record of `elf fetch`, else it is that of the task, by
    default OpenWebText. With `weights_only` no encoder and no tokenizer are looked for. Raises CheckpointError for
    files that cannot be read, CheckpointMismatchError for weights, encoder and tokenizer that do not fit together,
    ConfigError for impossible lengths.
    """
    # A single file may be one of a fetched folder, too.
    folder = checkpoint if checkpoint.is_dir() and orbax_item(checkpoint) is None else checkpoint.parent
    source = read_source(folder)
    file = checkpoint
    if folder == checkpoint:
        name = source.checkpoint if source else newest_checkpoint(_files(folder), str(folder), "Give one of its files.")
        file = folder / name
    found = read_elf_weights(file)
    group, params = found.chosen(options.raw)
    official = model_name(source.repository) if source else None
    task = options.task or task_of(official)
    facts = TASKS[task]
    elf = elf_config(
        params,
        facts.max_length if options.max_length is None else options.max_length,
        facts.max_input_length if options.max_input_length is None else options.max_input_length,
    )
    if weights_only:
        elf = replace(elf, max_input_length=0)
    _check_lengths(elf)
    say(
        f"{file.name}: {found.format}, {elf.depth} blocks of width {elf.hidden_size}, {elf.heads} heads, "
        f"{elf.vocabulary_size:,} tokens; {found.told(options.raw)}"
    )
    if not (official or options.task or weights_only):
        say(f"nothing says what it was trained on, so it is taken for {task}: --task and --max-length say otherwise")

    encoder, encoder_params = (None, {}) if weights_only else _encoder(options, source, folder, elf)
    mean = LATENT_MEAN if options.latent_mean is None else options.latent_mean
    std = LATENT_STD if options.latent_std is None else options.latent_std
    if not std > 0:
        raise CheckpointMismatchError(f"the latents' deviation is {std}", "Give a --latent-std above 0.")
    training: dict[str, object] = {"checkpoint": file.name, "format": found.format, "weights": group}
    training |= {"steps": found.step} if found.step is not None else {}
    training |= {"epoch": round(found.epoch, 3)} if found.epoch is not None else {}
    training |= {"licence": source.licence} if source and source.licence else {}
    return TrainedModel(
        name=official or absolute(checkpoint).name,
        elf=elf,
        flow=facts.flow,
        params=params,  # type: ignore[arg-type]
        encoder=encoder,
        encoder_params=encoder_params,
        latent_mean=mean,
        latent_std=std,
        tokenizer=None if weights_only else _tokenizer(options, source, folder, elf),
        training=training,
        sampling=sampling_of(official, task),
        source={"repository": source.repository, "revision": source.revision} if source else {},
    )


def _files(folder: Path) -> list[str]:
    """All files below, but for those that programs hide."""
    return [name for name in files_below(folder) if not any(part.startswith(".") for part in name.split("/"))]


def _check_lengths(elf: ElfConfig) -> None:
    if elf.max_input_length >= elf.max_length:
        raise CheckpointMismatchError(
            f"a source of {elf.max_input_length} tokens leaves none of {elf.max_length} positions to write",
            "Raise --max-length or lower --max-input-length; --task sets both.",
        )


def _encoder(
    options: CheckpointOptions, source: SourceRecord | None, folder: Path, elf: ElfConfig
) -> tuple[T5Config | None, FlatParams]:
    fetched = str(folder / source.encoder) if source and source.encoder else None
    name = options.encoder or fetched
    if name is None:
        if elf.max_input_length:
            raise CheckpointError(
                "the model writes to a source and has no encoder to read it with",
                "Give --encoder: the official t5_small_encoder_jax.pkl, or the weights of google-t5/t5-small.",
            )
        return None, {}
    config, params = load_encoder(name)
    if config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder's shared/embedding is {config.d_model} wide, the network's proj_kernel {elf.latent_size}",
            "Give the encoder that the network was trained with: T5-small for all official ones.",
        )
    if config.vocabulary_size < elf.vocabulary_size:
        raise CheckpointMismatchError(
            f"the encoder reads {config.vocabulary_size:,} tokens, the network writes {elf.vocabulary_size:,}",
            "Give the encoder that the network was trained with.",
        )
    return config, params


def _tokenizer(options: CheckpointOptions, source: SourceRecord | None, folder: Path, elf: ElfConfig) -> Path | None:
    fetched = str(folder / source.tokenizer) if source and source.tokenizer else None
    name = options.tokenizer or fetched
    if name is None:
        say("there is no tokenizer, so the model works on ids: --tokenizer gives one")
        return None
    file = tokenizer_file(name)
    size = load_tokenizer(file).get_vocab_size()
    if size > elf.vocabulary_size:
        raise CheckpointMismatchError(
            f"the tokenizer has {size:,} tokens, the network's unembed_kernel names {elf.vocabulary_size:,}",
            "Give the tokenizer that the network was trained with: T5's for all official ones.",
        )
    return file
