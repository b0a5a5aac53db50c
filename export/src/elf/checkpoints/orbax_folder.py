"""Orbax folders, of the official code and of this project's own trainings: tensors are restored one by one.

Read past Orbax's manager, which would tidy up the folder that a running training is writing into.
"""

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
class OrbaxTree:
    """The leaves of the tree in `folder`."""

    folder: Path
    leaves: tuple[Any, ...]
    """What the metadata say of each."""
    structure: Any

    def read(self, number: int) -> Any:
        """One leaf. Orbax wants the whole tree, with something else in the place of those that are not asked for."""
        import jax
        import orbax.checkpoint as ocp

        leaf = self.leaves[number]
        wanted: list[Any] = [ocp.PLACEHOLDER] * len(self.leaves)
        how = [ocp.RestoreArgs() for _ in self.leaves]
        wanted[number] = jax.ShapeDtypeStruct(leaf.shape, leaf.dtype)
        how[number] = ocp.RestoreArgs(restore_type=np.ndarray)
        arguments = ocp.args.PyTreeRestore(
            item=jax.tree_util.tree_unflatten(self.structure, wanted),
            restore_args=jax.tree_util.tree_unflatten(self.structure, how),
        )
        handler = ocp.PyTreeCheckpointHandler()
        try:
            return jax.tree_util.tree_leaves(handler.restore(self.folder, args=arguments))[number]
        except Exception as error:  # Orbax and what it stands on raise many kinds
            raise ValueError(first_line(error)) from error
        finally:
            handler.close()


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
    item = item.absolute()
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
    shape, dtype = getattr(leaf, "shape", None), getattr(leaf, "dtype", None)
    if shape is None or dtype is None:
        return None
    try:
        return OrbaxTensor(tree, number, tuple(shape), np.dtype(dtype))
    except TypeError:  # keys of random numbers and other types of JAX's own
        return Unread(f"it is an array of type {dtype}", tuple(shape))
