"""How one tensor is stored: float32, float16, or in blocks of 8 or 4 bits that share a scale (export/FORMAT.md)."""

from typing import Literal, get_args

import numpy as np

from elf.models.exported.quantise import quantised

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
        return FLOATS[encoding].itemsize * int(np.prod(shape, dtype=np.int64))
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
    quantisable = name.startswith(("unembed_", "blocks_", "encoder/block_")) and name.endswith("/kernel")
    return dtype if quantisable else "f16"
