"""Train an ELF: one YAML per experiment, `field=value` over it, resumed from the newest checkpoint of its folder.

The same command trains on one CPU, on the GPUs of a machine, and, run on every host, on a TPU pod or a cluster.
"""

from functools import partial

import jax

from elf.config_file import load_config
from elf.data.rows import open_dataset
from elf.devices import make_mesh
from elf.models.pretrained import load_encoder, tokenizer_file
from elf.paths import path_of
from elf.progress import say
from elf.training.frozen_encoder import FrozenEncoder
from elf.training.resume import bring_checkpoint, first_weights
from elf.training.run import Run, RunArguments, check_vocabularies, make_upload
from elf.training.run_facts import command_line, encoder_facts, remember_settings, training_facts
from elf.training.step import make_train_step
from elf.training.train_config import TrainConfig, resolve

Arguments = RunArguments


def main(arguments: Arguments) -> None:
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    arguments.join_processes()
    mesh = make_mesh(config.fsdp)

    dataset = open_dataset(config.data, config.split, config.revision)
    tokenizer = tokenizer_file(config.tokenizer)
    encoder_config, encoder_params = load_encoder(config.encoder)
    check_vocabularies(config, dataset, tokenizer, encoder_config.vocabulary_size)
    encoder = FrozenEncoder.make(
        encoder_config,
        encoder_params,
        config.latent_normalisation,
        dataset,
        config.elf.max_length,
        config.elf.max_input_length or None,
        see_padding=config.sees_filling,
    )
    resolved = resolve(config, len(dataset), dataset.condition_input_ids is not None)
    step = make_train_step(config, resolved, encoder, mesh, start=first_weights(config))
    bring_checkpoint(config, resolved.steps, step)
    if jax.process_index() == 0:
        remember_settings(config)
        say(
            f"{config.name}: {resolved.steps:,} steps of {config.batch_size} × {config.elf.max_length} tokens, "
            f"{resolved.steps / resolved.steps_per_epoch:.3g} epochs, on {mesh.size} device(s)"
        )
    upload = make_upload(config)
    command = command_line("train", arguments.config, arguments.overrides)
    facts = partial(training_facts, config, command, encoder_facts(path_of(config.encoder)))
    Run(config, resolved, dataset, tokenizer, encoder, facts, upload).carry_out(step)
    if upload:
        upload.finish(resolved.steps)
