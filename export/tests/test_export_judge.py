"""`elf export-judge`: the graph is the judge, whole and part by part, and a folder of it judges as the judge does."""

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import stories
from flax import nnx

from elf.data.tokenizer import load_tokenizer
from elf.errors import (
    CheckpointError,
    CheckpointMismatchError,
    ConfigError,
    OutputExistsError,
    ParityError,
    StoredWeightsError,
)
from elf.evaluation.gpt2 import Gpt2, Gpt2Config
from elf.evaluation.judge import Judge, graph_weights, load_judge, params_of, save_judge
from elf.evaluation.perplexity import gen_perplexity
from elf.models.weight_places import WeightLayout
from elf.network.modules import split
from elf.onnx_export.export_judge import GRAPH, Arguments, export_judge, graph_error, judge_graph, main, stored_loss
from elf.onnx_export.graphs import Graphs

TEXTS = [text for text in stories()[:40] if len(text.split()) > 4]


@pytest.fixture(scope="module")
def folder(tokenizer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A judge of random weights, large ones, so that attention matters."""
    tokenizer = load_tokenizer(tokenizer_file)
    config = Gpt2Config(tokenizer.get_vocab_size(), n_positions=24, n_embd=32, n_layer=2, n_head=4)
    _, params = split(nnx.jit(lambda: Gpt2(config, rngs=nnx.Rngs(3)))())
    large = {name: 8 * np.asarray(value) if value.ndim > 1 else np.asarray(value) for name, value in params.items()}
    out = tmp_path_factory.mktemp("judge")
    judge = Judge("random", config, large, tokenizer, eos=1, facts={"corpus": "none", "licence": "MIT"})
    save_judge(out, judge, tokenizer_file)
    return out


@pytest.fixture(scope="module")
def judge(folder: Path) -> Judge:
    return load_judge(folder)


@pytest.fixture(scope="module")
def exported(folder: Path, judge: Judge, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "little-judge"
    export_judge(judge, TEXTS, Arguments(judge=folder, held_out=Path(), out=out, dtype="f16"))
    return out


def test_the_folder_says_what_it_holds(exported: Path, judge: Judge) -> None:
    manifest = json.loads((exported / "judge.json").read_text())
    assert (manifest["name"], manifest["title"], manifest["licence"]) == ("little-judge", "Little judge", "MIT")
    assert manifest["architecture"]["maxLength"] == judge.config.n_positions
    real = gen_perplexity(judge, TEXTS)
    assert manifest["realText"]["perplexity"] == pytest.approx(real.perplexity, rel=1e-2)
    assert manifest["realText"]["tokens"] == real.tokens and len(manifest["realText"]["samples"]) == len(TEXTS)
    for file in manifest["files"]:
        data = (exported / file["path"]).read_bytes()
        assert (len(data), hashlib.sha256(data).hexdigest()) == (file["bytes"], file["sha256"])


def test_it_is_read_back_as_the_judge_that_it_is(exported: Path, judge: Judge) -> None:
    back = load_judge(exported)
    ours, theirs = (gen_perplexity(each, TEXTS).per_sample_nll for each in (back, judge))
    assert back.eos == judge.eos and np.allclose(ours, theirs, rtol=2e-3) and ours != theirs


def test_names_lead_there_and_back(judge: Judge) -> None:
    back = params_of(graph_weights(judge.params))
    assert back.keys() == judge.params.keys()
    assert all(np.array_equal(back[name], value) for name, value in judge.params.items())


@pytest.mark.parametrize("changed", ["judge/wpe", "judge/h_1/attn/c_attn/bias", "judge/ln_f/scale"])
def test_a_graph_of_other_weights_is_no_proof(judge: Judge, tmp_path: Path, changed: str) -> None:
    layout = WeightLayout(graph_weights(judge.params))
    Graphs({GRAPH: judge_graph(judge.config, layout)}, layout).write(tmp_path)
    weights = dict(layout.tensors)
    judged = gen_perplexity(judge, TEXTS[:4])
    assert graph_error(judge, tmp_path, weights, TEXTS[:4], judged) < 1e-4
    with pytest.raises(ParityError, match="off by"):
        graph_error(judge, tmp_path, weights | {changed: 1.3 * weights[changed] + 0.3}, TEXTS[:4], judged)
    with pytest.raises(ParityError, match="off by nan"):
        graph_error(judge, tmp_path, weights | {changed: np.nan * weights[changed]}, TEXTS[:4], judged)


def test_stored_weights_that_judge_otherwise_are_refused(judge: Judge) -> None:
    real = gen_perplexity(judge, TEXTS)
    assert real.perplexity is not None
    assert stored_loss(real, real, "q8") == 0
    with pytest.raises(ParityError, match="where it gave"):
        stored_loss(real, replace(real, perplexity=1.02 * real.perplexity), "q8")
    with pytest.raises(ParityError, match="gives real text nan"):
        stored_loss(real, replace(real, perplexity=float("nan")), "q8")
    with pytest.raises(ConfigError):
        stored_loss(replace(real, perplexity=None), real, "q8")


def test_what_cannot_be_written_is_refused_and_nothing_is(folder: Path, prepared: Path, tmp_path: Path) -> None:
    held_out = prepared / "held_out"
    with pytest.raises(ConfigError, match="one dtype"):
        main(Arguments(judge=folder, held_out=held_out, out=tmp_path / "two", dtype="f32,f16"))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letters.txt").write_text("mine")
    with pytest.raises(OutputExistsError):
        main(Arguments(judge=folder, held_out=held_out, out=tmp_path / "full"))
    assert [path.name for path in tmp_path.iterdir()] == ["full"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"schemaVersion": 9}, CheckpointError),
        ({"architecture": {}}, CheckpointError),
        ({"eos": "x"}, CheckpointError),
        ({"weights": {"dtype": "f64"}}, CheckpointError),
        ({"weights": {"dtype": "q4"}}, StoredWeightsError),
    ],
)
def test_a_broken_folder_is_named(exported: Path, tmp_path: Path, change: dict, error: type[Exception]) -> None:
    for path in exported.rglob("*"):
        if path.is_file():
            (tmp_path / path.relative_to(exported)).parent.mkdir(exist_ok=True)
            (tmp_path / path.relative_to(exported)).write_bytes(path.read_bytes())
    manifest = json.loads((exported / "judge.json").read_text())
    (tmp_path / "judge.json").write_text(json.dumps(manifest | change))
    with pytest.raises(error):
        load_judge(tmp_path)


@pytest.mark.parametrize("layers", [2**40, 1000, float("inf"), -1])
def test_layers_that_there_are_no_weights_of_are_not_made(exported: Path, tmp_path: Path, layers: float) -> None:
    folder = shutil.copytree(exported, tmp_path / "judge")
    manifest = json.loads((folder / "judge.json").read_text())
    manifest["architecture"] |= {"layers": layers}
    (folder / "judge.json").write_text(json.dumps(manifest))
    with pytest.raises((CheckpointError, CheckpointMismatchError)):
        load_judge(folder)


def test_a_manifest_that_is_nested_too_deep(exported: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(exported, tmp_path / "judge")
    (folder / "judge.json").write_text("[" * 100_000)
    with pytest.raises(CheckpointError):
        load_judge(folder)
