"""Pack a training into a folder of at most 60 MB, to be carried to a GPU for half an hour, and make a model of what
comes back."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from elf.burst.train import Carried, read_carried, read_weights, write_carried
from elf.config import T5Config
from elf.config_file import load_config
from elf.data.rows import collate_rows, open_dataset
from elf.data.tokenizer import EOS, PAD
from elf.errors import CheckpointMismatchError, ConfigError
from elf.models.open_model import open_model
from elf.models.text_encoder import load_encoder, tokenizer_file
from elf.models.trained_model import FlatParams, TrainedModel, fingerprint, save_trained_model
from elf.network.parameters import check_parameters, parameter_shapes
from elf.progress import say
from elf.training.checkpoint import start_statistics, start_weights
from elf.training.recipe import SHARED_OBJECTIVE, require
from elf.training.run_record import command_line, encoder_facts, last_losses, plain, training_facts
from elf.training.step_inputs import FrozenEncoder
from elf.training.train import check_task, check_vocabularies
from elf.training.train_config import TrainConfig

MOST_BYTES = 60_000_000

BURST = {**SHARED_OBJECTIVE, "ema_warm_up": True}
"""What a burst's training is, whatever is packed."""


@dataclass(frozen=True)
class PackArguments:
    config: Path
    """YAML of an experiment, as for `elf train`."""
    out: Path
    """Folder to write."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: batch_size=256 elf.depth=12 …"""


def pack(arguments: PackArguments) -> None:
    """Pack a training into a folder of at most 60 MB, to be carried to a GPU for half an hour.

    In it are rows, encoder, settings and, with `start=`, weights to begin with. There `python -m elf.burst.train`
    trains from it with JAX alone; `elf burst unpack` makes a model of what comes back.
    """
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    require(config, BURST, "a burst")
    if config.resume:
        raise ConfigError("a burst does not resume", f"Begin with averaged weights: start={config.resume}.")
    dataset = open_dataset(config.data, config.split, config.revision)
    check_task(dataset, config.elf)
    encoder_config, encoder_params = load_encoder(config.encoder)
    check_vocabularies(config, dataset, tokenizer_file(config.tokenizer), encoder_config.vocabulary_size)
    elf = config.elf
    # Where the configuration would have it lie may be another training.
    start = open_model(config.start, weights_only=True) if config.start else None
    encoder = FrozenEncoder.make(
        encoder_config,
        encoder_params,
        config.latent_normalisation,
        dataset,
        elf.max_length,
        elf.max_input_length or None,
        see_padding=config.sees_filling,
        known=start_statistics(config, encoder_params, start),
    )
    filling = EOS if config.pad_token == "eos" else PAD
    batch = collate_rows(
        [dataset[i] for i in range(len(dataset))],
        elf.max_length,
        filling,
        elf.max_input_length or None,
        min(elf.vocabulary_size, encoder_config.vocabulary_size),
    )
    carried = Carried(
        carried_settings(config),
        elf,
        config.flow,
        config.optimizer,
        encoder_config,
        {name: np.asarray(value) for name, value in encoder_params.items()},
        np.asarray(encoder.mean),
        np.asarray(encoder.std),
        batch.ids,
        batch.real.sum(axis=1),
        batch.source_length,
        start_weights(start, elf, config.seed) if start else None,
    )
    write_carried(carried, arguments.out)
    files = [file for file in arguments.out.rglob("*") if file.is_file()]
    bytes_in_all = sum(file.stat().st_size for file in files)
    say(f"{len(batch.ids):,} rows, {bytes_in_all / 1e6:.1f} MB in {arguments.out}")
    if bytes_in_all > MOST_BYTES:
        raise ConfigError(
            f"{arguments.out} has {bytes_in_all / 1e6:.1f} MB, more than {MOST_BYTES / 1e6:.0f}",
            "Prepare a dataset of fewer texts, or start from smaller weights.",
        )


def carried_settings(config: TrainConfig) -> dict[str, Any]:
    """Plain fields of a configuration by which a burst trains."""
    settings = plain(config)
    names = ("name", "batch_size", "compute_dtype", "ema_decay", "label_drop", "pad_token", "seed")
    return {**{name: settings[name] for name in names}, "sees_filling": config.sees_filling}


# --- The model that a burst brought back, beside the configuration that it was packed from --------------------------


@dataclass(frozen=True)
class UnpackArguments:
    config: Path
    """The YAML that was packed."""
    folder: Path
    """What `elf burst pack` wrote."""
    weights: Path
    """What `elf.burst.train` wrote."""
    out: Path
    """Output folder; the model lies in its `model/`."""
    overrides: tuple[str, ...] = ()
    """As they were given to `elf burst pack`."""


def unpack(arguments: UnpackArguments) -> None:
    """Make a trained model of what a burst brought back, beside the configuration that it was packed from.

    The folder written is that of a training: `elf sample`, `elf evaluate` and `elf export` open it, and `start=`
    goes on from it.
    """
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    require(config, BURST, "a burst")
    carried = read_carried(arguments.folder)
    params, facts = read_weights(arguments.weights)
    encoder_config, encoder_params = load_encoder(config.encoder)
    check_same(config, encoder_config, encoder_params, carried)
    check_parameters(params, parameter_shapes(config.elf), "this configuration", "Give the one that was packed.")
    command = command_line("burst pack", arguments.config, arguments.overrides)
    encoder = encoder_facts(Path(config.encoder))
    training = training_facts(as_trained(config, arguments, facts), command, encoder, facts["steps"], facts["seconds"])
    model = TrainedModel(
        name=config.name,
        elf=config.elf,
        flow=config.flow,
        params=params,
        encoder=encoder_config,
        encoder_params=encoder_params,
        latent_mean=carried.mean,
        latent_std=carried.std,
        tokenizer=tokenizer_file(config.tokenizer),
        training=training | {"losses": last_losses(arguments.weights / "losses.jsonl")},
    )
    save_trained_model(model, arguments.out / "model")
    say(f"{facts['steps']:,} steps in {facts['seconds'] / 60:.1f} minutes; the model lies in {arguments.out / 'model'}")


def as_trained(config: TrainConfig, arguments: UnpackArguments, facts: dict[str, Any]) -> TrainConfig:
    """What the card is to tell: a burst has a cosine of its own, by the clock, whatever the configuration says.

    Where that would have it lie may be another training, with losses of its own.
    """
    optimizer = replace(config.optimizer, schedule="cosine", warmup_steps=0)
    return replace(config, out=arguments.out, steps=facts["steps"], epochs=None, optimizer=optimizer)


def check_same(config: TrainConfig, encoder: T5Config, encoder_params: FlatParams, carried: Carried) -> None:
    """Raises CheckpointMismatchError, naming it, where the configuration says another thing than what was packed: the
    model would say that it was trained by that."""
    pairs = {name: (value, carried.settings.get(name)) for name, value in carried_settings(config).items()}
    # A model may be called otherwise.
    del pairs["name"]
    if (config.start is None) != (carried.start is None):
        pairs["start"] = (config.start, "a model's weights" if carried.start else None)
    for group in ("elf", "flow", "optimizer"):
        ours, theirs = vars(getattr(config, group)), vars(getattr(carried, group))
        pairs |= {f"{group}.{name}": (value, theirs[name]) for name, value in ours.items()}
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            raise CheckpointMismatchError(
                f"{name} is {ours!r}, and was packed as {theirs!r}", "Give the overrides of `elf burst pack` again."
            )
    if encoder != carried.encoder or fingerprint(encoder_params) != fingerprint(carried.encoder_params):
        raise CheckpointMismatchError(
            f"encoder {config.encoder} is not the one that was packed", "Give the one that was packed."
        )
