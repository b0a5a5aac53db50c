"""A yardstick at rest: `config.json`, `model.safetensors` and `tokenizer.json` in one folder."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from elf.data.clean_up import copy_tokenizer
from elf.disk import written_whole
from elf.errors import CheckpointError
from elf.network.modules import abstract
from elf.network.parameters import check_parameters
from elf.yardstick.translator import Translator, TranslatorConfig

KIND = "yardstick"
HINT = "the output folder of `elf yardstick train`, or its `model`"


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
    """The model in `folder`, or in the `model` of a training's output folder.

    Raises CheckpointError for what is missing or broken, and CheckpointMismatchError for weights that do not fit.
    """
    folder = folder / "model" if (folder / "model").is_dir() else folder
    path = folder / "config.json"
    if not path.is_file():
        raise CheckpointError(f"{folder} holds no yardstick: {path.name} is missing", f"Give {HINT}.")
    try:
        facts = json.loads(path.read_text(encoding="utf-8"))
        if facts.get("kind") != KIND:
            raise CheckpointError(f"{folder} holds a model of another kind", f"Give {HINT}; `elf evaluate` takes ELFs.")
        config, training = TranslatorConfig(**facts["network"]), facts["training"]
        path = folder / "model.safetensors"
        params = load_file(path)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path} cannot be read: {error}", "Copy the folder again, or train on.") from error
    shapes = {name: value.shape for name, value in abstract(Translator, config)[1].items()}
    check_parameters(params, shapes, "this model")
    return StoredTranslator(config, params, folder / "tokenizer.json", training)
