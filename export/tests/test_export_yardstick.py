"""`elf yardstick export`: the graphs are the yardstick, whole and part by part, and translate as it does."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from flax import nnx

from elf.cli import main
from elf.data.evaluation_rows import EvaluationRow
from elf.data.tokenizer import EOS, load_tokenizer
from elf.errors import CheckpointError, ParityError
from elf.models.encodings import encoding_of
from elf.models.weight_places import WeightLayout
from elf.network.modules import split
from elf.onnx_export.export_judge import GRAPH
from elf.onnx_export.graphs import Graphs
from elf.yardstick.export import READER, Session, graph_error, read_pair, reader_graph, writer_graph
from elf.yardstick.translate import HeldOut
from elf.yardstick.translator import (
    StoredTranslator,
    Translator,
    TranslatorConfig,
    graph_weights,
    load_translator,
    params_of,
    save_translator,
)

PAIRS = [
    ("the cat sat", "a dog ran"),
    ("a red ball", "the ball is big and red"),
    ("she ran home", "he ran"),
    ("a", "b"),
]


@pytest.fixture(scope="module")
def model(tokenizer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> StoredTranslator:
    """Of random weights, large ones, so that attention matters and translations come to an end."""
    vocabulary = load_tokenizer(tokenizer_file).get_vocab_size()
    config = TranslatorConfig(32, 4, 2, 2, 48, vocabulary, max_input_length=10, max_output_length=12)
    _, params = split(nnx.jit(lambda: Translator(config, rngs=nnx.Rngs(3)))())
    large = {name: (3 if "kernel" in name else 1) * np.asarray(value) for name, value in params.items()}
    rng = np.random.default_rng(5)
    for name, value in large.items():
        if name.endswith("norm/weight"):
            large[name] = (value + rng.uniform(-0.5, 0.5, value.shape)).astype(np.float32)
    folder = tmp_path_factory.mktemp("yardstick")
    save_translator(StoredTranslator(config, large, tokenizer_file, {"licence": "MIT", "steps": 7}), folder)
    return load_translator(folder)


@pytest.fixture(scope="module")
def pairs(model: StoredTranslator) -> list[EvaluationRow]:
    tokenizer = load_tokenizer(model.tokenizer)
    return [
        EvaluationRow(i, source, np.asarray(tokenizer.encode(source, add_special_tokens=False).ids, np.int32), target)
        for i, (source, target) in enumerate(PAIRS)
    ]


@pytest.fixture(scope="module")
def exported(model: StoredTranslator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported")
    data = folder / "pairs.jsonl"
    data.write_text("".join(json.dumps({"input": source, "output": target}) + "\n" for source, target in PAIRS))
    command = ["yardstick", "export", str(model.tokenizer.parent), "--data", str(data), "--out", str(folder / "it")]
    assert main([*command, "--dtype", "f16", "--title", "A yardstick"]) == 0
    return folder / "it"


def test_names_lead_there_and_back_and_pairs_are_moved_apart(model: StoredTranslator) -> None:
    weights = graph_weights(model.config, model.params)
    back = params_of(model.config, weights)
    assert back.keys() == model.params.keys()
    assert all(np.array_equal(back[name], value) for name, value in model.params.items())
    kernel, moved = model.params["decoder_1/cross/q/kernel"], weights["yardstick/decoder_1/cross/q/kernel"]
    np.testing.assert_array_equal(moved[:, 8:16], kernel[:, [8, 10, 12, 14, 9, 11, 13, 15]])


def test_the_folder_says_what_it_holds(exported: Path, model: StoredTranslator) -> None:
    manifest = json.loads((exported / "judge.json").read_text())
    assert (manifest["title"], manifest["licence"], manifest["eos"]) == ("A yardstick", "MIT", EOS)
    assert manifest["source"] == {"graph": "onnx/reader.onnx", "maxLength": 10, "before": 0}
    assert manifest["architecture"]["maxLength"] == 13 and manifest["realText"]["texts"] == len(PAIRS)
    assert manifest["architecture"]["parameters"] == sum(value.size for value in model.params.values())
    for file in manifest["files"]:
        data = (exported / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])
    assert "7 updates" in (exported / "README.md").read_text()


def test_it_is_read_back_as_the_yardstick_that_it_is(exported: Path, model: StoredTranslator, capsys) -> None:
    back = load_translator(exported)
    assert back.config == model.config and back.params.keys() == model.params.keys()
    for name, value in model.params.items():
        np.testing.assert_allclose(back.params[name], value, rtol=2e-3, atol=1e-3)
    capsys.readouterr()
    data = str(exported.parent / "pairs.jsonl")
    report = []
    for folder in (exported, model.tokenizer.parent):
        assert main(["yardstick", "evaluate", str(folder), "--data", data, "--json"]) == 0
        report.append(json.loads(capsys.readouterr().out)["held_out_loss"])
    assert report[0] == pytest.approx(report[1], rel=1e-2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"source": None}, "cannot be read"),
        ({"architecture": {"layers": 10**12}}, "2 blocks, where it says"),
        ({"architecture": None}, "cannot be read"),
        ({"weights": {"dtype": "f9"}}, "dtype 'f9'"),
    ],
)
def test_a_broken_folder_is_named(exported: Path, tmp_path: Path, change: dict, message: str) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(exported, folder)
    manifest = json.loads((folder / "judge.json").read_text())
    (folder / "judge.json").write_text(json.dumps(manifest | change))
    with pytest.raises(CheckpointError, match=message):
        load_translator(folder)


def test_another_judge_is_no_yardstick(exported: Path, tmp_path: Path) -> None:
    manifest = json.loads((exported / "judge.json").read_text())
    del manifest["source"]
    (tmp_path / "judge.json").write_text(json.dumps(manifest))
    with pytest.raises(CheckpointError, match="judge of another kind"):
        load_translator(tmp_path)


CHANGED = [
    "yardstick/embedding/kernel",
    "yardstick/encoder_1/attn/k_norm/weight",
    "yardstick/decoder_0/attn/kv/kernel",
    "yardstick/decoder_1/cross/q/kernel",
    "yardstick/decoder_norm/weight",
]


@pytest.mark.parametrize("changed", [None, *CHANGED])
def test_graphs_of_other_weights_are_no_proof(model, pairs, tmp_path: Path, changed: str | None) -> None:
    layout = WeightLayout(graph_weights(model.config, model.params))
    models = {READER: reader_graph(model.config, layout), GRAPH: writer_graph(model.config, layout)}
    Graphs(models, layout).write(tmp_path)
    held_out = HeldOut(model.config, load_tokenizer(model.tokenizer))
    rows = [read_pair(held_out, pair) for pair in pairs]
    weights = dict(layout.tensors)
    if changed is None:
        assert graph_error(held_out, model, Session(model.config, tmp_path, weights), pairs, rows) < 1e-3
        return
    weights[changed] = weights[changed] * np.linspace(0.2, 2, weights[changed].shape[-1], dtype=np.float32)
    with pytest.raises(ParityError):
        graph_error(held_out, model, Session(model.config, tmp_path, weights), pairs, rows)


def test_one_token_otherwise_is_no_proof(model, pairs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    layout = WeightLayout(graph_weights(model.config, model.params))
    models = {READER: reader_graph(model.config, layout), GRAPH: writer_graph(model.config, layout)}
    Graphs(models, layout).write(tmp_path)
    session = Session(model.config, tmp_path, layout.tensors)
    written = session.greedy(pairs[0].source_ids)
    monkeypatch.setattr(session, "greedy", lambda source: [*written[:-1], written[-1] + 1])
    held_out = HeldOut(model.config, load_tokenizer(model.tokenizer))
    rows = [read_pair(held_out, pair) for pair in pairs]
    with pytest.raises(ParityError, match="otherwise than the yardstick"):
        graph_error(held_out, model, session, pairs, rows)


def test_what_cannot_be_is_refused(model: StoredTranslator, tmp_path: Path, capsys) -> None:
    data = tmp_path / "pairs.jsonl"
    data.write_text('{"input": "a dog", "output": "a cat"}\n')
    command = ["yardstick", "export", str(model.tokenizer.parent), "--data", str(data), "--out", str(tmp_path / "it")]
    for options, message in ((["--dtype", "f32,f16"], "in one dtype"), (["--pairs", "0"], "at least 1")):
        assert main([*command, *options]) != 0
        assert message in capsys.readouterr().err
    data.write_text('{"output": "a cat"}\n')
    assert main(command) != 0
    assert "have no source" in capsys.readouterr().err
    assert not (tmp_path / "it").exists()


def test_its_kernels_are_rounded_where_that_is_asked_for(model: StoredTranslator) -> None:
    for name, value in graph_weights(model.config, model.params).items():
        assert encoding_of(name, value.shape, "q8") == ("q8" if name.endswith("/kernel") else "f32"), name


def test_a_translation_that_is_too_long_is_cut(model: StoredTranslator, pairs) -> None:
    long = replace(pairs[0], reference="a cat " * 20)
    row = read_pair(HeldOut(model.config, load_tokenizer(model.tokenizer)), long)
    assert len(row.own) == model.config.max_output_length and len(row.ids) == model.config.max_output_length + 2
