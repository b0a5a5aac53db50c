"""A judge as `elf export-judge` writes it, read back: the same GPT-2, its weights as they are stored for the page."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from elf.errors import CheckpointError, ConfigError, StoredWeightsError
from elf.evaluation.gpt2 import Gpt2, Gpt2Config, check_layers
from elf.json_text import json_value
from elf.models.exported.encodings import DTYPES
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import FlatParams
from elf.network.modules import abstract
from elf.network.parameters import check_parameters

MANIFEST = "judge.json"
SCHEMA_VERSION = 1
SIZES = {
    "vocabularySize": "vocab_size",
    "maxLength": "n_positions",
    "width": "n_embd",
    "layers": "n_layer",
    "heads": "n_head",
}
"""Names of the manifest's `architecture`, and of config.json."""

EMBEDDING = "judge/wte/kernel"
"""(H, V): a column for each token, read as it is by the tied head."""
TABLES = {"wte/embedding": EMBEDDING, "wpe/embedding": "judge/wpe"}


def graph_weights(params: FlatParams) -> dict[str, np.ndarray]:
    """The tensors of the exported graph, by name, of those of `gpt2.py`."""
    return {
        TABLES.get(name, f"judge/{name}"): np.asarray(value).T if name == "wte/embedding" else np.asarray(value)
        for name, value in params.items()
    }


def params_of(weights: Mapping[str, np.ndarray]) -> FlatParams:
    """The reverse of `graph_weights`."""
    names = {ours: theirs for theirs, ours in TABLES.items()}
    return {
        names.get(name, name.removeprefix("judge/")): weights[name].T if name == EMBEDDING else weights[name]
        for name in weights
    }


def is_exported(folder: Path) -> bool:
    """Whether `elf export-judge` wrote the folder; `elf train-judge` writes a judge.json too, without a graph."""
    try:
        return "graph" in json_value((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError, TypeError):
        return False


def read_exported(folder: Path) -> tuple[Gpt2Config, FlatParams, dict[str, Any]]:
    """Configuration, float32 weights by the names of `gpt2.py`, and the manifest.

    Raises CheckpointError for a manifest that means nothing, StoredWeightsError for weights that cannot be read, and
    CheckpointMismatchError for those that do not fit.
    """
    path = folder / MANIFEST
    try:
        manifest = json_value(path.read_text(encoding="utf-8"))
        if manifest["schemaVersion"] != SCHEMA_VERSION:
            raise ValueError(f"schema version {manifest['schemaVersion']}, not {SCHEMA_VERSION}")
        config = Gpt2Config(**{theirs: int(manifest["architecture"][ours]) for ours, theirs in SIZES.items()})
        dtype, eos = manifest["weights"]["dtype"], manifest["eos"]
        if dtype not in DTYPES or not isinstance(eos, int):
            raise ValueError(f"dtype {dtype!r}, eos {eos!r}")
    except (OSError, ValueError, KeyError, TypeError, OverflowError, ConfigError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Export the judge again.") from error
    try:
        params = params_of(dict(StoredWeights(folder / "onnx", dtype)))
    except (ValueError, TypeError) as error:
        raise StoredWeightsError(
            f"the weights of {folder} are not of their shapes: {error}", "Export the judge again."
        ) from error
    check_layers(config, params, folder)
    _, wanted = abstract(Gpt2, config)
    check_parameters(params, {name: tuple(value.shape) for name, value in wanted.items()}, "this judge")
    return config, params, manifest
