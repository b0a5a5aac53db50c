"""Models from strangers: exported folders, folders of trainings, fetched ones, judges."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import strategies as st
from inputs import as_json, byte_files, folders, json_files
from packed import archives, safetensors
from safetensors.numpy import save
from withstands import CASES, Files, withstands

from elf.burst.train import Carried, read_carried, write_carried
from elf.config import T5Config
from elf.dev.make_random import TINY, random_model
from elf.evaluation.judge import load_judge
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.trained_model import save_trained_model
from elf.onnx_export.check import check_folder
from elf.training.optimizer import OptimizerConfig

ROOT = Path(__file__).parents[3]
FIXTURES = ROOT / "test/fixtures"
REFUSALS = {
    *("CheckpointError", "CheckpointMismatchError", "ConfigError", "UsageError", "ExportedModelError"),
    *("StoredWeightsError", "DatasetError", "EmptyCorpusError", "HubError"),
}


def files_of(folder: Path) -> dict[str, bytes]:
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def contents(name: str, content: bytes) -> st.SearchStrategy[bytes]:
    """Other contents of a file of this name."""
    if name.endswith(".json"):
        return json_files(content)
    return safetensors(content) if name.endswith(".safetensors") else byte_files(content)


def as_plain(model: Any) -> Any:
    """All that a model says, its weights too."""
    assert isinstance(model.name, str) and isinstance(model.training, dict)
    assert np.isfinite(model.latent_mean).all() and np.isfinite(model.latent_std).all()
    parts = {name: value for name, value in vars(model).items() if name not in ("params", "encoder_params", "exported")}
    return [
        {name: repr(value) for name, value in parts.items()},
        dict(model.params),
        dict(model.encoder_params),
    ]


@pytest.mark.parametrize("name", ["tiny-conditional", "tiny-packed"])
def test_an_exported_folder_is_opened_or_refused_by_name(tmp_path: Path, name: str) -> None:
    files = files_of(FIXTURES / name)
    changing = [name for name in files if name == "manifest.json" or name.startswith("onnx/weights")]
    withstood = withstands(
        tmp_path,
        folders(files, {name: contents(name, files[name]) for name in changing}),
        lambda folder: as_plain(open_model(folder)),
        (files,),
    )
    assert withstood.refusals <= REFUSALS


def vouched(files: Files) -> dict[str, bytes]:
    """The folder, with a manifest that says of every file what it is: whoever changes one can write that, too."""
    manifest = json.loads(files["manifest.json"])
    entries = manifest.get("files") if isinstance(manifest, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        if isinstance(entry, dict) and isinstance(entry.get("path"), str) and entry["path"] in files:
            content = files[entry["path"]]
            entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    return {**files, "manifest.json": as_json(manifest)}


PLACES = ("../secret", "/tmp/secret", "a/b", "", ".", "*/*", "secret\0", "x" * 300, "weights-0.bin", "weights-9.bin")


@st.composite
def graphs(draw: st.DrawFn, content: bytes) -> bytes:
    """Graphs whose numbers lie elsewhere, or are of other sizes than those that are stored."""
    model = onnx.load_model_from_string(content)
    outside = [each for each in model.graph.initializer if each.external_data]
    for tensor in draw(st.lists(st.sampled_from(outside), min_size=1, max_size=2)):
        deed = draw(st.sampled_from(("location", "location", "offset", "length", "dims", "type", "name", "node")))
        fields = {each.key: each for each in tensor.external_data}
        if deed in fields:
            number = draw(st.sampled_from(("0", "-1", "9" * 30, str(2**40), "x", "")))
            fields[deed].value = draw(st.sampled_from(PLACES)) if deed == "location" else number
        elif deed == "dims":
            tensor.dims[0] = draw(st.sampled_from((0, -1, 2**20, 2**40, 2**62, 3)))
        elif deed == "type":
            tensor.data_type = draw(st.integers(0, 30))
        elif deed == "name":
            tensor.name = draw(st.sampled_from(("", "x", *(each.name for each in outside[:3]))))
        else:
            node = onnx.helper.make_node("Constant", [], ["elsewhere"])
            node.attribute.append(onnx.helper.make_attribute("value", onnx.TensorProto()))
            node.attribute[0].t.CopyFrom(tensor)
            model.graph.node.insert(0, node)
    return model.SerializeToString()


def test_a_folder_is_checked_or_refused_by_name(tmp_path: Path) -> None:
    files = files_of(FIXTURES / "tiny-model")
    others = {
        name: st.one_of(graphs(content), byte_files(content)) if name.endswith(".onnx") else contents(name, content)
        for name, content in files.items()
        if name == "manifest.json" or name.startswith("onnx/")
    }
    inputs = st.one_of(
        folders(files, {name: other for name, other in others.items() if name != "manifest.json"}).map(vouched),
        folders(files, {"manifest.json": others["manifest.json"]}),
    )
    # Every graph of a folder is opened, and computes.
    withstood = withstands(tmp_path, inputs, check_folder, (files,), cases=max(20, CASES // 5))
    assert withstood.refusals <= REFUSALS


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The folder of a model of this project."""
    folder = tmp_path_factory.mktemp("model")
    save_trained_model(random_model(TINY), folder)
    return files_of(folder)


def test_a_model_folder_is_opened_or_refused_by_name(tmp_path: Path, own: dict[str, bytes]) -> None:
    others = {name: contents(name, own[name]) for name in ("config.json", "model.safetensors")}
    withstood = withstands(tmp_path, folders(own, others), lambda folder: as_plain(open_model(folder)), (own,))
    assert withstood.refusals <= REFUSALS


RECORD = {
    "repository": "owner/name",
    "revision": "c" * 40,
    "checkpoint": "model.safetensors",
    "files": [
        {"path": "model.safetensors", "bytes": 1, "sha256": "0", "repository": "owner/name", "revision": "c" * 40}
    ],
    "encoder": None,
    "tokenizer": "tokenizer.json",
    "licence": "MIT",
}


def test_a_fetched_folder_is_opened_or_refused_by_name(tmp_path: Path, own: dict[str, bytes]) -> None:
    files = {
        "source.json": as_json(RECORD),
        "model.safetensors": own["model.safetensors"],
        "tokenizer.json": (FIXTURES / "tiny-model/tokenizer.json").read_bytes(),
    }
    others = {"source.json": json_files(files["source.json"]), "tokenizer.json": json_files(files["tokenizer.json"])}
    options = CheckpointOptions(task="owt")
    withstood = withstands(
        tmp_path, folders(files, others), lambda folder: as_plain(open_model(folder, options=options)), (files,)
    )
    assert withstood.refusals <= REFUSALS


def test_a_judge_is_read_or_refused_by_name(tmp_path: Path, tokenizer_file: Path) -> None:
    with np.load(Path(__file__).parents[1] / "fixtures/gpt2_tiny.npz") as file:
        weights = {name.removeprefix("params/"): file[name] for name in file.files if name.startswith("params/")}
    sizes = {"vocab_size": 61, "n_positions": 40, "n_embd": 32, "n_layer": 2, "n_head": 4}
    files = {
        "config.json": as_json(sizes | {"model_type": "gpt2", "layer_norm_epsilon": 1e-2, "eos_token_id": 0}),
        "model.safetensors": save(weights),
        "tokenizer.json": tokenizer_file.read_bytes(),
        "judge.json": as_json({"steps": 3}),
    }
    others = {name: contents(name, content) for name, content in files.items()}

    def read(folder: Path) -> Any:
        judge = load_judge(folder)
        return [judge.config, judge.params, judge.eos, judge.facts]

    withstood = withstands(tmp_path, folders(files, others), read, (files,))
    assert withstood.refusals <= REFUSALS


def test_what_is_carried_to_a_gpu_is_read_or_refused_by_name(tmp_path: Path) -> None:
    model = random_model(TINY)
    ids = np.zeros((2, 4), np.int32)
    write_carried(
        Carried(
            {"seed": 1},
            model.elf,
            model.flow,
            OptimizerConfig(),
            T5Config(vocabulary_size=8, d_model=4, d_kv=2, d_ff=4, layers=1, heads=2),
            {"a": np.ones(3, np.float32)},
            np.zeros(3, np.float32),
            np.ones(3, np.float32),
            ids,
            ids[:, 0],
            ids[:, 0],
            {"a": np.ones(3, np.float32)},
        ),
        tmp_path / "written",
    )
    files = files_of(tmp_path / "written")
    others = {
        name: st.one_of(archives(content), byte_files(content)) if name.endswith(".npz") else contents(name, content)
        for name, content in files.items()
    }
    withstood = withstands(tmp_path, folders(files, others), lambda folder: vars(read_carried(folder)), (files,))
    assert withstood.refusals <= REFUSALS
