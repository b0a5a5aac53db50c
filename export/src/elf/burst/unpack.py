"""Make a trained model of what a burst brought back, beside the configuration that it was packed from."""

from dataclasses import dataclass
from pathlib import Path

from elf.burst.carried import read_carried, read_weights
from elf.config_file import load_config
from elf.models.text_encoder import load_encoder, tokenizer_file
from elf.models.trained_model import TrainedModel, save_trained_model
from elf.network.parameters import check_parameters, parameter_shapes
from elf.progress import say
from elf.training.run_record import command_line, encoder_facts, training_facts
from elf.training.train_config import TrainConfig


@dataclass(frozen=True)
class Arguments:
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


def main(arguments: Arguments) -> None:
    """Make a trained model of what a burst brought back, beside the configuration that it was packed from.

    The folder written is that of a training: `elf sample`, `elf evaluate` and `elf export` open it, and `start=`
    goes on from it.
    """
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    carried = read_carried(arguments.folder)
    params, facts = read_weights(arguments.weights)
    check_parameters(params, parameter_shapes(config.elf), "this configuration", "Give the one that was packed.")
    encoder_config, encoder_params = load_encoder(config.encoder)
    command = command_line("burst pack", arguments.config, arguments.overrides)
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
        training=training_facts(config, command, encoder_facts(Path(config.encoder)), facts["steps"], facts["seconds"]),
    )
    save_trained_model(model, arguments.out / "model")
    say(f"{facts['steps']:,} steps in {facts['seconds'] / 60:.1f} minutes; the model lies in {arguments.out / 'model'}")
