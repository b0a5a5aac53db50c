"""`elf check` and `elf push`: what they find wrong with a folder, and what leaves the machine."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import huggingface_hub
import numpy as np
import onnx
import pytest
from safetensors.numpy import load_file, save_file

from elf import cli
from elf.dev.make_random import TINY, random_model
from elf.errors import ElfError, ExportedModelError, HubError
from elf.models.exported_folder import StoredWeights
from elf.onnx_export import check
from elf.onnx_export.check import PushArguments, check_folder, push, upload
from elf.onnx_export.export import Arguments, export_model
from elf.onnx_export.manifest import list_files
from elf.sampling.networks import GraphSession

ROOT = Path(__file__).parents[2]
COMMITTED = [file.parent for place in ("models", "test/fixtures") for file in ROOT.glob(f"{place}/*/manifest.json")]


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """Two dtypes of a tiny model."""
    out = tmp_path_factory.mktemp("check") / "tiny"
    options = Arguments(
        checkpoint=out, out=out, dtype="q8,f32", steps=1, parity_seeds=16, ungated=True, calibrate=False, length=4
    )
    export_model(random_model(replace(TINY, depth=1), encoder=False), options)
    return out


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "tiny")


def relist(folder):
    """Makes the manifest agree with the files again, so that what was changed in them is found by other means."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = [file for file in list_files(folder) if file["path"] != "manifest.json"]
    path.write_text(json.dumps(manifest))


def change(folder, field, value):
    path = folder / "manifest.json"
    manifest = json.loads(path.read_text())
    *outer, last = field.split(".")
    target = manifest
    for part in outer:
        target = target[int(part) if isinstance(target, list) else part]
    if value is None:
        del target[last]
    else:
        target[last] = value
    path.write_text(json.dumps(manifest))


def test_a_sound_folder(folder, capsys):
    assert cli.main(["check", str(folder)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["name"] == "tiny" and list(report["dtypes"]) == ["q8", "f32"]
    assert report["files"] == sum(1 for file in folder.rglob("*") if file.is_file())


def test_a_folder_of_version_2_is_read_as_before(folder):
    change(folder, "schemaVersion", 2)
    change(folder, "selfCondStart", None)
    assert check_folder(folder)["name"] == "tiny"


@pytest.mark.parametrize("committed", COMMITTED, ids=lambda path: path.name)
def test_the_committed_models_are_sound(committed):
    assert check_folder(committed)["name"] == committed.name


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("schemaVersion", 1, "schema version is 1"),
        ("schemaVersion", 4, "schema version is 4 and not 2 or 3"),
        ("selfCondStart", None, "selfCondStart is missing"),
        ("selfCondStart", "noise", "selfCondStart is none of condition, zero"),
        ("architecture.depth", None, r"architecture\.depth is missing"),
        ("latent.tEps", True, r"latent\.tEps is true"),
        ("defaults", [], "defaults is no object"),
        ("defaultDtype", "f16", "none of its dtypes"),
        ("dtypes.q8.shards", 3, r"dtypes\.q8\.shards is 3"),
        ("dtypes.q9", {}, r"dtypes\.q9 is none of"),
        ("files.0.path", "../secret", "leads out of the folder"),
        ("graphs.denoiser.file", "onnx/other.onnx", "needs onnx/other.onnx"),
        ("dtypes.f32.bytes", 5, "or of other shards"),
        ("dtypes.f32.selfTest", "onnx/test", "needs onnx/test"),
        ("architecture.sourceOptional", 1, r"architecture\.sourceOptional is 1"),
        ("architecture.sourceOptional", True, r"maxInputLength is 0"),
        ("examples", "the", "examples is"),
        ("examples", ["the", " "], "examples are not at most 8 texts"),
        ("examples", ["the", "\ufeff"], "examples are not at most 8 texts"),
        ("examples", ["the"], r"maxInputLength is 0"),
    ],
)
def test_a_manifest_that_is_wrong(folder, field, value, message):
    change(folder, field, value)
    with pytest.raises(ExportedModelError, match=message):
        check_folder(folder)


@pytest.mark.parametrize("file", ["onnx/weights-q8-00001.bin", "onnx/decoder.onnx", "config.json"])
def test_a_flipped_bit_a_cut_and_a_loss(folder, file):
    path = folder / file
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ExportedModelError, match=f"{file} is not the file"):
        check_folder(folder)
    path.write_bytes(content[:-1])
    with pytest.raises(ExportedModelError, match=f"{file} is not the file"):
        check_folder(folder)
    path.unlink()
    with pytest.raises(ExportedModelError, match=f"{file} is missing"):
        check_folder(folder)


def test_what_does_not_belong_there(folder):
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ExportedModelError, match=r"notes\.txt is no file of the model"):
        check_folder(folder)


@pytest.mark.parametrize(
    ("tensor", "field", "value", "message"),
    [
        (0, "bytes", 3, "takes 3 bytes"),
        (3, "offset", 0, "lies over another tensor"),
        (3, "offset", 10**9, "behind their end"),
        (3, "plain", {"file": 0, "offset": 0}, "lies over another tensor of weights-0.bin"),
        (3, "name", "another", "which the index of f32 lacks"),
        (-1, "plain", {"file": 0, "offset": "last"}, "elsewhere than the index"),
    ],
)
def test_an_index_at_odds_with_shards_or_graphs(folder, tensor, field, value, message):
    path = folder / "onnx" / "weights-f32.json"
    index = json.loads(path.read_text())
    if field == "plain" and value["offset"] == "last":
        last = max(index["tensors"], key=lambda each: each["plain"]["offset"])
        last["plain"]["offset"] += 64
        index["files"][0]["bytes"] += 64
    else:
        index["tensors"][tensor][field] = value
    path.write_text(json.dumps(index))
    relist(folder)
    with pytest.raises(ExportedModelError, match=message):
        check_folder(folder)


def test_graphs_that_are_none(folder):
    path = folder / "onnx" / "denoiser.onnx"
    graph = onnx.load(str(path), load_external_data=False)
    graph.graph.node[0].op_type = "NoSuchOperator"
    path.write_bytes(graph.SerializeToString())
    relist(folder)
    with pytest.raises(ExportedModelError, match=r"cannot open denoiser\.onnx"):
        check_folder(folder)
    path.write_bytes(b"<!doctype html>")
    relist(folder)
    with pytest.raises(ExportedModelError, match=r"denoiser\.onnx is no ONNX graph"):
        check_folder(folder)


def change_test(folder, change):
    path = folder / "onnx" / "self-test-f32.safetensors"
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path)
    relist(folder)


def test_graphs_that_compute_something_else(folder):
    assert check_folder(folder)["dtypes"]["f32"]["selfTestError"] < 1e-5
    change_test(folder, lambda tensors: tensors.update({"decoder.entropy": tensors["decoder.entropy"] * 1.01}))
    with pytest.raises(ExportedModelError, match=r"onnx/decoder\.onnx computes another entropy"):
        check_folder(folder)
    change_test(folder, lambda tensors: tensors.update({"decoder.entropy": tensors["decoder.entropy"] * np.nan}))
    with pytest.raises(ExportedModelError, match="computes another entropy than was stored, off by nan"):
        check_folder(folder)
    change_test(folder, lambda tensors: tensors.pop("decoder.latent"))
    with pytest.raises(ExportedModelError, match="lacks latent"):
        check_folder(folder)
    change_test(folder, lambda tensors: [tensors.pop(name) for name in list(tensors) if name.startswith("decoder.")])
    with pytest.raises(ExportedModelError, match="nothing of onnx/decoder"):
        check_folder(folder)


def test_a_packed_graph_that_is_none(folder):
    shutil.copyfile(folder / "onnx" / "denoiser.onnx", folder / "onnx" / "denoiser-q8.onnx")
    relist(folder)
    with pytest.raises(ExportedModelError, match=r"denoiser-q8\.onnx looks for .* elsewhere than the index of q8"):
        check_folder(folder)


def test_tokens_may_change_places_only_where_they_are_as_good():
    stored = {"top_probabilities": np.asarray([[[0.5, 0.495], [0.6, 0.2]]], np.float32)}
    expected = {"top_tokens": np.asarray([[[1, 2], [3, 4]]])}
    swapped = np.asarray([[[2, 1], [3, 4]]])
    assert check.output_error("top_tokens", swapped, stored, expected) == 0
    wrong = np.asarray([[[1, 2], [4, 3]]])
    assert check.output_error("top_tokens", wrong, stored, expected) == float("inf")


class Hub:
    """In place of the hub's client: a record of the calls, and a failure on demand."""

    def __init__(self, fails=None):
        self.calls, self.fails = [], fails

    def __getattr__(self, name):
        def call(*arguments, **settings):
            if self.fails == name:
                raise OSError("the line is dead\nand more")
            self.calls.append((name, arguments, settings))
            return SimpleNamespace(commit_url="https://hub/me/tiny/commit/1")

        return call


def test_push_uploads_a_sound_folder_in_one_commit(folder, monkeypatch, capsys):
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    arguments = [str(folder), "me/tiny", "--private", "--revision", "next"]
    assert cli.main(["push", *arguments]) == 0
    assert json.loads(capsys.readouterr().out)["commit"] == "https://hub/me/tiny/commit/1"
    assert [name for name, *_ in hub.calls] == ["create_repo", "create_branch", "upload_folder"]
    assert hub.calls[0][2]["private"] and hub.calls[1][2]["branch"] == "next"
    sent = hub.calls[2][2]
    assert sent["folder_path"] == folder and sent["revision"] == "next" and sent["delete_patterns"] == ["onnx/*"]
    # Without a branch of its own the main one is written.
    hub.calls.clear()
    upload(PushArguments(folder, "me/tiny"))
    assert [name for name, *_ in hub.calls] == ["create_repo", "upload_folder"]


def test_push_sends_nothing_of_a_folder_that_is_not_sound(folder, monkeypatch):
    hub = Hub()
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    (folder / "onnx" / "decoder.onnx").unlink()
    with pytest.raises(ElfError, match="missing"):
        push(PushArguments(folder, "me/tiny"))
    assert not hub.calls


@pytest.mark.parametrize("fails", ["create_repo", "upload_folder"])
def test_a_hub_out_of_reach_is_named(folder, monkeypatch, fails):
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: Hub(fails))
    with pytest.raises(HubError, match=r"tiny could not be uploaded to me/tiny: the line is dead$"):
        upload(PushArguments(folder, "me/tiny"))


def test_a_graph_names_no_files_elsewhere(folder, tmp_path):
    """Of a large model, files of these names would be made: whatever is there would be empty."""
    witness = tmp_path / "witness"
    witness.write_text("mine")
    for location in (str(witness), "../../../witness", "a/b", ""):
        graph = onnx.load(folder / "onnx" / "prefix.onnx", load_external_data=False)
        tensor = next(each for each in graph.graph.initializer if each.external_data)
        next(entry for entry in tensor.external_data if entry.key == "location").value = location
        (tmp_path / "onnx").mkdir(exist_ok=True)
        (tmp_path / "onnx" / "prefix.onnx").write_bytes(graph.SerializeToString())
        with pytest.raises(ValueError, match="no file beside it"):
            GraphSession(tmp_path / "onnx" / "prefix.onnx", StoredWeights(folder / "onnx", "f32"))
    assert witness.read_text() == "mine"


def test_an_operation_keeps_no_numbers_in_a_file(folder, tmp_path):
    graph = onnx.load(folder / "onnx" / "prefix.onnx", load_external_data=False)
    outside = next(each for each in graph.graph.initializer if each.external_data)
    node = onnx.helper.make_node("Constant", [], ["elsewhere"], name="secret")
    node.attribute.append(onnx.AttributeProto(name="value", type=onnx.AttributeProto.TENSOR, t=outside))
    graph.graph.node.insert(0, node)
    (tmp_path / "prefix.onnx").write_bytes(graph.SerializeToString())
    with pytest.raises(ValueError, match="the operation secret keeps numbers in another file"):
        GraphSession(tmp_path / "prefix.onnx", StoredWeights(folder / "onnx", "f32"))


def test_a_self_test_that_does_not_fit_the_graph(folder):
    path = folder / "onnx" / "self-test-f32.safetensors"
    tests = load_file(path)
    tests["prefix.t"] = np.zeros((1, 2, 3), np.float32)
    save_file(tests, path)
    relist(folder)
    with pytest.raises(ExportedModelError, match="cannot be run on the self-test"):
        check_folder(folder)


JUDGES = [file.parent for file in ROOT.glob("models/*/judge.json")]


@pytest.mark.parametrize("folder", JUDGES, ids=lambda folder: folder.name)
def test_shipped_judges_are_sound(folder):
    report = check_folder(folder)
    assert report["name"] == folder.name
    assert (
        report["bytes"]
        == sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        - (folder / "judge.json").stat().st_size
    )
    assert all(dtype["selfTestError"] < 1e-4 for dtype in report["dtypes"].values())


@pytest.fixture
def judge(tmp_path):
    return shutil.copytree(ROOT / "models" / "translate-yardstick", tmp_path / "judge")


def rewrite(folder, change):
    path = folder / "judge.json"
    manifest = json.loads(path.read_text())
    change(manifest)
    path.write_text(json.dumps(manifest))


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda manifest: manifest.update(schemaVersion=9), "schema version is 9"),
        (lambda manifest: manifest.pop("eos"), "eos"),
        (lambda manifest: manifest["source"].pop("graph"), "source.graph"),
        (lambda manifest: manifest["weights"].update(dtype="q2"), "weights.dtype"),
        (lambda manifest: manifest["files"][0].update(path="../x"), "leads out"),
        (lambda manifest: manifest["files"].pop(0), "is no file of the model"),
        (lambda manifest: manifest["files"].pop(1), "which is not among the files|is no file"),
        (lambda manifest: manifest["files"][0].update(bytes=1), "is not the file"),
    ],
)
def test_a_judge_s_manifest_that_is_wrong_is_refused_by_name(judge, change, what):
    rewrite(judge, change)
    with pytest.raises(ExportedModelError, match=what):
        check_folder(judge)


def test_a_judge_s_graphs_are_run(judge):
    """One whose memory is another's after the first tokens says something else of a text in parts."""
    path = judge / "onnx" / "judge.onnx"
    graph = onnx.load(path, load_external_data=False)
    for node in graph.graph.node:
        node.output[:] = ["kept" if name == "present" else name for name in node.output]
    graph.graph.initializer.append(onnx.numpy_helper.from_array(np.float32(1.5), "more"))
    graph.graph.node.append(onnx.helper.make_node("Mul", ["kept", "more"], ["present"]))
    path.write_bytes(graph.SerializeToString())
    rewrite(judge, lambda manifest: manifest.update(files=[f for f in list_files(judge) if f["path"] != "judge.json"]))
    with pytest.raises(ExportedModelError, match="read in two parts"):
        check_folder(judge)


def test_what_no_export_wrote_is_no_judge(tmp_path):
    (tmp_path / "judge.json").write_text("{}")
    with pytest.raises(ExportedModelError, match="schema version is None"):
        check_folder(tmp_path)
    (tmp_path / "judge.json").write_text("[]")
    with pytest.raises(ExportedModelError, match="no object"):
        check_folder(tmp_path)
    (tmp_path / "judge.json").write_text("[")
    with pytest.raises(ExportedModelError, match="cannot be read"):
        check_folder(tmp_path)
