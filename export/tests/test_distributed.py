"""Many devices, many processes, sudden death and a full disk: none of them changes the numbers of a training."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fake_bucket import fake_bucket
from simulated_devices import simulated
from tiny_training import PLAIN, losses, rows, write_experiment

from elf.cli import main
from elf.models.open_model import read_weights
from elf.models.trained_model import load_trained_model
from elf.paths import path_of

STEPS = 6
# Sixteen rows split over eight devices, and a width whose larger matrices `fsdp` splits (SMALLEST_SPLIT). All is
# float32, so only the order of sums differs.
SAME = ("batch_size=16", f"steps={STEPS}", "optimizer.blr=0.03", "elf.hidden_size=64")


NOTHING_GATHERED = """
import sys
from jax.experimental import multihost_utils

def nothing_large(name):
    of = getattr(multihost_utils, name)
    def small(tree, *args, **more):
        import jax
        assert all(array.size < 1000 for array in jax.tree.leaves(tree)), f"{name} of a whole array"
        return of(tree, *args, **more)
    return small

for name in ("process_allgather", "broadcast_one_to_all", "assert_equal"):
    setattr(multihost_utils, name, nothing_large(name))
from elf.cli import main
"""
"""The beginning of a program that dies where a process would get an array of all processes as a whole."""

ELF = NOTHING_GATHERED + "sys.exit(main(sys.argv[1:]))"


def train(experiment: Path, *words: str, devices: int = 1, program: str = ELF) -> subprocess.Popen:
    """`elf train` in a process of its own that sees `devices` CPU devices."""
    command = [sys.executable, "-c", program, "train", "--config", str(experiment), *words]
    return subprocess.Popen(command, env=simulated(devices), stderr=subprocess.PIPE, text=True)


def train_here(experiment: Path, *words: str) -> None:
    """The same in this process, which has one device: half of such a training is starting Python."""
    assert main(["train", "--config", str(experiment), *words]) == 0


def finished(*processes: subprocess.Popen) -> None:
    for process in processes:
        _, said = process.communicate(timeout=240)
        assert process.returncode == 0, said


@pytest.fixture(scope="module")
def alone(tmp_path_factory, prepared, tokenizer_file, encoder):
    """The same run on one device: its experiment file and its losses."""
    folder = tmp_path_factory.mktemp("alone")
    path = write_experiment(folder / "test.yml", prepared, tokenizer_file, encoder)
    train_here(path, *SAME)
    return path, losses(folder / "out")


def assert_same_curve(out: Path, expected) -> None:
    assert_same_losses(losses(out), expected)


def assert_same_losses(curve, expected) -> None:
    assert len(curve) == STEPS
    for ours, theirs in zip(curve, expected, strict=True):
        assert [loss is None for loss in ours] == [loss is None for loss in theirs]
        assert [loss or 0 for loss in ours] == pytest.approx([loss or 0 for loss in theirs], rel=2e-4), (
            curve,
            expected,
        )


ON_EIGHT_DEVICES = f"""{NOTHING_GATHERED}
import numpy as np
from elf.devices import batch_sharding, make_mesh, on_mesh, replicated
from elf.training.checkpoint import written_bytes

mesh, numbers = make_mesh(2), np.zeros(1000, np.float32)
state = [on_mesh(numbers, replicated(mesh)), on_mesh(numbers, batch_sharding(mesh)), numbers]
if written_bytes(state) != 8000:
    sys.exit(f"a checkpoint of two arrays of 4,000 bytes is one of {{written_bytes(state)}}")
config, out, *words = sys.argv[1:]
train = ["train", "--config", config, f"out={{out}}"]
if main([*train, "batch_size=12"]) != 2:
    sys.exit("a batch of 12 rows was taken")
print("was refused", file=sys.stderr)
sys.exit(main([*train, *words, "fsdp=2"]))
"""


@pytest.mark.slow("a process of its own compiles for eight devices")
def test_eight_devices_refuse_a_batch_that_does_not_split_and_give_the_curve_of_one(alone, tmp_path):
    path, expected = alone
    command = [sys.executable, "-c", ON_EIGHT_DEVICES, str(path), str(tmp_path), *SAME]
    done = subprocess.run(command, env=simulated(8), capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    refusal, _, _ = done.stderr.partition("was refused")
    assert "ConfigError: a batch of 12 rows does not split" in refusal
    assert_same_curve(tmp_path, expected)


@pytest.mark.slow("two trainings, one of them in a process that compiles for two devices")
def test_a_batch_in_parts_gives_the_curve_of_one_taken_whole(alone, tmp_path):
    path, expected = alone
    finished(train(path, *SAME, f"out={tmp_path}", "accumulation=4", "remat=blocks", "scan_blocks=true", devices=2))
    assert_same_curve(tmp_path, expected)


@pytest.mark.slow("two trainings, one of them in a process that compiles for two devices")
def test_guesses_of_a_batch_in_parts_are_those_of_one_taken_whole(alone, tmp_path):
    path, _ = alone
    words = (*SAME, "guesses.share=0.5", "guesses.cfg=1")
    train_here(path, *words, f"out={tmp_path / 'whole'}")
    finished(train(path, *words, f"out={tmp_path / 'parts'}", "accumulation=2", devices=2))
    assert_same_curve(tmp_path / "parts", losses(tmp_path / "whole"))


def saved_steps(out: Path) -> list[int]:
    names = [p.name for p in (out / "checkpoints").iterdir() if "tmp" not in p.name]
    return sorted(int(name.removeprefix("checkpoint_")) for name in names)


def two_processes(path: Path, *words: str, program: str = ELF) -> list[subprocess.Popen]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    joined = ("--coordinator", coordinator, "--processes", "2", "--process-id")
    return [train(path, *joined, str(i), *words, devices=2, program=program) for i in range(2)]


@pytest.mark.slow("six processes train and compile")
def test_two_processes_train_save_and_resume_and_sigterm_to_one_saves_and_stops_both(alone, tmp_path):
    path, expected = alone
    words = (*SAME, f"out={tmp_path}", "fsdp=2")
    finished(*two_processes(path, *words, "steps=3", "checkpoints.steps=2"))
    assert saved_steps(tmp_path) == [2, 3]
    model = load_trained_model(tmp_path / "model")
    assert model.training["steps"] == 3
    # The first process wrote it alone, from what all had saved.
    saved = read_weights(tmp_path / "checkpoints" / "checkpoint_3", model.elf)
    assert model.params.keys() == saved.keys()
    for name, value in model.params.items():
        np.testing.assert_array_equal(value, saved[name])
    # From the third step on it evaluates, too: with all devices, and without a trace in the losses.
    (tmp_path / "sampling.yml").write_text("{steps: 2, seed: 42}")
    evaluation = ("every_steps=3", "samples=6", "batch_size=4", f"sampling={tmp_path / 'sampling.yml'}")
    processes = two_processes(path, *words, *(f"evaluation.{word}" for word in evaluation), "steps=100000")

    def evaluated() -> list[tuple[float, float]]:
        return [(row["step"], row["n"]) for row in rows(tmp_path) if "evaluation" in row]

    wait_for(lambda: len(evaluated()) >= 2, processes)
    processes[1].send_signal(signal.SIGTERM)
    assert [process.wait(600) for process in processes] == [143, 143]
    for process in processes:
        process.stderr.close()
    assert max(saved_steps(tmp_path)) >= STEPS
    assert_same_losses(losses(tmp_path)[:STEPS], expected)
    assert evaluated()[:2] == [(3, 6), (6, 6)]
    for texts in (tmp_path / "training_evaluation").glob("*/all_generated_*.jsonl"):
        assert [json.loads(line)["id"] for line in texts.read_text().splitlines()] == [*range(6)]
    # What was stopped goes on to its end, and both say that it went well.
    last = max(saved_steps(tmp_path)) + 2
    finished(*two_processes(path, *words, f"steps={last}"))
    assert saved_steps(tmp_path)[-1] == last == rows(tmp_path)[-1]["step"]


IN_A_BUCKET = """
import sys
sys.path.append(sys.argv.pop(1))
from fake_bucket import reach_from_another_process
reach_from_another_process(sys.argv.pop(1))
"""


@pytest.mark.slow("four processes train and compile")
def test_two_processes_train_in_a_bucket_and_go_on_there(alone, tmp_path, monkeypatch):
    path, expected = alone
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    words = (*SAME, "out=gs://bucket/runs/two", "fsdp=2", "checkpoints.steps=2")
    with fake_bucket(monkeypatch) as bucket:
        reach = f"import sys; sys.argv[1:1] = {[str(Path(__file__).parent), bucket.address]!r}" + IN_A_BUCKET
        finished(*two_processes(path, *words, "steps=3", program=reach + ELF))
        told = "bucket/runs/two/checkpoints/checkpoint_{}/commit_success.txt"
        assert all(told.format(step) in bucket.objects for step in (2, 3))
        processes = two_processes(path, *words, program=reach + ELF)
        said = [process.communicate(timeout=240)[1] for process in processes]
        assert [process.returncode for process in processes] == [0, 0], said
        assert "resuming after step 3" in said[0]
        assert told.format(STEPS) in bucket.objects
        assert_same_curve(path_of("gs://bucket/runs/two"), expected)
        model = load_trained_model(path_of("gs://bucket/runs/two/model"))
        assert model.training["steps"] == STEPS
    assert [*here.iterdir()] == []


def wait_for(condition, processes) -> None:
    deadline = time.monotonic() + 600
    while not condition():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.05)


@pytest.mark.slow("two processes are killed, two trainings more repair what they left")
def test_kill_9_loses_at_most_the_interval(experiment, tmp_path):
    words = (*PLAIN, f"out={tmp_path}", "checkpoints.steps=2")
    whole = tmp_path / "whole"
    train_here(experiment, *words, f"out={whole}", "steps=12")
    lost = []
    for least in (3, 9):  # killed twice, at whatever moment it is in by then
        process = train(experiment, *words, "steps=100000")
        wait_for(lambda least=least: (tmp_path / "metrics.jsonl").is_file() and len(rows(tmp_path)) >= least, [process])
        process.kill()
        process.communicate()
        saved = max(
            (
                int(p.name.removeprefix("checkpoint_"))
                for p in (tmp_path / "checkpoints").iterdir()
                if "tmp" not in p.name
            ),
            default=0,
        )
        lost.append(rows(tmp_path)[-1]["step"] - saved)
    # One interval, and the one that was still being written in the background.
    assert max(lost) <= 4
    done = int(rows(tmp_path)[-1]["step"])
    train_here(experiment, *words, f"steps={max(12, done)}")
    history = rows(tmp_path)
    assert [row["step"] for row in history] == list(range(1, len(history) + 1))
    assert losses(tmp_path)[:12] == losses(whole)
    assert not [p for p in (tmp_path / "checkpoints").iterdir() if "tmp" in p.name]


LIMITED = """
import resource, signal, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # every file ends there, as on a full disk
from elf.cli import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow("three trainings, one of them a process")
def test_a_full_disk_is_named_and_the_last_checkpoint_stands(experiment, tmp_path):
    words = [*SAME, *PLAIN, f"out={tmp_path}"]
    train_here(experiment, *words, "steps=2")
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "checkpoints" / "checkpoint_2").rglob("*")}
    command = [sys.executable, "-c", LIMITED, "train", "--config", str(experiment), *words]
    result = subprocess.run(command, capture_output=True, text=True, env=os.environ, timeout=240)
    assert result.returncode == 2, result.stderr
    assert "DiskFullError: checkpoint_6 could not be written" in result.stderr
    assert "checkpoint_2 stands" in result.stderr and "Make room" in result.stderr
    assert "Traceback" not in result.stderr and "ERROR" not in result.stderr
    assert before == {p: p.stat().st_mtime_ns for p in (tmp_path / "checkpoints" / "checkpoint_2").rglob("*")}
    train_here(experiment, *words)
    assert len(rows(tmp_path)) == STEPS


def test_a_disk_too_small_is_known_before_writing(tmp_path, monkeypatch):
    import shutil
    from collections import namedtuple

    import jax.numpy as jnp

    from elf.errors import DiskFullError
    from elf.training.checkpoint import Checkpoints

    checkpoints = Checkpoints(tmp_path)
    checkpoints.save(1, {"x": jnp.zeros(1000)})
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10, 7, 3000))
    with pytest.raises(DiskFullError, match="checkpoint_1 stands"):
        checkpoints.save(2, {"x": jnp.zeros(1000)})
    checkpoints.wait()
    assert checkpoints.latest_step() == 1
    np.testing.assert_array_equal(checkpoints.restore({"x": jnp.ones(1000)})["x"], np.zeros(1000))
