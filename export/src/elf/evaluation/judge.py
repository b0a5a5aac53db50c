"""The language model that judges generated text, a GPT-2 with its tokenizer: from a folder, the hub, or `elf
export-judge`."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from elf.data.stored_datasets import is_hub_name
from elf.data.tokenizer import Tokenizer, load_byte_level_bpe, load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, HubError, StoredWeightsError
from elf.evaluation.gpt2 import INDEX, Gpt2, Gpt2Config, check_layers, read_facts, read_gpt2, write_gpt2
from elf.models.encodings import DTYPES
from elf.models.exported_folder import StoredWeights
from elf.models.trained_model import FlatParams
from elf.network.modules import abstract
from elf.network.parameters import check_parameters
from elf.paths import COPY, refuse_address
from elf.progress import say
from elf.text_file import json_value

ENDS = ("<|endoftext|>", "</s>")
"""How GPT-2's tokenizer and this project's write the end of a text."""

TOKENIZER_FILES = ("tokenizer.json", "vocab.json", "merges.txt")


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of `folder`. Raises CheckpointError where none is readable."""
    if (folder / TOKENIZER_FILES[0]).is_file():
        return load_tokenizer(folder / TOKENIZER_FILES[0])
    vocabulary, merges = (folder / name for name in TOKENIZER_FILES[1:])
    if not vocabulary.is_file() or not merges.is_file():
        raise CheckpointError(
            f"{folder} holds no tokenizer", "Put a tokenizer.json beside the weights, or vocab.json and merges.txt."
        )
    return load_byte_level_bpe(vocabulary, merges, ENDS)


def end_of_text(tokenizer: Tokenizer, facts: dict[str, Any], vocab_size: int) -> int:
    """The id that ends a text: `eos_token_id` of config.json (`facts`), or else the tokenizer's own.

    Raises CheckpointMismatchError where there is none, or the tokenizer has ids that the model has no row for.
    """
    largest = max(tokenizer.get_vocab().values())
    known = [id for id in map(tokenizer.token_to_id, ENDS) if id is not None]
    end = facts.get("eos_token_id", known[0] if known else None)
    if not isinstance(end, int):
        raise CheckpointMismatchError(
            f"the judge's tokenizer has no end of text, neither {' nor '.join(ENDS)}",
            "Name its id as eos_token_id in config.json.",
        )
    if max(largest, end) >= vocab_size or end < 0:
        raise CheckpointMismatchError(
            f"the judge's tokenizer has ids up to {max(largest, end)}, the judge knows {vocab_size} ids",
            "Put the tokenizer beside the weights that they were trained with.",
        )
    return end


DOWNLOADED = ("config.json", "model*.safetensors", INDEX, *TOKENIZER_FILES)

FACTS = "judge.json"
"""Of `elf train-judge`, beside config.json, model.safetensors and the tokenizer: facts about a judge of its own."""


@dataclass(frozen=True)
class Judge:
    """A GPT-2 ready to score texts."""

    name: str
    config: Gpt2Config
    params: FlatParams
    """By the names of gpt2.py, float32."""
    tokenizer: Tokenizer
    eos: int
    """Id of the end of a text."""
    facts: dict[str, Any] = field(default_factory=dict)
    """Of judge.json: what it was trained on, and the perplexity of held-out real text. Empty for other GPT-2s."""


def load_judge(name: str | Path, revision: str | None = None) -> Judge:
    """The judge in folder `name`, trained or exported, or that of the hub:
    `openai-community/gpt2-large`, 3.2 GB, under which the published figures were measured (spec section 6).

    `revision` is a branch, tag or commit on the hub. Raises HubError when it cannot be fetched, CheckpointError for
    what is missing or unreadable, and CheckpointMismatchError for weights or a tokenizer that do not fit.
    """
    refuse_address(name, "the judge", f"{COPY} {name} .")
    folder = Path(name).expanduser()
    if not folder.is_dir():
        folder = _download(str(name), revision)
    if is_exported(folder):
        config, params, manifest = read_exported(folder)
        tokenizer = read_tokenizer(folder)
        eos = end_of_text(tokenizer, {"eos_token_id": manifest["eos"]}, config.vocab_size)
        return Judge(str(name), config, params, tokenizer, eos, {"held_out": manifest.get("realText")})
    config, params = read_gpt2(folder)
    tokenizer = read_tokenizer(folder)
    eos = end_of_text(tokenizer, read_facts(folder), config.vocab_size)
    try:
        facts = json_value((folder / FACTS).read_text(encoding="utf-8")) if (folder / FACTS).is_file() else {}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder / FACTS} cannot be read: {error}", "Delete it; it only tells.") from error
    return Judge(str(name), config, params, tokenizer, eos, facts)


def save_judge(folder: Path, judge: Judge, tokenizer: Path) -> None:
    """Writes what `load_judge` reads; `tokenizer` is the tokenizer.json of `judge`, which is copied."""
    write_gpt2(folder, judge.config, judge.params, judge.eos)
    if tokenizer.resolve() != (folder / TOKENIZER_FILES[0]).resolve():
        shutil.copyfile(tokenizer, folder / TOKENIZER_FILES[0])
    (folder / FACTS).write_text(json.dumps(judge.facts, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def _download(name: str, revision: str | None) -> Path:
    if Path(name).exists() or not (is_hub_name(name) or name == Path(name).name) or name.startswith("."):
        raise CheckpointError(
            f"there is no folder {name}", "Give the output folder of `elf train-judge`, or a GPT-2's name on the hub."
        )
    from huggingface_hub import snapshot_download

    say(f"judge {name}: looking in the hub's cache, and on the hub for what is not there")
    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=[*DOWNLOADED]))
    except Exception as error:  # of the hub's client, its HTTP library, or the disk
        reason = (str(error).splitlines() or [""])[0][:200]
        raise HubError(
            f"there is no folder {name}, and judge {name} of the hub cannot be had: {type(error).__name__}: {reason}",
            f"Check the name and the revision; or on a machine with a connection run `hf download {name} --local-dir "
            "FOLDER` and give that folder; or train a judge here with `elf train-judge`.",
        ) from error


# --- A judge as `elf export-judge` writes it: the same GPT-2, its weights as they are stored for the page -----------

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
