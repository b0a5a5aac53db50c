"""The model to evaluate: a folder of its own, or what a training's output folder holds by now."""

import dataclasses
import hashlib
import re
from pathlib import Path

import jax
import numpy as np
import orbax.checkpoint as ocp

from elf.config import ElfConfig
from elf.config_file import load_config
from elf.data.dataset import open_dataset
from elf.errors import CheckpointError
from elf.network.parameters import check_parameters, parameter_shapes
from elf.network.pretrained import load_encoder, tokenizer_file
from elf.network.trained_model import FlatParams, TrainedModel, load_trained_model
from elf.training.frozen_encoder import FrozenEncoder
from elf.training.train_config import TrainConfig

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
"""A finished one: what is still being written has a longer name."""


def open_evaluated(checkpoint: Path, config: Path | None = None) -> TrainedModel:
    """The model of a folder, of a training's output folder (also while it runs), or of `…/checkpoints/checkpoint_N`.

    A checkpoint that is newer than the training's `model` folder, or another than its, is read itself, its averaged
    weights. `config` is the training's YAML, for a checkpoint that lies beside neither a `model` nor a `config.yml`.
    Raises CheckpointError for what is missing or unreadable, CheckpointMismatchError for weights of another shape.
    """
    if (checkpoint / "config.json").is_file():
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
        if step is None or model.training.get("steps") == step:
            return model
    if step is None:
        raise CheckpointError(
            f"{checkpoint} holds neither a model nor a checkpoint",
            "Give a `model` folder or the output folder of `elf train`; the first checkpoint may still be to come.",
        )
    model = model or _without_weights(run, config)
    params = read_averaged(folders[step], model.elf)
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


def read_averaged(checkpoint: Path, elf: ElfConfig) -> FlatParams:
    """The averaged weights of one checkpoint folder, without the rest of the training's state.

    Read past Orbax's manager, which would tidy up the folder that a running training is writing into.
    """
    handler = ocp.PyTreeCheckpointHandler()
    folder = (checkpoint / "default").absolute()
    try:
        found = handler.metadata(folder)["state"]["ema_params1"]
        averaged = {name: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for name, leaf in found.items()}
        wanted = {"state": {"ema_params1": averaged}}
        arguments = ocp.args.PyTreeRestore(
            item=wanted,
            restore_args=jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), wanted),
            partial_restore=True,
        )
        params = handler.restore(folder, args=arguments)["state"]["ema_params1"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{checkpoint} cannot be read: {str(error).splitlines()[0]}",
            "Give another checkpoint_N of its folder; this one may be damaged, or of an older version.",
        ) from error
    finally:
        handler.close()
    check_parameters(params, parameter_shapes(elf), "the ELF network")
    return params


def fingerprint(params: FlatParams) -> str:
    """Sixteen hexadecimal digits that tell one set of weights from another."""
    digest = hashlib.sha256()
    for name in sorted(params):
        digest.update(name.encode())
        digest.update(params[name].tobytes())
    return digest.hexdigest()[:16]
