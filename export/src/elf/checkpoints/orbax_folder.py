"""Orbax folders, of the official code and of this project's own trainings: tensors are restored one by one.

Read past Orbax's manager, which would tidy up the folder that a running training is writing into.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from elf.checkpoints.stored import Tree, Unread
from elf.errors import first_line

METADATA = "_METADATA"
ITEMS = ("", "default", "state")
"""Where a checkpoint's folder may hold its tree: itself, or what Orbax's manager puts into it."""


def orbax_item(folder: Path) -> Path | None:
    """The folder with the tree of Orbax checkpoint `folder`; None where it is none."""
    return next((folder / item for item in ITEMS if (folder / item / METADATA).is_file()), None)


@dataclass(frozen=True)
class OrbaxTensor:
    """A leaf of the tree in `folder`, by the names that lead to it."""

    folder: Path
    path: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: np.dtype

    def read(self) -> np.ndarray:
        return np.asarray(_restore(self.folder, self.path, self.shape, self.dtype))


def read_orbax(folder: Path) -> Tree:
    """The tree of a checkpoint; only names and shapes are read. Raises ValueError for one that cannot be."""
    import orbax.checkpoint as ocp

    item = orbax_item(folder)
    if item is None:
        raise ValueError(f"it holds no {METADATA}")
    item = item.absolute()
    handler = ocp.PyTreeCheckpointHandler()
    try:
        metadata = handler.metadata(item)
    except Exception as error:  # Orbax and what it stands on raise many kinds
        raise ValueError(first_line(error)) from error
    finally:
        handler.close()
    return _tree(item, getattr(metadata, "tree", metadata), ())


def _tree(folder: Path, found: Any, path: tuple[str, ...]) -> Any:
    if isinstance(found, list | tuple):
        # The parts of an optimizer's state; weights have names.
        found = {str(i): each for i, each in enumerate(found)}
    if isinstance(found, Mapping):
        return {str(name): _tree(folder, each, (*path, str(name))) for name, each in found.items()}
    shape, dtype = getattr(found, "shape", None), getattr(found, "dtype", None)
    if shape is None or dtype is None:
        return None
    try:
        return OrbaxTensor(folder, path, tuple(shape), np.dtype(dtype))
    except TypeError:  # keys of random numbers and other types of JAX's own
        return Unread(f"it is an array of type {dtype}", tuple(shape))


def _restore(folder: Path, path: tuple[str, ...], shape: tuple[int, ...], dtype: np.dtype) -> Any:
    import jax
    import orbax.checkpoint as ocp

    def at_path(leaf: Any) -> Any:
        for name in reversed(path):
            leaf = {name: leaf}
        return leaf

    arguments = ocp.args.PyTreeRestore(
        item=at_path(jax.ShapeDtypeStruct(shape, dtype)),
        restore_args=at_path(ocp.RestoreArgs(restore_type=np.ndarray if shape else None)),
        partial_restore=True,
    )
    handler = ocp.PyTreeCheckpointHandler()
    try:
        found = handler.restore(folder, args=arguments)
        for name in path:
            found = found[name]
        return found
    except Exception as error:  # as above
        raise ValueError(first_line(error)) from error
    finally:
        handler.close()
