"""NumPy's `.npz` files: a zip with an `.npy` file for each array, compressed or not."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.stored import FileTensor, PackedTensor, Tree, Unread, UnsupportedError
from elf.checkpoints.torch_archive import data_offset

SUFFIX = ".npy"


def read_npz(path: Path) -> Tree:
    """Name → array. Raises ValueError for a file that is broken, and OSError."""
    try:
        with zipfile.ZipFile(path) as archive:
            return {
                entry.filename.removesuffix(SUFFIX): _array(path, archive, entry)
                for entry in archive.infolist()
                if entry.filename.endswith(SUFFIX)
            }
    except (zipfile.BadZipFile, EOFError) as error:
        raise ValueError(str(error)) from error
    except (NotImplementedError, RuntimeError) as error:  # a method that zipfile lacks, or a password
        raise UnsupportedError(f"it cannot be unpacked: {error}", "Unpack it, and save it again.") from error


def _array(path: Path, archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Any:
    try:
        with archive.open(entry) as file:
            version = np.lib.format.read_magic(file)
            read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
            shape, fortran, dtype = read(file)
            start = file.tell()
    except ValueError as error:
        return Unread(f"it is no array: {error}", damaged=True)
    if dtype.hasobject or dtype.kind not in "iufb":
        return Unread(f"it is an array of type {dtype}", shape)
    if start + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize > entry.file_size:
        return Unread(f"it is an array of shape {shape} that ends early", shape, damaged=True)
    if entry.compress_type == zipfile.ZIP_STORED:
        return FileTensor(path, data_offset(path, entry) + start, dtype, shape, fortran=fortran)
    return PackedTensor(path, entry.filename, start, dtype, shape, fortran=fortran)
