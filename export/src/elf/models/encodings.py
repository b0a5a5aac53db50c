"""How one tensor is stored: float32, float16, or in blocks of 8 or 4 bits that share a scale (export/FORMAT.md)."""

import math
from typing import Literal, get_args

import numpy as np

Array = np.ndarray

DAMPING = 0.01
"""Of the mean squared input: added to each input's own, so that rare inputs are not trusted."""
FINEST, CANDIDATES = {8: 0.95, 4: 0.6}, 12
"""Scales tried: from this part of the one that just reaches the largest weight up to that one."""


def quantised(kernel: Array, bits: int, block: int, products: Array | None = None) -> tuple[Array, Array]:
    """(K, N) float32 → values (N, blocks, block) uint8 around 2^(bits−1), scales (N, blocks) float16.

    A block is `block` weights of one output, one after the other along the inputs. Its scale is the one, of several
    around those that just reach its largest weight, with the least squared error. Where the inputs of the kernel are
    known from runs, each weight is rounded with an eye on what the product with them becomes (GPTQ, Frantar et al.
    2022): the rounding error of one input's weights is made good by those of the inputs still to come, as far as these
    go along with it. On the trained model of this repository that halves the error of a pass at 8 bits, and divides it
    by three at 4.

    `products` (K, K) is XᵀX of the kernel's inputs X, one a row; None, or zeros, where they are not known.
    """
    inputs, outputs = kernel.shape
    blocks, middle = -(-inputs // block), 2 ** (bits - 1)
    values = np.full((outputs, blocks * block), middle, np.uint8)
    scales = np.zeros((outputs, blocks), np.float16)
    rest = kernel.astype(np.float32)
    follow = None if products is None or not products.any() else _consequences(products)
    for b in range(blocks):
        first, last = b * block, min((b + 1) * block, inputs)
        scales[:, b] = best_scales(rest[first:last], bits)
        # By the scale as it is stored, so that its rounding is made good by the values.
        scale = np.where(scales[:, b] != 0, scales[:, b], 1).astype(np.float32)
        errors = np.zeros((last - first, outputs), np.float32)
        for k in range(first, last):
            steps = np.clip(np.rint(rest[k] / scale), -middle, middle - 1)
            values[:, k] = (steps + middle).astype(np.uint8)
            if follow is not None:
                errors[k - first] = (rest[k] - steps * scale) / follow[k, k]
                rest[k + 1 : last] -= np.outer(follow[k, k + 1 : last], errors[k - first])
        if follow is not None:
            rest[last:] -= follow[first:last, last:].T @ errors
    return values.reshape(outputs, blocks, block), scales


def best_scales(rows: Array, bits: int) -> Array:
    """Weights (block, N) → the scales (N,) float16 with the least squared error, of either sign."""
    middle = 2 ** (bits - 1)
    furthest = np.take_along_axis(rows, np.abs(rows).argmax(0)[None], 0)[0]
    best, least = np.zeros(rows.shape[1], np.float16), np.full(rows.shape[1], np.inf, np.float32)
    # The whole numbers reach one further below than above: the largest weight may lie on either end.
    for reach in (np.abs(furthest) / (middle - 1), -furthest / middle):
        for part in np.linspace(FINEST[bits], 1, CANDIDATES, dtype=np.float32):
            scales = (part * reach).astype(np.float16)
            divisors = np.where(scales != 0, scales, 1).astype(np.float32)
            steps = np.clip(np.rint(rows / divisors), -middle, middle - 1)
            errors = ((steps * divisors - rows) ** 2).sum(0)
            better = errors < least
            best, least = np.where(better, scales, best), np.where(better, errors, least)
    return best


def _consequences(products: Array) -> Array:
    """The upper Cholesky factor U of the inverse of `products`, UᵀU: row k says how the error of input k is to be
    shared out among the inputs behind it."""
    damped = products.astype(np.float64)
    damped[np.diag_indices_from(damped)] += DAMPING * np.mean(np.diag(products)) + 1e-12
    return np.linalg.cholesky(np.linalg.inv(damped)).T.astype(np.float32)


Dtype = Literal["f32", "f16", "q8", "q4"]
"""A choice of how a whole model is stored, and the name of the encoding that most of its tensors then have."""
DTYPES: tuple[Dtype, ...] = get_args(Dtype)
BITS = {"q8": 8, "q4": 4}
FLOATS: dict[str, np.dtype[np.floating]] = {"f32": np.dtype("<f4"), "f16": np.dtype("<f2")}
BLOCK = {"q8": 16, "q4": 32}
"""Weights of one output that share a scale, one after the other along the inputs. On the trained model of this
repository a pass is off by 0.41 % with blocks of 16 at 8 bits and by 0.48 % with blocks of 32, which are a twentieth
smaller; at 4 bits by 7.5 % and 8.2 %, a tenth smaller."""


EMBEDDING = "shared/embedding"
"""The encoder's table of tokens."""


def encode(array: np.ndarray, encoding: Dtype, block: int | None = None, products: np.ndarray | None = None) -> bytes:
    """The stored bytes of a tensor; of two axes (K, N) for q8 and q4, with the `products` of `quantised`."""
    if encoding in FLOATS:
        return np.ascontiguousarray(array, FLOATS[encoding]).tobytes()
    values, scales = quantised(array, BITS[encoding], block or BLOCK[encoding], products)
    return packed_values(values, BITS[encoding]).tobytes() + scales.astype("<f2").tobytes()


def decode(data: bytes | memoryview, shape: tuple[int, ...], encoding: Dtype, block: int | None = None) -> np.ndarray:
    """The tensor, float32, whose stored bytes are `data`."""
    if encoding in FLOATS:
        return np.frombuffer(data, FLOATS[encoding]).astype(np.float32).reshape(shape)
    bits, (inputs, outputs) = BITS[encoding], shape
    stored, scales = values_and_scales(data, shape, encoding, block)
    values = unpacked_values(stored, bits).reshape(*scales.shape, -1)
    weights = (values.astype(np.float32) - np.float32(2 ** (bits - 1))) * scales[..., None]
    return np.ascontiguousarray(weights.reshape(outputs, -1)[:, :inputs].T)


def values_and_scales(
    data: bytes | memoryview, shape: tuple[int, ...], encoding: Dtype, block: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Of a quantised kernel (K, N), as MatMulNBits takes them: values (N, blocks, block·bits/8) uint8, two to a byte at
    4 bits, and scales (N, blocks) float32."""
    (inputs, outputs), block = shape, block or BLOCK[encoding]
    blocks, width = -(-inputs // block), block * BITS[encoding] // 8
    values = np.frombuffer(data, np.uint8, outputs * blocks * width)
    scales = np.frombuffer(data, "<f2", outputs * blocks, values.size).astype(np.float32)
    return values.reshape(outputs, blocks, width), scales.reshape(outputs, blocks)


def encoded_bytes(shape: tuple[int, ...], encoding: Dtype, block: int | None = None) -> int:
    """How many bytes `encode` gives for a tensor of this shape."""
    if encoding in FLOATS:
        return FLOATS[encoding].itemsize * math.prod(shape)
    (inputs, outputs), block = shape, block or BLOCK[encoding]
    return outputs * -(-inputs // block) * (block * BITS[encoding] // 8 + 2)


def packed_values(values: np.ndarray, bits: int) -> np.ndarray:
    """Values below 2^bits, one to a byte → the bytes stored; two to a byte at 4 bits, the low half first."""
    return values if bits == 8 else values[..., 0::2] | values[..., 1::2] << 4


def unpacked_values(stored: np.ndarray, bits: int) -> np.ndarray:
    """The reverse of `packed_values`."""
    return stored if bits == 8 else np.stack([stored & 15, stored >> 4], axis=-1).reshape(-1)


def encoding_of(name: str, shape: tuple[int, ...], dtype: Dtype) -> Dtype:
    """How the tensor of this name is stored in a model of this dtype.

    At q8 and q4 the large kernels are quantised: those of the blocks and the one that gives the logits. The kernels
    between latents and blocks are a twentieth of the weights of a small model, and less of a larger; quantised, they
    alone did more harm than all the blocks together.
    """
    if dtype == "f32" or name.startswith("tables/"):
        # Angles in float16 would turn distant positions wrongly; the tables are small.
        return "f32"
    if dtype == "f16":
        return "f16"
    if len(shape) != 2:
        return "f32"
    if name == EMBEDDING:
        # Half of T5's weights. At 8 bits it puts latents off by 0.3 %, the encoder's kernels at 8 bits by 0.7 %.
        return "q8"
    quantisable = name.startswith(("unembed_", "blocks_", "encoder/block_", "judge/", "yardstick/")) and name.endswith(
        "/kernel"
    )
    return dtype if quantisable else "f16"
