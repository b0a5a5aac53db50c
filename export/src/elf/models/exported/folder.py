"""The model of an exported folder: what its manifest tells, and its weights, taken back (export/FORMAT.md)."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from elf.checkpoints.official import LATENT_MEAN, LATENT_STD
from elf.config import ElfConfig, FlowConfig, SelfCondStart
from elf.errors import CheckpointError, ConfigError, StoredWeightsError, UsageError, first_line
from elf.models.exported.encodings import DTYPES, Dtype
from elf.models.exported.rearranged import encoder_config, official_encoder_params, official_params
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import BEFORE_SELF_COND_START, ExportedGraphs, TrainedModel, check_names, read_statistic
from elf.sampler_settings import settings_of
from elf.text_file import json_value

MANIFEST = "manifest.json"

SCHEMA_VERSION = 3
READ_VERSIONS = (2, 3)
"""Version 2 does not say `selfCondStart`; the rest is the same."""

EXPORT_AGAIN = "Run `elf export` again on the checkpoint, or copy the folder again; `elf check` says what is wrong."


def is_exported(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises CheckpointError for one that is missing, broken, or of another version."""
    file = folder / MANIFEST
    try:
        manifest = json_value(file.read_text(encoding="utf-8"))
        version = manifest["schemaVersion"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", EXPORT_AGAIN) from error
    if version not in READ_VERSIONS:
        known = " and ".join(map(str, READ_VERSIONS))
        raise CheckpointError(f"{file} is of version {version!r}, {known} are read", EXPORT_AGAIN)
    return manifest


def describe_model(folder: Path, manifest: dict[str, Any]) -> TrainedModel:
    """All of the model that its manifest tells."""
    architecture, latent, schedule = (manifest[part] for part in ("architecture", "latent", "schedule"))
    tokenizer = folder / "tokenizer.json"
    check_names(manifest["name"], {}, manifest.get("source", {}))
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
            self_cond_start=self_cond_start(manifest),
        ),
        params={},
        latent_mean=read_statistic(latent["mean"]),
        latent_std=read_statistic(latent["std"]),
        tokenizer=tokenizer if tokenizer.is_file() else None,
        sampling=settings_of(manifest["defaults"]),
        source=manifest.get("source", {}),
    )


def self_cond_start(manifest: Mapping[str, Any]) -> SelfCondStart:
    """What the model's x̂ starts with on the source. A manifest of version 2 does not say it; there only trainings by
    the official code started with the condition, and their models are known by their `source`, which only official
    checkpoints brought with them, or else by T5-small's latents, which no published training of this project had."""
    if manifest["schemaVersion"] > 2:
        return manifest["selfCondStart"]
    latent = manifest["latent"]
    official = "source" in manifest or (latent["mean"], latent["std"]) == (LATENT_MEAN, LATENT_STD)
    return "condition" if official else BEFORE_SELF_COND_START


def open_folder(folder: Path, dtype: str | None = None) -> TrainedModel:
    """The model of a folder with its weights in one of its dtypes, the manifest's choice unless given; they are read
    when they are asked for, and are those that the graphs compute with, rounded as they may be.

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
        weights = StoredWeights(folder / "onnx", chosen)
        shapes = {tensor.name: tensor.shape for tensor in weights.index.tensors}
        encoder = encoder_config(weights, shapes) if has_encoder else None
        elf = replace(
            model.elf,
            time_tokens=shapes["t_emb_tokens"][1],
            mode_tokens=shapes["mode_tokens"][1],
            # A network that takes no x̂ has zeros there in its graphs.
            self_conditioning=bool(weights["text_proj/x_hat_prev/kernel"].any()),
        )
    except (StoredWeightsError, KeyError, ValueError) as error:
        raise CheckpointError(f"the weights of {folder} cannot be opened: {first_line(error)}", EXPORT_AGAIN) from error
    return replace(
        model,
        elf=elf,
        params=official_params(elf, weights),
        encoder=encoder,
        encoder_params=official_encoder_params(encoder, weights) if encoder else {},
        training={"checkpoint": folder.absolute().name, "format": f"exported folder, {chosen}"},
        exported=ExportedGraphs(folder, chosen, length),
    )
