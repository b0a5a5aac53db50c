"""The weights of a T5 encoder by the names of the official Flax pickle, whichever code wrote them.

Four spellings are read: `encoder/block_0/layer_0/…/kernel` (the pickle), `encoder/block/0/layer/0/…/kernel` (Hugging
Face in Flax), `encoder.block.0.layer.0.….weight` (Hugging Face in torch, matrices (out, in)), and this project's own,
which is the first. An encoder saved by itself has no `encoder` before its blocks.
"""

import re
from pathlib import Path
from typing import Any

from elf.checkpoints.formats import read_tree
from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, Transposed, tensors
from elf.checkpoints.weight_sets import LAST, Parts, WeightSet, find_sets
from elf.errors import CheckpointError, CheckpointMismatchError

BIAS = "relative_attention_bias"

TABLE = "shared/embedding"

MARK = re.compile(r"(?:(.*)/)?block_0/layer_[01]/(SelfAttention|DenseReluDense|layer_norm)/.+")
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
    match = MARK.fullmatch(_spelt(parts))
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
