"""Writes what `torch.save` writes, tensor by tensor and without torch: a zip file with a pickle and the storages."""

import io
import struct
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

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
