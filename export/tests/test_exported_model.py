"""From an official checkpoint to an exported folder that `elf sample` runs: its graphs write what the checkpoint
writes, by the settings of its manifest."""

import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest

from elf.checkpoints.official import SourceRecord
from elf.cli import main
from elf.dev.make_random import TINY_CONDITIONAL
from elf.errors import CheckpointError, UsageError
from elf.models.exported_folder import describe_model, read_manifest
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.rearranged import FOLDED, T5_BIAS
from elf.models.text_encoder import load_encoder
from elf.network.parameters import parameter_shapes
from elf.sampling.networks import JaxEncoder, JaxNetwork, open_graphs
from elf.training.checkpoint import start_weights

FIXTURE = Path(__file__).parents[2] / "test/fixtures/tiny-model"
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


def test_it_opens_like_any_other_model(exported, checkpoint, capsys, tmp_path: Path) -> None:
    options = CheckpointOptions(max_length=16, max_input_length=6)
    of_checkpoint, opened = open_model(checkpoint, options=options), open_model(exported)
    assert opened.elf == of_checkpoint.elf and opened.encoder == of_checkpoint.encoder
    assert (opened.latent_mean, opened.latent_std, opened.flow.noise_scale) == (0.0, 0.2, 2.0)
    assert opened.training["format"] == "exported folder, f32" and opened.source == of_checkpoint.source
    # All weights but those that were folded into one are the checkpoint's, and so is what they compute.
    for name, value in of_checkpoint.params.items():
        if name not in FOLDED:
            np.testing.assert_allclose(opened.params[name], value, rtol=1e-6)
    for name, value in of_checkpoint.encoder_params.items():
        if name != T5_BIAS:
            np.testing.assert_array_equal(opened.encoder_params[name], value)
    inputs = [np.random.default_rng(i).standard_normal((2, 9, 16), np.float32) for i in range(2)]
    scales = [np.array([0.3, 0.7], np.float32), np.array([1, 3], np.float32)]
    x_hats = [JaxNetwork(model).denoise(*inputs, *scales) for model in (of_checkpoint, opened)]
    np.testing.assert_allclose(*x_hats, rtol=1e-4, atol=1e-5)
    ids, seen = np.array([[9, 8, 7, 0]]), np.array([[1, 1, 1, 0]])
    latents = [JaxEncoder(model).encode(ids, seen) for model in (of_checkpoint, opened)]
    np.testing.assert_allclose(*latents, rtol=1e-5, atol=1e-6)
    # In less precision the weights are those that the graphs then compute with.
    rounded, name = open_model(exported, dtype="f16"), "blocks_0/mlp/w12/bias"
    np.testing.assert_array_equal(rounded.params[name], opened.params[name].astype(np.float16).astype(np.float32))
    # So it starts trainings, with its own encoder, is evaluated and exported again.
    assert start_weights(open_model(str(exported)), opened.elf).keys() == parameter_shapes(opened.elf).keys()
    config, params = load_encoder(exported)
    assert config == of_checkpoint.encoder and params.keys() == of_checkpoint.encoder_params.keys()
    np.testing.assert_array_equal(params["shared/embedding"], of_checkpoint.encoder_params["shared/embedding"])
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"input_ids": [5, 6], "condition_input_ids": [9, 8, 7]}\n')
    command = ["export", str(exported), "--out", str(tmp_path / "again"), "--parity-seeds", "16", "--steps", "2"]
    assert main([*command, "--parity-length", "8"]) == 0
    again = open_model(tmp_path / "again")
    np.testing.assert_allclose(again.params["proj_kernel"], opened.params["proj_kernel"], rtol=1e-6)


def test_an_exported_model_without_an_encoder_lends_none(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(FIXTURE, folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    del manifest["graphs"]["encoder"]
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="is a model without an encoder"):
        load_encoder(folder)


def test_what_an_exported_model_has_itself_is_not_taken(exported, checkpoint, capsys) -> None:
    for options in (["--task", "owt"], ["--raw"], ["--config", "x.yml"]):
        assert main(["sample", str(exported), *options]) == 2
        assert "has its own" in capsys.readouterr().err
    assert main(["sample", str(checkpoint), "--dtype", "f16"]) == 2
    assert "--dtype" in capsys.readouterr().err


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
            open_graphs(open_model(tmp_path))
        assert isinstance(caught.value, CheckpointError) or hasattr(caught.value, "action")
    with pytest.raises(UsageError, match="no weights in f64"):
        open_model(exported, dtype="f64")


@pytest.mark.parametrize(
    "change",
    [
        {"name": 3},
        {"source": "x"},
        {"source": {"repository": None}},
        {"latent": {"mean": "x"}},
        {"architecture": {"depth": 2**40}},
    ],
)
def test_a_manifest_that_describes_no_model(tmp_path: Path, change: dict) -> None:
    manifest = json.loads((FIXTURE / "manifest.json").read_text())
    for name, value in change.items():
        manifest[name] = {**manifest.get(name, {}), **value} if isinstance(value, dict) else value
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="does not describe a model"):
        open_model(tmp_path)


def test_a_weight_that_the_manifest_makes_another_of_is_named(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "model")
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["architecture"]["hiddenSize"] *= 100
    (folder / "manifest.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match=r"cannot be (read|opened)"):
        dict(open_model(folder).params)
