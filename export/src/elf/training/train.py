"""Train an ELF: one YAML per experiment, `field=value` over it, resumed from the newest checkpoint of its folder.

The same command trains on one CPU, on the GPUs of a machine, and, run on every host, on a TPU pod or a cluster.
"""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import yaml

from elf.config_file import load_config
from elf.data.dataset import TokenDataset, check_vocabulary, open_dataset
from elf.data.pipeline import Shard, training_batches
from elf.data.tokenizer import EOS, PAD, load_tokenizer
from elf.devices import initialize_distributed, make_mesh, on_host
from elf.errors import CheckpointMismatchError
from elf.network.pretrained import load_encoder, tokenizer_file
from elf.network.trained_model import TrainedModel, save_trained_model
from elf.progress import say
from elf.training.frozen_encoder import FrozenEncoder
from elf.training.hub_upload import HubUpload
from elf.training.loop import LoopConfig, run_loop
from elf.training.step import TrainState, make_train_step
from elf.training.train_config import TrainConfig, resolve


@dataclass(frozen=True)
class Arguments:
    config: Path
    """YAML of an experiment, see configs/."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: steps=100 flow.noise_scale=0.7 …"""
    distributed: Literal["auto", "off"] = "off"
    """`auto`: joins the other processes of a TPU pod, SLURM or MPI job."""
    coordinator: str | None = None
    """HOST:PORT of the first process, where the processes are started by hand; with --processes and --process-id."""
    processes: int | None = None
    process_id: int | None = None


def main(arguments: Arguments) -> None:
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    if arguments.distributed == "auto" or arguments.coordinator:
        initialize_distributed(arguments.coordinator, arguments.processes, arguments.process_id)
    mesh = make_mesh(config.fsdp)
    main_process = jax.process_index() == 0

    dataset = open_dataset(config.data, config.split, config.revision)
    tokenizer = tokenizer_file(config.tokenizer)
    encoder_config, encoder_params = load_encoder(config.encoder)
    check_vocabularies(config, dataset, tokenizer, encoder_config.vocabulary_size)
    encoder = FrozenEncoder.make(
        encoder_config, encoder_params, config.latent_normalisation, dataset, config.elf.max_length
    )
    resolved = resolve(config, len(dataset), dataset.condition_input_ids is not None)
    step = make_train_step(config, resolved, encoder, mesh)
    if main_process:
        remember_settings(config)
        say(
            f"{config.name}: {resolved.steps:,} steps of {config.batch_size} × {config.elf.max_length} tokens, "
            f"{resolved.steps / resolved.steps_per_epoch:.3g} epochs, on {mesh.size} device(s)"
        )
    upload = HubUpload(config.hub_repo, config.out) if config.hub_repo and main_process else None

    def batches(start: int):
        return training_batches(
            dataset,
            batch_size=config.batch_size,
            length=config.elf.max_length,
            max_input_length=config.elf.max_input_length or None,
            pad_token=EOS if config.pad_token == "eos" else PAD,
            vocabulary_size=config.elf.vocabulary_size,
            seed=config.seed,
            start=start,
            shard=Shard(jax.process_index(), jax.process_count()),
        )

    def write_model(state: TrainState, done: int, seconds: float) -> None:
        ema = on_host(state.ema_params1)
        if not main_process:
            return
        model = TrainedModel(
            name=config.name,
            elf=config.elf,
            flow=config.flow,
            params=ema,
            encoder=encoder_config,
            encoder_params=encoder_params,
            latent_mean=encoder.mean,
            latent_std=encoder.std,
            tokenizer=tokenizer,
            training=training_facts(config, arguments, done, seconds),
        )
        save_trained_model(model, config.out / "model")
        if upload:
            upload.start(done)

    run_loop(
        LoopConfig(
            resolved.steps,
            checkpoint_minutes=config.checkpoints.minutes,
            checkpoint_steps=resolved.save_steps,
            log_every=config.log_every,
            keep=config.checkpoints.keep,
            steps_per_epoch=resolved.steps_per_epoch,
            wandb_project=config.wandb_project,
            settings=plain(config),
        ),
        config.out,
        step.init(),
        batches,
        step.update,
        config.batch_size * config.elf.max_length,
        on_checkpoint=write_model,
    )
    if upload:
        upload.finish(resolved.steps)


def check_vocabularies(config: TrainConfig, dataset: TokenDataset, tokenizer: Path, encoder_vocabulary: int) -> None:
    """Raises CheckpointMismatchError where tokenizer, encoder and model do not speak of the same ids, and DatasetError
    where the dataset holds ids beyond them."""
    model = config.elf.vocabulary_size
    known = load_tokenizer(tokenizer).get_vocab_size()
    if known > model:
        raise CheckpointMismatchError(
            f"the tokenizer has {known:,} ids, elf.vocabulary_size is {model:,}",
            f"Set elf.vocabulary_size={known}, or give the tokenizer that the dataset was prepared with.",
        )
    if known > encoder_vocabulary:
        raise CheckpointMismatchError(
            f"the tokenizer has {known:,} ids, the encoder knows {encoder_vocabulary:,}",
            "Give the tokenizer that the encoder was trained with.",
        )
    check_vocabulary(dataset, min(model, encoder_vocabulary))


def remember_settings(config: TrainConfig) -> None:
    """Writes `config.yml` into the output folder, and says which settings have changed since the run began."""
    path = config.out / "config.yml"
    settings = plain(config)
    if path.is_file():
        before = yaml.safe_load(path.read_text()) or {}
        for name in sorted(settings.keys() | before.keys()):
            if settings.get(name) != before.get(name):
                say(f"changed since this run began: {name} was {before.get(name)}, is {settings.get(name)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def training_facts(config: TrainConfig, arguments: Arguments, done: int, seconds: float) -> dict[str, Any]:
    """What a model card says of a training."""
    settings = plain(config)
    return {
        "command": " ".join(["elf train --config", arguments.config.name, *public_overrides(arguments)]),
        "corpus": config.corpus,
        "licence": config.licence,
        "steps": done,
        "batch_size": config.batch_size,
        "seconds": round(seconds),
        "losses": last_losses(config.out / "metrics.jsonl"),
        "encoder": encoder_facts(Path(config.encoder)),
        # Where a machine keeps its files is nobody's business.
        "config": {name: Path(value).name if name in PLACES else value for name, value in settings.items()},
    }


PLACES = ("data", "encoder", "tokenizer", "out")


def plain(config: TrainConfig) -> dict[str, Any]:
    """The settings as YAML and JSON can hold them."""
    return json.loads(json.dumps(asdict(config), default=str))


def public_overrides(arguments: Arguments) -> list[str]:
    """Overrides that change numbers, without those that say where files lie."""
    return [override for override in arguments.overrides if override.partition("=")[0] not in PLACES]


def last_losses(metrics: Path, rows: int = 10) -> dict[str, float]:
    """Means of the newest rows of metrics.jsonl."""
    lines = [json.loads(line) for line in metrics.read_text().splitlines()[-rows:]] if metrics.is_file() else []
    means = {}
    for name in ("loss", "decode_loss"):
        values = [line[name] for line in lines if name in line]
        if values:
            means[name] = round(sum(values) / len(values), 4)
    return means


def encoder_facts(directory: Path) -> dict[str, Any]:
    """How the encoder came to be: steps, seconds and last loss of its pre-training; its name where it came so."""
    if not (directory / "encoder.json").is_file():
        return {"name": directory.name}
    record = json.loads((directory / "encoder.json").read_text())
    facts = {name: record[name] for name in ("steps", "seconds") if name in record}
    losses = last_losses(directory / "metrics.jsonl")
    return facts | ({"masked-token loss": losses["loss"]} if "loss" in losses else {})
