"""Encoders and tokenizers in the layout of Hugging Face: from a folder, and from the hub by name."""

import json
import pickle
from pathlib import Path

import flax.serialization
import huggingface_hub
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from elf.errors import CheckpointError, CheckpointMismatchError, HubError
from elf.models.text_encoder import load_encoder, tokenizer_file

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


def written(folder: Path, weights: dict[str, np.ndarray]) -> Path:
    """The same T5 in a folder with these weights."""
    folder.mkdir()
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(CONFIG))
    return folder


@pytest.mark.parametrize("table", ["encoder.embed_tokens.weight", "decoder.embed_tokens.weight", "lm_head.weight"])
@pytest.mark.parametrize("prefix", ["", "text_encoder.", "model.", "module.model.", "cond_stage_model.transformer."])
def test_the_table_may_have_any_of_its_names_behind_any_prefix(
    t5: Path, tmp_path: Path, table: str, prefix: str
) -> None:
    _, expected = load_encoder(t5)
    weights = load_file(t5 / "model.safetensors")
    weights[table] = weights.pop("shared.weight")
    _, params = load_encoder(written(tmp_path / "other", {prefix + name: value for name, value in weights.items()}))
    assert params.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(params[name], value)


def test_an_encoder_saved_by_itself_is_read(t5: Path, tmp_path: Path) -> None:
    weights = load_file(t5 / "model.safetensors")
    weights["encoder.embed_tokens.weight"] = weights.pop("shared.weight")
    alone = {name.removeprefix("encoder."): value for name, value in weights.items() if name.startswith("encoder.")}
    _, params = load_encoder(written(tmp_path / "alone", alone))
    np.testing.assert_array_equal(params["shared/embedding"], weights["encoder.embed_tokens.weight"])
    assert params.keys() == load_encoder(t5)[1].keys()


def test_of_several_encoders_that_of_texts_is_read(t5: Path, tmp_path: Path) -> None:
    weights = load_file(t5 / "model.safetensors")
    both = {f"image_encoder.{name}": value + 1 for name, value in weights.items()}
    both |= {f"text_encoder.{name}": value for name, value in weights.items()}
    _, expected = load_encoder(t5)
    _, params = load_encoder(written(tmp_path / "both", both))
    np.testing.assert_array_equal(params["shared/embedding"], expected["shared/embedding"])


def test_weights_without_a_table_or_of_a_decoder_are_no_encoder(t5: Path, tmp_path: Path) -> None:
    weights = load_file(t5 / "model.safetensors")
    del weights["shared.weight"]
    with pytest.raises(CheckpointError, match="holds no T5 encoder"):
        load_encoder(written(tmp_path / "none", weights))
    decoder = {name.replace("encoder.", "decoder."): value for name, value in weights.items()}
    with pytest.raises(CheckpointError, match="holds no T5 encoder"):
        load_encoder(written(tmp_path / "decoder", decoder | {"shared.weight": np.ones((64, 32), np.float32)}))


def in_shards(t5: Path, stem: str, suffix: str) -> Path:
    """The weights of a folder cut into three files with an index, in the layout of Hugging Face."""
    weights = load_file(t5 / "model.safetensors")
    (t5 / "model.safetensors").unlink()
    places = {name: f"{stem}-{1 + i % 3:05}-of-00003.{suffix}" for i, name in enumerate(sorted(weights))}
    for file in set(places.values()):
        part = {name: weights[name] for name in weights if places[name] == file}
        if suffix == "safetensors":
            save_file(part, t5 / file)
        else:
            (t5 / file).write_bytes(pickle.dumps(part) if suffix == "bin" else flax.serialization.to_bytes(part))
    index = t5 / f"{stem}.{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": places}))
    return index


@pytest.mark.parametrize(
    ("stem", "suffix"), [("model", "safetensors"), ("pytorch_model", "bin"), ("flax_model", "msgpack")]
)
def test_weights_in_several_files_with_an_index(t5: Path, stem: str, suffix: str) -> None:
    _, expected = load_encoder(t5)
    index = in_shards(t5, stem, suffix)
    for path in (t5, index):
        _, params = load_encoder(path)
        assert params.keys() == expected.keys()
        for name, value in expected.items():
            np.testing.assert_array_equal(params[name], value)


def test_what_is_wrong_with_an_index_is_named(t5: Path) -> None:
    index = in_shards(t5, "model", "safetensors")
    places = json.loads(index.read_text())["weight_map"]

    def load(changes: dict[str, str | None]) -> None:
        kept = {name: file for name, file in (places | changes).items() if file is not None}
        index.write_text(json.dumps({"weight_map": kept}))
        load_encoder(t5)

    # A decoder's file may be missing.
    load({"decoder.block.0.layer.0.SelfAttention.q.weight": "model-00004-of-00004.safetensors"})
    with pytest.raises(CheckpointError, match=r"says that it is in model-00009\.safetensors, which is not there"):
        load({"encoder.final_layer_norm.weight": "model-00009.safetensors"})
    other = next(file for file in places.values() if file != places["shared.weight"])
    with pytest.raises(CheckpointError, match=f"says that it is in {other}, which lacks it"):
        load({"shared.weight": other})
    for name in ("../model.safetensors", "/etc/passwd", "", "a\\b"):
        with pytest.raises(CheckpointError, match="is no name of a file beside it"):
            load({"shared.weight": name})
    for text, message in (("{", "as an index"), ("[]", "as an index"), ("{}", "it has no weight_map")):
        index.write_text(text)
        with pytest.raises(CheckpointError, match=message):
            load_encoder(t5)


def test_a_repository_without_safetensors_is_asked_for_other_weights(t5: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    index = in_shards(t5, "pytorch_model", "bin")
    hidden = [*t5.glob("pytorch_model*")]
    asked = []

    def download(name: str, allow_patterns: list[str]) -> str:
        asked.append(allow_patterns)
        for file in hidden:
            place = t5 / file.name
            wanted = any(Path(file.name).match(pattern) for pattern in allow_patterns)
            stored[file.name] = stored.get(file.name) or file.read_bytes()
            place.write_bytes(stored[file.name]) if wanted else place.unlink(missing_ok=True)
        return str(t5)

    stored: dict[str, bytes] = {}
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    assert load_encoder("a/t5")[0].d_model == 32 and index.is_file()
    assert "model.safetensors.index.json" in asked[0] and "model-*-of-*.safetensors" in asked[0]


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
