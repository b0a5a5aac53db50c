"""A folder of golden numbers: cases of the official training step, each a `.json` of facts and a `.npz` of arrays."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from elf.checkpoints.stored_tensors import BROKEN_ZIP
from elf.config import ElfConfig, T5Config
from elf.errors import GoldenError
from elf.models.text_encoder import load_encoder
from elf.models.trained_model import FlatParams
from elf.text_file import json_value

# Every case names its configuration, the draws it made and what came of them. Trees of weights hold one array per
# parameter, whole or every `stride`-th element of it, and two figures of each whole parameter: its norm, and `dot`, the
# sum of element i times cos(i + 1).

WEIGHTS, STUDENT, PARAMETERS = "weights.npz", "student.npz", "parameters.json"
ENCODER = "t5_tiny_encoder_jax.pkl"
COPY_AGAIN = "Give a whole folder of golden numbers; its README tells the files and arrays."


@dataclass(frozen=True)
class Case:
    """One run of the official step."""

    name: str
    facts: Mapping[str, Any]
    """Its `.json`: config, network, coins, losses."""
    arrays: Mapping[str, np.ndarray]
    """Its `.npz`, an array read whenever it is asked for."""
    strides: Mapping[str, int]
    """Of the sampled trees, by parameter."""

    @property
    def kind(self) -> Literal["training", "distillation"]:
        return "training" if "micro_steps" in self.facts else "distillation"

    @property
    def config(self) -> Mapping[str, Any]:
        return self.facts["config"]

    @cached_property
    def elf(self) -> ElfConfig:
        network, config = self.facts["network"], self.config
        return ElfConfig(
            depth=network["depth"],
            hidden_size=network["H"],
            heads=network["heads"],
            latent_size=network["D"],
            bottleneck_size=network["bottleneck"],
            vocabulary_size=network["V"],
            max_length=network["L"],
            max_input_length=int(config.get("max_input_length") or 0) if self.conditional else 0,
            self_conditioning="self_cond_proj/kernel" in self["names"],
            time_tokens=config["num_time_tokens"],
            self_cond_cfg_tokens=config["num_self_cond_cfg_tokens"],
            mode_tokens=config["num_model_mode_tokens"],
        )

    @cached_property
    def conditional(self) -> bool:
        """Whether any row has a source."""
        return bool(self["batch/cond_seq_mask"].any())

    def __getitem__(self, name: str) -> np.ndarray:
        """Raises GoldenError for an array that the case lacks."""
        try:
            return self.arrays[name]
        except KeyError as error:
            raise GoldenError(f"{self.name} has no array {name}", COPY_AGAIN) from error

    def trees(self, prefix: str) -> list[str]:
        """The trees whose names start with `prefix`, in order."""
        found = {name.partition(".")[0] for name in self.arrays if name.startswith(prefix) and name.endswith(".norm")}
        return sorted(found)

    def tree_deviation(self, tree: str, params: Mapping[str, np.ndarray]) -> float:
        """The largest over all parameters of ‖ours − golden‖ / ‖golden‖.

        A parameter whose golden norm is below 1e-6 of the largest counts as that large: of nothing, nothing is a part.
        """
        names = [str(name) for name in self["names"]]
        norms = dict(zip(names, self[f"{tree}.norm"], strict=True))
        dots = dict(zip(names, self[f"{tree}.dot"], strict=True))
        floor = 1e-6 * max(norms.values())
        worst = 0.0
        for name in names:
            ours, golden = np.asarray(params[name], np.float64), self[f"{tree}/{name}"].astype(np.float64)
            scale = max(float(norms[name]), floor)
            dot = float((ours.reshape(-1) * np.cos(np.arange(ours.size) + 1.0)).sum())
            if golden.shape != ours.shape:
                # Every stride-th element: of the whole they are this much.
                ours = ours.reshape(-1)[:: self.strides[name]]
            part = max(float(np.linalg.norm(golden)), floor)
            off = float(np.linalg.norm((ours - golden).reshape(-1))) / part
            # cos(i + 1) has norm √(n / 2); a sum that cancels is measured by what was added.
            off_dot = abs(dot - float(dots[name])) / (scale * max(1.0, np.sqrt(params[name].size / 2)))
            # Not Python's max: a NaN wins over every number.
            worst = float(np.max([worst, off, off_dot]))
        return worst


@dataclass(frozen=True)
class GoldenFolder:
    path: Path
    cases: tuple[Case, ...]
    weights: FlatParams
    """The first weights of every training case, and the teacher's of every distillation."""
    student: FlatParams | None
    encoder: T5Config
    encoder_params: FlatParams


def open_golden(path: Path) -> GoldenFolder:
    """Raises GoldenError naming the file that is missing or broken."""
    if not path.is_dir():
        raise GoldenError(f"there is no folder {path}", "Give the folder of the golden numbers.")
    table = _json(path / PARAMETERS)
    names = sorted(file.stem for file in path.glob("*.json") if file.with_suffix(".npz").is_file())
    if not names:
        raise GoldenError(f"{path} holds no case, a .json and a .npz of one name", COPY_AGAIN)
    cases = []
    for name in names:
        facts = _json(path / f"{name}.json")
        stride = "stride" if "micro_steps" in facts else "stride_distill"
        strides = {parameter: int(entry[stride]) for parameter, entry in table.items()}
        cases.append(Case(name, facts, _npz(path / f"{name}.npz"), strides))
    encoder, encoder_params = load_encoder(path / ENCODER)
    student = path / STUDENT
    return GoldenFolder(
        path, tuple(cases), _params(path / WEIGHTS), _params(student) if student.is_file() else None, encoder,
        encoder_params,
    )  # fmt: skip


def _params(path: Path) -> FlatParams:
    return {name.removeprefix("param/"): np.asarray(array, np.float32) for name, array in _npz(path).items()}


def _json(path: Path) -> Any:
    try:
        return json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise GoldenError(f"{path} cannot be read: {error}", COPY_AGAIN) from error


def _npz(path: Path) -> Mapping[str, np.ndarray]:
    try:
        found = np.load(path)
        if not isinstance(found, Mapping):
            raise ValueError("it holds one array without a name")
        return found
    except (OSError, ValueError, *BROKEN_ZIP) as error:
        raise GoldenError(f"{path} cannot be read: {error}", COPY_AGAIN) from error
