"""Which weights an evaluation takes from a training's output folder, and what it says of those it cannot read."""

import itertools
import json
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any, get_args

import jax
import numpy as np
import optax
import pytest
import yaml
from conftest import stories
from safetensors.numpy import save_file

from elf.checkpoints.official import SourceRecord
from elf.config import FlowConfig
from elf.data.prepare import Arguments as Prepare
from elf.data.prepare import main as prepare
from elf.dev.make_random import TINY, random_model, random_params
from elf.dev.random_checkpoint import ElfFormat, write_elf_checkpoint
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.models.open_model import open_model, read_weights
from elf.models.run_folder import RunSettings
from elf.models.trained_model import fingerprint, load_trained_model, save_trained_model
from elf.network.parameters import parameter_shapes
from elf.training.checkpoint import Checkpoints, start_weights
from elf.training.run_record import remember_settings
from elf.training.step import TrainState
from elf.training.step_inputs import FrozenEncoder
from elf.training.train import Arguments as Train
from elf.training.train import main as train
from elf.training.train_config import TrainConfig

SMALL = replace(TINY, depth=1, max_length=8, vocabulary_size=60)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    model = random_model(SMALL, tokenizer=tokenizer_file)
    model.training = {"steps": 40, "epoch": 0.8, "seconds": 7, "losses": {"loss": 0.5}, "corpus": "tales"}
    folder = tmp_path_factory.mktemp("plain")
    save_trained_model(model, folder)
    return folder


@pytest.fixture(scope="module")
def run(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of a training: its model is of step 40, and its weights twice as large at step 50."""
    folder = tmp_path_factory.mktemp("training")
    model = load_trained_model(plain)
    save_trained_model(model, folder / "model")
    doubled = {name: 2 * value for name, value in model.params.items()}
    state = TrainState(jax.device_put(model.params), jax.device_put(doubled), optax.adam(1e-3).init(model.params))
    checkpoints = Checkpoints(folder / "checkpoints", keep=5)
    for step in (40, 50):
        checkpoints.save(step, {"state": state, "seconds": np.zeros(())})
    checkpoints.close()
    return folder


def test_the_newest_checkpoint_of_a_training_is_read_itself(run: Path, plain: Path) -> None:
    unfinished = run / "checkpoints" / "checkpoint_60.orbax-checkpoint-tmp-1"
    unfinished.mkdir()
    newest = open_model(run).in_memory()
    # How long step 50 took, and what it lost, its model's folder does not say.
    assert newest.training == {"steps": 50, "epoch": 1.0, "corpus": "tales"} and unfinished.is_dir()
    kernel = load_trained_model(plain).params["proj_kernel"]
    np.testing.assert_array_equal(newest.params["proj_kernel"], 2 * kernel)
    # The model folder is of step 40: it is taken for that checkpoint.
    of_40 = open_model(run / "checkpoints" / "checkpoint_40").in_memory()
    np.testing.assert_array_equal(of_40.params["proj_kernel"], kernel)
    assert of_40.training["losses"] == {"loss": 0.5}


def test_a_checkpoint_is_known_from_inside_its_folder(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(run / "checkpoints")
    found, expected = open_model("checkpoint_40"), open_model(run / "checkpoints" / "checkpoint_40")
    assert (found.elf, found.flow, found.tokenizer) == (expected.elf, expected.flow, expected.tokenizer)
    assert found.tokenizer is not None


def test_a_training_without_a_model_yet_is_known_by_its_configuration(
    run: Path, plain: Path, prepared: Path, tmp_path: Path
) -> None:
    (tmp_path / "checkpoints").symlink_to(run / "checkpoints")
    with pytest.raises(CheckpointError, match=r"nor a config\.yml"):
        open_model(tmp_path).in_memory()
    model = load_trained_model(plain)
    encoder = tmp_path / "encoder"
    encoder.mkdir()
    (encoder / "encoder.json").write_text(json.dumps({"config": asdict(model.encoder)}))
    save_file(model.encoder_params, encoder / "encoder.safetensors")
    config = {
        "name": "test",
        "data": str(prepared / "train"),
        "encoder": str(encoder),
        "tokenizer": str(plain / "tokenizer.json"),
        "out": "elsewhere",
        "steps": 100,
        "elf": asdict(SMALL),
        "latent_normalisation": "official",
    }
    (tmp_path / "given.yml").write_text(yaml.safe_dump(config))
    # What a person leaves out is the default; a training leaves out what there was not yet.
    assert open_model(tmp_path, tmp_path / "given.yml").flow.self_cond_start == "condition"
    (tmp_path / "config.yml").write_text(yaml.safe_dump({**config, "flow": {"noise_scale": 1.5}}))
    assert open_model(tmp_path).in_memory().flow == FlowConfig(noise_scale=1.5, self_cond_start="zero")
    (tmp_path / "config.yml").write_text(yaml.safe_dump({**config, "flow": {"self_cond_start": "condition"}}))
    opened = open_model(tmp_path).in_memory()
    assert opened.flow.self_cond_start == "condition"
    assert (opened.name, opened.elf, opened.latent_std, opened.training["steps"]) == ("test", SMALL, 0.2, 50)
    np.testing.assert_array_equal(opened.params["proj_kernel"], 2 * model.params["proj_kernel"])
    np.testing.assert_array_equal(opened.encoder_params["shared/embedding"], model.encoder_params["shared/embedding"])


def test_a_checkpoint_that_cannot_be_read_is_named(run: Path) -> None:
    with pytest.raises(CheckpointError, match="checkpoint_70"):
        open_model(run / "checkpoints" / "checkpoint_70").in_memory()
    newest = run / "checkpoints" / "checkpoint_50"
    with pytest.raises(CheckpointMismatchError, match="blocks_1"):
        read_weights(newest, replace(SMALL, depth=2))
    (newest / "default" / "_METADATA").write_text("{")
    with pytest.raises(CheckpointError, match="checkpoint_50 cannot be read"):
        open_model(run).in_memory()
    with pytest.raises(CheckpointError, match="neither a model nor a checkpoint"):
        open_model(run / "nothing").in_memory()


@pytest.mark.parametrize("words", [("pad_token=pad",), ("pad_token=eos",), ("pad_token=eos", "filling=unseen")])
@pytest.mark.parametrize("conditional", [False, True])
def test_statistics_are_measured_as_the_training_measured_them(
    experiment: Path,
    tokenizer_file: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    conditional: bool,
    words: tuple[str, ...],
) -> None:
    """Also where the checkpoint of a training has no `model` beside it any more."""
    if conditional:
        (tmp_path / "pairs.tsv").write_text("".join(f"{text[:40]}\t{text[40:]}\n" for text in stories()))
        prepare(Prepare(corpus=tmp_path / "pairs.tsv", tokenizer=tokenizer_file, out=tmp_path / "pairs", held_out=0.1))
        words = (*words, f"data={tmp_path / 'pairs' / 'train'}", "elf.max_input_length=7")
    measured: list[FrozenEncoder] = []

    def stop_here(config: TrainConfig, resolved: Any, encoder: FrozenEncoder, *_: Any, **__: Any) -> None:
        measured.append(encoder)
        remember_settings(config)
        checkpoints = Checkpoints(config.out / "checkpoints")
        params = jax.device_put(random_params(parameter_shapes(config.elf), 0))
        checkpoints.save(1, {"state": TrainState(params, params, {}), "seconds": np.zeros(())})
        checkpoints.close()
        raise InterruptedError

    monkeypatch.setattr("elf.training.train.make_train_step", stop_here)
    with pytest.raises(InterruptedError):
        train(Train(experiment, words))
    opened = open_model(tmp_path / "out")
    np.testing.assert_array_equal(opened.latent_mean, measured[0].mean)
    np.testing.assert_array_equal(opened.latent_std, measured[0].std)


def test_what_a_run_is_known_by_has_the_defaults_of_a_training() -> None:
    ours = {field.name: field for field in fields(RunSettings)}
    theirs = {field.name: field for field in fields(TrainConfig)}
    for name, field in ours.items():
        assert field.default == theirs[name].default and field.default_factory == theirs[name].default_factory, name
    for pad_token, recipe, filling in itertools.product(("pad", "eos"), ("own", "official"), (None, "seen", "unseen")):
        settings: dict[str, Any] = {"pad_token": pad_token, "recipe": recipe, "filling": filling}
        run = RunSettings("n", "d", "e", "t", **settings)
        config = TrainConfig("n", "d", "e", "t", Path("o"), steps=1, **settings)
        assert run.sees_filling == config.sees_filling


def test_one_opener_for_every_origin(tmp_path: Path, tokenizer_file: Path, run: Path) -> None:
    """The same weights in every form; each opens by its path alone, and starts a training."""
    params = random_params(parameter_shapes(SMALL), 3)
    for form in get_args(ElfFormat):
        write_elf_checkpoint(tmp_path / f"{form}_checkpoint", form, SMALL, 3)
    np.savez(tmp_path / "weights.npz", **params)
    save_trained_model(replace(random_model(SMALL, tokenizer=tokenizer_file), params=params), tmp_path / "model")
    names = [*(f"{form}_checkpoint" for form in get_args(ElfFormat)), "weights.npz", "model"]
    for name in names:
        for model in (open_model(str(tmp_path / name)), open_model(tmp_path / name, weights_only=True)):
            np.testing.assert_array_equal(model.params["proj_kernel"], params["proj_kernel"])
            np.testing.assert_array_equal(start_weights(model, SMALL)["proj_bias"], params["proj_bias"])
    assert start_weights(open_model(str(run / "model")), SMALL).keys() == params.keys()


def test_weights_alone_need_no_encoder(tmp_path: Path) -> None:
    write_elf_checkpoint(tmp_path / "checkpoint_1", "msgpack", SMALL, 3)
    record = SourceRecord("embedded-language-flows/ELF-B-xsum", "0" * 40, "checkpoint_1", ())
    record.write(tmp_path)
    with pytest.raises(CheckpointError, match="no encoder to read it with"):
        open_model(tmp_path)
    assert start_weights(open_model(str(tmp_path), weights_only=True), SMALL).keys() == parameter_shapes(SMALL).keys()


def test_fingerprints_tell_weights_apart() -> None:
    one = {"a": np.arange(3.0), "b": np.ones(2)}
    assert (
        fingerprint(one)
        == fingerprint({"b": np.ones(2), "a": np.arange(3.0)})
        != fingerprint({**one, "b": np.zeros(2)})
    )
    assert len(fingerprint(one)) == 16
