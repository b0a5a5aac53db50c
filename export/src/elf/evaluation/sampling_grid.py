"""Which ways to sample an evaluation tries: a YAML file of settings, lists in it for every combination."""

import itertools
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elf.config_file import build_config, read_override, read_yaml
from elf.errors import ConfigError
from elf.sampling.options import SamplerOptions

SHAPE = "Write one group of `field: value` lines, or a list of such groups; any value may be a list."


@dataclass(frozen=True, kw_only=True)
class Sampling(SamplerOptions):
    """One way to sample."""

    def name(self, position: int) -> str:
        """Of its folder: `position` in the file, from 0, and the settings that differ most often."""
        parts = [f"{position:02d}", self.method, f"{self.steps}"]
        parts += [f"gamma{self.gamma:g}"] if self.method == "sde" else []
        parts += [self.solver] if self.solver != "euler" else []
        parts += [f"w{self.self_cond_cfg:g}"]
        parts += [f"cfg{self.cfg:g}"] if self.cfg != 1 else []
        return "_".join([*parts, f"seed{self.seed}"])


def load_samplings(path: Path | None, overrides: tuple[str, ...] = ()) -> list[Sampling]:
    """Every combination of every entry of the file, each once, in the file's order; its first list varies slowest.

    `overrides`, such as `steps=8` or `gamma=[0.5,1.5]`, are set in all entries; without a file they are the only entry.
    Raises ConfigError naming the field, UsageError for a value that cannot be.
    """
    entries = {} if path is None else read_yaml(path)
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path} holds no sampling settings", SHAPE)
    over = dict(map(read_override, overrides))
    samplings = []
    for number, entry in enumerate(entries):
        prefix = f"[{number}]." if len(entries) > 1 else ""
        samplings += [_checked(values, prefix) for values in _combinations(entry | over, prefix)]
    return [*dict.fromkeys(samplings)]


def _combinations(entry: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    choices = [value if isinstance(value, list) else [value] for value in entry.values()]
    for name, choice in zip(entry, choices, strict=True):
        if not choice:
            raise ConfigError(f"{prefix}{name} is an empty list", "Give it a value, or leave it out.")
    return [dict(zip(entry, values, strict=True)) for values in itertools.product(*choices)]


def _checked(values: dict[str, Any], prefix: str) -> Sampling:
    sampling = build_config(Sampling, values, prefix)
    sampling.settings()  # refuses what cannot be before anything is sampled
    return sampling
