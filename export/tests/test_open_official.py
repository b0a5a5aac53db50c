"""An official checkpoint with its encoder and tokenizer, opened as a model without a configuration of its training."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sentencepiece
from sentencepiece import sentencepiece_model_pb2

from elf.checkpoints.official import (
    CHECKPOINTS,
    FetchedFile,
    SourceRecord,
    model_name,
    newest_checkpoint,
    parts_of,
    read_source,
    sampling_of,
    task_of,
)
from elf.checkpoints.stored_tensors import LazyWeights
from elf.cli import main
from elf.config import PRESETS, SamplerSettings, T5Config
from elf.data.tokenizer_json import convert_sentencepiece
from elf.dev.make_random import TINY, random_params
from elf.dev.random_checkpoint import write_elf_checkpoint, write_t5
from elf.errors import CheckpointError, CheckpointMismatchError, ElfError, UsageError
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.text_encoder import load_encoder, tokenizer_file
from elf.network.parameters import parameter_shapes

SHARED_T5 = Path(__file__).parents[2].parent / "shared/tokenizers/t5"
SMALL = replace(TINY, depth=1, vocabulary_size=60)
T5 = T5Config(vocabulary_size=60, d_model=SMALL.latent_size, d_kv=8, d_ff=16, layers=1, heads=2)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two checkpoints of a network and its encoder, under names that say nothing of what they are."""
    folder = tmp_path_factory.mktemp("official")
    write_elf_checkpoint(folder / "checkpoint_900", "torch", SMALL, 3)
    write_elf_checkpoint(folder / "checkpoint_1000", "msgpack", SMALL, 5)
    write_t5(folder / "encoder.pkl", "t5-pickle", T5, 7)
    return folder


def test_the_weights_alone_are_enough(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = open_model(folder / "checkpoint_1000")
    assert model.elf == replace(SMALL, max_length=1024)
    assert (model.latent_mean, model.latent_std, model.flow.noise_scale) == (0.0, 0.2, 2.0)
    assert model.sampling == SamplerSettings(32, "sde", 1.5, 3.0) and model.encoder is None and not model.source
    assert isinstance(model.params, LazyWeights)
    for name, value in random_params(parameter_shapes(SMALL), 5).items():
        np.testing.assert_array_equal(model.params[name], value)
    said = capsys.readouterr().err
    assert "1 blocks of width 64, 4 heads, 60 tokens; taking ema_params1 of ema_params1, params" in said
    assert "taken for owt" in said and "works on ids" in said
    assert isinstance(open_model(folder / "checkpoint_1000").in_memory().params, dict)


def test_what_is_given_holds(folder: Path, tokenizer_file: Path) -> None:
    options = CheckpointOptions(
        encoder=str(folder / "encoder.pkl"),
        tokenizer=str(tokenizer_file),
        task="de-en",
        max_input_length=20,
        latent_mean=0.5,
        latent_std=2.0,
        raw=True,
    )
    model = open_model(folder, options=options)  # of a folder the newest
    assert (model.elf.max_length, model.elf.max_input_length, model.encoder) == (128, 20, T5)
    assert (model.latent_mean, model.latent_std, model.training["steps"]) == (0.5, 2.0, 95_000)
    assert model.sampling == SamplerSettings(64, "ode", 1.5, 1.0, cfg_scale=2.0) and model.tokenizer == tokenizer_file
    np.testing.assert_array_equal(model.params["proj_bias"], random_params(parameter_shapes(SMALL), 6)["proj_bias"])


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"task": "xsum"}, CheckpointError, "no encoder to read it with"),
        ({"max_length": 8, "max_input_length": 8, "encoder": "E"}, CheckpointMismatchError, "leaves none of 8"),
        ({"max_length": 0}, CheckpointMismatchError, "max_length is 0"),
        ({"latent_std": 0.0}, CheckpointMismatchError, "deviation is 0"),
        ({"encoder": "nothing.pkl"}, CheckpointError, "no readable encoder"),
        ({"encoder": "checkpoint_1000"}, CheckpointError, "Flax msgpack, holds no T5 encoder"),
        ({"tokenizer": "encoder.pkl"}, CheckpointError, "as a tokenizer"),
    ],
)
def test_what_does_not_fit_is_named(folder: Path, options: dict, kind: type[ElfError], message: str) -> None:
    for name in ("encoder", "tokenizer"):
        if name in options:
            options = options | {name: str(folder / options[name].replace("E", "encoder.pkl"))}
    with pytest.raises(kind, match=message):
        open_model(folder / "checkpoint_1000", options=CheckpointOptions(**options))


def test_an_encoder_of_another_width_is_named(folder: Path, tmp_path: Path, tokenizer_file: Path) -> None:
    for change, message in (
        ({"d_model": 16}, "shared/embedding is 16 wide, the network's proj_kernel 32"),
        ({"vocabulary_size": 59}, "reads 59 tokens, the network writes 60"),
    ):
        file = tmp_path / f"{next(iter(change))}.pkl"
        write_t5(file, "t5-pickle", replace(T5, **change), 0)
        with pytest.raises(CheckpointMismatchError, match=message):
            open_model(folder, options=CheckpointOptions(encoder=str(file)))
    write_elf_checkpoint(tmp_path / "few", "safetensors", replace(SMALL, vocabulary_size=50), 0)
    with pytest.raises(CheckpointMismatchError, match="tokenizer has 60 tokens, the network's unembed_kernel names 50"):
        open_model(tmp_path / "few", options=CheckpointOptions(tokenizer=str(tokenizer_file)))


def test_a_fetched_folder_says_all(folder: Path, tmp_path: Path, tokenizer_file: Path) -> None:
    for name in ("checkpoint_1000", "encoder.pkl"):
        (tmp_path / name).symlink_to(folder / name)
    (tmp_path / "tokenizer.json").symlink_to(tokenizer_file)
    data = (tmp_path / "encoder.pkl").read_bytes()
    file = FetchedFile("encoder.pkl", len(data), hashlib.sha256(data).hexdigest(), "a/b", "f" * 40)
    record = SourceRecord(
        *("embedded-language-flows/ELF-B-de-en", "0" * 40, "checkpoint_1000", (file,)),
        encoder="encoder.pkl",
        tokenizer="tokenizer.json",
    )
    record.write(tmp_path)
    assert read_source(tmp_path) == record
    for path in (tmp_path, tmp_path / "checkpoint_1000"):
        model = open_model(path)
        assert (model.name, model.elf.max_length, model.elf.max_input_length) == ("ELF-B-de-en", 128, 64)
        assert model.encoder == T5 and model.tokenizer == tmp_path / "tokenizer.json"
        assert model.source == {"repository": "embedded-language-flows/ELF-B-de-en", "revision": "0" * 40}
    (tmp_path / "source.json").write_text('{"repository": 3')
    with pytest.raises(CheckpointError, match=r"source\.json cannot be read"):
        open_model(tmp_path)


def test_a_folder_downloaded_otherwise_is_read_too(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.pt").symlink_to(folder / "checkpoint_900")
    (tmp_path / "README.md").write_text("card")
    (tmp_path / ".cache").mkdir()
    (tmp_path / ".cache" / "checkpoint_3").write_text("of a download")
    assert open_model(tmp_path).training["format"] == "torch archive"
    (tmp_path / "more.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"several checkpoints: more\.safetensors, weights\.pt"):
        open_model(tmp_path)


def test_a_model_of_this_project_brings_its_own(tmp_path: Path) -> None:
    assert main(["make-random", "--out", str(tmp_path / "own")]) == 0
    with pytest.raises(UsageError, match="--task, --latent-std: a model of this project"):
        open_model(tmp_path / "own", options=CheckpointOptions(task="owt", latent_std=1.0))
    with pytest.raises(UsageError, match="one set of weights"):
        open_model(tmp_path / "own", options=CheckpointOptions(raw=True))
    (tmp_path / "own" / "manifest.json").write_text("{}")
    with pytest.raises(CheckpointError, match=r"manifest\.json cannot be read"):
        open_model(tmp_path / "own")


def test_sample_takes_a_checkpoint_and_its_settings(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["sample", str(folder), "--task", "de-en", "--max-length", "8", "--max-input-length", "4", "--json"]
    command += ["--encoder", str(folder / "encoder.pkl"), "--prompt-ids", "5,6", "--steps", "2"]
    assert main(command) == 0
    settings = json.loads(capsys.readouterr().out)["settings"]
    expected = {"steps": 2, "method": "ode", "cfg_scale": 2.0, "self_cond_scale": 1.0, "length": 8, "seed": 7}
    assert {name: settings[name] for name in expected} == expected
    assert main([*command, "--method", "sde", "--gamma", "-1"]) == 2
    assert "gamma is -1" in capsys.readouterr().err


def test_official_names() -> None:
    assert model_name("embedded-language-flows/ELF-B-PD-owt-torch") == "ELF-B-PD-owt"
    assert model_name("someone/ELF-B-owt") is None and len(CHECKPOINTS) == 11
    assert [task_of(name) for name in ("ELF-B-de-en", "ELF-B-xsum", "ELF-M-owt", None)] == [
        *("de-en", "xsum"),
        *("owt", "owt"),
    ]
    # The published settings (spec section 3).
    assert sampling_of("ELF-L-owt", "owt") == SamplerSettings(64, "sde", 1.0, 3.0)
    assert sampling_of("ELF-B-PD-owt", "owt").self_cond_scale == 2.5
    assert sampling_of(None, "xsum") == SamplerSettings(64, "ode", self_cond_scale=1.0, cfg_scale=2.0)


def test_the_newest_checkpoint_is_chosen_by_its_number() -> None:
    def choose(*paths: str) -> str:
        return newest_checkpoint(paths, "the folder", "Choose.")

    assert choose("checkpoint_900", "checkpoint_1000", "README.md") == "checkpoint_1000"
    assert choose("checkpoint_900/_METADATA", "checkpoint_1000/d/x", "checkpoint_1000/_METADATA") == "checkpoint_1000"
    assert choose("out/checkpoint_7.pt", "checkpoint_6.pt") == "out/checkpoint_7.pt"
    assert choose("model.safetensors", "config.json") == "model.safetensors"
    shards = [f"model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = "model.safetensors.index.json"
    assert choose(*shards, index) == index and parts_of(index, [*shards, index, "a.bin"]) == shards
    for paths, message in (
        (["a.pt", "b.pt"], "several checkpoints: a.pt, b.pt"),
        (["x/checkpoint_5", "y/checkpoint_5"], "several"),
        (["checkpoint_5.orbax-checkpoint-tmp-3/d/x"], "no checkpoint"),
        ([], "no checkpoint"),
    ):
        with pytest.raises(CheckpointError, match=message):
            choose(*paths)


def spiece(path: Path) -> Path:
    """A SentencePiece model with T5's special tokens."""
    sentences = [f"Die {i} kleinen Katzen schlafen, und der Hund № {i}½ läuft." for i in range(40)]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(sentences),
        model_prefix=str(path.with_suffix("")),
        vocab_size=70,
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        eos_piece="</s>",
        unk_piece="<unk>",
        minloglevel=2,
        num_threads=1,
    )
    return path


def test_a_sentencepiece_file_becomes_a_tokenizer(tmp_path: Path) -> None:
    file = spiece(tmp_path / "spiece.model")
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(file))
    for name in (file, tmp_path):
        tokenizer = load_json(tokenizer_file(name))
        assert tokenizer.get_vocab_size() == 170 and tokenizer.token_to_id("<extra_id_0>") == 169
        for text in ("Der Hund schläft.", "  zwei   Lücken ", "ﬁ und ½", "tab\there", "日本", ""):
            assert tokenizer.encode(text, add_special_tokens=False).ids == pieces.encode(text)
            assert tokenizer.encode(text).ids == [*pieces.encode(text), 1]
        assert tokenizer.encode("Hund <extra_id_0> läuft", add_special_tokens=False).ids.count(169) == 1
    file.write_bytes(b"\xff" * 30)
    with pytest.raises(CheckpointError, match="as a tokenizer"):
        convert_sentencepiece(file)


def load_json(path: Path):
    import tokenizers

    return tokenizers.Tokenizer.from_file(str(path))


@pytest.mark.skipif(not SHARED_T5.is_dir(), reason="T5's own files are not shipped; put them in ../shared")
def test_t5s_own_sentencepiece_file_becomes_its_own_tokenizer() -> None:
    ours = json.loads(convert_sentencepiece(SHARED_T5 / "spiece.model").to_str())
    assert ours == json.loads((SHARED_T5 / "tokenizer.json").read_text())


def test_the_encoder_of_every_form_is_the_same(tmp_path: Path) -> None:
    fixture = Path(__file__).parent / "fixtures" / "torch_t5_tiny.bin"
    config, params = load_encoder(fixture)
    assert config == T5Config(vocabulary_size=10, d_model=6, d_kv=4, d_ff=14, layers=1, heads=2)
    # The formula of fixtures/make_torch_checkpoints.py, for the last weight by name.
    np.testing.assert_array_equal(
        params["shared/embedding"], ((7 * 10 + np.arange(60) % 61) / 64).reshape(10, 6).astype(np.float32)
    )
    kernel = params["encoder/block_0/layer_1/DenseReluDense/wi/kernel"]
    number = sorted(params).index("encoder/block_0/layer_1/DenseReluDense/wi/kernel")
    np.testing.assert_array_equal(kernel, ((7 * number + np.arange(84) % 61) / 64).reshape(6, 14).astype(np.float32))


def test_the_shapes_of_all_sizes_are_read(tmp_path: Path) -> None:
    """From names and shapes alone: no weight of these is made."""
    from elf.network.parameters import elf_config

    class Tensor:
        def __init__(self, shape):
            self.shape = shape

        def read(self):
            raise AssertionError("read")

    for config in PRESETS.values():
        weights = LazyWeights({name: Tensor(shape) for name, shape in parameter_shapes(config).items()})
        assert elf_config(weights, 1024, 0) == config


@pytest.mark.parametrize(
    "change",
    [
        {"checkpoint": "../secret"},
        {"checkpoint": None},
        {"encoder": "/etc/passwd"},
        {"tokenizer": 3},
        {"repository": None},
        {"files": {"a": 1}},
        {"files": [{"path": "a"}]},
        {"more": 1},
    ],
)
def test_a_record_that_elf_fetch_did_not_write(tmp_path: Path, change: dict) -> None:
    file = FetchedFile("a", 1, "0", "a/b", "f" * 40)
    SourceRecord("a/b", "0" * 40, "a", (file,)).write(tmp_path)
    record = json.loads((tmp_path / "source.json").read_text())
    assert read_source(tmp_path) == SourceRecord("a/b", "0" * 40, "a", (file,))
    (tmp_path / "source.json").write_text(json.dumps(record | change))
    with pytest.raises(CheckpointError, match=r"source\.json cannot be read"):
        read_source(tmp_path)


def test_a_table_of_normalisations_that_is_none(tmp_path: Path) -> None:
    file = spiece(tmp_path / "spiece.model")
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(file.read_bytes())
    model.normalizer_spec.precompiled_charsmap = b"\xff" * 9
    file.write_bytes(model.SerializeToString())
    with pytest.raises(CheckpointError, match="no SentencePiece model of T5's kind"):
        convert_sentencepiece(file)
