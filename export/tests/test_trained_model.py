"""A model at rest: what is written is read back, and a write that breaks off leaves the model before it."""

import json
import weakref
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elf.checkpoints.stored_tensors import LazyWeights
from elf.config import ElfConfig, FlowConfig
from elf.dev.make_random import random_params
from elf.errors import CheckpointError, DiskFullError
from elf.models import trained_model
from elf.models.trained_model import TrainedModel, load_trained_model, save_trained_model
from elf.network.parameters import parameter_shapes

ELF = ElfConfig(depth=1, hidden_size=8, heads=2, latent_size=4, bottleneck_size=4, vocabulary_size=9, max_length=8)


def model(seed: int) -> TrainedModel:
    params = random_params(parameter_shapes(ELF), seed)
    return TrainedModel("test", ELF, FlowConfig(noise_scale=1.5), params, latent_mean=np.arange(4, dtype=np.float32))


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    save_trained_model(model(1), tmp_path)
    back = load_trained_model(tmp_path)
    assert back.flow.noise_scale == 1.5 and back.elf == ELF and back.tokenizer is None
    np.testing.assert_array_equal(back.latent_mean, np.arange(4))
    for name, value in model(1).params.items():
        np.testing.assert_array_equal(back.params[name], value)


def test_what_x_hat_starts_with_is_kept_and_was_zero_before_it_was(tmp_path: Path) -> None:
    save_trained_model(model(1), tmp_path)
    assert load_trained_model(tmp_path).flow.self_cond_start == "condition"
    path = tmp_path / "config.json"
    config = json.loads(path.read_text())
    del config["flow"]["self_cond_start"]
    path.write_text(json.dumps(config))
    assert load_trained_model(tmp_path).flow == FlowConfig(noise_scale=1.5, self_cond_start="zero")


def test_weights_in_files_are_written_one_at_a_time(tmp_path: Path) -> None:
    params = random_params(parameter_shapes(ELF), 3)
    read: list[weakref.ref] = []

    class OnDisk:
        def __init__(self, name: str):
            self.name, self.shape = name, params[name].shape

        def read(self) -> np.ndarray:
            assert sum(each() is not None for each in read) <= 1
            array = params[self.name].copy()
            read.append(weakref.ref(array))
            return array

    lazy = LazyWeights({name: OnDisk(name) for name in params})
    save_trained_model(replace(model(1), params=lazy), tmp_path)
    written = load_trained_model(tmp_path).params
    assert written.keys() == params.keys()
    for name, value in params.items():
        np.testing.assert_array_equal(written[name], value)


def test_a_write_that_breaks_off_leaves_the_model_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_trained_model(model(1), tmp_path)

    def break_off(path, shapes, arrays):
        Path(path).write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(trained_model, "write_safetensors", break_off)
    with pytest.raises(DiskFullError, match=r"model\.safetensors could not be written"):
        save_trained_model(model(2), tmp_path)
    np.testing.assert_array_equal(load_trained_model(tmp_path).params["proj_bias"], model(1).params["proj_bias"])
    assert not list(tmp_path.glob("*.partial"))


@pytest.mark.parametrize(
    "change",
    [
        {"name": None},
        {"training": "x"},
        {"latent_mean": "x"},
        {"latent_std": True},
        {"latent_mean": [[1.0]]},
        {"latent_std": [float("nan")]},
        {"latent_mean": ["a"]},
        {"elf": {"depth": 2**40}},
        {"flow": {"t_eps": -1}},
        {"flow": None},
    ],
)
def test_a_configuration_that_no_training_wrote(tmp_path: Path, change: dict) -> None:
    save_trained_model(model(1), tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    for name, value in change.items():
        config[name] = {**config[name], **value} if isinstance(value, dict) else value
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="cannot be read"):
        load_trained_model(tmp_path)
