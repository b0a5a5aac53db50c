"""The folder of a training of this project: its checkpoints, and what its settings say of its model."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from elf.checkpoints.fetch import fetched_checkpoint, hub_name
from elf.checkpoints.official import LATENTS, newest_checkpoint, read_source
from elf.checkpoints.orbax_folder import orbax_item
from elf.config import ElfConfig, FlowConfig
from elf.config_file import build_config, read_fields
from elf.errors import CheckpointError
from elf.models.text_encoder import Normalisation
from elf.models.trained_model import (
    BEFORE_SELF_COND_START,
    TrainedModel,
    fingerprint,
    load_trained_model,
    plain_statistic,
    read_statistic,
)
from elf.paths import absolute, files_below, is_address, path_of, written_whole
from elf.text_file import json_value

CHECKPOINT = re.compile(r"checkpoint_(\d+)")
"""A finished one: what is still being written has a longer name, but for buckets."""


DONE = "commit_success.txt"

Statistics = tuple[float | np.ndarray, float | np.ndarray]
"""Mean and deviation that latents are normalised with."""


def statistics_of(model: TrainedModel) -> tuple[str, Statistics] | None:
    """Those of a model's latents, after the fingerprint of their encoder; None for a model without one."""
    return (fingerprint(model.encoder_params), (model.latent_mean, model.latent_std)) if model.encoder else None


class RunFolder(NamedTuple):
    """The output folder of a training of this project."""

    path: Path
    step: int | None = None
    """Of the checkpoint that was named, where one was."""

    @classmethod
    def of(cls, place: Path) -> "RunFolder":
        """The one that `place` is, or that has it for a checkpoint."""
        named = CHECKPOINT.fullmatch(place.name)
        # Named from inside `checkpoints`, its relative path has no parents.
        return cls(absolute(place).parent.parent, int(named[1])) if named else cls(place)

    @property
    def model(self) -> Path:
        """The model that the training has written, if it has."""
        return self.path / "model"

    @property
    def settings(self) -> Path:
        """What `read_run_settings` reads."""
        return self.path / "config.yml"

    @property
    def latents(self) -> Path:
        """What `keep_statistics` writes."""
        return self.path / LATENTS

    def keep_statistics(self, encoder_params: Mapping[str, np.ndarray], statistics: Statistics) -> None:
        """Latents of this encoder are normalised with them, from the training's first step to its last."""
        mean, std = map(plain_statistic, statistics)
        self.path.mkdir(parents=True, exist_ok=True)
        with written_whole(self.latents) as file:
            file.write_text(
                json.dumps({"encoder": fingerprint(encoder_params), "mean": mean, "std": std}) + "\n", encoding="utf-8"
            )

    def statistics(self) -> tuple[str, Statistics] | None:
        """Those that the training's latents have, after the fingerprint of their encoder; a training of before keeps
        them in its model alone. None where it says nothing of them. Raises CheckpointError for what cannot be read."""
        if self.latents.is_file():
            try:
                record = json_value(self.latents.read_text(encoding="utf-8"))
                return record["encoder"], (read_statistic(record["mean"]), read_statistic(record["std"]))
            except (OSError, ValueError, KeyError, TypeError) as error:
                raise CheckpointError(f"{self.latents} cannot be read: {error}", "Copy the folder again.") from error
        return statistics_of(load_trained_model(self.model)) if self.has_model else None

    @property
    def has_model(self) -> bool:
        return (self.model / "config.json").is_file()

    @property
    def is_there(self) -> bool:
        return self.has_model or self.settings.exists()

    def checkpoints(self) -> dict[int, Path]:
        """The finished ones, by their steps."""
        found = {
            int(name[1]): path for path in self.path.glob("checkpoints/*") if (name := CHECKPOINT.fullmatch(path.name))
        }
        return {step: path for step, path in found.items() if is_whole(path)}


def is_whole(checkpoint: Path) -> bool:
    """Whether a folder with the name of a finished checkpoint is one. In a bucket, where renaming a folder is copying
    it, Orbax writes under that name, and last of all a file that says it is done."""
    return not is_address(checkpoint) or (checkpoint / DONE).is_file()


def checkpoint_at(name: str) -> Path:
    """A file, or the folder of an Orbax checkpoint: that one itself, or the newest in a training's output folder, in a
    folder of checkpoints, or in a repository of the hub.

    Raises CheckpointError where there is none, and what fetching one raises.
    """
    on_hub = hub_name(name)
    path = fetched_checkpoint(on_hub) if on_hub else path_of(name)
    if path.is_file() or orbax_item(path) is not None:
        return path
    own = RunFolder(path).checkpoints()
    if own:
        return own[max(own)]
    if not path.is_dir():
        raise CheckpointError(f"there is no {name}", "Give a checkpoint, a folder of some, or a name on the hub.")
    source = read_source(path)
    files = files_below(path)
    return path / (source.checkpoint if source else newest_checkpoint(files, name, "Give one of its checkpoints."))


@dataclass(frozen=True)
class RunSettings:
    """Some fields of a TrainConfig, with its defaults."""

    name: str
    data: str
    encoder: str
    tokenizer: str
    split: str | None = None
    revision: str | None = None
    batch_size: int = 512
    elf: ElfConfig = field(default_factory=ElfConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    pad_token: Literal["pad", "eos"] = "pad"
    recipe: Literal["official", "own"] = "own"
    filling: Literal["unseen", "seen"] | None = None
    latent_normalisation: Normalisation = "measured"

    @property
    def sees_filling(self) -> bool:
        """Whether the encoder sees the end tokens that fill a row, as the training decided or its recipe did."""
        return self.pad_token == "eos" and (self.filling or ("seen" if self.recipe == "own" else "unseen")) == "seen"


def read_run_settings(path: Path, *, remembered: bool) -> RunSettings:
    """Those of a training's YAML. Raises ConfigError naming the field.

    `remembered` is whether the training wrote it: then it names every field that there was at the time. In one that a
    person wrote what is left out is the default.
    """
    ours = {each.name for each in fields(RunSettings)}
    given = {name: value for name, value in read_fields(path).items() if name in ours}
    flow = given.get("flow", {})
    if remembered and isinstance(flow, dict):
        given["flow"] = {"self_cond_start": BEFORE_SELF_COND_START, **flow}
    return build_config(RunSettings, given)
