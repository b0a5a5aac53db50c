"""An exported folder as `elf sample` runs it: its own graphs in ONNX Runtime, its own settings, behind the sampler."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.config import ElfConfig, FlowConfig
from elf.errors import CheckpointError, ConfigError, UsageError
from elf.network.trained_model import TrainedModel
from elf.onnx_export.encodings import DTYPES, Dtype
from elf.onnx_export.manifest import SCHEMA_VERSION
from elf.onnx_export.stored_weights import StoredWeights
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.settings import settings_of

MANIFEST = "manifest.json"

EXPORT_AGAIN = "Run `elf export` again on the checkpoint, or copy the folder again; `elf check` says what is wrong."


@dataclass(frozen=True)
class ExportedModel:
    """What a run needs of an exported folder."""

    model: TrainedModel
    """Without weights: they are in the graphs."""
    network: OnnxNetwork
    encoder: OnnxEncoder | None
    length: int
    """Positions of a run unless asked otherwise."""


def is_exported(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def open_exported(folder: Path, dtype: str | None = None) -> ExportedModel:
    """The graphs of a folder with its weights in one of its dtypes, the manifest's choice unless given.

    Raises CheckpointError for a folder that is broken or of another version of the format, UsageError for a dtype that
    it does not have.
    """
    manifest = read_manifest(folder)
    try:
        known: dict[str, Dtype] = {name: name for name in DTYPES if name in manifest["dtypes"]}
        chosen = known.get(dtype or manifest["defaultDtype"])
        model, length = describe_model(folder, manifest), int(manifest["defaults"]["length"])
        has_encoder = "encoder" in manifest["graphs"]
    except (KeyError, TypeError, ValueError, ConfigError, UsageError) as error:
        raise CheckpointError(f"{folder / MANIFEST} does not describe a model: {error}", EXPORT_AGAIN) from error
    if chosen is None:
        raise UsageError(f"{folder} has no weights in {dtype}", f"Choose one of {', '.join(known)}.")
    try:
        graphs = folder / "onnx"
        weights = StoredWeights(graphs, chosen)
        network = OnnxNetwork(graphs, weights)
        encoder = OnnxEncoder(graphs, weights) if has_encoder else None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise CheckpointError(f"the graphs of {folder} cannot be opened: {reason}", EXPORT_AGAIN) from error
    return ExportedModel(model, network, encoder, length)


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises CheckpointError for one that is missing, broken, or of another version."""
    file = folder / MANIFEST
    try:
        manifest = json.loads(file.read_text(encoding="utf-8"))
        version = manifest["schemaVersion"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", EXPORT_AGAIN) from error
    if version != SCHEMA_VERSION:
        raise CheckpointError(f"{file} is of version {version!r}, {SCHEMA_VERSION} is read", EXPORT_AGAIN)
    return manifest


def describe_model(folder: Path, manifest: dict[str, Any]) -> TrainedModel:
    """All of the model that its manifest tells."""
    architecture, latent, schedule = (manifest[part] for part in ("architecture", "latent", "schedule"))
    tokenizer = folder / "tokenizer.json"
    return TrainedModel(
        name=manifest["name"],
        elf=ElfConfig(
            depth=architecture["depth"],
            hidden_size=architecture["hiddenSize"],
            heads=architecture["heads"],
            latent_size=architecture["latentSize"],
            bottleneck_size=architecture["bottleneckSize"],
            vocabulary_size=architecture["vocabularySize"],
            max_length=architecture["maxLength"],
            max_input_length=architecture.get("maxInputLength", 0),
            source_optional=architecture.get("sourceOptional", False),
            self_cond_cfg_tokens=architecture.get("selfCondCfgTokens", ElfConfig.self_cond_cfg_tokens),
        ),
        flow=FlowConfig(
            noise_scale=latent["noiseScale"],
            t_eps=latent["tEps"],
            p_mean=schedule["pMean"],
            p_std=schedule["pStd"],
        ),
        params={},
        latent_mean=np.asarray(latent["mean"], np.float32),
        latent_std=np.asarray(latent["std"], np.float32),
        tokenizer=tokenizer if tokenizer.is_file() else None,
        sampling=settings_of(manifest["defaults"]),
        source=manifest.get("source", {}),
    )
