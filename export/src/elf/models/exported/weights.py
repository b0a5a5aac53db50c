"""Where every weight of a model lies, as float32, in the virtual files that its graphs name (export/FORMAT.md).

Virtual files exist nowhere on disk: whoever opens a graph makes them from the shards of the dtype that was chosen. So
one set of graphs serves every dtype.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from elf.network.parameters import shapes_of

ALIGNMENT = 64
"""Bytes; a tensor can be viewed in place as any typed array, and starts a cache line."""
GREATEST_FILE = 512 * 2**20
"""Bytes of one virtual file: a browser hands out no single buffer of some gigabytes."""


@dataclass(frozen=True)
class Slot:
    """Where a tensor lies: bytes from `offset` on in the virtual file of number `file`."""

    file: int
    offset: int
    length: int
    shape: tuple[int, ...]


class WeightLayout:
    """Gives each tensor its place. Every mapping of `groups` starts a virtual file of its own: one that a graph does
    not read need not be made for it.

    Mappings may load their tensors only when asked, and forget them again: nothing is kept here but shapes.
    """

    def __init__(self, *groups: Mapping[str, np.ndarray]):
        self.groups = groups
        self.slots: dict[str, Slot] = {}
        self.file_sizes: list[int] = []
        for group in groups:
            self.file_sizes.append(0)
            for name, shape in shapes_of(group).items():
                self._place(name, shape)

    def _place(self, name: str, shape: tuple[int, ...]) -> None:
        length = 4 * int(np.prod(shape, dtype=np.int64))
        offset = aligned(self.file_sizes[-1], ALIGNMENT)
        if offset and offset + length > GREATEST_FILE:
            self.file_sizes.append(0)
            offset = 0
        self.slots[name] = Slot(len(self.file_sizes) - 1, offset, length, shape)
        self.file_sizes[-1] = offset + length

    @property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """All tensors by name, float32, loaded when asked for."""
        return _Joined(self.groups)


class _Joined(Mapping[str, np.ndarray]):
    """Mappings without a name in common, as one; values as float32 in C order."""

    def __init__(self, parts: tuple[Mapping[str, np.ndarray], ...]):
        # Asking a mapping whether it has a name could load the tensor.
        self._part_of = {name: part for part in parts for name in part}

    def __getitem__(self, name: str) -> np.ndarray:
        return np.ascontiguousarray(self._part_of[name][name], np.float32)

    def __iter__(self) -> Iterator[str]:
        return iter(self._part_of)

    def __len__(self) -> int:
        return len(self._part_of)


def virtual_file(number: int) -> str:
    """The name by which graphs know the virtual file of this number."""
    return f"weights-{number}.bin"


def packed_file(number: int) -> str:
    """The same of the packed graphs' virtual files."""
    return f"packed-{number}.bin"


def aligned(offset: int, alignment: int) -> int:
    """The next multiple of `alignment`."""
    return -(-offset // alignment) * alignment
