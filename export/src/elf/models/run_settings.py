"""What of a training's settings describes its model, read from the `config.yml` that the training keeps."""

from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from elf.config import ElfConfig, FlowConfig
from elf.config_file import build_config, read_fields
from elf.models.latent_statistics import Normalisation
from elf.models.trained_model import BEFORE_SELF_COND_START


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
