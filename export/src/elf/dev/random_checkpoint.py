"""Checkpoints of random weights in every form that official ones have, written tensor by tensor."""

import io
import pickle
import re
import struct
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import msgpack
import numpy as np

from elf.checkpoints.array_files import read_safetensors, write_safetensors
from elf.config import ElfConfig, T5Config
from elf.data.tokenizer import EOS, PAD, UNK
from elf.errors import OutputExistsError
from elf.network.parameters import Shapes, encoder_parameter_shapes, parameter_shapes
from elf.paths import written_whole
from elf.progress import ticker

# --- Flax msgpack files and archives of torch, written tensor by tensor: their own libraries hold a whole file ------

NDARRAY = 1
"""Flax's extension type."""


def write_msgpack(path: Path, tree: Mapping[str, Any]) -> None:
    """Writes nested mappings whose leaves are numbers, small arrays, or iterators of (name, array) pairs.

    Such an iterator stands for a whole subtree; its names are joined by '/', and those with a common start follow each
    other. Its `shapes` say beforehand what will come: see `RandomWeights`.
    """
    with path.open("wb") as file:
        _Writer(file).item(tree)


class _Writer:
    def __init__(self, file: BinaryIO):
        self.file, self.packer = file, msgpack.Packer()

    def item(self, value: Any) -> None:
        if hasattr(value, "shapes"):
            arrays = iter(value)
            self._subtree(_by_parts(value.shapes), arrays)
        elif isinstance(value, Mapping):
            self.file.write(self.packer.pack_map_header(len(value)))
            for name, each in value.items():
                self.file.write(self.packer.pack(name))
                self.item(each)
        elif isinstance(value, np.ndarray):
            self._array(value)
        else:
            self.file.write(self.packer.pack(value))

    def _subtree(self, names: dict[str, Any], arrays: Iterator[tuple[str, np.ndarray]]) -> None:
        self.file.write(self.packer.pack_map_header(len(names)))
        for name, below in names.items():
            self.file.write(self.packer.pack(name))
            if below is None:
                self._array(next(arrays)[1])
            else:
                self._subtree(below, arrays)

    def _array(self, array: np.ndarray) -> None:
        head = self.packer.pack_array_header(3) + self.packer.pack(array.shape) + self.packer.pack(array.dtype.name)
        head += struct.pack(">BI", 0xC6, array.nbytes)
        self.file.write(struct.pack(">BIb", 0xC9, len(head) + array.nbytes, NDARRAY) + head)
        self.file.write(np.ascontiguousarray(array).data)


def _by_parts(shapes: Mapping[str, Any]) -> dict[str, Any]:
    """Names by their parts; None at the ends."""
    tree: dict[str, Any] = {}
    for name in shapes:
        *path, last = name.split("/")
        place = tree
        for part in path:
            place = place.setdefault(part, {})
        place[last] = None
    return tree


STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage"}


def write_torch_archive(path: Path, groups: Mapping[str, Any], numbers: Mapping[str, int | float]) -> None:
    """Writes a dict of `numbers` and of `groups`: name → something with `shapes` that yields (name, array) pairs, as
    `RandomWeights` does. The names of a group are torch's already, and so is the layout. An unnamed group ("") stands
    for the dict itself."""
    root = "archive"  # as torch names it where the file has no name
    pickle = _Pickle()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for group, weights in groups.items():
            if group:
                pickle.open(group)
            for name, values in weights:
                array = np.ascontiguousarray(values)
                key = str(pickle.storages)
                pickle.tensor(name, key, array)
                with archive.open(f"{root}/data/{key}", "w", force_zip64=True) as file:
                    file.write(array.data)
            if group:
                pickle.close()
        for name, number in numbers.items():
            pickle.number(name, number)
        archive.writestr(f"{root}/data.pkl", pickle.finish())
        archive.writestr(f"{root}/byteorder", "little")
        archive.writestr(f"{root}/version", "3\n")


class _Pickle:
    """A pickle of protocol 2, spelt out: it names classes of torch, which need not be there."""

    def __init__(self) -> None:
        self.stream = io.BytesIO()
        self.stream.write(b"\x80\x02}(")
        self.storages = 0

    def open(self, name: str) -> None:
        """Starts a dict within the dict."""
        self._text(name)
        self.stream.write(b"}(")

    def close(self) -> None:
        self.stream.write(b"u")

    def number(self, name: str, value: int | float) -> None:
        self._text(name)
        if isinstance(value, int):
            self._integers([value])
        else:
            self.stream.write(b"G" + struct.pack(">d", value))

    def tensor(self, name: str, key: str, array: np.ndarray) -> None:
        """A call of torch's function with its storage, offset, shape, strides, and no gradient."""
        self._text(name)
        self.stream.write(b"ctorch._utils\n_rebuild_tensor_v2\n((")
        self._text("storage")
        self.stream.write(f"ctorch\n{STORAGES[array.dtype.name]}\n".encode())
        self._text(key)
        self._text("cpu")
        self._integers([array.size])
        self.stream.write(b"tQK\x00")
        strides = [stride // array.itemsize for stride in array.strides]
        for sizes in (list(array.shape), strides):
            self.stream.write(b"(")
            self._integers(sizes)
            self.stream.write(b"t")
        self.stream.write(b"\x89ccollections\nOrderedDict\n)RtR")
        self.storages += 1

    def finish(self) -> bytes:
        self.stream.write(b"u.")
        return self.stream.getvalue()

    def _text(self, text: str) -> None:
        data = text.encode()
        self.stream.write(b"X" + struct.pack("<I", len(data)) + data)

    def _integers(self, values: Iterable[int]) -> None:
        for value in values:
            self.stream.write(b"J" + struct.pack("<i", int(value)))


# --- Checkpoints of random weights ----------------------------------------------------------------------------------


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


ElfFormat = Literal["msgpack", "orbax", "torch", "safetensors"]
T5Format = Literal["t5-pickle", "t5-torch", "t5-safetensors", "t5-msgpack"]

STEP, EPOCH = 95_000, 5.0


@dataclass(frozen=True)
class TorchLayout:
    """Weights under the names of the -torch files, Dense kernels as (out, in) `weight`."""

    weights: RandomWeights
    numbered: str
    """What of a name is followed by a number, as a pattern: blocks_0 is blocks.0 in torch."""

    @property
    def shapes(self) -> Shapes:
        return {self._name(name): self._shape(name, shape) for name, shape in self.weights.shapes.items()}

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, array in self.weights:
            yield self._name(name), np.ascontiguousarray(array.T) if name.endswith("/kernel") else array

    def _name(self, name: str) -> str:
        name = re.sub(rf"\b({self.numbered})_(\d+)", r"\1.\2", name)
        return re.sub(r"/(kernel|embedding|rel_embedding)$", "/weight", name).replace("/", ".")

    def _shape(self, name: str, shape: tuple[int, ...]) -> tuple[int, ...]:
        return shape[::-1] if name.endswith("/kernel") else shape


class Zeros:
    """An optimizer's momentum before its first step."""

    def __init__(self, shapes: Shapes):
        self.shapes = shapes

    def __iter__(self) -> Iterator[tuple[str, np.ndarray]]:
        for name, shape in self.shapes.items():
            yield name, np.zeros(shape, np.float32)


def write_elf_checkpoint(path: Path, form: ElfFormat, config: ElfConfig, seed: int) -> None:
    """A checkpoint of a network: averaged weights from `seed`, raw ones from the seed after it, an optimizer's state.

    Raises OutputExistsError, and DiskFullError. Memory: one tensor at a time, but for Orbax, which copies the whole
    tree before it writes: some three times its size.
    """
    shapes = parameter_shapes(config)
    _refuse_existing(path)
    names = ("ema_params1", "params")
    groups = {name: RandomWeights(shapes, seed + i, f"writing {name}") for i, name in enumerate(names)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        if form == "msgpack":
            optimizer = {"0": {"count": np.array(STEP, np.int32), "mu": Zeros(shapes)}, "1": {}}
            rest = {"step": STEP, "epoch": EPOCH, "dropout_rng": np.array([0, seed], np.uint32)}
            write_msgpack(file, {**groups, "opt_state": optimizer, **rest})
        elif form == "torch":
            laid_out = {name: TorchLayout(weights, "blocks") for name, weights in groups.items()}
            write_torch_archive(file, laid_out, {"step": STEP, "epoch": EPOCH})
        elif form == "safetensors":
            _write_safetensors(file, groups)
        else:
            _write_orbax(file, groups)


def write_t5(path: Path, form: T5Format, config: T5Config, seed: int) -> None:
    """A T5 encoder's weights; a pickle holds them all in memory, the others one tensor at a time."""
    _refuse_existing(path)
    weights = RandomWeights(encoder_parameter_shapes(config), seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as file:
        if form == "t5-pickle":
            file.write_bytes(pickle.dumps(_nested(dict(weights))))
        elif form == "t5-msgpack":
            write_msgpack(file, {"params": weights})
        elif form == "t5-torch":
            write_torch_archive(file, {"": TorchLayout(weights, "block|layer")}, {})
        else:
            _write_safetensors(file, {"": TorchLayout(weights, "block|layer")})


def _refuse_existing(path: Path) -> None:
    if path.exists():
        raise OutputExistsError(f"{path} exists", "Give another --out, or remove it.")


def _write_safetensors(path: Path, groups: dict[str, Any]) -> None:
    """The tensors of all groups in one file, a group's names after its own; none where it is empty."""
    named = [(f"{group}/" if group else "", weights) for group, weights in groups.items()]
    shapes = {f"{before}{name}": shape for before, weights in named for name, shape in weights.shapes.items()}
    write_safetensors(path, shapes, (array for _, weights in named for _, array in weights))


def _write_orbax(path: Path, groups: dict[str, RandomWeights]) -> None:
    import orbax.checkpoint as ocp

    with tempfile.TemporaryDirectory(prefix=f".{path.name}-", dir=path.parent) as folder:
        file = Path(folder) / "weights"
        _write_safetensors(file, groups)
        mapped = {
            name: np.memmap(tensor.path, tensor.dtype, "r", tensor.offset, tensor.shape)
            for name, tensor in read_safetensors(file).items()
        }
        tree = {**_nested(mapped), "step": STEP, "epoch": EPOCH}
        ocp.PyTreeCheckpointer().save(path.absolute(), tree)


def _nested(flat: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {}
    for name, value in flat.items():
        *parts, last = name.split("/")
        place = tree
        for part in parts:
            place = place.setdefault(part, {})
        place[last] = value
    return tree
