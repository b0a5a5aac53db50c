"""A yardstick at rest: a training's model folder, or an exported one, with names of its own.

For the graphs queries and keys have their pairs (2i, 2i + 1) moved apart, first all even and then all odd numbers, so
that they turn by halves.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from elf.data.tokenizer_json import copy_tokenizer
from elf.disk import written_whole
from elf.errors import CheckpointError, ConfigError
from elf.evaluation.judge import MANIFEST, is_exported
from elf.models.exported.encodings import DTYPES
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import FlatParams
from elf.network.modules import abstract
from elf.network.parameters import check_parameters
from elf.text_file import json_value
from elf.yardstick.translator import Translator, TranslatorConfig

EMBEDDING = "yardstick/embedding/kernel"
"""(H, V): a column for each token, read as it is by the tied head."""

KIND = "yardstick"
HINT = "the output folder of `elf yardstick train`, its `model`, or what `elf yardstick export` wrote"


@dataclass(frozen=True)
class StoredTranslator:
    config: TranslatorConfig
    params: dict[str, np.ndarray]
    """By the names of translator.py, float32: the averaged weights of a training."""
    tokenizer: Path
    training: dict[str, Any] = field(default_factory=dict)
    """Corpus, licence, command, steps, cost."""


def save_translator(model: StoredTranslator, folder: Path) -> None:
    """Each file is there whole, or as it was before. Raises DiskFullError."""
    folder.mkdir(parents=True, exist_ok=True)
    with written_whole(folder / "model.safetensors") as file:
        save_file(model.params, file)
    copy_tokenizer(model.tokenizer, folder)
    # Written last: a folder with a config.json is a whole model.
    facts = {"kind": KIND, "network": asdict(model.config), "training": model.training}
    with written_whole(folder / "config.json") as file:
        file.write_text(json.dumps(facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def load_translator(folder: Path) -> StoredTranslator:
    """The model in `folder`, in the `model` of a training's output folder, or of an exported one.

    Raises CheckpointError for what is missing or broken, StoredWeightsError for exported weights that are, and
    CheckpointMismatchError for weights that do not fit.
    """
    if is_exported(folder):
        return _exported_translator(folder)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no yardstick: {path.name} is missing", f"Give {HINT}.")
    try:
        facts = json_value(path.read_text(encoding="utf-8"))
        if facts.get("kind") != KIND:
            raise CheckpointError(f"{folder} holds a model of another kind", f"Give {HINT}; `elf evaluate` takes ELFs.")
        config, training = TranslatorConfig(**facts["network"]), facts["training"]
        path = folder / "model.safetensors"
        params = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Copy the folder again, or train on.") from error
    return _checked(StoredTranslator(config, params, folder / "tokenizer.json", training))


def _checked(model: StoredTranslator) -> StoredTranslator:
    shapes = {name: value.shape for name, value in abstract(Translator, model.config)[1].items()}
    check_parameters(model.params, shapes, "this model")
    return model


def _exported_translator(folder: Path) -> StoredTranslator:
    """Its weights as they are stored for the page."""
    path = folder / MANIFEST
    try:
        manifest = json_value(path.read_text(encoding="utf-8"))
        if "source" not in manifest:
            raise CheckpointError(f"{folder} holds a judge of another kind", f"Give {HINT}.")
        shape, dtype = manifest["architecture"], manifest["weights"]["dtype"]
        if dtype not in DTYPES:
            raise ValueError(f"dtype {dtype!r}")
        weights = StoredWeights(folder / "onnx", dtype)
        # The manifest names what a reader of the graphs needs; the weights have the rest.
        blocks = {name.split("/")[1] for name in weights}
        encoders, decoders = (
            sum(name.startswith(part) and name != f"{part}norm" for name in blocks) for part in ("encoder_", "decoder_")
        )
        if decoders != shape["layers"]:
            raise ValueError(f"{decoders} blocks, where it says {shape['layers']}")
        config = TranslatorConfig(
            hidden_size=shape["width"],
            heads=shape["heads"],
            encoder_layers=encoders,
            decoder_layers=decoders,
            feed_forward_size=len(weights["yardstick/decoder_0/mlp/w3/kernel"]),
            vocabulary_size=shape["vocabularySize"],
            max_input_length=manifest["source"]["maxLength"],
            max_output_length=shape["maxLength"] - 1,
        )
        params = params_of(config, weights)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError, ConfigError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Export the yardstick again.") from error
    facts = {name: manifest.get(name) for name in ("corpus", "licence")}
    return _checked(StoredTranslator(config, params, folder / "tokenizer.json", facts))


def graph_weights(config: TranslatorConfig, params: FlatParams) -> dict[str, np.ndarray]:
    """The tensors of both graphs, by name, of those of `translator.py`."""
    return {
        EMBEDDING if name == "embedding" else f"yardstick/{name}": _laid_out(config, name, np.asarray(value), _apart)
        for name, value in params.items()
    }


def params_of(config: TranslatorConfig, weights: Mapping[str, np.ndarray]) -> FlatParams:
    """The reverse of `graph_weights`."""
    names = {name: "embedding" if name == EMBEDDING else name.removeprefix("yardstick/") for name in weights}
    return {ours: _laid_out(config, ours, weights[name], _together) for name, ours in names.items()}


Order = Callable[[int], np.ndarray]
"""Where each of so many numbers comes from."""


def _laid_out(config: TranslatorConfig, name: str, value: np.ndarray, order: Order) -> np.ndarray:
    if name == "embedding":
        return value.T
    if name.endswith(("q_norm/weight", "k_norm/weight")):
        return value[order(config.head_dim)]
    if name.endswith("/q/kernel"):
        return value[:, _in_heads(config, order)]
    if name.endswith("/kv/kernel"):
        H = config.hidden_size
        return np.concatenate([value[:, _in_heads(config, order)], value[:, H:]], axis=1)
    return value


def _in_heads(config: TranslatorConfig, order: Order) -> np.ndarray:
    """Of all heads' numbers, side by side."""
    return np.concatenate([head * config.head_dim + order(config.head_dim) for head in range(config.heads)])


def _apart(count: int) -> np.ndarray:
    return np.r_[0:count:2, 1:count:2]


def _together(count: int) -> np.ndarray:
    return np.argsort(_apart(count))
