"""What a run remembers of itself: its settings in `config.yml`, and the facts that its models carry to their cards."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import yaml

from elf.config_file import read_fields
from elf.errors import CheckpointError
from elf.models.run_folder import RunFolder
from elf.progress import say
from elf.text_file import json_value
from elf.training.train_config import TrainConfig

PLACES = (
    *("data", "held_out", "encoder", "tokenizer", "out", "teacher", "start", "resume"),
    *("sampling", "judge", "training"),  # of the group `evaluation`
)
"""Settings that may be paths. Where a machine keeps its files is nobody's business."""


class Settings(Protocol):
    """The dataclass of settings of any training."""

    @property
    def out(self) -> Path: ...


def remember_settings(config: Settings) -> None:
    """Writes `config.yml` into the output folder, and says which settings have changed since the run began."""
    path = RunFolder(config.out).settings
    settings = plain(config)
    if path.is_file():
        before = read_fields(path)
        for name in sorted(settings.keys() | before.keys(), key=str):
            if settings.get(name) != before.get(name):
                say(f"changed since this run began: {name} was {before.get(name)}, is {settings.get(name)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(settings, sort_keys=False))


def training_facts(
    config: TrainConfig, command: str, encoder: dict[str, Any], done: int, seconds: float
) -> dict[str, Any]:
    """What a model card says of a training; `command` from `command_line`, `encoder` from `encoder_facts`."""
    return {
        "command": command,
        "corpus": config.corpus,
        "licence": config.licence,
        "steps": done,
        "batch_size": config.batch_size,
        "seconds": round(seconds),
        "losses": last_losses(config.out / "metrics.jsonl"),
        "encoder": encoder,
        "recipe": config.recipe,
        "deviations": [deviation._asdict() for deviation in config.deviations],
        "config": without_places(plain(config)),
    }


def without_places(settings: dict[str, Any]) -> dict[str, Any]:
    """Of what may be a path only its last part, in groups of settings too."""
    return {
        name: without_places(value)
        if isinstance(value, dict)
        else Path(value).name
        if name in PLACES and value
        else value
        for name, value in settings.items()
    }


def command_line(command: str, config: Path, overrides: tuple[str, ...]) -> str:
    """As it was typed, without the overrides that say where files lie."""
    public = [override for override in overrides if override.partition("=")[0].rpartition(".")[2] not in PLACES]
    return " ".join(["elf", command, "--config", config.name, *public])


def plain(config: Any) -> dict[str, Any]:
    """The settings as YAML and JSON can hold them."""
    return json.loads(json.dumps(asdict(config), default=str))


def last_losses(metrics: Path, rows: int = 10) -> dict[str, float]:
    """Means of the newest rows of metrics.jsonl."""
    means = {}
    try:
        lines = [json_value(line) for line in metrics.read_text().splitlines()] if metrics.is_file() else []
        lines = [line for line in lines if "evaluation" not in line][-rows:]
        for name in ("loss", "decode_loss"):
            values = [line[name] for line in lines if name in line]
            if values:
                means[name] = round(sum(values) / len(values), 4)
    except (OSError, ValueError, TypeError, OverflowError) as error:
        raise _unreadable(metrics, error) from error
    return means


def _unreadable(file: Path, error: Exception) -> CheckpointError:
    return CheckpointError(f"{file} is not what a training wrote: {error}", "Copy the folder again.")


def encoder_facts(directory: Path) -> dict[str, Any]:
    """How the encoder came to be: steps, seconds and last loss of its pre-training, and of its lessons in translation
    if it had any; its name where it came so."""
    if not (directory / "encoder.json").is_file():
        return {"name": directory.name}
    try:
        record = json_value((directory / "encoder.json").read_text())
        facts = {name: record[name] for name in ("steps", "seconds") if name in record}
        lessons = record.get("translation", {})
        facts |= {f"translation {name}": lessons[name] for name in ("steps", "seconds") if name in lessons}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(directory / "encoder.json", error) from error
    losses = last_losses(directory / "metrics.jsonl")
    name = "translation loss" if lessons else "masked-token loss"
    return facts | ({name: losses["loss"]} if "loss" in losses else {})
