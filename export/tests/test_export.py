"""`elf export`: the folder of export/FORMAT.md, its proof, and what it refuses."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tokenizers

from elf import cli
from elf.config import ElfConfig, FlowConfig, SamplerSettings, settings_of
from elf.data.train_tokenizer import train_tokenizer
from elf.dev.make_random import PLAIN_TEXT, random_model
from elf.errors import CheckpointMismatchError, ConfigError, OutputExistsError, ParityError, TokenizerFormError
from elf.models import rearranged
from elf.models.exported_folder import StoredWeights
from elf.models.open_model import open_model
from elf.models.trained_model import load_trained_model, save_trained_model
from elf.onnx_export import dtypes, graphs, parity
from elf.onnx_export.dtypes import edit_distance
from elf.onnx_export.export import Arguments, attribution_before, check_prompts_read_alike, export_model, names_of
from elf.onnx_export.graphs import build_graphs
from elf.onnx_export.parity import LOGIT_ROUNDING, Difference, compare_runs, refuse_difference
from elf.sampling.condition import encode_sources, spread_sources
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import sample

SMALL = ElfConfig(depth=1, hidden_size=16, heads=2, latent_size=8, bottleneck_size=4, vocabulary_size=128, max_length=6)
FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"
FILES = {
    "README.md",
    "config.json",
    "generation_config.json",
    "onnx/decoder-fused.onnx",
    "onnx/decoder.onnx",
    "onnx/denoiser-fused.onnx",
    "onnx/denoiser.onnx",
    "onnx/encoder.onnx",
    "onnx/prefix.onnx",
    "onnx/self-test-f16.safetensors",
    "onnx/weights-f16-00001.bin",
    "onnx/weights-f16.json",
    "parity.json",
    "tokenizer.json",
    "tokenizer_config.json",
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tokenizer = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(PLAIN_TEXT, SMALL.vocabulary_size, sentinels=1).save(str(tokenizer))
    return random_model(SMALL, tokenizer=tokenizer)


def options(out, **more):
    return Arguments(checkpoint=Path("unused"), out=out, **{"steps": 3, "parity_seeds": 16, **more})


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    out = tmp_path_factory.mktemp("export") / "small-model"
    export_model(model, options(out, dtype="f16", licence="MIT", title="Small"))
    return out


def read(path):
    return json.loads(path.read_text())


def test_manifest_lists_every_file_with_its_true_size_and_sha256(folder):
    check_hashes(folder)
    assert {file["path"] for file in read(folder / "manifest.json")["files"]} == FILES


def check_hashes(folder):
    listed = {file["path"]: file for file in read(folder / "manifest.json")["files"]}
    there = {f.relative_to(folder).as_posix() for f in folder.rglob("*") if f.is_file()} - {"manifest.json"}
    assert set(listed) == there
    for path, file in listed.items():
        content = (folder / path).read_bytes()
        assert (file["bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest()), path


def test_a_decoder_that_reads_its_vocabulary_in_parts_is_proved_too(model, tmp_path, monkeypatch):
    """As official models of English do: all logits of a batch together would be hundreds of megabytes."""
    monkeypatch.setattr(rearranged, "LARGEST_LOGITS", 2 * SMALL.max_length * 4 * 64)
    export_model(model, options(tmp_path / "parts"))
    manifest, report = (read(tmp_path / "parts" / name) for name in ("manifest.json", "parity.json"))
    assert manifest["decoder"] == {"topK": 5, "logits": False}
    assert {*report["graphs"]["decoder"]} == {"top_probabilities", "entropy"}


def test_the_licence_stays_that_of_what_it_is_made_of(folder, model, tmp_path):
    again = open_model(str(folder))
    settings = SamplerSettings()
    assert names_of(again, settings, options(tmp_path)).licence == "MIT"
    assert names_of(again, settings, options(tmp_path, licence="CC0-1.0")).licence == "CC0-1.0"
    # A training's record has the word, and nothing there unless it was given.
    nameless = replace(model, training={"licence": ""})
    assert names_of(nameless, settings, options(tmp_path)).licence == "unknown"
    assert attribution_before(model) == ""
    card = folder / "README.md"
    kept = card.read_text()
    card.write_text(kept + "\n## Attribution\n\nOf Songs.\n")
    assert attribution_before(again) == "Of Songs."
    card.write_text(kept)


def test_manifest_says_what_the_page_needs(folder, model):
    manifest, measured = read(folder / "manifest.json"), read(folder / "parity.json")["dtypes"]["f16"]
    basis = manifest["latent"].pop("basis")
    directions = np.array(basis["directions"])
    np.testing.assert_allclose(directions @ directions.T, np.eye(2), atol=1e-3)
    assert len(basis["mean"]) == 8 and basis["reach"] > 0
    assert manifest | {"files": []} == {
        "schemaVersion": 3,
        "name": "small-model",
        "title": "Small",
        "description": "An Embedded Language Flow.",
        "task": "unconditional",
        "licence": "MIT",
        "architecture": {
            "depth": 1,
            "hiddenSize": 16,
            "heads": 2,
            "latentSize": 8,
            "bottleneckSize": 4,
            "vocabularySize": 128,
            "maxLength": 6,
            "maxInputLength": 0,
            "sourceOptional": False,
            "selfCondCfgTokens": 4,
            "parameters": sum(value.size for value in model.params.values()),
        },
        "latent": {
            "noiseScale": 1.0,
            "tEps": 0.05,
            "mean": model.latent_mean.tolist(),
            "std": model.latent_std.tolist(),
        },
        "schedule": {"pMean": -1.5, "pStd": 0.8},
        "selfCondStart": "condition",
        "tokens": {"pad": 0, "eos": 1, "unk": 2},
        "decoder": {"topK": 5, "logits": True},
        "defaults": {
            "steps": 3,
            "method": "sde",
            "gamma": 1.5,
            "selfCondScale": 3.0,
            "cfgScale": 1.0,
            "schedule": "logit_normal",
            "solver": "euler",
            "rng": "original",
            "seed": 7,
            "length": 6,
        },
        "graphs": {
            "decoder": {"file": "onnx/decoder.onnx", "fused": "onnx/decoder-fused.onnx"},
            "denoiser": {"file": "onnx/denoiser.onnx", "fused": "onnx/denoiser-fused.onnx"},
            "encoder": {"file": "onnx/encoder.onnx"},
            "prefix": {"file": "onnx/prefix.onnx"},
        },
        "dtypes": {
            "f16": {
                "index": "onnx/weights-f16.json",
                "shards": ["onnx/weights-f16-00001.bin"],
                "bytes": (folder / "onnx" / "weights-f16-00001.bin").stat().st_size,
                "selfTest": "onnx/self-test-f16.safetensors",
                "approximate": False,
                **{name: measured[name] for name in ("tokenAgreement", "normalisedEditDistance")},
            }
        },
        "defaultDtype": "f16",
        "files": [],
    }


def test_hub_files_and_card(folder, model):
    assert read(folder / "config.json")["model_type"] == "elf"
    assert read(folder / "config.json")["num_hidden_layers"] == 1
    assert read(folder / "generation_config.json")["steps"] == 3
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert tokenizer.get_vocab_size() == SMALL.vocabulary_size
    assert tokenizer.token_to_id(read(folder / "tokenizer_config.json")["eos_token"]) == 1
    card = (folder / "README.md").read_text()
    assert "license: mit" in card and "# Small" in card
    assert "never trained" in card and "| f16 | " in card
    # The samples are those of the shipped graphs, seeds in order.
    for seed in (0, 9):
        settings = SamplerSettings(steps=3, seed=seed)
        network = OnnxNetwork(folder / "onnx", StoredWeights(folder / "onnx", "f16"))
        tokens = sample(network, settings, model.flow, (1, 6, 8)).tokens[0].tolist()
        text = " ".join(text_reader(model)(tokens).split())
        assert f"- seed {seed}: {text or '(empty)'}\n" in card.replace("\\", "")


def test_parity_report(folder):
    report = read(folder / "parity.json")
    assert set(report["graphs"]) == {"denoiser", "decoder", "encoder"}
    for outputs in report["graphs"].values():
        for difference in outputs.values():
            assert difference["cases"] >= 4
            assert 0 < difference["maxRelativeError"] < 1e-5
            assert difference["maxAbsoluteError"] > 0
    assert report["runs"]["tokenAgreement"] == 1 and report["runs"]["tokens"] == 16 * 6
    storage = report["dtypes"]["f16"]
    assert storage["passes"] and 0.99 <= storage["tokenAgreement"] <= 1
    assert 0 <= storage["normalisedEditDistance"] <= 0.01
    # Rounding to 11 bits shows, and is small.
    assert 1e-5 < storage["graphs"]["denoiser"]["x_hat"]["maxRelativeError"] < 1e-2


@pytest.mark.parametrize(
    "name",
    ["blocks_0/attn/k_norm/weight", "mode_tokens", "self_cond_cfg_embedder/mlp_2/bias", "unembed_kernel"],
)
def test_a_sabotaged_graph_is_refused_and_nothing_is_written(model, tmp_path, monkeypatch, name):
    def sabotaged(config, params, *rest):
        changed = params[name].copy()
        changed.flat[0] += 0.05
        return build_graphs(config, {**params, name: changed}, *rest)

    monkeypatch.setattr(graphs, "build_graphs", sabotaged)
    with pytest.raises(ParityError, match="differs from JAX"):
        export_model(model, options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_sabotaged_encoder_is_refused(model, tmp_path, monkeypatch):
    def sabotaged(config, params, encoder, encoder_params, mean, std):
        return build_graphs(config, params, encoder, encoder_params, mean + np.float32(0.01), std)

    monkeypatch.setattr(graphs, "build_graphs", sabotaged)
    with pytest.raises(ParityError, match="encoder graph's latent"):
        export_model(model, options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_graph_of_nan_is_refused(model, tmp_path, monkeypatch):
    def sabotaged(config, params, encoder, encoder_params, mean, std):
        return build_graphs(config, params, encoder, encoder_params, mean * np.float32("nan"), std)

    monkeypatch.setattr(graphs, "build_graphs", sabotaged)
    with pytest.raises(ParityError, match="latent differs"):
        export_model(model, options(tmp_path / "out"))


def test_whole_runs_that_disagree_are_refused(model, tmp_path, monkeypatch):
    right = OnnxNetwork.read

    def one_token_wrong(self, latent, self_cond_scale):
        tokens = right(self, latent, self_cond_scale)
        tokens[0, 0] += 1
        return tokens

    monkeypatch.setattr(OnnxNetwork, "read", one_token_wrong)
    with pytest.raises(ParityError, match="of the tokens agree"):
        export_model(model, options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_texts_that_disagree_are_not_hidden_by_what_fills_their_rows(model):
    """Of a thousand positions a text of ten has eleven, its end among them."""

    class Writes:
        def __init__(self, wrong, until=16):
            self.wrong, self.until = wrong, until

        def run(self, model, settings, length):
            wrong = self.wrong if settings.seed < self.until else 0
            text = [*[6] * wrong, *[5] * (10 - wrong), 1, *[0] * 989]
            return SimpleNamespace(tokens=np.asarray([text]), z=np.zeros((1, 1000, 2), np.float32)), text

    free = replace(model, elf=replace(SMALL, max_input_length=0))
    report, *_ = compare_runs(free, Writes(0), Writes(0), SamplerSettings(), 1000, range(16))
    assert (report["writtenTokens"], report["writtenTokenAgreement"]) == (16 * 11, 1)
    with pytest.raises(ParityError, match=r"only 0\.9091 of the tokens agree"):
        compare_runs(free, Writes(0), Writes(1), SamplerSettings(), 1000, range(16))
    # One near tie of 176 tokens is more than a thousandth of them, and sinks no sound model. Two do.
    report, *_ = compare_runs(free, Writes(0), Writes(1, until=1), SamplerSettings(), 1000, range(16))
    assert report["writtenTokenAgreement"] == pytest.approx(175 / 176)
    with pytest.raises(ParityError, match=r"only 0\.9886 of the tokens agree"):
        compare_runs(free, Writes(0), Writes(1, until=2), SamplerSettings(), 1000, range(16))


def test_a_checkpoint_that_does_not_fit_its_config_is_refused_by_name_and_shape(model, tmp_path):
    wrong = {**model.params, "proj_bias": np.zeros(9, np.float32)}
    with pytest.raises(CheckpointMismatchError, match=r"proj_bias of shape \(8,\).*\(9,\)"):
        export_model(replace(model, params=wrong), options(tmp_path / "out"))
    fewer = {name: value for name, value in model.params.items() if name != "mode_tokens"}
    with pytest.raises(CheckpointMismatchError, match=r"mode_tokens of shape \(1, 4, 16\)"):
        export_model(replace(model, params=fewer), options(tmp_path / "out"))
    with pytest.raises(CheckpointMismatchError, match=r"blocks_1/\S+ of shape"):
        export_model(replace(model, elf=replace(SMALL, depth=2)), options(tmp_path / "out"))
    extra = {**model.encoder_params, "encoder/block_9/layer_norm/weight": np.zeros(3, np.float32)}
    with pytest.raises(CheckpointMismatchError, match=r"block_9\S+ of shape \(3,\)"):
        export_model(replace(model, encoder_params=extra), options(tmp_path / "out"))
    assert not list(tmp_path.iterdir())


def test_a_model_exported_before_is_replaced_and_survives_a_failure(model, tmp_path, monkeypatch):
    out = tmp_path / "out"
    bare = replace(model, encoder=None, encoder_params={}, tokenizer=None)
    export_model(model, options(out))
    export_model(bare, options(out, steps=2))
    assert not (out / "onnx" / "encoder.onnx").exists() and not (out / "tokenizer.json").exists()
    check_hashes(out)
    monkeypatch.setattr(parity, "MAX_RELATIVE_ERROR", 0.0)
    with pytest.raises(ParityError):
        export_model(bare, options(out, steps=3))
    assert read(out / "manifest.json")["defaults"]["steps"] == 2
    check_hashes(out)
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_of_other_things_is_left_alone(model, tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(OutputExistsError):
        export_model(model, options(tmp_path))
    assert [file.name for file in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_conditional_model_without_self_cond_cfg_tokens(model, tmp_path):
    config = replace(SMALL, max_input_length=3, self_cond_cfg_tokens=0)
    conditional = random_model(config, tokenizer=model.tokenizer)
    report = export_model(conditional, options(tmp_path / "out", method="ode", cfg=2.0, self_cond_cfg=1.5))
    assert report["runs"]["tokens"] == 16 * 6 and report["runs"]["cfgScale"] == 2
    manifest = read(tmp_path / "out" / "manifest.json")
    assert manifest["task"] == "conditional" and manifest["defaults"]["length"] == 6
    architecture = manifest["architecture"]
    assert (architecture["maxInputLength"], architecture["selfCondCfgTokens"]) == (3, 0)
    card = (tmp_path / "out" / "README.md").read_text()
    assert "to a prompt of random tokens" in card and "guidance by the prompt 2" in card
    with pytest.raises(ConfigError, match="no encoder"):
        export_model(replace(conditional, encoder=None, encoder_params={}), options(tmp_path / "other"))


def test_a_tokenizer_that_the_page_may_read_otherwise_is_refused(model, tmp_path):
    """Of a model that reads prompts; one that only writes needs no more of it than its pieces."""
    library = tokenizers.Tokenizer.from_file(str(model.tokenizer))
    library.normalizer = tokenizers.normalizers.Sequence([tokenizers.normalizers.Lowercase(), library.normalizer])
    other = tmp_path / "tokenizer.json"
    library.save(str(other))
    conditional = random_model(replace(SMALL, max_input_length=3), tokenizer=other)
    with pytest.raises(TokenizerFormError, match=r"tokenizer\.json: its normaliser has a step Lowercase, and the page"):
        export_model(conditional, options(tmp_path / "out"))
    assert not (tmp_path / "out").exists()
    check_prompts_read_alike(random_model(SMALL, tokenizer=other))
    check_prompts_read_alike(replace(conditional, tokenizer=model.tokenizer))


def test_several_dtypes_the_first_that_passes_is_the_default(model, tmp_path, monkeypatch):
    """Where a dtype changes too much it is not offered, unless it is approximate by nature or by consent."""
    out = tmp_path / "out"
    monkeypatch.setattr(dtypes, "MIN_TOKEN_AGREEMENT", 1.01)
    with pytest.raises(ParityError, match="q8"):
        export_model(model, options(out, dtype="q8"))
    assert not list(tmp_path.iterdir())
    report = export_model(model, options(out, dtype="f16, q4,f16"))
    assert [*report["dtypes"]] == ["f16", "q4"] and not report["dtypes"]["f16"]["passes"]
    manifest = read(out / "manifest.json")
    assert [*manifest["dtypes"]] == ["q4"] and manifest["defaultDtype"] == "q4"
    assert manifest["dtypes"]["q4"]["approximate"]
    assert not list((out / "onnx").glob("weights-f*"))
    check_hashes(out)
    export_model(model, options(out, dtype="f16", ungated=True))
    manifest = read(out / "manifest.json")
    assert manifest["dtypes"]["f16"]["approximate"]
    assert read(out / "parity.json")["dtypes"]["f16"]["tokenAgreement"] == manifest["dtypes"]["f16"]["tokenAgreement"]


def test_a_rounded_model_is_what_is_stored_of_it_and_stays_so(model, tmp_path):
    """Random weights change their text at 8 bits; the rounded model does not, and exported again has the same bytes."""
    out, again = tmp_path / "out", tmp_path / "again"
    report = export_model(model, options(out, dtype="q8", rounded=True))["dtypes"]["q8"]
    assert report["passes"] and report["tokenAgreement"] == 1
    rounded, weights = open_model(out), "onnx/weights-q8-00001.bin"
    kernels = [name for name in model.params if name.endswith("qkv/kernel")]
    assert kernels and not any(np.array_equal(rounded.params[name], model.params[name]) for name in kernels)
    np.testing.assert_allclose(rounded.params[kernels[0]], model.params[kernels[0]], atol=0.02)
    assert "weights | rounded to q8" in (out / "README.md").read_text()
    export_model(rounded, options(again, dtype="q8"))
    assert (again / weights).read_bytes() == (out / weights).read_bytes()
    assert read(again / "parity.json")["dtypes"]["q8"]["tokenAgreement"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"length": 7},
        {"length": 0},
        {"dtype": "f8"},
        {"dtype": "f16,"},
        {"parity_seeds": 15},
        *({f"parity_{name}": 0} for name in ("seeds", "length", "steps")),
    ],
)
def test_impossible_options_are_refused(model, tmp_path, wrong):
    with pytest.raises(ConfigError):
        export_model(model, options(tmp_path / "out", **wrong))


def test_edit_distance():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance([], [1, 2]) == 2
    assert edit_distance([1, 2, 3], [1, 2, 3]) == 0


def test_commands_make_random_sample_and_a_missing_checkpoint(tmp_path, capsys):
    made = tmp_path / "made"
    assert cli.main(["make-random", "--out", str(made)]) == 0
    capsys.readouterr()
    arguments = [str(made), "--steps", "2", "--batch", "2", "--seed", "3", "--length", "5"]
    assert cli.main(["sample", *arguments, "--json", "--dump", str(tmp_path / "dump.npz")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["text"]) == 2 and report["settings"]["seed"] == 3
    dump = np.load(tmp_path / "dump.npz")
    assert dump["t"].shape == (3,) and dump["z0"].shape == dump["z"].shape == (2, 5, 32)
    assert dump["tokens"].tolist() == report["tokens"]

    assert cli.main(["export", str(tmp_path / "nothing"), "--out", str(tmp_path / "out")]) == 2
    assert "CheckpointError" in capsys.readouterr().err
    assert cli.main(["sample", str(made), "--steps", "0"]) == 2


def test_a_random_model_is_the_same_for_the_same_seed(tmp_path):
    first, again, other = (random_model(SMALL, seed=seed) for seed in (0, 0, 1))
    for name, value in first.params.items():
        np.testing.assert_array_equal(value, again.params[name])
        assert not np.array_equal(value, other.params[name])
        assert (value != 0).any()
    save_trained_model(first, tmp_path)
    loaded = load_trained_model(tmp_path)
    np.testing.assert_array_equal(loaded.params["unembed_kernel"], first.params["unembed_kernel"])


@pytest.mark.parametrize("name", ["tiny-model", "tiny-conditional", "tiny-two-pass"])
def test_the_committed_tiny_models_are_whole_and_write_the_committed_runs(name):
    folder = FIXTURES / name
    check_hashes(folder)
    manifest = read(folder / "manifest.json")
    weights = StoredWeights(folder / "onnx", manifest["defaultDtype"])
    network, encoder = OnnxNetwork(folder / "onnx", weights), OnnxEncoder(folder / "onnx", weights)
    assert network.takes_self_cond_scale == (name != "tiny-two-pass")
    flow = FlowConfig(
        noise_scale=manifest["latent"]["noiseScale"],
        t_eps=manifest["latent"]["tEps"],
        p_mean=manifest["schedule"]["pMean"],
        p_std=manifest["schedule"]["pStd"],
        self_cond_start=manifest["selfCondStart"],
    )
    for run in read(FIXTURES / f"{name.removesuffix('-model')}-run.json")["runs"]:
        settings, length = settings_of(run["settings"]), run["settings"]["length"]
        batch, condition = run.get("batch", 1), None
        if run.get("promptIds"):
            condition = encode_sources(encoder, spread_sources(run["promptIds"], batch), length)
        shape = (batch, length, manifest["architecture"]["latentSize"])
        result = sample(network, settings, flow, shape, condition)
        assert result.tokens.tolist() == (run["tokens"] if "batch" in run else [run["tokens"]])
        np.testing.assert_allclose(result.z.reshape(-1), run["z"], rtol=1e-3, atol=1e-3)


def test_probabilities_may_differ_by_what_rounding_makes_of_large_logits() -> None:
    entropy = Difference(cases=1, absolute=2e-4, magnitude=1.0)
    with pytest.raises(ParityError, match=r"0\.0002 of its largest value \(allowed: 0\.0001\)"):
        refuse_difference("decoder", "entropy", entropy)
    refuse_difference("decoder", "entropy", entropy, LOGIT_ROUNDING * 14_000)
    with pytest.raises(ParityError, match="allowed"):
        refuse_difference("decoder", "entropy", entropy, LOGIT_ROUNDING * 2_000)
