"""Random weights, drawn one after the other, such that activations keep the size they have in a trained model."""

from collections.abc import Iterator

import numpy as np

from elf.data.tokenizer import EOS, PAD, UNK
from elf.network.parameters import Shapes
from elf.progress import ticker


class RandomWeights:
    """(name, weight) pairs in the order of `shapes`, the same at every pass.

    Kernels (in, out) are N(0, 1/in), so a product keeps the size of what it multiplies; biases and learned tokens are
    small; norm gains lie around 1. No weight is zero, not even those of the head, which training starts at zero: each
    one must show in the output, or a graph that drops it would pass for the model.
    """

    def __init__(self, shapes: Shapes, seed: int, deed: str | None = None):
        """`deed` is told while going through them, "writing params"."""
        self.shapes, self.seed, self.deed = shapes, seed, deed

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        generator = np.random.default_rng(self.seed)
        is_elf = "unembed_bias" in self.shapes
        tick = ticker(self.deed, len(self.shapes)) if self.deed else lambda done: None
        for done, (name, shape) in enumerate(self.shapes.items()):
            tick(done)
            weight = _scaled(name, generator.standard_normal(shape, np.float32))
            yield name, _fitted_to_elf(name, weight) if is_elf else weight


def _scaled(name: str, draws: np.ndarray) -> np.ndarray:
    if name.endswith("/weight"):
        return np.float32(1) + np.float32(0.1) * draws
    if name.endswith("kernel"):
        weight = draws / np.float32(np.sqrt(draws.shape[0]))
        # T5's scores are not divided by √d_kv, so its queries have to be small.
        return weight * np.float32(0.3) if name.endswith("SelfAttention/q/kernel") else weight
    if name.endswith("rel_embedding") or name.endswith("shared/embedding"):
        return draws
    return np.float32(0.1) * draws


def _fitted_to_elf(name: str, weight: np.ndarray) -> np.ndarray:
    if name == "final_layer/linear/kernel":
        # A smaller x̂ keeps a whole run from magnifying rounding errors, as training does.
        return weight * np.float32(0.8)
    if name == "text_proj/proj2/kernel":
        # Attention makes positions alike; a strong input keeps their tokens different.
        return weight * np.float32(3)
    if name == "unembed_kernel":
        # GELU's outputs have a mean above zero: columns that sum to zero keep it from favouring one token everywhere.
        return weight - weight.mean(axis=0)
    if name == "unembed_bias":
        # An eos would end the text; random weights would write it anywhere.
        weight[[PAD, EOS, UNK]] -= np.float32(10)
    return weight
