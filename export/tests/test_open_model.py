"""Which weights an evaluation takes from a training's output folder, and what it says of those it cannot read."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import jax
import numpy as np
import optax
import pytest
import yaml
from safetensors.numpy import save_file

from elf.config import FlowConfig
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.models.fingerprint import fingerprint
from elf.models.make_random import TINY, random_model
from elf.models.open_model import open_model, read_weights
from elf.models.trained_model import load_trained_model, save_trained_model
from elf.training.checkpoint import Checkpoints
from elf.training.step import TrainState

SMALL = replace(TINY, depth=1, max_length=8, vocabulary_size=60)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    model = random_model(SMALL, tokenizer=tokenizer_file)
    model.training = {"steps": 40}
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
    assert newest.training["steps"] == 50 and unfinished.is_dir()
    kernel = load_trained_model(plain).params["proj_kernel"]
    np.testing.assert_array_equal(newest.params["proj_kernel"], 2 * kernel)
    # The model folder is of step 40: it is taken for that checkpoint.
    of_40 = open_model(run / "checkpoints" / "checkpoint_40").in_memory()
    np.testing.assert_array_equal(of_40.params["proj_kernel"], kernel)


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


def test_fingerprints_tell_weights_apart() -> None:
    one = {"a": np.arange(3.0), "b": np.ones(2)}
    assert (
        fingerprint(one)
        == fingerprint({"b": np.ones(2), "a": np.arange(3.0)})
        != fingerprint({**one, "b": np.zeros(2)})
    )
    assert len(fingerprint(one)) == 16
