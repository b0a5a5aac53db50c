"""A text encoder of whatever form, its weights and its tokenizer, on disk or on the hub; and the statistics of its
latents."""

import json
import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from elf.checkpoints.formats import LAST, Parts, WeightSet, find_sets, read_tree
from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, Transposed, tensors
from elf.config import T5Config
from elf.data.rows import TokenDataset, batch_at
from elf.data.tokenizer import EOS
from elf.data.tokenizer_json import CONFIG, converted_file
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, HubError, first_line
from elf.models.exported_folder import is_exported, open_folder
from elf.models.trained_model import FlatParams, load_weights
from elf.network.encoder import conditional_visibility, encoder_from_params
from elf.network.modules import Params
from elf.network.parameters import WHOLE_T5, t5_config
from elf.paths import COPY, path_of, refuse_address, written_whole
from elf.text_file import MARK, json_value

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
        config = T5Config(**json_value((folder / "encoder.json").read_text(encoding="utf-8"))["config"])
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


# --- The weights of a T5 encoder by the names of the official Flax pickle, whichever code wrote them ----------------
#
# Four spellings are read: `encoder/block_0/layer_0/…/kernel` (the pickle), `encoder/block/0/layer/0/…/kernel` (Hugging
# Face in Flax), `encoder.block.0.layer.0.….weight` (Hugging Face in torch, matrices (out, in)), and this project's own,
# which is the first. An encoder saved by itself has no `encoder` before its blocks.

BIAS = "relative_attention_bias"

TABLE = "shared/embedding"

FIRST_BLOCK = re.compile(r"(?:(.*)/)?block_0/layer_[01]/(SelfAttention|DenseReluDense|layer_norm)/.+")
"""A weight of the first block, and what stands before it."""

ENCODER = re.compile(
    r"encoder/(block_\d+/layer_[01]/(layer_norm/weight|SelfAttention/([qkvo]/\w+|relative_attention_bias/\w+)"
    r"|DenseReluDense/w\w+/\w+)|final_layer_norm/weight)"
)
"""Names of the weights that a T5 encoder has, gated or not. Others among them are what programs keep beside."""

TABLES = ("shared", "encoder/embed_tokens", "embed_tokens", "encoder/shared", "decoder/embed_tokens", "lm_head")
"""Names of the one table of embeddings. Of tensors that are the same, some programs keep a single one."""


def read_t5_weights(path: Path) -> LazyWeights:
    """The encoder's part of a T5; a decoder's, if any, is left out.

    Raises CheckpointError for what cannot be read or is no T5, CheckpointMismatchError for gated variants.
    """
    kind, tree = read_tree(path)
    found = [each for each in find_sets(tensors(tree), _container, _official) if _with_table(each)]
    found.sort(key=_rank)
    if not found:
        raise CheckpointError(
            f"{path}, {kind}, holds no T5 encoder", "Give the official t5_small_encoder_jax.pkl, or a T5's weights."
        )
    weights = _with_table(found[0])
    gated = next((name for name in weights if re.search(r"DenseReluDense/wi_\d/", name)), None)
    if gated:
        raise CheckpointMismatchError(
            f"{path} is a gated T5 (v1.1, flan or mT5): it has {gated}",
            "Official ELFs read text with T5 v1.0, whose feed-forward is ReLU: give google-t5/t5-small or its like.",
        )
    return WeightSet(found[0].container, weights).lazy


def _rank(found: WeightSet) -> Any:
    """The encoder of texts first, where a model has others as well."""
    container = found.container
    return bool(LAST & set(container)), not re.search("text|t5", "/".join(container).lower()), len(container), container


def _with_table(found: WeightSet) -> dict[str, StoredTensor]:
    """The encoder's weights, its table by one name; empty where it has none."""
    table = next((found.weights[name] for name in TABLES if name in found.weights), None)
    if table is None:
        return {}
    return {TABLE: table} | {name: value for name, value in found.weights.items() if name not in TABLES}


def _container(parts: Parts) -> Parts | None:
    match = FIRST_BLOCK.fullmatch(_spelt(parts))
    if not match:
        return None
    before = tuple((match[1] or "").split("/")) if match[1] else ()
    if before[-1:] == ("decoder",):
        return None
    return before[:-1] if before[-1:] == ("encoder",) else before


def _spelt(parts: Parts) -> str:
    """A name in the pickle's spelling, but for matrices, which are all called kernel."""
    name = re.sub(r"\b(block|layer)/(\d+)\b", r"\1_\2", "/".join(parts))
    return re.sub(r"(SelfAttention/[qkvo]|DenseReluDense/w\w+)/weight$", r"\1/kernel", name)


def _official(parts: Parts, tensor: StoredTensor) -> tuple[str, StoredTensor] | None:
    """A weight by its official name, matrices (in, out)."""
    name = _spelt(parts)
    owner, _, last = name.rpartition("/")
    if owner in TABLES:
        # A head in Flax is a layer: (D, V).
        return owner, Transposed(tensor) if (owner, last) == ("lm_head", "kernel") else tensor
    name = name if name.startswith("encoder/") else f"encoder/{name}"
    owner = name.rpartition("/")[0]
    if ENCODER.fullmatch(name):
        if owner.endswith(BIAS):
            return f"{owner}/rel_embedding", tensor
        transposed = last == "kernel" and parts[-1] == "weight" and len(tensor.shape) == 2
        return name, Transposed(tensor) if transposed else tensor
    return None


# --- Mean and spread of an encoder's outputs, to normalise latents, and how many directions they really use ---------

Normalisation = Literal["measured", "official"]
"""Where a model's statistics come from: the encoder's outputs on its training texts, or T5-small's, 0.0 and 0.2."""


def encode_sample(
    config: T5Config,
    params: Params | dict[str, np.ndarray],
    dataset: TokenDataset,
    length: int,
    max_input_length: int | None = None,
    see_padding: bool = True,
    rows: int = 2048,
) -> np.ndarray:
    """Encoder outputs of a fixed sample of the dataset, (n, D), one row a token, encoded as in training.

    Filling is among them if `see_padding`, and neither seen nor counted otherwise.
    """
    encoder = encoder_from_params(config, {name: np.asarray(value) for name, value in params.items()})
    encode = jax.jit(lambda ids, visible: encoder(ids, visible))
    size = min(128, len(dataset))
    outputs = []
    for step in range(max(1, min(rows, len(dataset)) // size)):
        batch = batch_at(
            dataset, step, batch_size=size, length=length, max_input_length=max_input_length, pad_token=EOS, seed=0
        )
        visible = conditional_visibility(jnp.asarray(batch.source_length), length)
        if not see_padding:
            visible &= batch.real[:, None, :]
        latents = np.asarray(encode(jnp.asarray(batch.ids), visible))
        outputs.append(latents.reshape(-1, config.d_model) if see_padding else latents[batch.real])
    return np.concatenate(outputs)


def latent_statistics(
    config: T5Config,
    params: Params | dict[str, np.ndarray],
    dataset: TokenDataset,
    length: int,
    max_input_length: int | None = None,
    see_padding: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Per-dimension mean (D,) and the common standard deviation about it, repeated to (D,).

    A vector mean because a small encoder's dimensions have offsets as large as their spread; a common std because
    directions of little variance are mostly unpredictable context, and stretching them makes the flow pay for it.
    """
    sample = encode_sample(config, params, dataset, length, max_input_length, see_padding)
    mean = sample.mean(axis=0)
    std = np.sqrt(((sample - mean) ** 2).mean())
    return mean.astype(np.float32), np.full(config.d_model, std, np.float32)


def spectrum(
    config: T5Config, params: Params | dict[str, np.ndarray], dataset: TokenDataset, length: int
) -> dict[str, float]:
    """Offsets, spread, and effective rank exp(entropy of the normalised eigenvalues) of the outputs."""
    sample = encode_sample(config, params, dataset, length).astype(np.float64)
    mean = sample.mean(axis=0)
    values = np.linalg.eigvalsh(np.cov((sample - mean).T)).clip(1e-12)
    share = values / values.sum()
    return {
        "offset_rms": round(float(np.sqrt((mean**2).mean())), 4),
        "std": round(float(np.sqrt(values.sum() / len(values))), 4),
        "effective_rank": round(float(np.exp(-(share * np.log(share)).sum())), 1),
        "largest_direction": round(float(share[-1]), 4),
    }
