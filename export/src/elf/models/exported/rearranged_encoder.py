"""The encoder's weights as its graph reads them, and back."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from elf.checkpoints.architecture import t5_config
from elf.checkpoints.stored_tensors import LazyWeights
from elf.config import T5Config
from elf.errors import CheckpointMismatchError
from elf.models.exported.rearranged_network import Derived
from elf.network.parameters import Shapes, encoder_parameter_shapes

T5_BIAS = "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/rel_embedding"
T5_BIAS_BY_DISTANCE = "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/by_distance"


def encoder_weights(config: T5Config, params: Mapping[str, np.ndarray]) -> LazyWeights:
    """The encoder's weights as its graph reads them: the bias table by distance instead of by bucket, rest unchanged.

    Names start with `encoder/` or `shared/`, so they never meet those of the network.
    """
    reach = config.relative_max_distance
    buckets = relative_bucket(np.arange(-reach, reach + 1), config)
    weights = {
        name: Derived(shape, partial(params.__getitem__, name))
        for name, shape in encoder_parameter_shapes(config).items()
        if name != T5_BIAS
    }
    weights[T5_BIAS_BY_DISTANCE] = Derived((buckets.size, config.heads), lambda: params[T5_BIAS][buckets])
    return LazyWeights(weights)


def official_encoder_params(config: T5Config, weights: Mapping[str, np.ndarray]) -> LazyWeights:
    """A checkpoint that computes what the graph computes with these weights: the way back from `encoder_weights`, each
    weight made when it is asked for."""
    reach = config.relative_max_distance
    buckets = relative_bucket(np.arange(-reach, reach + 1), config)

    def table() -> np.ndarray:
        # The bucket of keys behind by nothing is no distance's.
        found = np.zeros((config.relative_buckets, config.heads), np.float32)
        found[buckets] = weights[T5_BIAS_BY_DISTANCE]
        return found

    return LazyWeights(
        {
            name: Derived(shape, table if name == T5_BIAS else partial(weights.__getitem__, name))
            for name, shape in encoder_parameter_shapes(config).items()
        }
    )


USUAL_BUCKETS = (32, 16, 64, 8, 128)
"""T5's own number, then others."""


def encoder_config(weights: Mapping[str, np.ndarray], shapes: Shapes) -> T5Config:
    """The architecture of an encoder from its weights as the graph reads them.

    Raises CheckpointMismatchError for what does not fit together.
    """
    by_distance = weights[T5_BIAS_BY_DISTANCE]
    rows, heads = by_distance.shape
    reach = (rows - 1) // 2
    known = {name: shape for name, shape in shapes.items() if name.startswith(("encoder/", "shared/"))}
    del known[T5_BIAS_BY_DISTANCE]
    for buckets in USUAL_BUCKETS:
        laid_out = {name: Derived(shape, partial(weights.__getitem__, name)) for name, shape in known.items()}
        laid_out[T5_BIAS] = Derived((buckets, heads), lambda: by_distance)
        config = t5_config(LazyWeights(laid_out), reach)
        back = official_encoder_params(config, weights)[T5_BIAS]
        # Distances of one bucket have one bias.
        if np.array_equal(back[relative_bucket(np.arange(-reach, reach + 1), config)], by_distance):
            return config
    raise CheckpointMismatchError(
        "the encoder's biases by distance are those of no T5", "Give the checkpoint that the folder was made of."
    )


def relative_bucket(distance: np.ndarray, config: T5Config) -> np.ndarray:
    """T5's bucket of a key's position minus the query's, any shape: exact when near, logarithmic up to the maximum.

    Written apart from elf.network.encoder on purpose: the parity check then compares two readings of the spec.
    """
    per_direction = config.relative_buckets // 2
    exact = per_direction // 2
    size = np.abs(distance)
    growth = np.log(np.maximum(size, 1) / exact) / np.log(config.relative_max_distance / exact)
    far = np.minimum(exact + (growth * (per_direction - exact)).astype(np.int64), per_direction - 1)
    return np.where(distance > 0, per_direction, 0) + np.where(size < exact, size, far)
