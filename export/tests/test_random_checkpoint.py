"""`elf make-random --format`: what it writes is read by the library that defines the form, and by this project."""

import pickle
from pathlib import Path

import flax.serialization
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors.numpy import load_file

from elf.checkpoints.elf_in_file import read_elf_weights
from elf.cli import main
from elf.config import ElfConfig, T5Config
from elf.dev.make_random import TINY, random_params
from elf.dev.random_checkpoint import write_elf_checkpoint, write_t5
from elf.errors import CheckpointMismatchError, DiskFullError
from elf.models.text_encoder import load_encoder, read_t5_weights
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes

SMALL = ElfConfig(depth=2, hidden_size=8, heads=2, latent_size=4, bottleneck_size=2, vocabulary_size=12, max_length=16)
T5 = T5Config(vocabulary_size=12, d_model=4, d_kv=2, d_ff=6, layers=2, heads=2)
GROUPS = {"ema_params1": 5, "params": 6}


def flat(tree: dict) -> dict[str, np.ndarray]:
    return {"/".join(path): np.asarray(value) for path, value in flatten_dict(tree).items()}


def assert_equal(found: dict, seed: int) -> None:
    expected = random_params(parameter_shapes(SMALL), seed)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


@pytest.mark.parametrize("form", ["msgpack", "orbax", "torch", "safetensors"])
def test_a_checkpoint_is_read_back(tmp_path: Path, form) -> None:
    path = tmp_path / "checkpoint_95000"
    write_elf_checkpoint(path, form, SMALL, 5)
    found = read_elf_weights(path)
    assert (found.step, found.epoch) == ((None, None) if form == "safetensors" else (95_000, 5.0))
    for group, seed in GROUPS.items():
        assert_equal(dict(found.groups[group]), seed)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]


def test_flax_reads_the_msgpack_file(tmp_path: Path) -> None:
    write_elf_checkpoint(tmp_path / "file", "msgpack", SMALL, 5)
    state = flax.serialization.msgpack_restore((tmp_path / "file").read_bytes())
    assert set(state) == {"params", "ema_params1", "opt_state", "step", "epoch", "dropout_rng"}
    for group, seed in GROUPS.items():
        assert_equal(flat(state[group]), seed)
    assert state["opt_state"]["0"]["count"] == 95_000
    assert {name: value.shape for name, value in flat(state["opt_state"]["0"]["mu"]).items()} == parameter_shapes(SMALL)


def test_orbax_and_safetensors_read_theirs(tmp_path: Path) -> None:
    write_elf_checkpoint(tmp_path / "folder", "orbax", SMALL, 5)
    state = ocp.PyTreeCheckpointer().restore(tmp_path / "folder")
    write_elf_checkpoint(tmp_path / "file", "safetensors", SMALL, 5)
    tensors = load_file(tmp_path / "file")
    for group, seed in GROUPS.items():
        assert_equal(flat(state[group]), seed)
        assert_equal(
            {name.removeprefix(f"{group}/"): each for name, each in tensors.items() if name.startswith(group)}, seed
        )


@pytest.mark.parametrize("form", ["t5-pickle", "t5-torch", "t5-safetensors", "t5-msgpack"])
def test_an_encoder_is_read_back(tmp_path: Path, form) -> None:
    write_t5(tmp_path / "t5", form, T5, 5)
    found, expected = read_t5_weights(tmp_path / "t5"), random_params(encoder_parameter_shapes(T5), 5)
    assert set(found) == set(expected)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value)


def test_an_encoder_has_the_names_of_its_form(tmp_path: Path) -> None:
    write_t5(tmp_path / "pickle", "t5-pickle", T5, 5)
    tree = pickle.loads((tmp_path / "pickle").read_bytes())
    assert tree["encoder"]["block_1"]["layer_1"]["DenseReluDense"]["wo"]["kernel"].shape == (6, 4)
    write_t5(tmp_path / "safetensors", "t5-safetensors", T5, 5)
    tensors = load_file(tmp_path / "safetensors")
    assert tensors["encoder.block.1.layer.1.DenseReluDense.wo.weight"].shape == (4, 6)
    assert tensors["encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"].shape == (32, 2)
    assert tensors["shared.weight"].shape == (12, 4)


def test_hugging_faces_flax_names_are_read(tmp_path: Path) -> None:
    params = random_params(encoder_parameter_shapes(T5), 5)
    theirs = {"decoder/final_layer_norm/weight": np.ones(4, np.float32), "lm_head/kernel": np.ones((4, 12), np.float32)}
    for name, value in params.items():
        spelt = name.replace("block_", "block/").replace("layer_0", "layer/0").replace("layer_1", "layer/1")
        theirs[spelt.replace("rel_embedding", "embedding")] = value
    assert "encoder/block/1/layer/0/SelfAttention/q/kernel" in theirs
    tree = unflatten_dict({tuple(name.split("/")): value for name, value in theirs.items()})
    (tmp_path / "flax_model.msgpack").write_bytes(flax.serialization.to_bytes(tree))
    config, found = load_encoder(tmp_path)
    assert config == T5 and set(found) == set(params)
    for name, value in params.items():
        np.testing.assert_array_equal(found[name], value)


def test_gated_encoders_are_refused_by_name(tmp_path: Path) -> None:
    tree = {"shared": {"embedding": np.ones((3, 2), np.float32)}}
    gated = {"wi_0": {"kernel": np.ones((2, 4))}, "wi_1": {"kernel": np.ones((2, 4))}}
    tree |= {"encoder": {"block_0": {"layer_1": {"DenseReluDense": gated}}}}
    (tmp_path / "t5.pkl").write_bytes(pickle.dumps({"params": tree}))
    with pytest.raises(CheckpointMismatchError, match=r"gated T5 .* encoder/block_0/layer_1/DenseReluDense/wi_0"):
        read_t5_weights(tmp_path / "t5.pkl")


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "checkpoint_95000"
    assert main(["make-random", "--format", "torch", "--out", str(out)]) == 0
    assert dict(read_elf_weights(out).groups["params"].shapes) == parameter_shapes(TINY)
    capsys.readouterr()
    # What is there already may be the real one.
    assert main(["make-random", "--format", "msgpack", "--out", str(out)]) == 2
    assert "OutputExistsError" in capsys.readouterr().err


def test_a_disk_that_fills_up_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("elf.dev.random_checkpoint._Writer._array", full)
    with pytest.raises(DiskFullError, match="checkpoint_1 could not be written"):
        write_elf_checkpoint(tmp_path / "checkpoint_1", "msgpack", SMALL, 5)
    assert not any(tmp_path.iterdir())
