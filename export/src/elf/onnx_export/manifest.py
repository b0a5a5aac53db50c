"""`manifest.json`: all that a reader of an exported model needs to know (export/FORMAT.md)."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from elf.data.tokenizer import EOS, PAD, UNK
from elf.disk import sha256
from elf.models.exported.encodings import Dtype
from elf.models.exported.folder import SCHEMA_VERSION
from elf.models.exported.stored_weights import weights_stem
from elf.models.trained_model import TrainedModel, plain_statistic
from elf.network.parameters import shapes_of
from elf.onnx_export.decoder_graph import TOP_K, has_logits
from elf.onnx_export.graphs import FUSED
from elf.onnx_export.presets import Preset
from elf.onnx_export.storage_gate import APPROXIMATE, StorageFigures
from elf.sampler_settings import SamplerSettings, named_settings


@dataclass(frozen=True)
class Names:
    """What people call the model."""

    name: str
    title: str
    description: str
    licence: str
    """SPDX id."""
    examples: tuple[str, ...] = ()
    """Prompts worth trying."""
    presets: tuple[Preset, ...] = ()
    """Ways to sample worth choosing."""


def describe(
    model: TrainedModel, names: Names, settings: SamplerSettings, length: int, graphs: Iterable[str]
) -> dict[str, Any]:
    """The manifest without its dtypes and its list of files."""
    config, flow = model.elf, model.flow
    called = {name: value for name, value in vars(names).items() if name not in ("examples", "presets")}
    return {
        "schemaVersion": SCHEMA_VERSION,
        **called,
        "task": "conditional" if config.max_input_length else "unconditional",
        "architecture": {
            "depth": config.depth,
            "hiddenSize": config.hidden_size,
            "heads": config.heads,
            "latentSize": config.latent_size,
            "bottleneckSize": config.bottleneck_size,
            "vocabularySize": config.vocabulary_size,
            "maxLength": config.max_length,
            "maxInputLength": config.max_input_length,
            "sourceOptional": config.source_optional,
            "selfCondCfgTokens": config.self_cond_cfg_tokens,
            "parameters": sum(math.prod(shape) for shape in shapes_of(model.params).values()),
        },
        "latent": {
            "noiseScale": flow.noise_scale,
            "tEps": flow.t_eps,
            "mean": plain_statistic(model.latent_mean),
            "std": plain_statistic(model.latent_std),
        },
        "schedule": {"pMean": flow.p_mean, "pStd": flow.p_std},
        "selfCondStart": flow.self_cond_start,
        "tokens": {"pad": PAD, "eos": EOS, "unk": UNK},
        "decoder": {"topK": min(TOP_K, config.vocabulary_size), "logits": has_logits(config)},
        "defaults": named_settings(settings, length),
        **({"examples": [*names.examples]} if names.examples else {}),
        **({"presets": describe_presets(names.presets, settings)} if names.presets else {}),
        "graphs": describe_graphs(graphs),
        **({"source": model.source} if model.source else {}),
    }


def describe_presets(presets: Iterable[Preset], defaults: SamplerSettings) -> list[dict[str, Any]]:
    """Every preset with those of its settings that are not the defaults'."""
    return [{"name": preset.name, "note": preset.note, "settings": preset.changes(defaults)} for preset in presets]


def describe_graphs(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Every graph with its variants."""
    described: dict[str, dict[str, str]] = {}
    for name in sorted(names):
        graph = name.removesuffix(FUSED)
        described.setdefault(graph, {})["file" if name == graph else "fused"] = f"onnx/{name}.onnx"
    return described


def describe_packed(manifest: dict[str, Any], dtype: Dtype, packed: Mapping[str, str]) -> None:
    """Adds the graphs of one dtype whose kernels stay packed, file names by graph."""
    for graph, name in packed.items():
        manifest["graphs"][graph].setdefault("packed", {})[dtype] = f"onnx/{name}"


def describe_dtype(
    folder: Path, dtype: Dtype, shards: list[str], self_test: str, figures: StorageFigures
) -> dict[str, Any]:
    """One entry of the manifest's `dtypes`; `folder` holds the shards."""
    return {
        "index": f"onnx/{weights_stem(dtype)}.json",
        "shards": [f"onnx/{shard}" for shard in shards],
        "bytes": sum((folder / shard).stat().st_size for shard in shards),
        "selfTest": f"onnx/{self_test}",
        "tokenAgreement": figures.token_agreement,
        "normalisedEditDistance": figures.edit_distance,
        "approximate": dtype in APPROXIMATE or not figures.passes,
    }


def list_files(folder: Path) -> list[dict[str, Any]]:
    """Every file with its size and SHA-256, by path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [
        {"path": file.relative_to(folder).as_posix(), "bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in files
    ]


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
