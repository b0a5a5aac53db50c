"""GPT-2's config.json and safetensors weights, in the layout of Hugging Face's transformers."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file

from elf.checkpoints.formats import read_tree
from elf.checkpoints.lazy_weights import LazyWeights
from elf.checkpoints.stored import tensors
from elf.checkpoints.weight_sets import parts_of
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError
from elf.evaluation.gpt2 import Gpt2Config, abstract_gpt2
from elf.models.trained_model import FlatParams
from elf.network.parameters import check_parameters

WEIGHTS, INDEX, TORCH_WEIGHTS = "model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"

ASSUMED: dict[str, tuple[Any, ...]] = {
    "model_type": ("gpt2",),
    "activation_function": ("gelu_new", "gelu_pytorch_tanh"),
    "scale_attn_weights": (True,),
    "scale_attn_by_inverse_layer_idx": (False,),
    "add_cross_attention": (False,),
    "tie_word_embeddings": (True,),
}
"""What gpt2.py takes for granted: fields of config.json and the values it can be used with; left out, the first."""

BUFFERS = re.compile(r"h\.\d+\.attn\.(masked_)?bias")
"""The causal mask, which some files keep among the weights."""


def read_gpt2(folder: Path) -> tuple[Gpt2Config, FlatParams]:
    """Configuration and float32 weights, by the names of gpt2.py, from config.json and model.safetensors.

    Weights may lie in several files with a model.safetensors.index.json, in any float type, with names that start with
    `transformer.` or not. Raises CheckpointError for what is missing or unreadable, and CheckpointMismatchError naming
    the parameter or the field that does not fit.
    """
    facts = read_facts(folder)
    for field, values in ASSUMED.items():
        if facts.get(field, values[0]) not in values:
            raise CheckpointMismatchError(
                f"{folder} has {field} {facts[field]!r}, a GPT-2 has {values[0]!r}", "Give a GPT-2 as judge."
            )
    try:
        known = {field: facts[field] for field in Gpt2Config.__dataclass_fields__ if field in facts}
        config = Gpt2Config(**known)
    except (TypeError, ConfigError) as error:
        raise CheckpointError(f"{folder}/config.json does not describe a GPT-2: {error}", "Copy it again.") from error

    weights = _read_weights(folder)
    stored = {".".join(parts_of(name)).removeprefix("transformer."): name for name in weights}
    found = {ours: weights[theirs] for ours, theirs in stored.items() if not BUFFERS.fullmatch(ours)}
    head = found.pop("lm_head.weight", None)
    if head is not None and "wte.weight" in found and not np.array_equal(head, found["wte.weight"]):
        raise CheckpointMismatchError(
            f"{folder} has a head of its own, lm_head.weight differs from wte.weight", "Give a GPT-2 with a tied head."
        )
    _, wanted = abstract_gpt2(config)
    names = {hugging_face_name(name): name for name in wanted}
    check_parameters(found, {theirs: tuple(wanted[ours].shape) for theirs, ours in names.items()}, "this GPT-2")
    return config, {names[name]: value for name, value in found.items()}


def write_gpt2(folder: Path, config: Gpt2Config, params: FlatParams, eos: int) -> None:
    """Writes config.json and model.safetensors, which `read_gpt2` and transformers read; an older model stays until the
    new one is whole."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {hugging_face_name(name): np.ascontiguousarray(value) for name, value in params.items()}
    save_file(weights, folder / f"{WEIGHTS}.new", metadata={"format": "pt"})
    os.replace(folder / f"{WEIGHTS}.new", folder / WEIGHTS)
    assumed = {field: values[0] for field, values in ASSUMED.items()}
    tokens = {"architectures": ["GPT2LMHeadModel"], "bos_token_id": eos, "eos_token_id": eos}
    (folder / "config.json").write_text(json.dumps(assumed | asdict(config) | tokens, indent=2) + "\n")


def read_facts(folder: Path) -> dict[str, Any]:
    """The fields of config.json. Raises CheckpointError."""
    try:
        facts = json.loads((folder / "config.json").read_text(encoding="utf-8-sig"))
        if not isinstance(facts, dict):
            raise ValueError("it is no JSON object")
        return facts
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{folder}/config.json cannot be read: {error}",
            "Give the output folder of `elf train-judge`, or one with a GPT-2's config.json and model.safetensors.",
        ) from error


def _read_weights(folder: Path) -> Mapping[str, np.ndarray]:
    file = next((folder / name for name in (WEIGHTS, INDEX, TORCH_WEIGHTS) if (folder / name).is_file()), None)
    if file is None:
        raise CheckpointError(
            f"{folder} has neither {WEIGHTS}, {INDEX} nor {TORCH_WEIGHTS}", "Give a folder with a GPT-2's weights."
        )
    try:
        return LazyWeights(tensors(read_tree(file)[1]))
    except CheckpointError as error:
        raise CheckpointError(f"{file} cannot be read: {error}", error.action) from error


def hugging_face_name(name: str) -> str:
    """h_0/attn/c_attn/kernel → h.0.attn.c_attn.weight"""
    *path, last = name.split("/")
    last = "weight" if last in ("kernel", "scale", "embedding") else last
    return re.sub(r"^h_", "h.", ".".join([*path, last]))
