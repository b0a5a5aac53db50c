"""Checkpoints of a training, and what follows them in the background."""

import threading
from pathlib import Path

import jax.numpy as jnp
import numpy as np
import pytest

from elf.checkpoints import orbax_folder
from elf.checkpoints.elf_in_file import read_elf_weights
from elf.config import ElfConfig
from elf.dev.random_checkpoint import RandomWeights
from elf.errors import CheckpointError, DiskFullError
from elf.network.parameters import parameter_shapes
from elf.training.checkpoint import Checkpoints

SHAPES = parameter_shapes(
    ElfConfig(depth=2, hidden_size=8, heads=2, latent_size=4, bottleneck_size=4, vocabulary_size=9, max_length=8)
)


def state(value: float) -> dict[str, jnp.ndarray]:
    return {"x": jnp.full(8, value)}


def test_what_follows_a_checkpoint_sees_it_whole_and_holds_nobody_up(tmp_path: Path) -> None:
    checkpoints = Checkpoints(tmp_path, keep=1)
    begun, go_on = threading.Event(), threading.Event()
    seen = []

    def then(folder: Path) -> None:
        begun.set()
        assert go_on.wait(60)
        # The next checkpoint is not saved before this is done, for it would take this one away.
        seen.append((folder.name, (folder / "default" / "_METADATA").is_file()))

    checkpoints.save(1, state(1))
    checkpoints.follow(1, then)
    assert begun.wait(60) and not seen
    go_on.set()
    checkpoints.save(2, state(2))
    assert seen == [("checkpoint_1", True)]
    checkpoints.follow(2, then)
    checkpoints.close()
    assert seen[1:] == [("checkpoint_2", True)] and not (tmp_path / "checkpoint_1").exists()


def test_a_fault_in_what_follows_is_raised_and_costs_no_checkpoint(tmp_path: Path) -> None:
    def then(folder: Path) -> None:
        raise DiskFullError(f"no room beside {folder.name}", "Make some.")

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, state(1))
    checkpoints.follow(1, then)
    with pytest.raises(DiskFullError, match="no room beside checkpoint_1"):
        checkpoints.save(2, state(2))
    checkpoints.follow(2, then)
    with pytest.raises(DiskFullError, match="no room beside checkpoint_2"):
        checkpoints.close()
    np.testing.assert_array_equal(Checkpoints(tmp_path).restore(state(0), 2)["x"], np.full(8, 2))


def test_a_checkpoint_that_could_not_be_written_is_named_and_nothing_follows_it(tmp_path: Path, monkeypatch) -> None:
    checkpoints = Checkpoints(tmp_path)
    followed: list[Path] = []
    checkpoints.save(1, state(1))
    checkpoints.wait()
    checkpoints.save(2, state(2))
    checkpoints.manager.wait_until_finished()

    def full() -> None:
        # Whoever waits first has the manager forget the step.
        checkpoints.manager._checkpoints.delete_if(lambda info: info.step == 2)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(checkpoints.manager, "wait_until_finished", full)
    checkpoints.follow(2, followed.append)
    with pytest.raises(DiskFullError, match=r"checkpoint_2 could not be written.*checkpoint_1 stands"):
        checkpoints.wait()
    assert not followed


@pytest.mark.parametrize("ahead", [0, 700, 2**26])
def test_weights_are_the_same_however_many_are_restored_together(tmp_path: Path, monkeypatch, ahead: int) -> None:
    monkeypatch.setattr(orbax_folder, "READ_AHEAD", ahead)
    restored = []
    restore = orbax_folder.OrbaxTree._restore
    monkeypatch.setattr(
        orbax_folder.OrbaxTree, "_restore", lambda self, of: restored.append(len(of)) or restore(self, of)
    )
    averaged, raw = (dict(RandomWeights(SHAPES, seed)) for seed in (0, 1))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"ema_params1": averaged, "params": raw})
    checkpoints.close()
    found = read_elf_weights(tmp_path / "checkpoint_1").chosen(raw=False)[1]
    for _ in range(2):
        for name, value in averaged.items():
            np.testing.assert_array_equal(found[name], value)
    np.testing.assert_array_equal(found["proj_bias"], averaged["proj_bias"])
    if not ahead:
        assert restored == [1] * len(restored)
    elif ahead == 700:
        # 4-byte numbers: what is restored together stays below the bound, and much is.
        assert len(averaged) / 2 < len(restored) < 2 * len(averaged)


def test_a_weight_that_cannot_be_read_refuses_itself_alone(tmp_path: Path, monkeypatch) -> None:
    averaged = dict(RandomWeights(SHAPES, 0))
    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"ema_params1": averaged})
    checkpoints.close()
    found = read_elf_weights(tmp_path / "checkpoint_1").chosen(raw=False)[1]
    damaged = list(found)[5]
    restore = orbax_folder.OrbaxTree._restore

    def refusing(tree: orbax_folder.OrbaxTree, numbers: list[int]) -> dict:
        if 5 in numbers:
            raise ValueError("a part is missing")
        return restore(tree, numbers)

    monkeypatch.setattr(orbax_folder.OrbaxTree, "_restore", refusing)
    with pytest.raises(CheckpointError, match=f"{damaged} cannot be read: a part is missing"):
        found[damaged]
    for name in set(averaged) - {damaged}:
        np.testing.assert_array_equal(found[name], averaged[name])
