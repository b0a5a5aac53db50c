"""`manifest.json`: all that a reader of an exported model needs to know, written and checked (export/FORMAT.md)."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import numpy as np

from elf.config import SamplerSettings, SelfCondStart, named_settings, settings_of
from elf.data.tokenizer import EOS, PAD, UNK
from elf.errors import ElfError, ExportedModelError
from elf.models.encodings import DTYPES
from elf.models.exported_folder import READ_VERSIONS, SCHEMA_VERSION
from elf.models.trained_model import TrainedModel, plain_statistic
from elf.network.parameters import shapes_of
from elf.onnx_export.graphs import FUSED
from elf.onnx_export.network_graphs import TOP_K, has_logits
from elf.onnx_export.presets import MOST_EXAMPLES, MOST_PRESETS, PRESET_SETTINGS, Preset, check_preset
from elf.paths import is_name_below, sha256
from elf.text_file import BLANK_AT_ENDS, json_value


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
    model: TrainedModel,
    names: Names,
    settings: SamplerSettings,
    length: int,
    graphs: Iterable[str],
    basis: Mapping[str, Any],
) -> dict[str, Any]:
    """The manifest without its dtypes and its list of files; `basis` is one of `latent_basis`."""
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
            "basis": basis,
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


def list_files(folder: Path) -> list[dict[str, Any]]:
    """Every file with its size and SHA-256, by path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [
        {"path": file.relative_to(folder).as_posix(), "bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in files
    ]


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


Kind = type | tuple[type, ...] | dict[str, Any]
NUMBER = (int, float)
STATISTIC = (int, float, list)

SETTINGS: dict[str, Kind] = {
    **dict.fromkeys(("gamma", "selfCondScale", "cfgScale"), NUMBER),
    **dict.fromkeys(("steps", "seed", "length"), int),
    **dict.fromkeys(("method", "schedule", "solver", "rng"), str),
}
FIELDS: dict[str, Kind] = {
    "schemaVersion": int,
    "name": str,
    "title": str,
    "description": str,
    "task": str,
    "licence": str,
    "architecture": {
        name: int
        for name in (
            "depth",
            "hiddenSize",
            "heads",
            "latentSize",
            "bottleneckSize",
            "vocabularySize",
            "maxLength",
            "maxInputLength",
            "selfCondCfgTokens",
            "parameters",
        )
    },
    "latent": {"noiseScale": NUMBER, "tEps": NUMBER, "mean": STATISTIC, "std": STATISTIC},
    "schedule": {"pMean": NUMBER, "pStd": NUMBER},
    "tokens": {"pad": int, "eos": int, "unk": int},
    "decoder": {"topK": int, "logits": bool},
    "defaults": SETTINGS,
    "graphs": {name: {"file": str} for name in ("prefix", "denoiser", "decoder")},
    "dtypes": dict,
    "defaultDtype": str,
    "files": list,
}
BASIS_FIELDS: dict[str, Kind] = {"mean": list, "directions": list, "reach": NUMBER}
OPTIONAL_FIELDS: dict[str, Kind] = {"examples": list, "presets": list}
OPTIONAL_ARCHITECTURE: dict[str, Kind] = {"sourceOptional": bool}
PRESET_FIELDS: dict[str, Kind] = {"name": str, "note": str, "settings": dict}
DTYPE_FIELDS: dict[str, Kind] = {
    "index": str,
    "shards": list,
    "bytes": int,
    "selfTest": str,
    "tokenAgreement": NUMBER,
    "normalisedEditDistance": NUMBER,
    "approximate": bool,
}
FILE_FIELDS: dict[str, Kind] = {"path": str, "bytes": int, "sha256": str}


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a folder. Raises ExportedModelError naming the field that is lacking or wrong."""
    path = folder / "manifest.json"
    if not path.is_file():
        raise ExportedModelError(f"{folder} has no manifest.json", "Give a folder that `elf export` wrote.")
    try:
        manifest = json_value(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise wrong(f"it cannot be read: {error}") from error
    version = manifest.get("schemaVersion") if isinstance(manifest, dict) else None
    if version not in READ_VERSIONS:
        raise wrong(f"its schema version is {version} and not {' or '.join(map(str, READ_VERSIONS))}")
    check_fields(manifest, FIELDS, "")
    check_start(manifest)
    check_basis(manifest)
    check_prompts(manifest)
    check_presets(manifest)
    for dtype, entry in manifest["dtypes"].items():
        if dtype not in DTYPES:
            raise wrong(f"dtypes.{dtype} is none of {', '.join(DTYPES)}")
        check_fields(entry, DTYPE_FIELDS, f"dtypes.{dtype}")
    if manifest["defaultDtype"] not in manifest["dtypes"]:
        raise wrong("defaultDtype is none of its dtypes")
    check_file_entries(manifest["files"])
    return manifest


def check_file_entries(files: list[Any]) -> None:
    """Raises ExportedModelError for an entry that describes no file of the folder."""
    for number, entry in enumerate(files):
        check_fields(entry, FILE_FIELDS, f"files.{number}")
        if not is_name_below(entry["path"]):
            raise wrong(f"files.{number}.path leads out of the folder")


def check_start(manifest: Mapping[str, Any]) -> None:
    """Raises ExportedModelError where `selfCondStart`, unknown to version 2, is missing or none that there is."""
    if manifest["schemaVersion"] > 2:
        check_fields(manifest, {"selfCondStart": str}, "")
        if manifest["selfCondStart"] not in get_args(SelfCondStart):
            raise wrong(f"selfCondStart is none of {', '.join(get_args(SelfCondStart))}")


def check_basis(manifest: Mapping[str, Any]) -> None:
    """Raises ExportedModelError for a `latent.basis` that no run can be drawn in; a folder may have none."""
    if "basis" not in manifest["latent"]:
        return
    basis, size = manifest["latent"]["basis"], manifest["architecture"]["latentSize"]
    check_fields(basis, BASIS_FIELDS, "latent.basis")
    rows = [basis["mean"], *basis["directions"]]
    if len(rows) != 3 or not all(isinstance(row, list) and len(row) == size for row in rows):
        raise wrong(f"latent.basis is no mean and two directions of {size} numbers each")
    for row in rows:
        for number in row:
            check_fields(number, NUMBER, "a number of latent.basis")
    if not basis["reach"] > 0:
        raise wrong("latent.basis.reach is not above 0")


def check_prompts(manifest: Mapping[str, Any]) -> None:
    """Raises ExportedModelError for what is said of prompts and cannot be."""
    architecture = manifest["architecture"]
    for kinds, of, name in ((OPTIONAL_FIELDS, manifest, ""), (OPTIONAL_ARCHITECTURE, architecture, "architecture")):
        check_fields(of, {field: kind for field, kind in kinds.items() if field in of}, name)
    examples = manifest.get("examples", [])
    if len(examples) > MOST_EXAMPLES or not all(
        isinstance(text, str) and text.strip(BLANK_AT_ENDS) for text in examples
    ):
        raise wrong(f"examples are not at most {MOST_EXAMPLES} texts")
    if not architecture["maxInputLength"] and (architecture.get("sourceOptional") or examples):
        raise wrong("it speaks of prompts, but architecture.maxInputLength is 0")


def check_presets(manifest: Mapping[str, Any]) -> None:
    """Raises ExportedModelError for presets that the page would not show or could not run."""
    presets = manifest.get("presets", [])
    if len(presets) > MOST_PRESETS:
        raise wrong(f"it has {len(presets)} presets, at most {MOST_PRESETS} are shown")
    prompted = manifest["architecture"]["maxInputLength"] > 0
    for number, entry in enumerate(presets):
        place = f"presets.{number}"
        check_fields(entry, PRESET_FIELDS, place)
        for name, value in entry["settings"].items():
            if name not in PRESET_SETTINGS:
                raise wrong(f"{place}.settings.{name} is nothing that a preset sets")
            check_fields(value, SETTINGS[name], f"{place}.settings.{name}")
        try:
            settings = settings_of({**manifest["defaults"], **entry["settings"]})
            check_preset(Preset(entry["name"], entry["note"], settings), prompted=prompted)
        except ElfError as error:
            raise wrong(f"{place}: {error}") from error


def check_fields(value: Any, kind: Kind, name: str) -> None:
    """Raises ExportedModelError unless `value` is of this kind, and so is everything in it."""
    if not isinstance(kind, dict):
        # To Python a bool is an int.
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise wrong(f"{name} is {json.dumps(value)[:40]}")
        return
    if not isinstance(value, Mapping):
        raise wrong(f"{name or 'the top level'} is no object")
    for field, inner in kind.items():
        path = f"{name}.{field}".lstrip(".")
        if field not in value:
            raise wrong(f"{path} is missing")
        check_fields(value[field], inner, path)


def wrong(detail: str) -> ExportedModelError:
    return ExportedModelError(f"manifest.json is wrong: {detail}", "Export the model again.")


# --- Two directions to draw a model's latents in, the same for all of its runs (export/FORMAT.md, `latent.basis`) ---

DIRECTIONS = 2
NOISE_REACH = 3.5
"""Standard deviations of the noise that a picture has room for: one number in 2,000 lies further out."""
DIGITS = 4


def latent_basis(ends: np.ndarray, noise_scale: float) -> dict[str, Any]:
    """The principal components of the latents (n, D) that texts ended in, and how far a picture has to reach.

    `reach` is half the side of a square around the mean, in normalised latents, that holds these latents and the noise
    that they came from. Directions that there are none of, as of fewer latents, are zeros.
    """
    mean = ends.mean(0, dtype=np.float64)
    _, _, components = np.linalg.svd(ends - mean, full_matrices=False)
    directions = np.zeros((DIRECTIONS, ends.shape[1]))
    found = components[:DIRECTIONS]
    # A component is one as well turned round. The same latents must always give the same one.
    greatest = np.take_along_axis(found, np.abs(found).argmax(1, keepdims=True), 1)
    directions[: len(found)] = found * np.sign(greatest)
    of_texts = np.abs((ends - mean) @ directions.T).max()
    of_noise = np.abs(mean @ directions.T).max() + NOISE_REACH * noise_scale
    return {
        "mean": rounded(mean),
        "directions": [rounded(direction) for direction in directions],
        "reach": rounded(np.asarray([max(of_texts, of_noise)]))[0],
    }


def rounded(numbers: np.ndarray) -> list[float]:
    return [round(number, DIGITS) + 0.0 for number in numbers.tolist()]
