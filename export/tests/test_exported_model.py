"""From an official checkpoint to an exported folder that `elf sample` runs: its graphs write what the checkpoint
writes, by the settings of its manifest."""

import json
import math
from pathlib import Path

import pytest

from elf.checkpoints.source_record import SourceRecord
from elf.cli import main
from elf.errors import CheckpointError, UsageError
from elf.models.exported.folder import describe_model, read_manifest
from elf.models.make_random import TINY_CONDITIONAL
from elf.network.parameters import parameter_shapes
from elf.sampling.exported_graphs import open_exported

COMMIT = "c0ffee" + "0" * 34
LENGTHS = ["--max-length", "16", "--max-input-length", "6"]
PROMPT = ["--prompt-ids", "9,8,7", "--seed", "11", "--json"]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `elf fetch` would leave it."""
    folder = tmp_path_factory.mktemp("checkpoint") / "fetched"
    for form, name in (("torch", "checkpoint_95000"), ("t5-pickle", "encoder.pkl")):
        command = ["make-random", "--preset", "tiny-conditional", "--format", form]
        assert main([*command, "--out", str(folder / name)]) == 0
    repository = "embedded-language-flows/ELF-B-de-en-torch"
    SourceRecord(repository, COMMIT, "checkpoint_95000", (), encoder="encoder.pkl", licence="mit").write(folder)
    return folder


@pytest.fixture(scope="module")
def exported(checkpoint: Path) -> Path:
    """With settings of its own, among them two passes a step and the other layout of random numbers."""
    settings = ["--steps", "3", "--method", "ode", "--cfg", "1.5", "--self-cond-cfg", "2", "--rng", "partitionable"]
    out = checkpoint.parent / "exported"
    command = [
        "export",
        str(checkpoint),
        *LENGTHS,
        "--out",
        str(out),
        "--dtype",
        "f32,f16",
        "--ungated",
        "--length",
        "12",
    ]
    command += ["--parity-seeds", "16", "--parity-length", "10"]
    assert main([*command, *settings, "--schedule", "quantile"]) == 0
    return out


def report(capsys: pytest.CaptureFixture[str], *command: str) -> dict:
    capsys.readouterr()
    assert main(["sample", *command]) == 0
    return json.loads(capsys.readouterr().out)


def test_the_graphs_write_what_the_checkpoint_writes(checkpoint, exported, capsys) -> None:
    graphs = report(capsys, str(exported), *PROMPT)
    expected = {"steps": 3, "method": "ode", "cfg_scale": 1.5, "self_cond_scale": 2.0, "rng": "partitionable"}
    assert graphs["settings"].items() >= (expected | {"schedule": "quantile", "length": 12, "seed": 11}).items()
    options = ["--steps", "3", "--method", "ode", "--cfg", "1.5", "--self-cond-cfg", "2", "--rng", "partitionable"]
    jax = report(capsys, str(checkpoint), *LENGTHS, *PROMPT, *options, "--schedule", "quantile", "--length", "12")
    assert graphs["tokens"] == jax["tokens"] and graphs["text"] == jax["text"]
    assert graphs["settings"] == jax["settings"]


def test_where_the_weights_came_from_is_kept(exported) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert manifest["source"] == {"repository": "embedded-language-flows/ELF-B-de-en-torch", "revision": COMMIT}
    assert (manifest["task"], manifest["licence"]) == ("conditional", "mit")
    assert (manifest["latent"]["noiseScale"], manifest["latent"]["std"]) == (2.0, 0.2)
    parameters = parameter_shapes(TINY_CONDITIONAL).values()
    assert manifest["architecture"]["parameters"] == sum(math.prod(shape) for shape in parameters)
    card = (exported / "README.md").read_text()
    assert f"embedded-language-flows/ELF-B-de-en-torch, commit {COMMIT}" in card and "ema\\_params1" in card


def test_what_x_hat_starts_with_is_said_and_known_of_older_folders(exported, tmp_path: Path) -> None:
    manifest = json.loads((exported / "manifest.json").read_text())
    assert (manifest["schemaVersion"], manifest["selfCondStart"]) == (3, "condition")
    older = {name: value for name, value in manifest.items() if name != "selfCondStart"} | {"schemaVersion": 2}
    own = {name: value for name, value in older.items() if name != "source"}
    measured = own | {"latent": own["latent"] | {"mean": [0.5] * 16}}
    for said, start in (
        (manifest | {"selfCondStart": "zero"}, "zero"),
        (older, "condition"),
        (own, "condition"),
        (measured, "zero"),
        (measured | {"source": manifest["source"]}, "condition"),
    ):
        (tmp_path / "manifest.json").write_text(json.dumps(said))
        assert describe_model(tmp_path, read_manifest(tmp_path)).flow.self_cond_start == start


def test_the_runs_compared_may_be_shorter(exported) -> None:
    assert json.loads((exported / "parity.json").read_text())["runs"]["length"] == 10
    assert json.loads((exported / "manifest.json").read_text())["defaults"]["length"] == 12
    assert "quantile schedule, but 10 positions." in (exported / "README.md").read_text()


def test_its_settings_and_its_weights_can_be_chosen(exported, capsys) -> None:
    found = report(capsys, str(exported), *PROMPT, "--dtype", "f16", "--method", "sde", "--length", "9")
    assert (found["settings"]["method"], found["settings"]["steps"], len(found["tokens"][0])) == ("sde", 3, 9)
    assert main(["sample", str(exported), *PROMPT, "--dtype", "q4"]) == 2
    assert "has no weights in q4" in capsys.readouterr().err


def test_what_an_exported_model_has_itself_is_not_taken(exported, checkpoint, capsys) -> None:
    for options in (["--task", "owt"], ["--raw"], ["--config", "x.yml"]):
        assert main(["sample", str(exported), *options]) == 2
        assert "has its own" in capsys.readouterr().err
    assert main(["sample", str(checkpoint), "--dtype", "f16"]) == 2
    assert "--dtype" in capsys.readouterr().err
    assert main(["evaluate", str(exported)]) == 2
    assert "exported model" in capsys.readouterr().err


def test_a_broken_folder_is_named(tmp_path: Path, exported: Path) -> None:
    (tmp_path / "onnx").mkdir()
    manifest = json.loads((exported / "manifest.json").read_text())
    for contents, message in (
        ("{", "cannot be read"),
        (json.dumps({"schemaVersion": 1}), "is of version 1"),
        (json.dumps(manifest | {"latent": {}}), "does not describe a model"),
        (json.dumps(manifest | {"selfCondStart": "noise"}), "self_cond_start is 'noise'"),
        (json.dumps(manifest), "cannot be opened|cannot be read"),
    ):
        (tmp_path / "manifest.json").write_text(contents)
        with pytest.raises(Exception, match=message) as caught:
            open_exported(tmp_path)
        assert isinstance(caught.value, CheckpointError) or hasattr(caught.value, "action")
    with pytest.raises(UsageError, match="no weights in f64"):
        open_exported(exported, "f64")
