"""Our GPT-2 against Hugging Face's (tests/fixtures/make_gpt2_tiny.py wrote what it computes), and its files."""

import json
import pickle
from pathlib import Path

import jax
import ml_dtypes
import numpy as np
import pytest
from huggingface_hub.errors import LocalEntryNotFoundError
from safetensors.numpy import load_file, save_file
from tokenizers import ByteLevelBPETokenizer

from elf.errors import CheckpointError, CheckpointMismatchError, HubError
from elf.evaluation import gpt2
from elf.evaluation.gpt2 import Gpt2, read_gpt2, write_gpt2
from elf.evaluation.judge import load_judge, read_tokenizer
from elf.network.modules import abstract, bind

CONFIG = {
    "model_type": "gpt2",
    "vocab_size": 61,
    "n_positions": 40,
    "n_embd": 32,
    "n_layer": 2,
    "n_head": 4,
    "layer_norm_epsilon": 0.01,
    "eos_token_id": 0,
}


@pytest.fixture(scope="module")
def reference() -> dict[str, np.ndarray]:
    with np.load(Path(__file__).parent / "fixtures" / "gpt2_tiny.npz") as file:
        return dict(file)


@pytest.fixture(scope="module")
def weights(reference) -> dict[str, np.ndarray]:
    return {name.removeprefix("params/"): value for name, value in reference.items() if name.startswith("params/")}


@pytest.fixture
def folder(tmp_path: Path, weights) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    save_file(weights, tmp_path / "model.safetensors")
    return tmp_path


def call(config, params, method: str, ids):
    graphdef, _ = abstract(Gpt2, config)

    @jax.jit
    def run(params):
        network = bind(graphdef, params)
        return network.logits(network.hidden(ids)) if method == "logits" else network.next_token_nll(ids)

    return np.asarray(run(params))


def test_logits_are_hugging_faces(reference, folder: Path) -> None:
    logits = call(*read_gpt2(folder), "logits", reference["input_ids"])
    assert reference["logits"].std(axis=-1).mean() > 1
    np.testing.assert_allclose(logits, reference["logits"], atol=1e-4)


def test_likelihoods_are_those_of_the_logits_also_in_chunks(reference, folder: Path, monkeypatch) -> None:
    logits, ids = reference["logits"].astype(np.float64), reference["input_ids"]
    chances = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = [[-np.log(chances[b, j, ids[b, j + 1]]) for j in range(39)] for b in range(3)]
    np.testing.assert_allclose(call(*read_gpt2(folder), "nll", ids), expected, atol=1e-4)
    monkeypatch.setattr(gpt2, "HEAD_CHUNK", 16)  # 39 positions: the last chunk is filled up
    np.testing.assert_allclose(call(*read_gpt2(folder), "nll", ids), expected, atol=1e-4)


def test_weights_with_prefix_head_mask_and_in_several_files_are_the_same(folder: Path, weights) -> None:
    _, plain = read_gpt2(folder)
    (folder / "model.safetensors").unlink()
    masks = {"h.0.attn.bias": np.tril(np.ones((1, 1, 40, 40), bool)), "h.0.attn.masked_bias": np.array(-1e4)}
    whole = {f"transformer.{name}": value for name, value in (weights | masks).items()}
    whole["lm_head.weight"] = weights["wte.weight"]
    names = sorted(whole)
    parts = {"model-1-of-2.safetensors": names[:9], "model-2-of-2.safetensors": names[9:]}
    for file, held in parts.items():
        save_file({name: whole[name] for name in held}, folder / file)
    index = {name: file for file, held in parts.items() for name in held}
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    _, sharded = read_gpt2(folder)
    assert sharded.keys() == plain.keys()
    for name in plain:
        np.testing.assert_array_equal(sharded[name], plain[name], err_msg=name)
    for file in folder.glob("model*"):
        file.unlink()
    (folder / "pytorch_model.bin").write_bytes(pickle.dumps({f"module.{name}": whole[name] for name in names}))
    _, torch = read_gpt2(folder)
    for name in plain:
        np.testing.assert_array_equal(torch[name], plain[name], err_msg=name)


def test_half_precision_weights_are_read_as_float32(folder: Path, weights) -> None:
    for kind in (np.float16, ml_dtypes.bfloat16):
        save_file({name: value.astype(kind) for name, value in weights.items()}, folder / "model.safetensors")
        _, params = read_gpt2(folder)
        kernel = params["h_1/mlp/c_fc/kernel"]
        assert kernel.dtype == np.float32
        np.testing.assert_array_equal(kernel, weights["h.1.mlp.c_fc.weight"].astype(kind).astype(np.float32))


def test_what_is_written_is_what_was_read(folder: Path, weights, tmp_path: Path) -> None:
    config, params = read_gpt2(folder)
    write_gpt2(tmp_path / "copy", config, params, eos=0)
    assert load_file(tmp_path / "copy" / "model.safetensors").keys() == weights.keys()
    again, copied = read_gpt2(tmp_path / "copy")
    assert again == config and json.loads((tmp_path / "copy" / "config.json").read_text())["eos_token_id"] == 0
    np.testing.assert_array_equal(copied["h_0/attn/c_attn/kernel"], weights["h.0.attn.c_attn.weight"])


def change(folder: Path, weights, name: str, value: np.ndarray | None) -> None:
    changed = {other: array for other, array in weights.items() if other != name}
    save_file(changed if value is None else changed | {name: value}, folder / "model.safetensors")


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("h.1.mlp.c_fc.weight", None, r"needs h\.1\.mlp\.c_fc\.weight of shape \(32, 128\)"),
        ("h.1.mlp.c_fc.weight", np.zeros((128, 32), np.float32), r"h\.1\.mlp\.c_fc\.weight.* has \(128, 32\)"),
        ("h.2.ln_1.weight", np.zeros(32, np.float32), r"h\.2\.ln_1\.weight .*unknown"),
        ("lm_head.weight", np.zeros((61, 32), np.float32), "head of its own"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(folder: Path, weights, name, value, words) -> None:
    change(folder, weights, name, value)
    with pytest.raises(CheckpointMismatchError, match=words):
        read_gpt2(folder)


@pytest.mark.parametrize(
    ("field", "value", "error", "words"),
    [
        ("activation_function", "relu", CheckpointMismatchError, "activation_function 'relu'"),
        ("model_type", "llama", CheckpointMismatchError, "model_type 'llama'"),
        ("scale_attn_by_inverse_layer_idx", True, CheckpointMismatchError, "scale_attn_by_inverse_layer_idx"),
        ("n_head", 5, CheckpointError, "5 heads"),
        ("n_layer", "two", CheckpointError, "config.json"),
    ],
)
def test_other_architectures_are_refused_by_field(folder: Path, field, value, error, words) -> None:
    (folder / "config.json").write_text(json.dumps(CONFIG | {field: value}))
    with pytest.raises(error, match=words):
        read_gpt2(folder)


def test_broken_and_missing_files_are_named(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x00" * 20)
    with pytest.raises(CheckpointError, match=r"model\.safetensors cannot be read"):
        read_gpt2(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"index\.json"):
        read_gpt2(folder)
    (folder / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match=r"config\.json"):
        read_gpt2(folder)
    with pytest.raises(CheckpointError, match="no folder"):
        load_judge("./nowhere")


@pytest.fixture(scope="module")
def byte_level(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A byte-level BPE of one merge, "l" + "o", in both forms; byte-level means that every byte has a token."""
    folder = tmp_path_factory.mktemp("bpe")
    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train_from_iterator(["lo lo lo"], vocab_size=258, special_tokens=["<|endoftext|>"], show_progress=False)
    tokenizer.save_model(str(folder))
    tokenizer.save(str(folder / "tokenizer.json"))
    return folder


def test_vocab_and_merges_make_the_same_tokenizer_as_tokenizer_json(byte_level: Path, tmp_path: Path) -> None:
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((byte_level / name).read_bytes())
    text = "low loß  über\n日本<|endoftext|>lo"
    tokens = read_tokenizer(tmp_path).encode(text).tokens
    assert tokens[:4] == ["lo", "w", "Ġ", "lo"] and tokens[-2:] == ["<|endoftext|>", "lo"]
    assert tokens == read_tokenizer(byte_level).encode(text).tokens
    assert read_tokenizer(tmp_path).decode(read_tokenizer(tmp_path).encode("loß 日本").ids) == "loß 日本"


def test_a_tokenizer_of_more_ids_than_the_judge_is_refused(folder: Path, byte_level: Path) -> None:
    with pytest.raises(CheckpointError, match="no tokenizer"):
        load_judge(folder)
    (folder / "tokenizer.json").write_bytes((byte_level / "tokenizer.json").read_bytes())
    with pytest.raises(CheckpointMismatchError, match="257"):
        load_judge(folder)


def test_a_name_of_the_hub_is_downloaded_without_what_is_not_read(
    folder: Path, tokenizer_file: Path, monkeypatch
) -> None:
    (folder / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    asked = {}

    def snapshot_download(name, revision, allow_patterns):
        asked.update(name=name, revision=revision, patterns=allow_patterns)
        return str(folder)

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    judge = load_judge("openai-community/gpt2-large", revision="main")
    assert judge.config.n_embd == 32 and judge.eos == 0
    assert asked["name"] == "openai-community/gpt2-large" and asked["revision"] == "main"
    assert "model*.safetensors" in asked["patterns"] and not any("bin" in pattern for pattern in asked["patterns"])


def test_without_a_connection_the_error_says_what_to_do(monkeypatch) -> None:
    def snapshot_download(*_, **__):
        raise LocalEntryNotFoundError("outgoing traffic has been disabled")

    monkeypatch.setattr("huggingface_hub.snapshot_download", snapshot_download)
    with pytest.raises(HubError, match="outgoing traffic") as caught:
        load_judge("openai-community/gpt2-large")
    assert "hf download openai-community/gpt2-large" in caught.value.action and "train-judge" in caught.value.action


@pytest.mark.parametrize(
    "change", [{"n_inner": {}}, {"n_inner": 0}, {"layer_norm_epsilon": {}}, {"layer_norm_epsilon": "x"}]
)
def test_fields_that_are_no_numbers(folder: Path, change: dict) -> None:
    facts = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(facts | change))
    with pytest.raises(CheckpointError, match="does not describe a GPT-2"):
        read_gpt2(folder)


def test_more_layers_than_there_are_weights_of_are_not_made(folder: Path) -> None:
    facts = json.loads((folder / "config.json").read_text())
    for layers, kind in ((999, CheckpointMismatchError), (2**40, CheckpointError), (1.5, CheckpointError)):
        (folder / "config.json").write_text(json.dumps(facts | {"n_layer": layers}))
        with pytest.raises(kind, match="n_layer"):
            read_gpt2(folder)
