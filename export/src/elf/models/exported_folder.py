"""An exported folder: its weights in one dtype, written as shards and read back, and the model that its manifest tells
of (export/FORMAT.md)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Self

import numpy as np

from elf.checkpoints.official import LATENT_MEAN, LATENT_STD
from elf.config import ElfConfig, FlowConfig, SelfCondStart, settings_of
from elf.errors import CheckpointError, ConfigError, StoredWeightsError, UsageError, first_line
from elf.models.encodings import BITS, BLOCK, DTYPES, Dtype, decode, encode, encoding_of
from elf.models.rearranged import (
    encoder_config,
    encoder_weights,
    network_weights,
    official_encoder_params,
    official_params,
)
from elf.models.trained_model import (
    BEFORE_SELF_COND_START,
    ExportedGraphs,
    FlatParams,
    TrainedModel,
    check_names,
    read_statistic,
)
from elf.models.weight_places import (
    StoredTensor,
    VirtualFile,
    WeightIndex,
    WeightLayout,
    aligned,
    read_index,
    virtual_file,
)
from elf.text_file import json_value

if TYPE_CHECKING:
    import onnx_ir as ir


# --- A model's weights in one dtype: written as shards with an index, and read back as float32 ----------------------

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
    stored: "StoredWeights | None" = None,
) -> list[str]:
    """Writes the shards and the index of `dtype` into `folder`, one tensor in memory at a time; the shards' names.

    `products` are those that `quantised` rounds kernels by; kernels in `widened` are stored as float16 instead. What
    `stored` reads as it is here and stores in the same way keeps its bytes: to round a block twice could move it again.
    """
    tensors, values = [], layout.tensors
    products = products or {}

    def stored_alike(name: str, encoding: Dtype, block: int) -> bytes | None:
        if stored is None or stored.form(name) != (encoding, block):
            return None
        return stored.stored_bytes(name) if np.array_equal(stored[name], values[name]) else None

    with ShardWriter(folder, weights_stem(dtype)) as shards:
        for name, slot in layout.slots.items():
            encoding = "f16" if name in widened else encoding_of(name, slot.shape, dtype)
            shards.write(bytes(aligned(shards.written, STREAM_ALIGNMENT) - shards.written))
            offset = shards.written
            block = BLOCK[encoding] if encoding in BITS else 0
            kept = stored_alike(name, encoding, block)
            shards.write(kept or encode(values[name], encoding, block, products.get(name) if block else None))
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

    def form(self, name: str) -> tuple[Dtype, int] | None:
        """Encoding and block of a tensor; None where there is none of this name."""
        tensor = self._tensors.get(name)
        return None if tensor is None else (tensor.encoding, tensor.block)

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


# --- The model of an exported folder: what its manifest tells, and its weights, taken back (export/FORMAT.md) -------

MANIFEST = "manifest.json"

SCHEMA_VERSION = 3
READ_VERSIONS = (2, 3)
"""Version 2 does not say `selfCondStart`; the rest is the same."""

EXPORT_AGAIN = "Run `elf export` again on the checkpoint, or copy the folder again; `elf check` says what is wrong."


def is_exported(folder: Path) -> bool:
    return (folder / MANIFEST).is_file()


def read_manifest(folder: Path) -> dict[str, Any]:
    """Raises CheckpointError for one that is missing, broken, or of another version."""
    file = folder / MANIFEST
    try:
        manifest = json_value(file.read_text(encoding="utf-8"))
        version = manifest["schemaVersion"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", EXPORT_AGAIN) from error
    if version not in READ_VERSIONS:
        known = " and ".join(map(str, READ_VERSIONS))
        raise CheckpointError(f"{file} is of version {version!r}, {known} are read", EXPORT_AGAIN)
    return manifest


def describe_model(folder: Path, manifest: dict[str, Any]) -> TrainedModel:
    """All of the model that its manifest tells."""
    architecture, latent, schedule = (manifest[part] for part in ("architecture", "latent", "schedule"))
    tokenizer = folder / "tokenizer.json"
    check_names(manifest["name"], {}, manifest.get("source", {}))
    return TrainedModel(
        name=manifest["name"],
        elf=ElfConfig(
            depth=architecture["depth"],
            hidden_size=architecture["hiddenSize"],
            heads=architecture["heads"],
            latent_size=architecture["latentSize"],
            bottleneck_size=architecture["bottleneckSize"],
            vocabulary_size=architecture["vocabularySize"],
            max_length=architecture["maxLength"],
            max_input_length=architecture.get("maxInputLength", 0),
            source_optional=architecture.get("sourceOptional", False),
            self_cond_cfg_tokens=architecture.get("selfCondCfgTokens", ElfConfig.self_cond_cfg_tokens),
        ),
        flow=FlowConfig(
            noise_scale=latent["noiseScale"],
            t_eps=latent["tEps"],
            p_mean=schedule["pMean"],
            p_std=schedule["pStd"],
            self_cond_start=self_cond_start(manifest),
        ),
        params={},
        latent_mean=read_statistic(latent["mean"]),
        latent_std=read_statistic(latent["std"]),
        tokenizer=tokenizer if tokenizer.is_file() else None,
        sampling=settings_of(manifest["defaults"]),
        source=manifest.get("source", {}),
    )


def self_cond_start(manifest: Mapping[str, Any]) -> SelfCondStart:
    """What the model's x̂ starts with on the source. A manifest of version 2 does not say it; there only trainings by
    the official code started with the condition, and their models are known by their `source`, which only official
    checkpoints brought with them, or else by T5-small's latents, which no published training of this project had."""
    if manifest["schemaVersion"] > 2:
        return manifest["selfCondStart"]
    latent = manifest["latent"]
    official = "source" in manifest or (latent["mean"], latent["std"]) == (LATENT_MEAN, LATENT_STD)
    return "condition" if official else BEFORE_SELF_COND_START


def open_folder(folder: Path, dtype: str | None = None) -> TrainedModel:
    """The model of a folder with its weights in one of its dtypes, the manifest's choice unless given; they are read
    when they are asked for, and are those that the graphs compute with, rounded as they may be.

    Raises CheckpointError for a folder that is broken or of another version of the format, UsageError for a dtype that
    it does not have.
    """
    manifest = read_manifest(folder)
    try:
        known: dict[str, Dtype] = {name: name for name in DTYPES if name in manifest["dtypes"]}
        chosen = known.get(dtype or manifest["defaultDtype"])
        model, length = describe_model(folder, manifest), int(manifest["defaults"]["length"])
        has_encoder = "encoder" in manifest["graphs"]
    except (KeyError, TypeError, ValueError, ConfigError, UsageError) as error:
        raise CheckpointError(f"{folder / MANIFEST} does not describe a model: {error}", EXPORT_AGAIN) from error
    if chosen is None:
        raise UsageError(f"{folder} has no weights in {dtype}", f"Choose one of {', '.join(known)}.")
    try:
        weights = StoredWeights(folder / "onnx", chosen)
        shapes = {tensor.name: tensor.shape for tensor in weights.index.tensors}
        encoder = encoder_config(weights, shapes) if has_encoder else None
        elf = replace(
            model.elf,
            time_tokens=shapes["t_emb_tokens"][1],
            mode_tokens=shapes["mode_tokens"][1],
            # A network that takes no x̂ has zeros there in its graphs.
            self_conditioning=bool(weights["text_proj/x_hat_prev/kernel"].any()),
        )
    except (StoredWeightsError, KeyError, ValueError) as error:
        raise CheckpointError(f"the weights of {folder} cannot be opened: {first_line(error)}", EXPORT_AGAIN) from error
    return replace(
        model,
        elf=elf,
        params=official_params(elf, weights),
        encoder=encoder,
        encoder_params=official_encoder_params(encoder, weights) if encoder else {},
        training={
            "checkpoint": folder.absolute().name,
            "format": f"exported folder, {chosen}",
            # So it stays that of what is made of it.
            **({"licence": licence} if (licence := manifest.get("licence", "unknown")) != "unknown" else {}),
        },
        exported=ExportedGraphs(folder, chosen, length),
    )
