"""The encoder's weights as its graph reads them, and back."""

from collections.abc import Mapping
from functools import partial

import numpy as np

from elf.checkpoints.lazy_weights import LazyWeights
from elf.config import T5Config
from elf.models.exported.network_weights import Derived
from elf.models.trained_model import FlatParams
from elf.network.parameters import encoder_parameter_shapes

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


def official_encoder_params(config: T5Config, weights: Mapping[str, np.ndarray]) -> FlatParams:
    """A checkpoint that computes what the graph computes with these weights: the way back from `encoder_weights`."""
    reach = config.relative_max_distance
    buckets = relative_bucket(np.arange(-reach, reach + 1), config)
    by_distance = weights[T5_BIAS_BY_DISTANCE]
    # The bucket of keys behind by nothing is no distance's.
    table = np.zeros((config.relative_buckets, config.heads), np.float32)
    table[buckets] = by_distance
    return {name: table if name == T5_BIAS else weights[name] for name in encoder_parameter_shapes(config)}


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
