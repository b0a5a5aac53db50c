"""The weights of a T5 encoder by the names of the official Flax pickle, whichever code wrote them.

Four spellings are read: `encoder/block_0/layer_0/…/kernel` (the pickle), `encoder/block/0/layer/0/…/kernel` (Hugging
Face in Flax), `encoder.block.0.layer.0.….weight` (Hugging Face in torch, matrices (out, in)), and this project's own,
which is the first.
"""

import re
from pathlib import Path

from elf.checkpoints.formats import read_tree
from elf.checkpoints.lazy_weights import LazyWeights, StoredTensor
from elf.checkpoints.stored import Transposed, tensors
from elf.errors import CheckpointError, CheckpointMismatchError

BIAS = "relative_attention_bias"


def read_t5_weights(path: Path) -> LazyWeights:
    """The encoder's part of a T5; a decoder's, if any, is left out.

    Raises CheckpointError for what cannot be read or is no T5, CheckpointMismatchError for gated variants.
    """
    kind, tree = read_tree(path)
    weights: dict[str, StoredTensor] = {}
    for name, tensor in tensors(tree).items():
        ours, stored = _flax(name, tensor)
        # The embeddings' second name in some files is another reference to the same numbers.
        if ours == "shared/embedding" or (ours.startswith("encoder/") and "embed_tokens" not in ours):
            weights[ours] = stored
    gated = next((name for name in weights if re.search(r"DenseReluDense/wi_\d/", name)), None)
    if gated:
        raise CheckpointMismatchError(
            f"{path} is a gated T5 (v1.1, flan or mT5): it has {gated}",
            "Official ELFs read text with T5 v1.0, whose feed-forward is ReLU: give google-t5/t5-small or its like.",
        )
    if "shared/embedding" not in weights or not any(name.startswith("encoder/block_0/") for name in weights):
        raise CheckpointError(
            f"{path}, {kind}, holds no T5 encoder", "Give the official t5_small_encoder_jax.pkl, or a T5's weights."
        )
    return LazyWeights(weights)


def _flax(name: str, tensor: StoredTensor) -> tuple[str, StoredTensor]:
    """A weight by its official name, matrices (in, out)."""
    of_torch = "." in name
    parts = name.replace(".", "/").removeprefix("params/")
    *path, last = re.sub(r"\b(block|layer)/(\d+)\b", r"\1_\2", parts).split("/")
    owner = path[-1] if path else ""
    if owner == BIAS:
        return "/".join([*path, "rel_embedding"]), tensor
    if owner == "shared":
        return "shared/embedding", tensor
    if of_torch and last == "weight" and len(tensor.shape) == 2:
        return "/".join([*path, "kernel"]), Transposed(tensor)
    return "/".join([*path, last]), tensor
