"""A training carried away and back: packed, trained with JAX alone, made a model."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_training import write_experiment

from elf import cli
from elf.burst import train
from elf.burst.train import read_carried, read_weights, write_weights
from elf.config_file import load_config
from elf.dev.make_random import random_model, random_params
from elf.errors import CheckpointError, UsageError
from elf.models.open_model import open_model
from elf.models.text_encoder import load_encoder
from elf.models.trained_model import save_trained_model
from elf.network.parameters import parameter_shapes
from elf.training.train_config import TrainConfig

ROOT = Path(__file__).parents[1]

WITHOUT_THE_REST = """
import sys
KNOWN = {"jax", "jaxlib", "flax", "optax", "numpy", "ml_dtypes", "elf"}
PACKAGES = {"datasets", "pyarrow", "grain", "tokenizers", "sentencepiece", "safetensors", "tyro", "yaml", "tqdm",
            "tensorboardX", "huggingface_hub", "onnx", "onnxruntime", "matplotlib", "fsspec", "torch"}
import flax.nnx, optax.contrib
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in PACKAGES:
            raise ImportError(f"{name} is not on this machine")
sys.meta_path.insert(0, Missing())
from elf.burst import train
train.main(sys.argv[1:])
"""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory, prepared, tokenizer_file, encoder) -> Path:
    folder = tmp_path_factory.mktemp("burst")
    return write_experiment(folder / "tiny.yml", prepared, tokenizer_file, encoder)


@pytest.fixture(scope="module")
def folder(tiny) -> Path:
    out = tiny.parent / "carried"
    assert cli.main(["burst", "pack", "--config", str(tiny), "--out", str(out)]) == 0
    return out


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "losses.jsonl").read_text().splitlines()]


class Clock:
    """Half a second later whenever somebody looks."""

    now = 0.0

    def monotonic(self) -> float:
        self.now += 0.5
        return self.now


@pytest.mark.slow("two processes without anything but JAX compile a training each")
def test_trains_with_jax_alone_goes_on_and_comes_back_as_a_model(tiny, folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = [str(folder), "--out", str(out)]
    code = [sys.executable, "-c", WITHOUT_THE_REST]
    paths = {"PYTHONPATH": str(ROOT / "src")}
    subprocess.run([*code, *words, "--minutes", "0.01", "--part", "1/3"], check=True, cwd=tmp_path, env=paths)
    facts = read_weights(out)[1]
    assert facts["steps"] >= 1

    monkeypatch.setattr(train, "LOG_STEPS", 5)
    monkeypatch.setattr(train, "time", Clock())
    for part in ("2/3", "3/3"):
        train.main([*words, "--minutes", "1", "--part", part])
    weights, later = read_weights(out)
    assert later["steps"] > facts["steps"] + 60 and later["seconds"] > facts["seconds"] + 110
    rates = [row["rate"] for row in lines(out)[1:]]
    assert 0.7 < rates[0] < 0.8 and rates[-1] == 0 and sorted(rates, reverse=True) == rates, "the rest of a cosine"
    decode = [row["decode_loss"] for row in lines(out)[1:] if "decode_loss" in row]
    assert decode[-1] < decode[0] - 0.2

    made = tmp_path / "made"
    given = ["--config", str(tiny), "--folder", str(folder), "--weights", str(out), "--out", str(made)]
    assert cli.main(["burst", "unpack", *given]) == 0
    model = open_model(str(made))
    assert model.params.keys() == weights.keys()
    assert all(np.array_equal(model.params[name], value) for name, value in weights.items())
    assert model.training["steps"] == later["steps"]
    # The burst's own, not those of a training that the same configuration made here.
    for name in ("loss", "decode_loss"):
        newest = [row[name] for row in lines(out)[-10:] if name in row]
        assert model.training["losses"][name] == pytest.approx(np.mean(newest), abs=1e-4)


def test_what_is_carried_is_what_a_training_sees(tiny, folder):
    """Rows, encoder and statistics are those of `elf train`."""
    from elf.data.rows import batch_at, open_dataset

    config, packed = load_config(TrainConfig, tiny), read_carried(folder)
    dataset = open_dataset(config.data, None, None)
    batch = batch_at(dataset, 0, batch_size=8, length=32, pad_token=1, seed=0)
    rows = {(*ids, length) for ids, length in zip(packed.ids.tolist(), packed.length, strict=True) for ids in [ids]}
    assert {(*ids, real.sum()) for ids, real in zip(batch.ids.tolist(), batch.real, strict=True)} <= rows
    assert packed.elf == config.elf and packed.flow == config.flow and packed.optimizer == config.optimizer
    assert packed.start is None and packed.mean.shape == (16,)


def test_latents_are_those_of_start_whatever_lies_in_out(tiny, folder, tmp_path):
    """They were taken from the run of the same configuration, whose weights were not packed."""
    own = random_model(read_carried(folder).elf)
    encoder, params = load_encoder(load_config(TrainConfig, tiny).encoder)
    for place, mean in (("start", 0.25), ("out", 0.5)):
        model = replace(own, encoder=encoder, encoder_params=params, latent_mean=np.full(16, mean, np.float32))
        save_trained_model(model, tmp_path / place / "model")
    (tmp_path / "out/checkpoints/checkpoint_3").mkdir(parents=True)
    words = ["burst", "pack", "--config", str(tiny), "--out", str(tmp_path / "carried"), f"out={tmp_path / 'out'}"]
    assert cli.main([*words, f"start={tmp_path / 'start'}"]) == 0
    assert (read_carried(tmp_path / "carried").mean == 0.25).all()
    assert cli.main(words) == 0
    np.testing.assert_array_equal(read_carried(tmp_path / "carried").mean, read_carried(folder).mean)


def test_what_is_packed_anew_begins_with_no_weights_of_before(folder, tmp_path):
    carried = train.read_carried(folder)
    train.write_carried(replace(carried, start={"kernel": np.ones((2, 2), np.float32)}), tmp_path)
    assert train.read_carried(tmp_path).start.keys() == {"kernel"}
    train.write_carried(carried, tmp_path)
    assert train.read_carried(tmp_path).start is None


def test_the_rate_rises_and_ends_at_rest():
    rates = [train.rate_at(way) for way in np.linspace(0, 1, 101)]
    assert rates[0] == 0 and max(rates) == pytest.approx(1) and rates[-1] == pytest.approx(0)
    assert np.argmax(rates) == 2 and sorted(rates[2:], reverse=True) == rates[2:]


def test_batches_go_on_where_they_were_and_hold_every_row_once_an_epoch():
    whole = [next(of) for of in [train.shuffled(10, 4, 0, 0)] for _ in range(4)]
    later = train.shuffled(10, 4, 0, 2)
    assert [next(later).tolist() for _ in range(2)] == [of.tolist() for of in whole[2:]]
    assert len({*whole[0], *whole[1]}) == 8
    assert next(train.shuffled(3, 4, 0, 0)).tolist()


def test_weights_come_in_parts_and_whole_again(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "PART_BYTES", 100)
    random = np.random.default_rng(0)
    params = {"a": random.normal(size=(7, 11)), "b": random.normal(size=()), "c": random.normal(size=(64,))}
    write_weights(tmp_path, params, {"steps": 3})
    assert len(list(tmp_path.glob("*.bin"))) == 3
    assert max(file.stat().st_size for file in tmp_path.glob("*.bin")) <= 100
    again, facts = read_weights(tmp_path)
    assert facts == {"steps": 3}
    assert all(np.array_equal(again[name], value.astype(np.float16)) for name, value in params.items())
    (tmp_path / "weights-00002.bin").write_bytes(b"short")
    with pytest.raises(CheckpointError, match="bytes"):
        read_weights(tmp_path)


def test_a_save_that_is_cut_off_leaves_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(train, "PART_BYTES", 100)
    saves = [{"a": np.full(99, number, np.float32)} for number in range(4)]
    write_weights(tmp_path, saves[0], {"steps": 0})
    write = Path.write_bytes

    def cut(self, content):
        if self.name.startswith("weights-00002"):
            raise OSError("taken away")
        return write(self, content)

    for last, (params, steps) in enumerate(zip(saves[1:], (1, 2, 3), strict=True)):
        with monkeypatch.context() as patch, pytest.raises(OSError, match="taken away"):
            patch.setattr(Path, "write_bytes", cut)
            write_weights(tmp_path, params, {"steps": steps})
        again, facts = read_weights(tmp_path)
        assert facts == {"steps": last} and (again["a"] == last).all()
        write_weights(tmp_path, params, {"steps": steps})
        again, facts = read_weights(tmp_path)
        assert facts == {"steps": steps} and (again["a"] == steps).all() and len([*tmp_path.glob("*.bin")]) == 2


def test_a_model_is_made_with_the_settings_that_were_packed_alone(tiny, folder, tmp_path, capsys):
    """Overrides left out at `unpack` made a model of another noise than it was trained with."""
    params = random_params(parameter_shapes(read_carried(folder).elf), 0)
    write_weights(tmp_path / "w", params, {"steps": 3, "seconds": 9})
    words = ["--folder", str(folder), "--weights", str(tmp_path / "w"), "--out", str(tmp_path / "made")]
    command = ["burst", "unpack", "--config", str(tiny), *words]
    for word, said in (
        ("flow.noise_scale=2", "flow.noise_scale is 2.0, and was packed as 1.0"),
        ("seed=4", "seed is 4, and was packed as 0"),
        ("optimizer.blr=0.1", "optimizer.blr is 0.1, and was packed as 0.3"),
    ):
        assert cli.main([*command, word]) == 2
        assert said in capsys.readouterr().err
    for word, said in (
        ("objective=literal", "a burst knows objective shared alone"),
        ("start=runs/else", "start is 'runs/else', and was packed as None"),
    ):
        assert cli.main([*command, word]) == 2
        assert said in capsys.readouterr().err
    # What it is called is nobody's business.
    command.append("name=other")
    (tmp_path / "w/losses.jsonl").write_text("")
    # Of another training.
    (tiny.parent / "out").mkdir(exist_ok=True)
    (tiny.parent / "out/metrics.jsonl").write_text("{")
    assert cli.main(command) == 0 and (tmp_path / "made/model").is_dir()
    (tiny.parent / "out/metrics.jsonl").unlink()
    told = open_model(str(tmp_path / "made")).training
    optimizer = told["config"]["optimizer"]
    assert (optimizer["schedule"], optimizer["warmup_steps"], told["config"]["steps"]) == ("cosine", 0, 3)
    assert "optimizer.schedule" in {deviation["field"] for deviation in told["deviations"]}


def test_weights_that_are_no_numbers_are_not_saved(tiny, tmp_path, monkeypatch):
    packed, out = tmp_path / "packed", tmp_path / "out"
    assert cli.main(["burst", "pack", "--config", str(tiny), "--out", str(packed), "flow.decoder_prob=0"]) == 0
    shapes = parameter_shapes(load_config(TrainConfig, tiny).elf)
    nothing = {name: np.full(shape, np.nan, np.float32) for name, shape in shapes.items()}
    write_weights(packed / "start", nothing, {"steps": 0, "seconds": 0})
    monkeypatch.setattr(train, "SAVE_SECONDS", 0)
    with pytest.raises(UsageError, match="left the finite numbers before step 1"):
        train.main([str(packed), "--out", str(out), "--minutes", "1"])
    assert not list(out.glob("*.safetensors")) and not list(out.glob("weights*"))


def test_what_cannot_be_is_said(tiny, tmp_path, capsys):
    for part in ("3/2", "0/1", "1", "a/b"):
        with pytest.raises(UsageError, match="--part"):
            train.read_part(part)
    with pytest.raises(CheckpointError, match="cannot be read"):
        read_carried(tmp_path)
    pack = ["burst", "pack", "--config", str(tiny), "--out", str(tmp_path / "none")]
    assert cli.main([*pack, "objective=literal"]) == 2
    assert "a burst knows objective shared alone, not literal" in capsys.readouterr().err
    assert cli.main([*pack, "resume=runs/x"]) == 2
    said = capsys.readouterr().err
    assert "a burst does not resume" in said and "start=runs/x" in said
    assert cli.main([*pack, "guesses.share=0.5"]) == 2
    assert "a burst knows guesses.share 0.0 alone, not 0.5" in capsys.readouterr().err


def test_archives_that_are_none(tmp_path, folder) -> None:
    for name in ("rows.npz", "encoder.npz"):
        for content in (b"PK\x03\x04", b"x", b"\x93NUMPY\x01\0", (folder / name).read_bytes()[:-9]):
            copy = shutil.copytree(folder, tmp_path / "copy", dirs_exist_ok=True)
            (copy / name).write_bytes(content)
            with pytest.raises(CheckpointError, match="cannot be read"):
                read_carried(copy)
