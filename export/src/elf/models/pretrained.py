"""A text encoder and its tokenizer: of this project's runs, of an exported model, of Hugging Face's T5, or the official
Flax pickle; on disk, or on the hub."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from elf.checkpoints.architecture import WHOLE_T5, t5_config
from elf.checkpoints.t5_in_file import read_t5_weights
from elf.config import T5Config
from elf.data.clean_up import CONFIG
from elf.data.sentencepiece_form import converted_file
from elf.disk import written_whole
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, HubError, first_line
from elf.json_text import json_value
from elf.models.exported.folder import is_exported, open_folder
from elf.models.trained_model import FlatParams, load_weights
from elf.paths import COPY, path_of, refuse_address
from elf.text_file import MARK

TOKENIZER, SENTENCEPIECE = "tokenizer.json", "spiece.model"
WEIGHTS = ("model.safetensors", "pytorch_model.bin", "flax_model.msgpack", "t5_small_encoder_jax.pkl")
"""In the order of choice. The pickle is the official one; `google-t5/t5-small` has the others."""
ENCODER_FILES = ("config.json", WEIGHTS[0], TOKENIZER)
"""What people are told to fetch."""

INDEX = ".index.json"
"""Behind the name of weights that lie in several files: `model.safetensors.index.json`."""

MAX_DISTANCE = 128
"""Beyond which T5's relative positions are all alike, where no config.json says otherwise."""

ADVICE = (
    "Give the output folder of `elf pretrain-encoder`, an exported model that has an encoder, the official "
    "t5_small_encoder_jax.pkl, or a T5's weights: model.safetensors, pytorch_model.bin or flax_model.msgpack."
)


def load_encoder(name: str | Path) -> tuple[T5Config, FlatParams]:
    """The encoder in a file of weights, in a folder with one, in one of `elf pretrain-encoder`, in an exported model's,
    or in a hub repository.

    Its architecture is read off the weights; a config.json beside them must agree. Raises CheckpointError when it is
    missing or broken, CheckpointMismatchError for one that is no T5 v1.0, HubError when it cannot be fetched.
    """
    path = _path(name)
    if (path / "encoder.json").is_file():
        return _own_encoder(path)
    if is_exported(path):
        return _exported_encoder(path)
    file = path if path.is_file() else weights_in(path)
    if file is None and not Path(name).exists() and path.is_dir():
        # A repository that has its weights in another form.
        for weights in WEIGHTS[1:]:
            if file is None:
                path = _path(name, encoder_patterns(weights))
                file = weights_in(path)
    if file is None:
        raise CheckpointError(f"{name} holds no readable encoder: there is no {WEIGHTS[0]}", ADVICE)
    params = read_t5_weights(file)
    facts = _facts(file.parent / "config.json")
    config = t5_config(params, facts.get("relative_attention_max_distance", MAX_DISTANCE))
    _check_facts(file, facts, config)
    return config, dict(params)


def weights_in(folder: Path) -> Path | None:
    """The file of weights in a folder, or the index of several, the first of WEIGHTS; None where there is none."""
    files = (folder / f"{name}{end}" for name in WEIGHTS for end in ("", INDEX))
    return next((file for file in files if file.is_file()), None)


def encoder_patterns(weights: str) -> tuple[str, ...]:
    """Which files of a repository make an encoder, its weights being called so, in one file or in several."""
    stem, _, suffix = weights.rpartition(".")
    return ("config.json", weights, f"{weights}{INDEX}", f"{stem}-*-of-*.{suffix}", TOKENIZER)


def tokenizer_file(name: str | Path) -> Path:
    """The tokenizer.json that `name` stands for: the file itself, or in a folder or hub repository; made of a
    spiece.model where that is all there is.

    Raises CheckpointError when there is none, HubError when it cannot be fetched.
    """
    path = _path(name, (TOKENIZER, SENTENCEPIECE, CONFIG))
    if path.is_file():
        return path if _is_json(path) else _converted(path)
    if (path / TOKENIZER).is_file():
        return path / TOKENIZER
    if (path / SENTENCEPIECE).is_file():
        return _converted(path / SENTENCEPIECE)
    raise CheckpointError(
        f"{name} holds no {TOKENIZER}", f"Give a {TOKENIZER}, as `elf tokenizer train` writes, or a {SENTENCEPIECE}."
    )


def _converted(file: Path) -> Path:
    refuse_address(file, "the tokenizer", f"{COPY} {file} . A {TOKENIZER} is read from a bucket.")
    return converted_file(file.absolute())


def _is_json(file: Path) -> bool:
    with file.open("rb") as opened:
        return opened.read(64).removeprefix(MARK.encode()).lstrip()[:1] == b"{"


def save_encoder(folder: Path, config: T5Config, params: Mapping[str, Any], facts: dict[str, Any]) -> None:
    """Writes `encoder.safetensors` and `encoder.json`, which tells the architecture and `facts` of the training.

    Raises DiskFullError; each file is there whole, or as it was before.
    """
    with written_whole(folder / "encoder.safetensors") as file:
        save_file({name: np.asarray(value) for name, value in params.items()}, file)
    with written_whole(folder / "encoder.json") as file:
        file.write_text(json.dumps({"config": asdict(config)} | facts, indent=2) + "\n", encoding="utf-8")


def _own_encoder(folder: Path) -> tuple[T5Config, FlatParams]:
    try:
        config = T5Config(**json_value((folder / "encoder.json").read_text())["config"])
        return config, load_weights(folder / "encoder.safetensors")
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{folder} holds no readable encoder: {error}", ADVICE) from error


def _exported_encoder(folder: Path) -> tuple[T5Config, FlatParams]:
    """With it a shipped model is trained further where nothing but its folder is left."""
    model = open_folder(folder)
    if model.encoder is None:
        raise CheckpointError(f"{folder} is a model without an encoder", ADVICE)
    return model.encoder, dict(model.encoder_params)


FACTS = {
    "vocab_size": "vocabulary_size",
    "d_model": "d_model",
    "d_kv": "d_kv",
    "d_ff": "d_ff",
    "num_layers": "layers",
    "num_heads": "heads",
    "relative_attention_num_buckets": "relative_buckets",
}
"""Fields of Hugging Face's config.json, and ours."""


def _facts(file: Path) -> dict[str, Any]:
    """Of a T5's config.json; none where there is no such file."""
    try:
        facts = json_value(file.read_text(encoding="utf-8-sig")) if file.is_file() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{file} holds no readable encoder: {error}", "Copy it again.") from error
    return facts if isinstance(facts, dict) and "d_model" in facts else {}


def _check_facts(file: Path, facts: dict[str, Any], config: T5Config) -> None:
    """Raises CheckpointMismatchError where config.json and weights speak of different networks."""
    activation = facts.get("feed_forward_proj", "relu")
    if activation != "relu":
        raise CheckpointMismatchError(f"{file}: its feed-forward is {activation!r}; T5 v1.0 has 'relu'", WHOLE_T5)
    for theirs, ours in FACTS.items():
        if facts.get(theirs, found := getattr(config, ours)) != found:
            raise CheckpointMismatchError(
                f"config.json says {theirs} {facts[theirs]!r}, the weights in {file.name} have {found}", WHOLE_T5
            )


def _path(name: str | Path, files: tuple[str, ...] | None = None) -> Path:
    """A file or folder as it is; `owner/repository` fetched from the hub, unless something has that path."""
    text = str(name)
    if Path(name).exists() or text.count("/") != 1 or text.startswith((".", "/", "~")):
        return path_of(name)
    import huggingface_hub

    try:
        patterns = list(files or encoder_patterns(WEIGHTS[0]))
        return Path(huggingface_hub.snapshot_download(text, allow_patterns=patterns))
    except Exception as error:  # the library raises many kinds: no network, no such repository, no access
        raise HubError(
            f"there is no folder {text}, and the hub's {text} could not be fetched: {first_line(error)}",
            f"Check the name, or fetch {', '.join(files or ENCODER_FILES)} on a connected machine and give the folder.",
        ) from error
