"""A model's weights in one dtype: written as shards with an index, and read back as float32."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, BinaryIO, Self

import numpy as np

from elf.errors import StoredWeightsError
from elf.models.exported.encodings import BITS, BLOCK, Dtype, decode, encode, encoding_of
from elf.models.exported.places import (
    StoredTensor,
    VirtualFile,
    WeightIndex,
    WeightLayout,
    aligned,
    read_index,
    virtual_file,
)
from elf.models.exported.rearranged import encoder_weights, network_weights, official_encoder_params, official_params
from elf.models.trained_model import FlatParams, TrainedModel

if TYPE_CHECKING:
    import onnx_ir as ir


GREATEST_SHARD = 64_000_000
"""Bytes."""


def shard_name(stem: str, number: int) -> str:
    """Of the shard of this number, from 1 on."""
    return f"{stem}-{number:05}.bin"


class ShardWriter:
    """Cuts one stream of bytes into files that a hub, a browser's store and a broken line cope with.

    Writes it as `<stem>-00001.bin`, … in `folder`, each full but the last. A context manager.
    """

    def __init__(self, folder: Path, stem: str, greatest: int = GREATEST_SHARD):
        self.folder, self.stem, self.greatest = folder, stem, greatest
        self.names: list[str] = []
        self.written = 0
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while len(rest):
            room = self.greatest - self.written % self.greatest
            if room == self.greatest:
                self._open_next()
            assert self._file is not None
            self._file.write(rest[:room])
            self.written += min(room, len(rest))
            rest = rest[room:]

    def _open_next(self) -> None:
        self._close()
        self.names.append(shard_name(self.stem, len(self.names) + 1))
        self._file = (self.folder / self.names[-1]).open("wb")

    def _close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()


class ShardReader:
    """The stream again. Raises StoredWeightsError for a shard that is missing or ends early."""

    def __init__(self, folder: Path, stem: str):
        self.shards = sorted(folder.glob(f"{stem}-[0-9][0-9][0-9][0-9][0-9].bin"))
        wanted = [shard_name(stem, number) for number in range(1, max(1, len(self.shards)) + 1)]
        there = {shard.name for shard in self.shards}
        if lacking := [name for name in wanted if name not in there]:
            raise StoredWeightsError(f"{folder} has no {lacking[0]}", "Copy it again, or export the model again.")
        try:
            self.sizes = [shard.stat().st_size for shard in self.shards]
        except OSError as error:
            raise _unreadable(error) from error

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` of the stream on."""
        parts, start = [], 0
        for shard, size in zip(self.shards, self.sizes, strict=True):
            first, last = max(offset, start), min(offset + count, start + size)
            if first < last:
                try:
                    with shard.open("rb") as file:
                        file.seek(first - start)
                        parts.append(file.read(last - first))
                except OSError as error:
                    raise _unreadable(error) from error
            start += size
        data = b"".join(parts)
        if len(data) != count:
            raise StoredWeightsError(
                f"the shards {self.shards[0].name} … end at byte {start}, before {offset + count}",
                "Copy the missing shards, or export the model again.",
            )
        return data


def _unreadable(error: OSError) -> StoredWeightsError:
    return StoredWeightsError(
        f"{error.filename} cannot be read: {error.strerror}", "Copy the shards again, or export the model again."
    )


STREAM_ALIGNMENT = 16
"""Bytes; so a tensor can be viewed in the stream as any typed array."""


def weights_stem(dtype: Dtype) -> str:
    """What the names of a dtype's index and shards start with."""
    return f"weights-{dtype}"


def write_weights(
    layout: WeightLayout,
    graphs: Mapping[str, "ir.Model"],
    dtype: Dtype,
    folder: Path,
    products: Mapping[str, np.ndarray] | None = None,
    widened: Collection[str] = (),
) -> list[str]:
    """Writes the shards and the index of `dtype` into `folder`, one tensor in memory at a time; the shards' names.

    `products` are those that `quantised` rounds kernels by; kernels in `widened` are stored as float16 instead.
    """
    tensors, values = [], layout.tensors
    products = products or {}
    with ShardWriter(folder, weights_stem(dtype)) as shards:
        for name, slot in layout.slots.items():
            encoding = "f16" if name in widened else encoding_of(name, slot.shape, dtype)
            shards.write(bytes(aligned(shards.written, STREAM_ALIGNMENT) - shards.written))
            offset = shards.written
            block = BLOCK[encoding] if encoding in BITS else 0
            shards.write(encode(values[name], encoding, block, products.get(name) if block else None))
            tensors.append(StoredTensor(name, slot.shape, encoding, block, offset, shards.written - offset, slot))
        files = tuple(
            VirtualFile(virtual_file(number), size, readers(graphs, virtual_file(number)))
            for number, size in enumerate(layout.file_sizes)
        )
        WeightIndex(dtype, shards.written, files, tuple(tensors)).write(folder / f"{weights_stem(dtype)}.json")
    return shards.names


def remove_weights(folder: Path, dtype: Dtype) -> None:
    """Takes away what `write_weights` wrote."""
    for file in folder.glob(f"{weights_stem(dtype)}[.-]*"):
        file.unlink()


def readers(graphs: Mapping[str, "ir.Model"], file: str) -> tuple[str, ...]:
    """Names of the graphs, without that of a variant, which read the virtual file."""
    # It loads sympy, which takes a second that whoever only reads weights need not wait.
    from onnx_ir import ExternalTensor

    names = (
        name.partition("-")[0]
        for name, model in graphs.items()
        for value in model.graph.initializers.values()
        if isinstance(value.const_value, ExternalTensor) and value.const_value.location == file
    )
    return tuple(dict.fromkeys(names))


class StoredWeights(Mapping[str, np.ndarray]):
    """The tensors of a folder in one dtype, by name, decoded to float32 each time one is asked for.

    Raises StoredWeightsError where index or shards are missing or broken.
    """

    def __init__(self, folder: Path, dtype: Dtype):
        self.index = read_index(folder / f"{weights_stem(dtype)}.json")
        self._shards = ShardReader(folder, weights_stem(dtype))
        self._tensors = {tensor.name: tensor for tensor in self.index.tensors}

    def __getitem__(self, name: str) -> np.ndarray:
        tensor = self._tensors[name]
        return decode(self.stored_bytes(name), tensor.shape, tensor.encoding, tensor.block)

    def stored_bytes(self, name: str) -> bytes:
        """As they lie in the shards."""
        tensor = self._tensors[name]
        return self._shards.read(tensor.offset, tensor.bytes)

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def stored_model(model: TrainedModel, dtype: Dtype) -> TrainedModel:
    """A model that computes in JAX what the graphs do with the weights of this dtype; in float32 the model itself."""

    def rounded(weights: Mapping[str, np.ndarray]) -> FlatParams:
        return {
            name: decode(encode(value, encoding := encoding_of(name, value.shape, dtype)), value.shape, encoding)
            for name, value in weights.items()
        }

    if dtype == "f32":
        return model
    params = dict(official_params(model.elf, rounded(network_weights(model.elf, model.params))))
    if model.encoder is None:
        return replace(model, params=params)
    encoder_params = rounded(encoder_weights(model.encoder, model.encoder_params))
    return replace(model, params=params, encoder_params=dict(official_encoder_params(model.encoder, encoder_params)))
