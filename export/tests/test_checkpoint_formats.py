"""Official checkpoints in every form they are published in, each written by the library that defines the form."""

import json
import pickle
import subprocess
import sys
import zipfile
from pathlib import Path

import flax.serialization
import jax.numpy as jnp
import ml_dtypes
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax.core import freeze
from flax.traverse_util import unflatten_dict
from safetensors.numpy import save_file
from simulated_devices import simulated

from elf.checkpoints.elf_in_file import read_elf_weights
from elf.checkpoints.formats import format_of, read_tree
from elf.checkpoints.stored_tensors import LazyWeights, leaves, tensors
from elf.config import ElfConfig
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.network.parameters import elf_config, parameter_shapes

FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = ElfConfig(depth=2, hidden_size=8, heads=2, latent_size=4, bottleneck_size=2, vocabulary_size=12, max_length=16)


def weights(seed: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    return {name: draws.standard_normal(shape, np.float32) for name, shape in parameter_shapes(CONFIG).items()}


def nested(params: dict[str, np.ndarray]) -> dict:
    return unflatten_dict({tuple(name.split("/")): value for name, value in params.items()})


@pytest.fixture(scope="module")
def state() -> dict:
    """The tree that the official code saves."""
    return {
        "params": nested(weights(0)),
        "ema_params1": nested(weights(1)),
        "opt_state": {"0": {"mu": nested(weights(2)), "count": np.int32(9)}, "1": {}},
        "step": 1234,
        "epoch": 2.5,
        "dropout_rng": np.array([0, 7], np.uint32),
    }


def assert_is_the_checkpoint(path: Path, kind: str) -> None:
    found = read_elf_weights(path)
    assert (found.format, found.step, found.epoch, set(found.groups)) == (kind, 1234, 2.5, {"params", "ema_params1"})
    for raw, name, seed in ((False, "ema_params1", 1), (True, "params", 0)):
        group, params = found.chosen(raw)
        assert group == name and set(params) == set(weights(seed))
        for weight, value in weights(seed).items():
            assert params.shapes[weight] == value.shape
            np.testing.assert_array_equal(params[weight], value)
    assert elf_config(found.chosen(False)[1], 16, 0) == CONFIG


def test_flax_msgpack(state: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "checkpoint_1234"
    file.write_bytes(flax.serialization.to_bytes(state))
    assert_is_the_checkpoint(file, "Flax msgpack")
    # Arrays above a gigabyte are cut in pieces.
    monkeypatch.setattr(flax.serialization, "MAX_CHUNK_SIZE", 256)
    file.write_bytes(flax.serialization.to_bytes(state))
    assert b"__msgpack_chunked_array__" in file.read_bytes()
    assert_is_the_checkpoint(file, "Flax msgpack")


def test_flax_msgpack_of_all_kinds_of_leaves(tmp_path: Path) -> None:
    tree = {
        "f": [np.float16(1.5), np.float64(2), jnp.ones(2, jnp.bfloat16)],
        "n": {"i": -1, "j": -(2**40), "k": 300, "none": None, "yes": True, "x": 1.25, "text": "ü" * 40, "c": 1 + 2j},
        "long": {str(i): i for i in range(20)} | {"x" * 300: np.zeros((0, 3), np.int64)},
    }
    file = tmp_path / "leaves"
    file.write_bytes(flax.serialization.to_bytes(tree))
    found = dict(leaves(read_tree(file)[1]))
    assert [found[f"n/{name}"] for name in ("i", "j", "k", "none", "yes", "x", "text")] == [
        *(-1, -(2**40), 300, None, True, 1.25),
        "ü" * 40,
    ]
    assert found["f/0"] == 1.5 and found["f/1"] == 2 and found["f/2"].read().tolist() == [1, 1]
    assert found["f/2"].dtype == ml_dtypes.bfloat16 and found[f"long/{'x' * 300}"].shape == (
        0,
        3,
    )
    assert found["long/17"] == 17


@pytest.mark.parametrize("inside", ["", "default"])
def test_orbax_folder(state: dict, tmp_path: Path, inside: str) -> None:
    folder = tmp_path / "checkpoint_1234"
    ocp.PyTreeCheckpointer().save(folder / inside, state)
    assert_is_the_checkpoint(folder, "Orbax folder")


SAVED_ON_FOUR = """
import sys, jax, numpy as np, orbax.checkpoint as ocp
from jax.sharding import Mesh, NamedSharding, PartitionSpec as P
mesh = Mesh(np.array(jax.devices()), ("rows",))
put = lambda value, *axes: jax.device_put(value, NamedSharding(mesh, P(*axes)))
tree = {"w": put(np.arange(8.0), "rows"), "state": [{"count": put(np.int32(7))}, {"mu": put(np.ones(4))}], "step": 3}
assert len(jax.devices()) == 4
ocp.PyTreeCheckpointer().save(sys.argv[1], tree)
"""


@pytest.mark.slow("a process of its own with four devices")
def test_an_orbax_folder_of_more_devices_than_here(tmp_path: Path) -> None:
    """Arrays in lists and numbers that are arrays too, as an optimizer's state has them."""
    subprocess.run([sys.executable, "-c", SAVED_ON_FOUR, str(tmp_path / "c")], env=simulated(4), check=True)
    found = {name: value.read().tolist() for name, value in tensors(read_tree(tmp_path / "c")[1]).items()}
    assert found == {"w": [*range(8)], "state/0/count": 7, "state/1/mu": [1] * 4, "step": 3}


def test_safetensors(tmp_path: Path) -> None:
    file = tmp_path / "model"
    save_file(weights(1), file)
    found = read_elf_weights(file)
    assert (found.format, found.step, set(found.groups)) == ("safetensors", None, {"params"})
    # The only weights there are, are taken without being asked for.
    for raw in (False, True):
        assert all((found.chosen(raw)[1][name] == value).all() for name, value in weights(1).items())
    save_file({f"ema_params1/{name}": value.astype(np.float16) for name, value in weights(1).items()}, file)
    found = read_elf_weights(file)
    assert found.chosen(False)[0] == "ema_params1" and found.chosen(False)[1]["proj_kernel"].dtype == np.float32
    with pytest.raises(CheckpointError, match="no params, only ema_params1"):
        found.chosen(True)


@pytest.mark.parametrize("start", [b"\x80\x02", b"\x80\x04", b"\x1f\x8b", b"<\x01", b"\x82\x01", b"BZh"])
def test_safetensors_whose_length_looks_like_another_form(tmp_path: Path, start: bytes) -> None:
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    length = int.from_bytes(start, "little")
    file = tmp_path / "model"
    file.write_bytes(length.to_bytes(8, "little") + header.ljust(length) + np.float32(1.5).tobytes())
    kind, tree = read_tree(file)
    assert kind == "safetensors" and tensors(tree)["a"].read().tolist() == [1.5]


def formula(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """What fixtures/make_torch_checkpoints.py says it wrote."""
    return {
        name: ((7 * i + np.arange(np.prod(shapes[name])) % 61) / 64).reshape(shapes[name]).astype(np.float32)
        for i, name in enumerate(sorted(shapes))
    }


def test_an_archive_that_torch_wrote() -> None:
    found = read_elf_weights(FIXTURES / "torch_elf_tiny.pt")
    assert (found.format, found.step, found.epoch) == ("torch archive", 1234, 2.5)
    params = found.chosen(False)[1]
    config = elf_config(params, 16, 0)
    assert (config.depth, config.heads, config.time_tokens, config.self_cond_cfg_tokens, config.mode_tokens) == (
        *(1, 2),
        *(3, 2, 1),
    )
    for group in found.groups.values():
        for name, value in formula(parameter_shapes(config)).items():
            # The raw weights are bfloat16, which holds these numbers to eight bits.
            tolerance = 0 if group is params else 2**-8
            np.testing.assert_allclose(group[name], value, rtol=tolerance)
            assert group[name].dtype == np.float32 and group[name].flags.c_contiguous


def test_pickles_of_arrays(tmp_path: Path) -> None:
    file = tmp_path / "t5.pkl"
    arrays = {
        "c": np.arange(6, dtype=np.float32).reshape(2, 3),
        "f": np.asfortranarray(np.arange(6, dtype=np.float16).reshape(2, 3)),
        "b": np.arange(4).astype(ml_dtypes.bfloat16),
        "j": jnp.arange(3.0),
        "empty": np.zeros((0, 2), np.int64),
    }
    for protocol in (2, 3, 4, 5):
        for tree in ({"a": arrays, "n": [np.float32(1.5), 2]}, freeze({"a": arrays, "n": {"0": 1.5, "1": 2}})):
            file.write_bytes(pickle.dumps(tree, protocol))
            kind, found = read_tree(file)
            assert kind == "NumPy pickle"
            assert {name: value for name, value in leaves(found) if name.startswith("n/")} == {"n/0": 1.5, "n/1": 2}
            for name, tensor in tensors(found).items():
                expected = np.asarray(arrays[name.removeprefix("a/")])
                assert tensor.read().dtype == expected.dtype
                np.testing.assert_array_equal(tensor.read(), expected)
    file.write_bytes(pickle.dumps({("shared", "embedding"): np.ones(2)}))
    assert list(tensors(read_tree(file)[1])) == ["shared/embedding"]


def cut(file: Path, share: float) -> None:
    data = file.read_bytes()
    file.write_bytes(data[: int(share * len(data))])


@pytest.mark.parametrize("kind", ["Flax msgpack", "torch archive", "safetensors", "NumPy pickle"])
def test_a_file_cut_short_is_named(state: dict, tmp_path: Path, kind: str) -> None:
    file = tmp_path / "cut"
    for share in (0.3, 0.7, 0.999):
        if kind == "Flax msgpack":
            file.write_bytes(flax.serialization.to_bytes(state))
        elif kind == "torch archive":
            file.write_bytes((FIXTURES / "torch_elf_tiny.pt").read_bytes())
        elif kind == "safetensors":
            save_file(weights(1), file)
        else:
            file.write_bytes(pickle.dumps(weights(1)))
        cut(file, share)
        with pytest.raises(CheckpointError, match=f"cannot be read as {kind}"):
            read_tree(file)


def test_any_byte_of_a_header_may_be_wrong(state: dict, tmp_path: Path) -> None:
    """Whatever a damaged file says, it is read or refused by name; numbers that change go unnoticed, of course."""
    file = tmp_path / "damaged"
    draws = np.random.default_rng(0)
    small = {"params": {"unembed_kernel": np.ones((2, 2), np.float32), "b": np.ones(3)}, "step": 1}
    save_file(weights(1), tmp_path / "whole")
    for whole in (
        flax.serialization.to_bytes(small),
        (FIXTURES / "torch_t5_tiny.bin").read_bytes(),
        pickle.dumps(small),
        (tmp_path / "whole").read_bytes()[:4000],
    ):
        for _ in range(150):
            data = bytearray(whole)
            data[draws.integers(len(data))] = draws.integers(256)
            file.write_bytes(data)
            try:
                for tensor in LazyWeights(tensors(read_tree(file)[1])).items():
                    assert tensor[1].size < 10_000
            except CheckpointError:
                pass


@pytest.mark.parametrize(
    ("start", "message"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00", "Git LFS"),
        (b"<!DOCTYPE html><html>", "web page"),
        (b"", "is empty"),
        (b"\x1f\x8b\x08", "no checkpoint"),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path: Path, start: bytes, message: str) -> None:
    file = tmp_path / "checkpoint_1"
    file.write_bytes(start)
    with pytest.raises(CheckpointError, match=message):
        format_of(file)
    with pytest.raises(CheckpointError, match="without a checkpoint"):
        format_of(tmp_path)
    with pytest.raises(CheckpointError, match="No such file"):
        format_of(tmp_path / "nothing")


def test_zip_files_that_are_none_of_torch_or_compressed(tmp_path: Path) -> None:
    file = tmp_path / "archive.pt"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(CheckpointError, match=r"no data\.pkl"):
        read_tree(file)
    with zipfile.ZipFile(FIXTURES / "torch_t5_tiny.bin") as whole, zipfile.ZipFile(file, "w", 8) as archive:
        for entry in whole.namelist():
            archive.writestr(entry, whole.read(entry))
    same = tensors(read_tree(FIXTURES / "torch_t5_tiny.bin")[1])
    for name, tensor in tensors(read_tree(file)[1]).items():
        np.testing.assert_array_equal(tensor.read(), same[name].read())


def test_what_has_no_weights_of_an_elf_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no weights of an ELF; it has decoder\.final_layer_norm\.weight"):
        read_elf_weights(FIXTURES / "torch_t5_tiny.bin")
    file = tmp_path / "header"
    header = json.dumps({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 80]}}).encode()
    file.write_bytes(len(header).to_bytes(8, "little") + header + bytes(8))
    with pytest.raises(CheckpointError, match="lies outside"):
        read_tree(file)


def test_numbers_that_are_none_are_named(tmp_path: Path) -> None:
    broken = weights(1) | {"proj_bias": np.full(4, np.nan, np.float32)}
    save_file(broken, tmp_path / "model")
    params = read_elf_weights(tmp_path / "model").chosen(False)[1]
    with pytest.raises(CheckpointError, match="proj_bias holds values that are no finite"):
        params["proj_bias"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"blocks_1/mlp/w3/kernel": None},
            r"needs blocks_1/mlp/w3/kernel of shape \(21, 8\), which the checkpoint lacks",
        ),
        ({"blocks_1/norm1/weight": (9,)}, r"needs blocks_1/norm1/weight of shape \(8,\), the checkpoint has \(9,\)"),
        ({"blocks_5/norm1/weight": (8,)}, "needs blocks_2/norm1/weight"),
        ({"blocks_0/attn/q_norm/weight": (3,)}, "has 3 values, of which the width 8 of proj_kernel is no multiple"),
        ({"blocks_0/attn/q_norm/weight": (1,)}, "does not add up"),
        ({"mode_tokens": (4, 8)}, r"mode_tokens has the shape \(4, 8\); 3 axes were expected"),
        ({"lora/kernel": (2, 2)}, r"has lora/kernel of shape \(2, 2\), unknown"),
        ({"self_cond_cfg_tokens": None}, "has self_cond_cfg_embedder/mlp_0/kernel .*unknown"),
    ],
)
def test_weights_that_do_not_fit_together_are_named(change: dict, message: str) -> None:
    params = weights(0) | {name: np.zeros(shape, np.float32) for name, shape in change.items() if shape}
    params = {name: value for name, value in params.items() if change.get(name, ()) is not None}
    with pytest.raises(CheckpointMismatchError, match=message):
        elf_config(params, 16, 0)


def test_an_index_of_files_whose_names_no_disk_takes(tmp_path: Path) -> None:
    for name in ("x" * 300, "a\0b"):
        (tmp_path / "model.safetensors.index.json").write_text(json.dumps({"weight_map": {"a": name}}))
        with pytest.raises(CheckpointError, match="is no name of a file beside it"):
            read_tree(tmp_path)
