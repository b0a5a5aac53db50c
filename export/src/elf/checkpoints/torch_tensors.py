"""The tensors that a pickle of torch puts together: what stands in for torch's own functions and types.

As `torch.load(weights_only=True)` does, but a tensor of a kind that is not read is passed over, not refused.
"""

from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from elf.checkpoints import numpy_pickle
from elf.checkpoints.restricted_unpickler import Allowed, StandIn
from elf.checkpoints.stored import DTYPES, FileTensor, PackedTensor, Unread, span

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
    **numpy_pickle.ALLOWED,
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
