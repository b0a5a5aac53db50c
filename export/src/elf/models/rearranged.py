"""The weights of network and encoder as the graphs read them, and back: exact rearrangements of a checkpoint's (spec
section 2)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np

from elf.checkpoints.stored_tensors import LazyWeights
from elf.config import ElfConfig, T5Config
from elf.errors import CheckpointMismatchError, ConfigError
from elf.models.trained_model import FlatParams
from elf.network.parameters import Shapes, encoder_parameter_shapes, parameter_shapes, t5_config

# What is rearranged of the network:
#
# - Rotary turns the two halves of a head instead of interleaved pairs: the columns of q and k, and their norm gains,
#   are permuted to match. A dot product does not care about the order of its terms.
# - A head is padded with zeros to a multiple of 4, a GPU's vector load, without which fused attention refuses ELF-M's
#   66. The mean of squares then has a larger divisor: gains take √(head_dim/padded), and the norm's epsilon
#   head_dim/padded.
# - The inner width of SwiGLU is padded with zeros to a multiple of 64, tile of a GPU's matrix product and multiple of
#   the blocks of quantised weights: 3413 of ELF-L becomes 3456; 2048 of ELF-B and 2816 of ELF-M stay.
# - self_cond_proj and text_proj/proj1 have nothing between them: their product, computed in float64, replaces both.
# - The vocabulary's kernel is cut into parts whose logits stay within any WebGPU device's largest binding.

LARGEST_LOGITS = 64 * 2**20
"""Bytes of one part's logits, of two rows of the model's greatest length: half of WebGPU's default largest binding."""
FOLDED = ("self_cond_proj/kernel", "self_cond_proj/bias", "text_proj/proj1/kernel")
"""The official weights that text_proj/{z,x_hat_prev}/kernel and text_proj/bias replace."""

HEADS = ("proj_kernel", "proj_bias", "unembed_kernel", "unembed_bias")
"""The official weights between the last hidden state and the logits, which the graphs name as all other layers."""
TOKEN_NUMBERS = "tables/token_numbers"


@dataclass(frozen=True)
class Derived:
    """A tensor made from others whenever it is asked for, and kept by nobody: a large model lies in memory once."""

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]


@dataclass(frozen=True)
class Rearrangement:
    """Puts entry `source[i]` of an axis at place i, and 0 where that is −1; then multiplies by `factor`."""

    axis: int
    source: np.ndarray
    factor: float = 1.0

    def shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Of an array of this shape, rearranged."""
        sizes = list(shape)
        sizes[self.axis] = self.source.size
        return tuple(sizes)

    def apply(self, array: np.ndarray) -> np.ndarray:
        moved = np.moveaxis(array, self.axis, -1)
        moved = np.where(self.source < 0, np.float32(0), moved[..., self.source]) * np.float32(self.factor)
        return np.ascontiguousarray(np.moveaxis(moved, -1, self.axis), np.float32)

    def undo(self, array: np.ndarray) -> np.ndarray:
        moved = np.moveaxis(array, self.axis, -1)
        kept = self.source >= 0
        original = np.empty((*moved.shape[:-1], kept.sum()), np.float32)
        original[..., self.source[kept]] = moved[..., kept] / np.float32(self.factor)
        return np.ascontiguousarray(np.moveaxis(original, -1, self.axis))


def padded_head_dim(config: ElfConfig) -> int:
    return -(-config.head_dim // 4) * 4


def padded_swiglu_size(config: ElfConfig) -> int:
    return -(-config.swiglu_size // 64) * 64


def vocabulary_parts(config: ElfConfig) -> list[range]:
    """The tokens whose logits are computed together: all, or parts of equal size but for the last, a multiple of 4."""
    vocabulary, most = config.vocabulary_size, LARGEST_LOGITS // (2 * config.max_length * 4)
    size = vocabulary
    if vocabulary > most:
        count = -(-vocabulary // max(4, most // 4 * 4))
        size = -(-vocabulary // count // 4) * 4
    return [range(at, min(at + size, vocabulary)) for at in range(0, vocabulary, size)]


def head_parts(config: ElfConfig, name: str) -> dict[str, range]:
    """The graphs' names for one of HEADS, each with the columns of it that it holds."""
    head, kind = name.split("_")
    if head == "proj":
        return {f"proj/{kind}": range(config.latent_size)}
    return {f"unembed_{i}/{kind}": tokens for i, tokens in enumerate(vocabulary_parts(config))}


def head_order(config: ElfConfig, half_split: bool) -> np.ndarray:
    """(padded head_dim,) for `Rearrangement`: with `half_split` interleaved pairs (2i, 2i+1) become pairs (i, i + half)
    of the padded head, else the order stays."""
    order, width = np.arange(config.head_dim), padded_head_dim(config)
    if not half_split:
        return np.pad(order, (0, width - config.head_dim), constant_values=-1)
    gap = (0, (width - config.head_dim) // 2)
    return np.concatenate([np.pad(order[side::2], gap, constant_values=-1) for side in (0, 1)])


def every_head(config: ElfConfig, order: np.ndarray) -> np.ndarray:
    """(heads · padded head_dim,): the order of one head for all of them, side by side."""
    return np.concatenate([shifted(order, head * config.head_dim) for head in range(config.heads)])


def shifted(source: np.ndarray, by: int) -> np.ndarray:
    """The same places further on; zeros stay zeros."""
    return np.where(source < 0, -1, source + by)


def rearrangements(config: ElfConfig) -> dict[str, Rearrangement]:
    """By the end of their names, the weights of a block that are rearranged."""
    pairs, plain = head_order(config, half_split=True), head_order(config, half_split=False)
    H, inner = config.hidden_size, config.swiglu_size
    qk, v = every_head(config, pairs), every_head(config, plain)
    qkv = Rearrangement(-1, np.concatenate([qk, shifted(qk, H), shifted(v, 2 * H)]))
    gain = Rearrangement(-1, pairs, np.sqrt(config.head_dim / padded_head_dim(config)))
    half = np.pad(np.arange(inner), (0, padded_swiglu_size(config) - inner), constant_values=-1)
    w12 = Rearrangement(-1, np.concatenate([half, shifted(half, inner)]))
    return {
        "attn/qkv/kernel": qkv,
        "attn/qkv/bias": qkv,
        "attn/q_norm/weight": gain,
        "attn/k_norm/weight": gain,
        "attn/proj/kernel": Rearrangement(0, every_head(config, plain)),
        "mlp/w12/kernel": w12,
        "mlp/w12/bias": w12,
        "mlp/w3/kernel": Rearrangement(0, half),
    }


def network_weights(config: ElfConfig, params: Mapping[str, np.ndarray]) -> LazyWeights:
    """The weights as the graphs read them, each made from `params` when it is asked for.

    `params` holds exactly `parameter_shapes(config)`. Raises ConfigError where the bottleneck is wider than the
    latents: the folded product would then be no network of that shape any more.
    """
    D, bottleneck = config.latent_size, config.bottleneck_size
    if bottleneck > D:
        raise ConfigError(
            f"the bottleneck ({bottleneck}) is wider than the latents ({D})", "Export a model whose bottleneck is one."
        )
    moved = rearrangements(config)

    def folded(rows: slice) -> np.ndarray:
        if not config.self_conditioning:
            # z goes straight to proj1, and x̂_prev nowhere: the graphs are those of all other networks.
            return params[FOLDED[2]] if rows.start == 0 else np.zeros((D, bottleneck), np.float32)
        kernel, proj1 = (params[name].astype(np.float64) for name in (FOLDED[0], FOLDED[2]))
        return (kernel[rows] @ proj1).astype(np.float32)

    def folded_bias() -> np.ndarray:
        if not config.self_conditioning:
            return np.zeros(bottleneck, np.float32)
        return (params[FOLDED[1]].astype(np.float64) @ params[FOLDED[2]].astype(np.float64)).astype(np.float32)

    # Apart for z and x̂_prev: no Concat in the denoiser, half the work in the decoder, whose x̂_prev is zero.
    weights = {
        "text_proj/z/kernel": Derived((D, bottleneck), partial(folded, slice(0, D))),
        "text_proj/x_hat_prev/kernel": Derived((D, bottleneck), partial(folded, slice(D, 2 * D))),
        "text_proj/bias": Derived((bottleneck,), folded_bias),
    }
    for name, shape in parameter_shapes(config).items():
        change = moved.get(name.partition("/")[2])
        if name in FOLDED:
            continue
        if change:
            read = partial(lambda name, change: change.apply(params[name]), name, change)
            weights[name] = Derived(change.shape(shape), read)
        elif name in HEADS:
            for part, columns in head_parts(config, name).items():
                read = partial(lambda name, columns: params[name][..., columns.start : columns.stop], name, columns)
                weights[part] = Derived((*shape[:-1], len(columns)), read)
        else:
            weights[name] = Derived(shape, partial(params.__getitem__, name))
    return LazyWeights(weights)


NUMBERS = ("t_embedder/", "t_emb_tokens", "self_cond_cfg_")
"""What makes tokens of time and scale; the prefix and the decoder read it."""
DECODER = ("mode_tokens", "proj/", "unembed_")
"""What the decoder alone reads."""


def grouped(weights: LazyWeights) -> list[LazyWeights]:
    """The same apart, by the graphs that read them: a graph then needs no memory for what it does not read."""
    trunk = [name for name in weights if not name.startswith(NUMBERS + DECODER)]
    return [weights.only(trunk)] + [
        weights.only(name for name in weights if name.startswith(starts)) for starts in (NUMBERS, DECODER)
    ]


def official_params(config: ElfConfig, weights: Mapping[str, np.ndarray]) -> LazyWeights:
    """A checkpoint that computes what the graphs compute with these weights: the way back from `network_weights`, each
    weight made when it is asked for.

    What was rounded or quantised in between stays so. self_cond_proj and proj1 are another pair with the same product.
    """
    D, bottleneck = config.latent_size, config.bottleneck_size
    narrow = [(0, 0), (0, D - bottleneck)]

    def kernel() -> np.ndarray:
        return np.pad(np.concatenate([weights["text_proj/z/kernel"], weights["text_proj/x_hat_prev/kernel"]]), narrow)

    folded: dict[str, Callable[[], np.ndarray]] = {
        "self_cond_proj/kernel": kernel,
        "self_cond_proj/bias": lambda: np.pad(weights["text_proj/bias"], narrow[1:]),
        "text_proj/proj1/kernel": lambda: np.eye(D, bottleneck, dtype=np.float32),
    }
    if not config.self_conditioning:
        folded = {"text_proj/proj1/kernel": lambda: weights["text_proj/z/kernel"]}

    def whole(parts: Iterable[str]) -> np.ndarray:
        return np.concatenate([weights[part] for part in parts], axis=-1)

    moved = rearrangements(config)
    found = {}
    for name, shape in parameter_shapes(config).items():
        change = moved.get(name.partition("/")[2])
        if name in folded:
            read = folded[name]
        elif change:
            read = partial(lambda name, change: change.undo(weights[name]), name, change)
        elif name in HEADS:
            read = partial(whole, [*head_parts(config, name)])
        else:
            read = partial(weights.__getitem__, name)
        found[name] = Derived(shape, read)
    return LazyWeights(found)


def exact_tables(config: ElfConfig) -> FlatParams:
    """What the graphs look up beside the weights, and no dtype may round: cos and sin of position × frequency,
    (max_length, padded head_dim/2) each, for text positions from 0; and, where the vocabulary has several parts, the
    numbers of a part's tokens."""
    pairs = np.arange(config.head_dim // 2)
    frequencies = 10000.0 ** (-2 * pairs / config.head_dim)
    angles = np.arange(config.max_length)[:, None] * frequencies[None]
    # Padding turns by nothing.
    angles = np.pad(angles, [(0, 0), (0, padded_head_dim(config) // 2 - pairs.size)])
    tables = {"tables/cos": np.cos(angles), "tables/sin": np.sin(angles)}
    if len(parts := vocabulary_parts(config)) > 1:
        tables[TOKEN_NUMBERS] = np.arange(len(parts[0]))
    return {name: table.astype(np.float32) for name, table in tables.items()}


# --- The encoder's weights as its graph reads them, and back --------------------------------------------------------

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
