"""Runs in a bucket, `out=gs://…`: written there, gone on with, sampled, evaluated, and nothing of them is here."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_bucket import Bucket, fake_bucket
from tiny_training import PLAIN

from elf import paths
from elf.checkpoints.array_files import write_safetensors
from elf.checkpoints.elf_in_file import read_elf_weights, read_optimizer
from elf.cli import main
from elf.errors import UsageError
from elf.evaluation.texts import read_generations
from elf.models.open_model import open_model
from elf.models.run_folder import RunFolder, checkpoint_at
from elf.paths import GrowingFile, files_below, path_of, written_whole
from elf.training.checkpoint import start_weights

RUN = "gs://bucket/runs/one"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    """Where a folder of that name would be made, none is, whatever the test did."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    with fake_bucket(monkeypatch) as bucket:
        yield bucket
    assert [*here.iterdir()] == []


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in path_of(path).read_text().splitlines()]


@pytest.mark.slow("a training, its resuming and its evaluation, each compiled")
def test_a_run_in_a_bucket_from_its_first_step_to_its_evaluation(
    bucket: Bucket, experiment: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = ["train", "--config", str(experiment), f"out={RUN}", "checkpoints.keep=1", *PLAIN]
    evaluates = ["evaluation.every_steps=6", "evaluation.samples=3", "evaluation.batch_size=2"]
    assert main([*train, *evaluates, "steps=6"]) == 0
    assert main([*train, *evaluates]) == 0
    assert "resuming after step 6" in capsys.readouterr().err

    told = lines(f"{RUN}/metrics.jsonl")
    assert [row["step"] for row in told if "evaluation" not in row] == [*range(1, 13)]
    assert [row["step"] for row in told if "evaluation" in row] == [6, 12]
    assert [*RunFolder(path_of(RUN)).checkpoints()] == [12]
    files = files_below(path_of(RUN))
    assert {"config.yml", "model/model.safetensors", "model/config.json", "model/tokenizer.json"} <= {*files}
    assert sum("tensorboard/events" in file for file in files) == 2
    [way] = path_of(f"{RUN}/training_evaluation").glob("*/all_generated_*_12.jsonl")
    assert len(read_generations(way)) == 3
    # One line a step would be as many objects, each of the whole: they are written now and then.
    assert bucket.writes["bucket/runs/one/metrics.jsonl"] < 12

    assert main(["sample", RUN, "--seed", "3", "--json", "--steps", "2"]) == 0
    from_model = json.loads(capsys.readouterr().out)
    assert main(["sample", f"{RUN}/checkpoints/checkpoint_12", "--seed", "3", "--json", "--steps", "2"]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == from_model["tokens"]

    evaluate = ["evaluate", RUN, "--samples", "3", "--batch-size", "2", "--json", "steps=2"]
    assert main(evaluate) == 0
    [row] = lines(f"{RUN}/evaluation/metrics.jsonl")
    assert json.loads(capsys.readouterr().out) == row and row["step"] == 12 and row["n"] == 3
    assert main(evaluate) == 0
    assert "already done" in capsys.readouterr().err

    # What another training begins with, or goes on from.
    model = open_model(RUN)
    weights = start_weights(model, model.elf)
    assert all((weights[name] == model.params[name]).all() for name in weights)
    checkpoint = checkpoint_at(RUN)
    assert str(checkpoint) == f"{RUN}/checkpoints/checkpoint_12"
    found = read_elf_weights(checkpoint)
    assert read_optimizer(found, found.set_for(raw=True)).updates == 12


def test_a_checkpoint_counts_once_it_is_whole(bucket: Bucket) -> None:
    run = path_of(RUN)
    for step in (4, 8):
        (run / f"checkpoints/checkpoint_{step}/default/_METADATA").write_text("{}")
    (run / "checkpoints/checkpoint_4/commit_success.txt").write_text("")
    assert RunFolder(run).checkpoints() == {4: run / "checkpoints/checkpoint_4"}


def test_a_file_that_grows_is_written_now_and_then(bucket: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    path = path_of(f"{RUN}/metrics.jsonl")
    file = GrowingFile(path)
    assert not file.append("one\n") and not path.exists()
    file.flush()
    assert path.read_text() == "one\n"
    again = GrowingFile(path)
    monkeypatch.setattr(paths, "WRITTEN_EVERY", 0.0)
    assert again.append("two\n") and path.read_text() == "one\ntwo\n"
    again.cut(4)
    assert path.read_text() == "one\n"
    with pytest.raises(NotImplementedError, match="written whole"):
        path.open("a")


def test_what_fails_midway_leaves_the_object_as_it_was(bucket: Bucket) -> None:
    path = path_of(f"{RUN}/config.json")
    path.write_text("before")
    with pytest.raises(RuntimeError), written_whole(path) as file:
        file.write_text("half")
        raise RuntimeError
    assert path.read_text() == "before"


def test_weights_of_other_code_are_read_there(bucket: Bucket, tmp_path: Path) -> None:
    """Tensor by tensor, as from a disk."""
    assert main(["make-random", "--preset", "tiny", "--out", str(tmp_path / "model")]) == 0
    here = open_model(tmp_path / "model")
    for name in files_below(tmp_path / "model"):
        (path_of("gs://bucket/models/tiny") / name).write_bytes((tmp_path / "model" / name).read_bytes())
    there = open_model("gs://bucket/models/tiny")
    assert there.elf == here.elf and all((there.params[name] == here.params[name]).all() for name in here.params)
    shapes = {name: array.shape for name, array in here.params.items()}
    with written_whole(path_of("gs://bucket/official/weights.safetensors")) as file:
        write_safetensors(file, shapes, here.params.values())
    official = open_model("gs://bucket/official/weights.safetensors", weights_only=True)
    assert all((official.params[name] == here.params[name]).all() for name in here.params)


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["train", "data=gs://bucket/data", f"out={RUN}"], "the dataset is gs://bucket/data"),
        (["train", "hub_repo=me/mine", f"out={RUN}"], "only a folder here is uploaded"),
        (["train", "out=s3://bucket/run"], "Only gs:// is spoken to"),
        (
            ["train", f"out={RUN}", "evaluation.judge=gs://bucket/judge", "evaluation.every_steps=1"],
            "the judge is gs://",
        ),
        (["export", RUN, "--out", "gs://bucket/exported"], "--out is gs://bucket/exported, an address"),
    ],
)
def test_what_takes_a_disk_is_refused_by_name(
    bucket: Bucket, experiment: Path, capsys: pytest.CaptureFixture[str], argv: list[str], said: str
) -> None:
    command, *rest = argv
    config = ["--config", str(experiment)] if command == "train" else []
    assert main([command, *config, *rest]) == 2
    error = capsys.readouterr().err
    assert said in error and ("Error: " in error)


def test_without_the_package_for_buckets_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    import fsspec

    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(fsspec, "get_filesystem_class", missing)
    with pytest.raises(UsageError, match="gcsfs") as error:
        path_of(RUN)
    assert "[gs]" in error.value.action
