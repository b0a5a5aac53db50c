"""What the page offers a person beside the defaults: presets, example prompts, and how far settings may go."""

import unicodedata
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from elf.config import MAX_CFG_SCALE, Method, SamplerSettings, Schedule, Solver, named_settings
from elf.config_file import build_config, read_yaml
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError, ElfError, UsageError
from elf.models.trained_model import TrainedModel
from elf.sampling.options import SETTING_NAMES
from elf.text_file import BLANK_AT_ENDS

LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 1024),
    "gamma": (0, 8),
    "self_cond_scale": (0.5, 8),
    "cfg_scale": (0, MAX_CFG_SCALE),
}
"""Least and greatest value, both allowed. The reference sampler itself goes further."""


def refuse_beyond_page(settings: SamplerSettings) -> None:
    """Raises UsageError for settings with which the page would refuse a manifest."""
    if settings.gamma_curve is not None:
        raise UsageError("γ is drawn over t", "A model's own settings have one γ: leave the curve to single runs.")
    for name, (least, greatest) in LIMITS.items():
        value = getattr(settings, name)
        if not least <= value <= greatest:
            raise UsageError(f"{name} is {value:g}", f"The page takes {least:g} to {greatest:g}.")


MOST_EXAMPLES = 8
MOST_EXAMPLE_CHARACTERS = 4000
"""Of one; the page refuses a manifest with longer ones."""


def checked_examples(model: TrainedModel, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts without what is blank at their ends. Raises ConfigError for one that the model cannot be given."""
    if not texts:
        return ()
    if not model.elf.max_input_length:
        raise ConfigError("--example is given, but this model takes no prompt", "Leave it out.")
    if model.tokenizer is None:
        raise ConfigError("this model has no tokenizer to read --example with", "Leave it out, or give a tokenizer.")
    if len(texts) > MOST_EXAMPLES:
        raise ConfigError(f"there are {len(texts)} examples", f"Give at most {MOST_EXAMPLES}.")
    tokenizer, most = load_tokenizer(model.tokenizer), model.elf.max_input_length
    examples = tuple(text.strip(BLANK_AT_ENDS) for text in texts)
    for number, text in enumerate(examples, start=1):
        count = len(tokenizer.encode(text, add_special_tokens=False).ids)
        if not 1 <= count <= most:
            raise ConfigError(f"example {number} has {count} tokens", f"A prompt of this model has 1 to {most}.")
        if len(text) > MOST_EXAMPLE_CHARACTERS:
            raise ConfigError(
                f"example {number} has {len(text)} characters", f"Give at most {MOST_EXAMPLE_CHARACTERS}."
            )
    return examples


MOST_PRESETS = 6
MOST_CHARACTERS = {"name": 40, "note": 200}
"""The page refuses a manifest with longer ones."""
PRESET_SETTINGS = frozenset({"steps", "method", "gamma", "selfCondScale", "cfgScale", "schedule", "solver"})
"""What a preset may set, by the names of the manifest. Seed and length are a person's own."""

SHAPE = "Write a list of groups, each with name, note and settings, as export/README.md shows."


@dataclass(frozen=True)
class Preset:
    """A way to sample."""

    name: str
    note: str
    """What it is good for, in a sentence."""
    settings: SamplerSettings
    """All of them: the model's defaults where the preset says nothing."""

    def changes(self, defaults: SamplerSettings) -> dict[str, Any]:
        """By the names of the manifest, what it sets that is not the model's default."""
        ours, models = (named_settings(settings, length=1) for settings in (self.settings, defaults))
        return {name: value for name, value in ours.items() if name in PRESET_SETTINGS and value != models[name]}


@dataclass(frozen=True, kw_only=True)
class _Settings:
    """Those a file may set, by the names of sampling files."""

    steps: int | None = None
    method: Method | None = None
    gamma: float | None = None
    self_cond_cfg: float | None = None
    cfg: float | None = None
    schedule: Schedule | None = None
    solver: Solver | None = None


@dataclass(frozen=True, kw_only=True)
class _Entry:
    """One group of a file."""

    name: str
    note: str
    settings: _Settings


def read_presets(path: Path, defaults: SamplerSettings, *, prompted: bool) -> tuple[Preset, ...]:
    """The presets of a YAML file, over the model's `defaults`; `prompted` is whether the model takes prompts.

    Raises ConfigError naming the preset and the field.
    """
    groups = read_yaml(path)
    if not isinstance(groups, list) or not all(isinstance(group, dict) for group in groups):
        raise ConfigError(f"{path} holds no presets", SHAPE)
    if not 1 <= len(groups) <= MOST_PRESETS:
        raise ConfigError(f"{path} holds {len(groups)} presets", f"Give at most {MOST_PRESETS}.")
    presets = [_preset(group, f"[{number}].", defaults) for number, group in enumerate(groups)]
    for number, preset in enumerate(presets):
        try:
            check_preset(preset, prompted=prompted)
        except ElfError as error:
            raise ConfigError(f"[{number}] of {path}: {error}", error.action) from error
        if preset.name in [other.name for other in presets[:number]]:
            raise ConfigError(f"[{number}].name is {preset.name!r} a second time", "Give each a name of its own.")
    return tuple(presets)


def _preset(group: dict[str, Any], prefix: str, defaults: SamplerSettings) -> Preset:
    entry = build_config(_Entry, group, prefix)
    given = {SETTING_NAMES[name]: value for name, value in vars(entry.settings).items() if value is not None}
    if given.get("method") == "sde":
        # A solver of the model's own belongs to its ODE.
        given.setdefault("solver", "euler")
    try:
        settings = replace(defaults, **given)
    except ElfError as error:
        raise ConfigError(f"{prefix}settings: {error}", error.action) from error
    # YAML breaks long lines.
    name, note = (" ".join(text.split()) for text in (entry.name, entry.note))
    return Preset(name, note, settings)


def check_preset(preset: Preset, *, prompted: bool) -> None:
    """Raises ConfigError for words that the page would not show, UsageError for settings that it could not run."""
    for field, most in MOST_CHARACTERS.items():
        text = getattr(preset, field).strip(BLANK_AT_ENDS)
        if not 1 <= len(text) <= most:
            raise ConfigError(f"its {field} has {len(text)} characters", f"Give 1 to {most}.")
        if any(unicodedata.category(character) == "Cc" for character in text):
            raise ConfigError(f"its {field} has control characters", "Leave them out.")
    refuse_beyond_page(preset.settings)
    if preset.settings.cfg_scale != 1 and not prompted:
        raise ConfigError("its cfg is not 1, but this model takes no prompt", "Leave it out.")
