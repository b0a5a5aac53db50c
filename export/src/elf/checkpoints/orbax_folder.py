"""Orbax folders, of the official code and of this project's own trainings: tensors are restored a few at a time."""

import math
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.stored_tensors import Tree, Unread
from elf.errors import first_line
from elf.paths import absolute

# Read past Orbax's manager, which would tidy up the folder that a running training is writing into.

METADATA = "_METADATA"
ITEMS = ("", "default", "state")
"""Where a checkpoint's folder may hold its tree: itself, or what Orbax's manager puts into it."""

READ_AHEAD = 2**26
"""Bytes of leaves that are restored together."""


def orbax_item(folder: Path) -> Path | None:
    """The folder with the tree of Orbax checkpoint `folder`; None where it is none."""
    return next((folder / item for item in ITEMS if (folder / item / METADATA).is_file()), None)


@dataclass(frozen=True)
class OrbaxTree:
    """The leaves of the tree in `folder`."""

    folder: Path
    leaves: tuple[Any, ...]
    """What the metadata say of each."""
    structure: Any
    _ahead: dict[int, Any] = field(default_factory=dict, compare=False, repr=False)
    """Leaves that came along with one before them and have not been asked for."""
    _lock: threading.Lock = field(default_factory=threading.Lock, compare=False, repr=False)

    def read(self, number: int) -> Any:
        """One leaf. Restoring one takes going through all that is known of all: those behind it come along."""
        with self._lock:
            if number not in self._ahead:
                self._ahead.clear()
                try:
                    self._ahead.update(self._restore(self._window(number)))
                except ValueError:
                    # It may be one of the others that cannot be read.
                    self._ahead.update(self._restore([number]))
            return self._ahead.pop(number)

    def _window(self, first: int) -> list[int]:
        numbers, size = [first], 0
        for number, leaf in enumerate(self.leaves[first:], first):
            shape, dtype = _shape_and_type(leaf)
            size += math.prod(shape or ()) * dtype.itemsize if dtype else 0
            if size > READ_AHEAD:
                break
            if dtype and number != first:
                numbers.append(number)
        return numbers

    def _restore(self, numbers: list[int]) -> dict[int, Any]:
        """Orbax wants the whole tree, with something else in the place of the leaves that are not asked for."""
        import jax
        import orbax.checkpoint as ocp

        wanted: list[Any] = [ocp.PLACEHOLDER] * len(self.leaves)
        how = [ocp.RestoreArgs() for _ in self.leaves]
        for number in numbers:
            leaf = self.leaves[number]
            wanted[number] = jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
            how[number] = ocp.RestoreArgs(restore_type=np.ndarray)
        arguments = ocp.args.PyTreeRestore(
            item=jax.tree_util.tree_unflatten(self.structure, wanted),
            restore_args=jax.tree_util.tree_unflatten(self.structure, how),
        )
        handler = ocp.PyTreeCheckpointHandler()
        try:
            restored = jax.tree_util.tree_leaves(handler.restore(self.folder, args=arguments))
        except Exception as error:  # Orbax and what it stands on raise many kinds
            raise ValueError(first_line(error)) from error
        finally:
            handler.close()
        return {number: restored[number] for number in numbers}


@dataclass(frozen=True)
class OrbaxTensor:
    tree: OrbaxTree
    number: int
    shape: tuple[int, ...]
    dtype: np.dtype

    def read(self) -> np.ndarray:
        return np.asarray(self.tree.read(self.number))


def read_orbax(folder: Path) -> Tree:
    """The tree of a checkpoint; only names and shapes are read. Raises ValueError for one that cannot be."""
    import jax
    import orbax.checkpoint as ocp

    item = orbax_item(folder)
    if item is None:
        raise ValueError(f"it holds no {METADATA}")
    item = absolute(item)
    handler = ocp.PyTreeCheckpointHandler()
    try:
        metadata = handler.metadata(item)
    except Exception as error:  # as above
        raise ValueError(first_line(error)) from error
    finally:
        handler.close()
    flat, structure = jax.tree_util.tree_flatten_with_path(getattr(metadata, "tree", metadata))
    whole = OrbaxTree(item, tuple(leaf for _, leaf in flat), structure)
    found: dict[str, Any] = {}
    for number, (path, leaf) in enumerate(flat):
        *names, last = (str(getattr(key, "key", getattr(key, "idx", getattr(key, "name", key)))) for key in path)
        place = found
        for name in names:
            place = place.setdefault(name, {})
        place[last] = _leaf(whole, number, leaf)
    return found


def _leaf(tree: OrbaxTree, number: int, leaf: Any) -> OrbaxTensor | Unread | None:
    shape, dtype = _shape_and_type(leaf)
    if shape is None:
        return None
    if dtype is None:
        return Unread(f"it is an array of type {leaf.dtype}", shape)
    return OrbaxTensor(tree, number, shape, dtype)


def _shape_and_type(leaf: Any) -> tuple[tuple[int, ...] | None, np.dtype | None]:
    """Of an array. None and None for what is none; no type for keys of random numbers and other types of JAX's own."""
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or dtype is None:
        return None, None
    try:
        return tuple(shape), np.dtype(dtype)
    except TypeError:
        return tuple(shape), None
