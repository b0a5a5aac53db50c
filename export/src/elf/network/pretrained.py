"""A text encoder and its tokenizer, from this project's runs or from Hugging Face's T5, on disk or on the hub."""

import json
import re
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file

from elf.config import T5Config
from elf.errors import CheckpointError, HubError
from elf.network.parameters import encoder_parameter_shapes
from elf.network.trained_model import FlatParams

TOKENIZER = "tokenizer.json"
ENCODER_FILES = ("config.json", "model.safetensors", TOKENIZER)


def load_encoder(name: str | Path) -> tuple[T5Config, FlatParams]:
    """The encoder in a folder of `elf pretrain-encoder`, or in a folder or hub repository in Hugging Face's layout.

    Raises CheckpointError when it is missing or broken, HubError when it cannot be fetched.
    """
    folder = _folder(name)
    try:
        if (folder / "encoder.json").is_file():
            config = T5Config(**json.loads((folder / "encoder.json").read_text())["config"])
            return config, load_file(folder / "encoder.safetensors")
        config = _config_of(json.loads((folder / "config.json").read_text()))
        return config, _params_of(config, load_file(folder / "model.safetensors"))
    except (OSError, SafetensorError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{name} holds no readable encoder: {error}",
            "Give the output folder of `elf pretrain-encoder`, or a T5 with config.json and model.safetensors.",
        ) from error


def tokenizer_file(name: str | Path) -> Path:
    """The tokenizer.json that `name` stands for: the file itself, or in a folder or hub repository.

    Raises CheckpointError when there is none, HubError when it cannot be fetched.
    """
    if Path(name).is_file():
        return Path(name)
    file = _folder(name) / TOKENIZER
    if not file.is_file():
        raise CheckpointError(f"{name} holds no {TOKENIZER}", "Give a tokenizer.json, as `elf tokenizer train` writes.")
    return file


def _folder(name: str | Path) -> Path:
    """A folder as it is; `owner/repository` fetched from the hub, unless a folder has that path."""
    text = str(name)
    if Path(name).exists() or text.count("/") != 1 or text.startswith((".", "/", "~")):
        return Path(name)
    import huggingface_hub

    try:
        return Path(huggingface_hub.snapshot_download(text, allow_patterns=list(ENCODER_FILES)))
    except Exception as error:  # the library raises many kinds: no network, no such repository, no access
        raise HubError(
            f"there is no folder {text}, and the hub's {text} could not be fetched: {str(error).splitlines()[0]}",
            f"Check the name, or fetch {', '.join(ENCODER_FILES)} on a connected machine and give their folder.",
        ) from error


def _config_of(facts: dict) -> T5Config:
    """Of Hugging Face's config.json."""
    activation = facts.get("feed_forward_proj", "relu")
    if activation != "relu":
        raise ValueError(f"its feed-forward is {activation!r}; only T5 v1.0, with relu, is known")
    return T5Config(
        vocabulary_size=facts["vocab_size"],
        d_model=facts["d_model"],
        d_kv=facts["d_kv"],
        d_ff=facts["d_ff"],
        layers=facts["num_layers"],
        heads=facts["num_heads"],
        relative_buckets=facts.get("relative_attention_num_buckets", 32),
        relative_max_distance=facts.get("relative_attention_max_distance", 128),
    )


def _params_of(config: T5Config, weights: dict[str, np.ndarray]) -> FlatParams:
    """Hugging Face's names and (out, in) layout as this project's; a decoder's weights, if any, are left out."""
    params = {}
    for name in encoder_parameter_shapes(config):
        theirs = _their_name(name)
        if theirs not in weights:
            raise KeyError(f"the weight {theirs} is missing")
        array = weights[theirs].astype(np.float32)
        params[name] = np.ascontiguousarray(array.T) if name.endswith("/kernel") else array
    return params


def _their_name(name: str) -> str:
    """encoder/block_0/layer_1/DenseReluDense/wi/kernel → encoder.block.0.layer.1.DenseReluDense.wi.weight"""
    *path, _ = name.split("/")
    return re.sub(r"\b(block|layer)_(\d+)", r"\1.\2", ".".join(path)) + ".weight"
