"""Files of `torch.save` as torch before 1.6 wrote them, and newer ones when asked to: pickles, then the storages.

Five pickles lie one after the other: a number that marks the form, its version, what the machine was like, the tree,
and the names of the storages. Behind them every storage has its length in numbers, 8 bytes, and its numbers.
"""

from pathlib import Path
from typing import Any, BinaryIO

from elf.checkpoints.restricted_unpickler import unpickle
from elf.checkpoints.stored import Tree, UnsupportedError, plain_tree
from elf.checkpoints.torch_tensors import ALLOWED, UNKNOWN_STORAGE, Kind, Storage

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
    """The tree of a file. Raises ValueError for one that is broken, UnsupportedError for what is not read, OSError."""
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
