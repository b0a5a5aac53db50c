"""What is carried to a machine that has little but JAX, and back from it: NumPy arrays, JSON, and weights in parts.

Nothing here, nor in train.py, needs more than JAX, Flax, Optax and NumPy.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.config import ElfConfig, FlowConfig, T5Config
from elf.errors import CheckpointError
from elf.text_file import json_value
from elf.training.optimizer import OptimizerConfig

FORMAT = 1
PART_BYTES = 15_000_000
"""Most of one file of weights, which has to fit through narrow doors."""


@dataclass(frozen=True)
class Carried:
    """A training, packed: `elf burst pack` writes it, train.py reads it."""

    settings: dict[str, Any]
    """Plain fields of the training's configuration."""
    elf: ElfConfig
    flow: FlowConfig
    optimizer: OptimizerConfig
    encoder: T5Config
    encoder_params: dict[str, np.ndarray]
    mean: np.ndarray
    std: np.ndarray
    ids: np.ndarray
    """(N, L) uint16 or int32, rows as batches have them."""
    length: np.ndarray
    """(N,), tokens of a row that are none of its filling."""
    source_length: np.ndarray
    """(N,)"""
    start: dict[str, np.ndarray] | None
    """Weights to begin with."""


def write_carried(carried: Carried, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # No ids are as small packed as those of one type that just holds them.
    narrow = np.uint16 if carried.elf.vocabulary_size <= 1 << 16 else np.int32
    np.savez_compressed(
        folder / "rows.npz",
        ids=carried.ids.astype(narrow),
        length=carried.length.astype(np.uint16),
        source_length=carried.source_length.astype(np.uint16),
    )
    arrays: dict[str, Any] = {**carried.encoder_params, "mean": carried.mean, "std": carried.std}
    np.savez_compressed(folder / "encoder.npz", **arrays)
    if carried.start is not None:
        write_weights(folder / "start", carried.start, {})
    settings = {
        "format": FORMAT,
        **{name: vars(getattr(carried, name)) for name in ("elf", "flow", "optimizer", "encoder")},
        "settings": carried.settings,
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n")


def read_carried(folder: Path) -> Carried:
    """Raises CheckpointError naming what is missing or of another form."""
    try:
        settings = json_value((folder / "settings.json").read_text())
        if settings["format"] != FORMAT:
            raise CheckpointError(f"{folder} is of form {settings['format']}, not {FORMAT}", "Pack it again.")
        rows = np.load(folder / "rows.npz")
        encoder = dict(np.load(folder / "encoder.npz"))
        return Carried(
            settings["settings"],
            ElfConfig(**settings["elf"]),
            FlowConfig(**settings["flow"]),
            OptimizerConfig(**settings["optimizer"]),
            T5Config(**settings["encoder"]),
            mean=encoder.pop("mean"),
            std=encoder.pop("std"),
            encoder_params=encoder,
            ids=rows["ids"],
            length=rows["length"],
            source_length=rows["source_length"],
            start=read_weights(folder / "start")[0] if (folder / "start").is_dir() else None,
        )
    except CheckpointError:
        raise
    except Exception as error:  # NumPy, and what unpacks its archives, raise many kinds
        raise CheckpointError(f"{folder} cannot be read: {error}", "Pack it again with `elf burst pack`.") from error


def write_weights(folder: Path, params: Mapping[str, np.ndarray], facts: dict[str, Any]) -> None:
    """As float16, one after another, cut into files of at most PART_BYTES; `weights.json`, written last, says where
    each lies and carries the facts."""
    folder.mkdir(parents=True, exist_ok=True)
    places, halves, at = {}, [], 0
    for name, value in params.items():
        half = np.asarray(value).astype(np.float16)
        places[name] = {"at": at, "shape": half.shape}
        halves.append(half.tobytes())
        at += half.nbytes
    stream = b"".join(halves)
    parts = [stream[i : i + PART_BYTES] for i in range(0, len(stream), PART_BYTES)]
    for number, part in enumerate(parts, 1):
        _part(folder, number).write_bytes(part)
    record = {"format": FORMAT, "parts": len(parts), "bytes": at, "places": places, "facts": facts}
    (folder / "weights.json").write_text(json.dumps(record) + "\n")


def read_weights(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weights as float32, and the facts. Raises CheckpointError for a folder that is not whole."""
    try:
        record = json_value((folder / "weights.json").read_text())
        stream = b"".join(_part(folder, number).read_bytes() for number in range(1, record["parts"] + 1))
        if len(stream) != record["bytes"]:
            raise CheckpointError(f"{folder} has {len(stream):,} of {record['bytes']:,} bytes", "Copy it again.")
        params = {}
        for name, place in record["places"].items():
            count = math.prod(place["shape"])
            half = np.frombuffer(stream, np.float16, count, place["at"])
            params[name] = half.reshape(place["shape"]).astype(np.float32)
        return params, record["facts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no whole weights: {error}", "Copy the folder again.") from error


def _part(folder: Path, number: int) -> Path:
    return folder / f"weights-{number:05}.bin"
