"""Encoders and tokenizers in the layout of Hugging Face: from a folder, and from the hub by name."""

import json
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import save_file

from elf.errors import CheckpointError, CheckpointMismatchError, HubError
from elf.models.pretrained import load_encoder, tokenizer_file

CONFIG = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}

# Names as Hugging Face writes them, one of each kind.
NAMES = {
    "shared.weight": "shared/embedding",
    "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": (
        "encoder/block_0/layer_0/SelfAttention/relative_attention_bias/rel_embedding"
    ),
    "encoder.block.1.layer.0.SelfAttention.q.weight": "encoder/block_1/layer_0/SelfAttention/q/kernel",
    "encoder.block.0.layer.1.DenseReluDense.wi.weight": "encoder/block_0/layer_1/DenseReluDense/wi/kernel",
    "encoder.block.1.layer.1.layer_norm.weight": "encoder/block_1/layer_1/layer_norm/weight",
    "encoder.final_layer_norm.weight": "encoder/final_layer_norm/weight",
}


@pytest.fixture
def t5(tmp_path: Path) -> Path:
    """The weights of fixtures/t5_tiny.npz in Hugging Face's layout, with a decoder's weight among them."""
    with np.load(Path(__file__).parent / "fixtures" / "t5_tiny.npz") as file:
        params = {name.removeprefix("params/"): file[name] for name in file.files if name.startswith("params/")}
    weights = {"decoder.block.0.layer.0.SelfAttention.q.weight": np.zeros((2, 2), np.float32)}
    for name, value in params.items():
        path, last = name.rsplit("/", 1)
        for part in ("block", "layer"):
            for i in range(2):
                path = path.replace(f"{part}_{i}", f"{part}.{i}")
        weights[path.replace("/", ".") + ".weight"] = np.ascontiguousarray(value.T if last == "kernel" else value)
    folder = tmp_path / "t5"
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG | {"feed_forward_proj": "relu"}))
    (folder / "tokenizer.json").write_text("{}")
    return folder


def test_a_t5_of_hugging_face_is_read(t5: Path) -> None:
    config, params = load_encoder(t5)
    assert (config.d_model, config.layers, config.relative_buckets) == (32, 2, 32)
    with np.load(Path(__file__).parent / "fixtures" / "t5_tiny.npz") as file:
        for name in NAMES.values():
            np.testing.assert_array_equal(params[name], file[f"params/{name}"])
    assert not any("decoder" in name for name in params)


def test_the_hub_is_asked_by_name(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, allow_patterns: asked.append(name) or str(t5)
    )
    assert load_encoder("google-t5/t5-small")[0].d_model == 32
    assert tokenizer_file("google-t5/t5-small") == t5 / "tokenizer.json"
    assert asked == ["google-t5/t5-small"] * 2
    assert tokenizer_file(t5 / "tokenizer.json") == tokenizer_file(t5)


def test_what_cannot_be_had_is_named(t5: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(name, allow_patterns):
        raise ConnectionError("no route to the hub")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    with pytest.raises(HubError, match="no folder a/b") as caught:
        load_encoder("a/b")
    assert "config.json, model.safetensors" in caught.value.action
    with pytest.raises(CheckpointError, match="no readable encoder"):
        load_encoder(tmp_path / "nowhere")
    (t5 / "config.json").write_text(json.dumps(CONFIG | {"feed_forward_proj": "gated-gelu"}))
    with pytest.raises(CheckpointMismatchError, match="gated-gelu"):
        load_encoder(t5)
    (t5 / "config.json").write_text(json.dumps(CONFIG | {"num_layers": 3}))
    with pytest.raises(CheckpointMismatchError, match=r"says num_layers 3, the weights .* have 2"):
        load_encoder(t5)
    (t5 / "config.json").write_text("{")
    with pytest.raises(CheckpointError, match="no readable encoder"):
        load_encoder(t5)
    with pytest.raises(CheckpointError, match=r"holds no tokenizer\.json"):
        tokenizer_file(tmp_path)
