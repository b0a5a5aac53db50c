"""A conditional model that may be left without a source: with one it is the model that needs it, without one the
unconditional model of the same weights."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elf.cli import main
from elf.config import ElfConfig, SamplerSettings
from elf.dev.make_random import TINY, random_model
from elf.devices import make_mesh
from elf.errors import ConfigError, UsageError
from elf.models.trained_model import load_trained_model, save_trained_model
from elf.onnx_export.check import check_folder
from elf.onnx_export.export import Arguments, export_model
from elf.onnx_export.parity import Writer
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.condition import check_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.sampler import sample, written

FREE = replace(TINY, depth=1, hidden_size=32, heads=2, latent_size=16, max_length=8)
NEEDY = replace(FREE, max_input_length=3)
OPTIONAL = replace(NEEDY, source_optional=True)
GUIDED = SamplerSettings(3, "ode", self_cond_scale=2.0, seed=1, cfg_scale=2.0)
UNGUIDED = replace(GUIDED, cfg_scale=1.0)
SOURCES = [[5], [6, 7, 8]]


@pytest.fixture
def folder(tmp_path: Path, tokenizer_file: Path) -> Path:
    save_trained_model(random_model(OPTIONAL, tokenizer=tokenizer_file), tmp_path / "model")
    return tmp_path / "model"


def test_the_configuration_says_it_and_older_ones_do_not(folder: Path) -> None:
    assert load_trained_model(folder).elf == OPTIONAL
    config = json.loads((folder / "config.json").read_text())
    assert config["elf"].pop("source_optional") is True
    (folder / "config.json").write_text(json.dumps(config))
    assert load_trained_model(folder).elf == NEEDY
    with pytest.raises(ConfigError, match="max_input_length is 0"):
        ElfConfig(source_optional=True)
    with pytest.raises(ConfigError, match="source_optional is 1"):
        replace(NEEDY, source_optional=1)


def test_sources_are_checked_where_there_are_some() -> None:
    for none in (None, []):
        check_sources(none, OPTIONAL, 8)
        with pytest.raises(UsageError, match="needs a prompt"):
            check_sources(none, NEEDY, 8)
    with pytest.raises(UsageError, match="prompt 1 has 4 tokens"):
        check_sources([[5, 6, 7, 8]], OPTIONAL, 8)


def test_what_is_written_freely_is_not_cut() -> None:
    tokens = np.arange(8)[None]
    assert written(tokens, OPTIONAL) == [[*range(8)]]


def test_whole_batches_are_written_as_by_the_two_models_it_is() -> None:
    mesh = make_mesh()
    optional, needy, free = (random_model(config) for config in (OPTIONAL, NEEDY, FREE))
    alone = BatchSampler(optional, mesh, 2, 8).write(UNGUIDED)
    np.testing.assert_array_equal(alone, BatchSampler(free, mesh, 2, 8).write(UNGUIDED))
    sampler = BatchSampler(optional, mesh, 2, 5)
    told = sampler.write(GUIDED, sources=SOURCES)
    np.testing.assert_array_equal(told, BatchSampler(needy, mesh, 2, 5).write(GUIDED, sources=SOURCES))
    # The same sampler writes texts of the same length without.
    assert sampler.write(UNGUIDED).shape == told.shape
    with pytest.raises(UsageError, match="cfg is 2"):
        sampler.write(GUIDED)
    with pytest.raises(UsageError, match="exactly 2 sources or no source"):
        sampler.write(GUIDED, sources=SOURCES[:1])


def test_sample_writes_with_and_without_a_prompt(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def report(*words: str) -> dict:
        assert main(["sample", str(folder), "--method", "ode", "--steps", "3", "--seed", "1", "--json", *words]) == 0
        return json.loads(capsys.readouterr().out)

    free = random_model(FREE)
    run = sample(JaxNetwork(free), replace(UNGUIDED, self_cond_scale=3.0), free.flow, (1, 8, 16))
    assert report()["tokens"] == run.tokens.tolist()
    assert report("--prompt-ids", "5,6", "--cfg", "2")["settings"]["cfg_scale"] == 2
    assert report("--length", "1")["tokens"] == report("--length", "1", "--cfg", "1")["tokens"]
    assert main(["sample", str(folder), "--steps", "2", "--cfg", "2"]) == 2
    assert "cfg is 2" in capsys.readouterr().err


def test_an_evaluation_without_data_writes_freely(folder: Path, tmp_path: Path, tokenizer_file: Path) -> None:
    save_trained_model(random_model(FREE, tokenizer=tokenizer_file), tmp_path / "free")
    for name in ("model", "free"):
        few = ["--samples", "3", "--batch-size", "2", "steps=2"]
        assert main(["evaluate", str(tmp_path / name), "--out", str(tmp_path / f"{name}_out"), *few]) == 0
    texts, expected = (sorted((tmp_path / out).glob("*/*.jsonl")) for out in ("model_out", "free_out"))
    assert [file.read_text() for file in texts] == [file.read_text() for file in expected] != []
    assert json.loads((tmp_path / "model_out" / "metrics.jsonl").read_text())["length"] == 8


def test_half_of_the_compared_runs_have_no_source() -> None:
    optional, needy, free = (random_model(config) for config in (OPTIONAL, NEEDY, FREE))
    writer = Writer(JaxNetwork(optional), JaxEncoder(optional))
    for seed in range(4):
        settings = replace(GUIDED, seed=seed)
        run, tokens = writer.run(optional, settings, 8)
        if seed % 2:
            np.testing.assert_array_equal(run.z, writer.run(needy, settings, 8)[0].z)
            assert len(tokens) == 5
        else:
            freely = sample(JaxNetwork(free), replace(settings, cfg_scale=1.0), free.flow, (1, 8, 16))
            np.testing.assert_array_equal(run.z, freely.z)
            assert len(tokens) == 8


def options(out: Path, **more) -> Arguments:
    return Arguments(checkpoint=Path("unused"), out=out, **{"steps": 2, "method": "ode", "parity_seeds": 16, **more})


def test_an_export_says_it_and_offers_examples(tmp_path: Path, capsys, tokenizer_file: Path) -> None:
    """Of a training that did not say it, whose own guidance has nothing to guide by when it writes freely."""
    model, out = random_model(NEEDY, tokenizer=tokenizer_file), tmp_path / "out"
    told = {"source_optional": True, "cfg": 2.0, "self_cond_cfg": 2.0, "seed": 1, "example": (" the\ufeff", "a")}
    report = export_model(model, options(out, **told))
    assert report["runs"]["runsWithoutSource"] == 8 and report["runs"]["cfgScale"] == 2
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["examples"] == ["the", "a"] and manifest["task"] == "conditional"
    assert manifest["architecture"]["sourceOptional"] and manifest["defaults"]["cfgScale"] == 2
    assert json.loads((out / "config.json").read_text())["source_optional"] is True
    assert check_folder(out)["name"] == "out"

    capsys.readouterr()
    assert main(["sample", str(out), "--steps", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    free = random_model(FREE)
    assert found["tokens"] == sample(JaxNetwork(free), UNGUIDED, free.flow, (1, 8, 16)).tokens.tolist()
    assert found["settings"]["cfg_scale"] == 1
    assert main(["sample", str(out), "--steps", "3", "--prompt-ids", "5,6", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["settings"]["cfg_scale"] == 2


@pytest.mark.parametrize(
    ("config", "more", "said"),
    [
        (NEEDY, {"example": ("a",) * 9}, "9 examples"),
        (NEEDY, {"example": ("a", " ")}, "example 2 has 0 tokens"),
        (NEEDY, {"example": ("the garden and the rain and the sun",)}, "example 1 has .* tokens"),
        (FREE, {"example": ("a",)}, "takes no prompt"),
        (FREE, {"source_optional": True}, "max_input_length is 0"),
    ],
)
def test_what_no_model_can_be_said_to_be(tmp_path: Path, tokenizer_file: Path, config, more, said) -> None:
    with pytest.raises(ConfigError, match=said):
        export_model(random_model(config, tokenizer=tokenizer_file), options(tmp_path / "out", **more))
    assert not (tmp_path / "out").exists()


def test_examples_need_a_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no tokenizer"):
        export_model(random_model(NEEDY), options(tmp_path / "out", example=("a",)))
