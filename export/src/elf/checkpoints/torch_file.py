"""Files of `torch.save`, read without torch: archives of today, and the form from before 1.6."""

import math
import zipfile
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from elf.checkpoints import array_files
from elf.checkpoints.restricted_unpickler import Allowed, StandIn, unpickle
from elf.checkpoints.stored_tensors import (
    BROKEN_ZIP,
    DTYPES,
    FileTensor,
    PackedTensor,
    Tree,
    Unread,
    UnsupportedError,
    data_offset,
    plain_tree,
    span,
)

# What stands in for torch's own functions and types is as in `torch.load(weights_only=True)`, but a tensor of a kind
# that is not read is passed over, not refused. Tensors stay in the file until they are asked for.

STORAGES = {
    "DoubleStorage": "float64",
    "FloatStorage": "float32",
    "HalfStorage": "float16",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "int64",
    "IntStorage": "int32",
    "ShortStorage": "int16",
    "CharStorage": "int8",
    "ByteStorage": "uint8",
    "BoolStorage": "bool",
    "UntypedStorage": "uint8",
}
"""Torch's classes of storage → NumPy's names of what is in them."""

OTHER_STORAGES = {"ComplexDoubleStorage": 16, "ComplexFloatStorage": 8, "QInt8Storage": 1, "QInt32Storage": 4}
OTHER_STORAGES |= {"QUInt8Storage": 1, "QUInt4x2Storage": 1, "QUInt2x4Storage": 1}
"""Those of types that are not read → bytes of a number."""

TYPES = {
    **{"double": "float64", "float": "float32", "half": "float16", "long": "int64", "int": "int32", "short": "int16"},
    **{name: name for name in DTYPES},
}
"""Torch's names of types, those that a pickle uses and their nicknames → NumPy's."""


class Kind(NamedTuple):
    """A type of numbers: of a storage, or one that a tensor reads its storage as."""

    torch: str
    dtype: np.dtype | None
    """None for a type that is not read."""
    size: int | None = None
    """Bytes of a number of such a type, where they are known."""

    @property
    def bytes(self) -> int | None:
        return self.dtype.itemsize if self.dtype is not None else self.size


class Storage(NamedTuple):
    """A run of bytes in the file."""

    path: Path
    offset: int
    """Of its first byte in the file, or in `entry` once that is unpacked."""
    size: int
    kind: Kind
    entry: str | None = None
    """The file of the archive that it is, where that is compressed."""
    lacks: str = ""
    """Why it cannot be read, if so: the tensors in it then cannot."""
    damaged: bool = True


UNKNOWN_STORAGE = Unread("it lies in a storage of an unknown kind")


def tensor_in(storage: Any, offset: Any, shape: Any, strides: Any, kind: Kind) -> FileTensor | PackedTensor | Unread:
    """The tensor that starts `offset` numbers into a storage, sizes and strides in numbers."""
    if isinstance(storage, Unread):
        return storage
    if not isinstance(storage, Storage):
        return Unread("it is a tensor without a storage", damaged=True)
    numbers = [offset, *shape, *strides]
    if not all(isinstance(n, int) and n >= 0 for n in numbers):
        return Unread("it is a tensor without a storage: its sizes are no numbers", damaged=True)
    shape, strides = tuple(shape), tuple(strides)
    if len(shape) != len(strides):
        return Unread(f"it is a tensor of shape {shape} and {len(strides)} strides", damaged=True)
    if storage.lacks:
        return Unread(storage.lacks, shape, storage.damaged)
    dtype = kind.dtype
    if dtype is None:
        return Unread(f"it is of torch's type {kind.torch}", shape)
    place = storage.offset + offset * dtype.itemsize
    found = (
        FileTensor(storage.path, place, dtype, shape, strides)
        if storage.entry is None
        else PackedTensor(storage.path, storage.entry, place, dtype, shape, strides)
    )
    if (offset + span(shape, strides)) * dtype.itemsize > storage.size:
        return Unread(f"it is a tensor of shape {shape} that reaches beyond its storage", shape, damaged=True)
    if math.prod(shape) * dtype.itemsize > storage.size:
        return Unread(f"it is a tensor of shape {shape} that repeats its numbers", shape)
    return found


def _rebuilt(storage: Any, offset: Any, shape: Any, strides: Any, *rest: Any) -> Any:
    """Stands in for torch._utils._rebuild_tensor and _rebuild_tensor_v2."""
    kind = storage.kind if isinstance(storage, Storage) else Kind("", None)
    return tensor_in(storage, offset, shape, strides, kind)


def _rebuilt_as(
    storage: Any, offset: Any, shape: Any, strides: Any, gradient: Any, hooks: Any, kind: Any, *rest: Any
) -> Any:
    """Stands in for torch._utils._rebuild_tensor_v3, of types newer than the storages."""
    return tensor_in(storage, offset, shape, strides, kind if isinstance(kind, Kind) else Kind(str(kind), None))


def _parameter(tensor: Any, *rest: Any) -> Any:
    return tensor


def _of_class(function: Any, kind: Any, arguments: Any, state: Any) -> Any:
    """Stands in for torch._tensor._rebuild_from_type_v2: a tensor with a class or attributes of its own."""
    return function(*arguments) if isinstance(function, StandIn) else Unread("it is a tensor made in an unknown way")


def _passed_over(what: str) -> Callable[..., Unread]:
    def stand_in(*arguments: Any) -> Unread:
        return Unread(what)

    return stand_in


UNREAD = {
    "_rebuild_sparse_tensor": "it is a sparse tensor",
    "_rebuild_sparse_csr_tensor": "it is a sparse tensor",
    "_rebuild_qtensor": "it is a quantised tensor",
    "_rebuild_nested_tensor": "it is a nested tensor",
    "_rebuild_meta_tensor_no_storage": "it is a tensor without numbers, on torch's device meta",
    "_rebuild_wrapper_subclass": "it is a tensor of a class of its own",
}
"""Functions of torch._utils → the kind of tensor that they make."""

ALLOWED: Allowed = {
    **array_files.ALLOWED,
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor"): _rebuilt,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuilt_as,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch._utils", "_rebuild_parameter_with_state"): _parameter,
    ("torch._tensor", "_rebuild_from_type_v2"): _of_class,
    **{("torch._utils", name): _passed_over(what) for name, what in UNREAD.items()},
    ("torch", "Size"): tuple,
    **{("torch", name): Kind(name, DTYPES[dtype]) for name, dtype in STORAGES.items()},
    ("torch.storage", "UntypedStorage"): Kind("UntypedStorage", DTYPES["uint8"]),
    **{("torch", name): Kind(name.removesuffix("Storage"), None, size) for name, size in OTHER_STORAGES.items()},
    **{("torch", name): Kind(name, DTYPES[dtype]) for name, dtype in TYPES.items()},
}

ENCRYPTED = 1
"""Flag of a file inside a zip."""

MAX_PICKLE = 4_000_000
"""Bytes of the pickle where it is compressed: it has names and shapes only, and what a byte makes may take seventy."""


def read_torch_archive(path: Path) -> Tree:
    """The tree of an archive. Raises ValueError for one that is broken, UnsupportedError for another kind of zip, and
    OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_archive(path, archive)
    except BROKEN_ZIP as error:
        raise ValueError(str(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a method that zipfile lacks, or a password
        raise UnsupportedError(f"it cannot be unpacked: {error}", "Unpack it, and save it again.") from error


def _read_archive(path: Path, archive: zipfile.ZipFile) -> Tree:
    entries = {entry.filename: entry for entry in archive.infolist()}
    pickles = [name for name in entries if name == "data.pkl" or name.endswith("/data.pkl")]
    if len(pickles) != 1:
        raise UnsupportedError(
            f"it is a zip file, but none of torch.save: there is {'no' if not pickles else 'more than one'} data.pkl "
            "in it",
            "Unpack it if a checkpoint is packed in it.",
        )
    if entries[pickles[0]].compress_type != zipfile.ZIP_STORED and entries[pickles[0]].file_size > MAX_PICKLE:
        raise ValueError(f"its data.pkl would be {entries[pickles[0]].file_size:,} bytes")
    root = pickles[0].removesuffix("data.pkl")
    big_endian = f"{root}byteorder" in entries and _beginning(archive, f"{root}byteorder") != b"little"

    def storage(key: Any) -> Storage | Unread:
        if not (isinstance(key, tuple) and len(key) == 5 and key[0] == "storage" and isinstance(key[1], Kind)):
            return UNKNOWN_STORAGE
        _, kind, name, _, count = key
        entry = entries.get(f"{root}data/{name}")
        if entry is None:
            return Storage(path, 0, 0, kind, lacks=f"its storage {name!r} is not in the archive")
        if big_endian:
            return Storage(path, 0, 0, kind, lacks="its numbers are big-endian", damaged=False)
        if entry.flag_bits & ENCRYPTED:
            return Storage(path, 0, 0, kind, lacks=f"its storage {name!r} is encrypted", damaged=False)
        size = count * kind.bytes if isinstance(count, int) and kind.bytes else entry.file_size
        if not 0 <= size <= entry.file_size:
            return Storage(path, 0, 0, kind, lacks=f"its storage has {entry.file_size} bytes for {count} numbers")
        if entry.compress_type != zipfile.ZIP_STORED:
            return Storage(path, 0, size, kind, entry.filename)
        try:
            return Storage(path, data_offset(path, entry), size, kind)
        except ValueError as error:
            return Storage(path, 0, 0, kind, lacks=str(error))

    with archive.open(pickles[0]) as file:
        return plain_tree(unpickle(file.read(), ALLOWED, storage))


def _beginning(archive: zipfile.ZipFile, name: str) -> bytes:
    with archive.open(name) as file:
        return file.read(16)


MAGIC = 0x1950A86A20F9469CFC6C
"""The number in the first pickle, of which every protocol has its bytes."""

VERSION = 1001


def is_legacy(start: bytes) -> bool:
    """Whether a file that starts so is of this form."""
    return start[:1] == b"\x80" and MAGIC.to_bytes(10, "little") in start


class Places:
    """Where the storages lie is known last, when the tree is there already: its tensors are made then."""

    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}

    def note(self, key: Any) -> Any:
        # (storage, kind, name, device, count of numbers, view), the view None but in files of the oldest torch.
        if isinstance(key, tuple) and len(key) >= 5 and key[0] == "storage" and isinstance(key[1], Kind):
            self.kinds[str(key[2])] = key[1]
        return _class(key)

    def measured(self, path: Path, file: BinaryIO, names: list[Any]) -> dict[str, Storage]:
        """Every storage, from where `file` stands. Raises ValueError where one is missing."""
        found: dict[str, Storage] = {}
        for name in map(str, names):
            kind = self.kinds.get(name)
            if kind is None or kind.bytes is None:
                raise UnsupportedError(
                    f"it has a storage of {kind.torch if kind else 'an unknown type'}, and what lies behind it cannot "
                    "be found",
                    "Save it again with a torch of today.",
                )
            count = int.from_bytes(file.read(8), "little", signed=True)
            offset, size = file.tell(), count * kind.bytes
            if count < 0 or offset + size > path.stat().st_size:
                raise ValueError(f"it ends within the storage {name}")
            found[name] = Storage(path, offset, size, kind)
            file.seek(size, 1)
        return found


def _class(key: Any) -> Any:
    """What a reference to a class stands for, (module, class, file, source); None for another reference."""
    return key[1] if isinstance(key, tuple) and len(key) > 1 and key[0] == "module" else None


def read_torch_legacy(path: Path) -> Tree:
    """The tree of a file as torch before 1.6 wrote it, and newer ones when asked to.

    Five pickles lie one after the other: a number that marks the form, its version, what the machine was like, the
    tree, and the names of the storages. Behind them every storage has its length in numbers, 8 bytes, and its numbers.
    Raises ValueError for one that is broken, UnsupportedError for what is not read, OSError.
    """
    with path.open("rb") as file:
        _, version, machine = (unpickle(file, {}) for _ in range(3))
        if version != VERSION:
            raise UnsupportedError(f"it is of version {version!r} of torch's old form", "Save it again with torch.")
        if isinstance(machine, dict) and machine.get("little_endian") is False:
            raise UnsupportedError("its numbers are big-endian", "Save it again on a machine of today.")
        start, places = file.tell(), Places()
        unpickle(file, ALLOWED, places.note)
        names = unpickle(file, {})
        if not isinstance(names, list):
            raise ValueError("it names no storages")
        storages = places.measured(path, file, names)

        def storage(key: Any) -> Any:
            if (found := _class(key)) is not None:
                return found
            name = str(key[2]) if isinstance(key, tuple) and len(key) > 2 else ""
            view = key[5] if isinstance(key, tuple) and len(key) > 5 else None
            return UNKNOWN_STORAGE if view is not None else storages.get(name, UNKNOWN_STORAGE)

        file.seek(start)
        return plain_tree(unpickle(file, ALLOWED, storage))
