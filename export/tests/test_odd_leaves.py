"""What lies in a checkpoint beside its weights, of whatever kind, cannot keep them from being read, and is not run."""

import argparse
import json
import pickle
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import flax.serialization
import msgpack
import numpy as np
import pytest
from safetensors.numpy import save_file

from elf.checkpoints.elf_in_file import read_elf_weights
from elf.checkpoints.formats import read_tree
from elf.checkpoints.stored_tensors import LazyWeights, Unread, leaves, tensors
from elf.checkpoints.torch_file import MAGIC, VERSION
from elf.config import ElfConfig
from elf.errors import CheckpointError
from elf.network.parameters import Shapes, parameter_shapes

FIXTURES = Path(__file__).parent / "fixtures"
CONFIG = ElfConfig(depth=1, hidden_size=8, heads=2, latent_size=4, bottleneck_size=2, vocabulary_size=12, max_length=16)
TORCH_CONFIG = ElfConfig(
    **{**vars(CONFIG), "time_tokens": 3, "self_cond_cfg_tokens": 2, "mode_tokens": 1}
)  # of fixtures/make_torch_checkpoints.py


def numbers(shapes: Shapes) -> dict[str, np.ndarray]:
    """What fixtures/make_torch_checkpoints.py writes, before it is rounded to bfloat16."""
    return {
        name: ((7 * i + np.arange(np.prod(shapes[name])) % 61) / 64).reshape(shapes[name]).astype(np.float32)
        for i, name in enumerate(sorted(shapes))
    }


def assert_read(path: Path, step: int | None, rounding: float = 2**-8, config: ElfConfig = TORCH_CONFIG) -> None:
    found = read_elf_weights(path)
    _, params = found.chosen(False)
    expected = numbers(parameter_shapes(config))
    assert found.step == step and params.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(params[name], value, rtol=rounding)


def packed_again(path: Path, out: Path, method: int) -> Path:
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(out, "w", method) as archive:
        for entry in whole.namelist():
            archive.writestr(entry, whole.read(entry))
    return out


def test_weights_among_leaves_of_all_kinds_are_read(tmp_path: Path) -> None:
    for name in ("torch_odd_leaves.pt", "torch_odd_leaves_old.pt"):
        assert_read(FIXTURES / name, 7)
    for method in (zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        assert_read(packed_again(FIXTURES / "torch_odd_leaves.pt", tmp_path / "packed.pt", method), 7)
    kinds = [read_tree(FIXTURES / name)[0] for name in ("torch_odd_leaves.pt", "torch_odd_leaves_old.pt")]
    assert kinds == ["torch archive", "torch file of the old form"]


def test_a_module_saved_as_such_is_read() -> None:
    assert_read(FIXTURES / "torch_whole_module.pt", None)
    assert "_parameters. and _modules. taken off" in read_elf_weights(FIXTURES / "torch_whole_module.pt").told(False)


def odd_leaves() -> Iterator[tuple[str, str]]:
    """Names in the fixture, and what whoever asks for them is told."""
    yield from {
        "types/2": "torch's type ComplexFloat",
        "sparse/0": "a sparse tensor",
        "quantised": "a quantised tensor",
        "nested": "a nested tensor",
        "meta": "without numbers, on torch's device meta",
        "containers/4": r"asks for __builtin__\.set|of Python's type set",
        "torch/3": r"asks for torch\.device",
        "functions/0": r"asks for torch\.nn\.functional\.relu",
        "python/0": r"asks for pathlib\.",
        "numpy/2": "an array of 'O8'",
        "history": "a list of 2,000",
    }.items()


@pytest.mark.parametrize(("name", "message"), [*odd_leaves()])
def test_what_is_asked_for_and_cannot_be_read_is_named_truthfully(name: str, message: str) -> None:
    held = tensors(read_tree(FIXTURES / "torch_odd_leaves.pt")[1])
    with pytest.raises(CheckpointError, match=f"{name} cannot be read: .*({message})") as caught:
        LazyWeights(held)[name]
    # Nothing is damaged.
    assert "damaged" not in caught.value.action and "copy" not in caught.value.action.lower()


def test_what_can_be_read_among_them_is_right() -> None:
    held = tensors(read_tree(FIXTURES / "torch_odd_leaves.pt")[1])
    values = {name: LazyWeights(held)[name].tolist() for name in ("types/0", "types/1", "more types/1", "tensors/1")}
    assert values == {"types/0": [0] * 3, "types/1": [0] * 3, "more types/1": [0] * 3, "tensors/1": [1, 1]}
    scalars = dict(leaves(read_tree(FIXTURES / "torch_odd_leaves.pt")[1]))
    assert (scalars["numpy/0"], scalars["containers/0/a"], scalars["containers/1/a"]) == (1.5, 3, 1)


def old_form() -> bytes:
    """As torch before 1.6 wrote: a module, whose source comes along, and a tensor in the second of two storages."""
    tensors = "".join(
        f"V{name}\nctorch._utils\n_rebuild_tensor_v2\n((Vstorage\nctorch\n{kind}\nV{name}\nVcpu\nI2\nNtQI0\n"
        "(I2\nt(I1\ntI00\nNtR"
        for name, kind in (("a", "ComplexFloatStorage"), ("b", "FloatStorage"))
    )
    tree = f"\x80\x02}}(Vmodule\n(Vmodule\ncanything\nAt.all\nVa.py\nVsource\ntQ)\x81}}Vx\nK\x01sb{tensors}u."
    start = b"".join(pickle.dumps(value, 2) for value in (MAGIC, VERSION, {"little_endian": True}))
    complex_numbers = (2).to_bytes(8, "little") + bytes(16)
    floats = (2).to_bytes(8, "little") + np.array([1.5, 2], np.float32).tobytes()
    return start + tree.encode("latin1") + pickle.dumps(["a", "b"], 2) + complex_numbers + floats


def test_the_form_from_before_torch_1_6(tmp_path: Path) -> None:
    file = tmp_path / "old.pt"
    file.write_bytes(old_form())
    tree = read_tree(file)[1]
    assert LazyWeights(tensors(tree))["b"].tolist() == [1.5, 2] and tree["module"] == {"x": 1}
    with pytest.raises(CheckpointError, match="a cannot be read: it is of torch's type ComplexFloat"):
        LazyWeights(tensors(tree))["a"]
    file.write_bytes(old_form()[:-3])
    with pytest.raises(CheckpointError, match="ends within the storage b") as caught:
        read_tree(file)
    assert "cut short" in caught.value.action
    file.write_bytes(old_form().replace(b"ComplexFloatStorage", b"NobodyKnowsStorage"))
    with pytest.raises(CheckpointError, match="storage of an unknown type") as caught:
        read_tree(file)
    assert "damaged" not in caught.value.action


@pytest.mark.slow("half a million leaves are looked at")
def test_a_leaf_that_contains_itself_or_has_a_million_parts_is_passed_over(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    bomb: Any = [np.ones(1)]
    for _ in range(60):
        bomb = [bomb, bomb]
    odd = {"loop": loop, "bomb": bomb, "history": [0.5] * 300_000, "words": {str(i): i for i in range(150_000)}}
    file = tmp_path / "model.pkl"
    file.write_bytes(pickle.dumps(odd | {"params": numbers(parameter_shapes(CONFIG)), "step": 3}))
    assert_read(file, 3, 0, CONFIG)


def test_safetensors_of_types_that_nobody_asks_for(tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    save_file(numbers(parameter_shapes(CONFIG)), file)
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
        data = opened.read()
    end = len(data)

    def write(**more: Any) -> None:
        text = json.dumps(header | more).encode()
        file.write_bytes(len(text).to_bytes(8, "little") + text + data + bytes(8))

    def facts(dtype: str, *shape: int) -> dict[str, Any]:
        return {"dtype": dtype, "shape": shape, "data_offsets": [end, end + 8]}

    odd = {"f4": facts("F4", 16), "c64": facts("C64", 1), "new": facts("F128", 0), "wrong": facts("F32", 7), "no": 3}
    write(**odd, f8=facts("F8_E4M3", 8), e5=facts("F8_E5M2", 8))
    assert_read(file, None, 0, CONFIG)
    held = tensors(read_tree(file)[1])
    assert LazyWeights(held)["f8"].tolist() == LazyWeights(held)["e5"].tolist() == [0] * 8
    for name, message, damaged in (
        ("f4", "of type F4", False),
        ("c64", "of type C64", False),
        ("wrong", r"shape \(7,\), but 8 bytes", True),
        ("no", "does not describe it", True),
    ):
        with pytest.raises(CheckpointError, match=f"{name} cannot be read: .*{message}") as caught:
            LazyWeights(held)[name]
        assert ("damaged" in caught.value.action) == damaged
    # A weight that is asked for.
    write(proj_bias=header["proj_bias"] | {"dtype": "C64", "shape": [2]})
    with pytest.raises(CheckpointError, match="proj_bias cannot be read: it is of type C64") as caught:
        read_elf_weights(file).chosen(False)
    assert "float32" in caught.value.action
    # Of a file that was cut, nothing is taken.
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(CheckpointError, match="lies outside the file") as caught:
        read_tree(file)
    assert "cut short" in caught.value.action


def test_msgpack_of_types_that_nobody_asks_for(tmp_path: Path) -> None:
    params = numbers(parameter_shapes(CONFIG))
    odd = {
        "time": msgpack.Timestamp(5),
        "own": msgpack.ExtType(77, b"abc"),
        "broken": msgpack.ExtType(1, b"abc"),
        "c": msgpack.ExtType(1, msgpack.packb(((2,), "complex64", bytes(16)))),
        "f8": msgpack.ExtType(1, msgpack.packb(((2,), "float8_e4m3fn", bytes(2)))),
        "text": msgpack.ExtType(1, msgpack.packb(((1,), "<U1", bytes(4)))),
        "latin": b"\xff",
        "layers": {0: 1, b"name": 2, None: 3},
        "scalar": msgpack.ExtType(3, msgpack.packb(((), "complex128", bytes(16)))),
        "pieces": {"__msgpack_chunked_array__": True, "shape": {"0": 2}, "chunks": {"1": 5}},
    }
    file = tmp_path / "checkpoint_3"
    weights = {name: flax.serialization._ndarray_to_bytes(value) for name, value in params.items()}
    tree = odd | {"params": {name: msgpack.ExtType(1, data) for name, data in weights.items()}, "step": 3}
    file.write_bytes(msgpack.packb(tree))
    assert_read(file, 3, 0, CONFIG)
    held = dict(leaves(read_tree(file)[1]))
    assert held["f8"].read().tolist() == [0, 0] and held["layers/0"] == 1
    for name, message, damaged in (
        ("own", "an extension of type 77", False),
        ("broken", "does not start as Flax's arrays do", True),
        ("c", "an array of type 'complex64'", False),
        ("pieces", "something else among them", True),
    ):
        assert isinstance(held[name], Unread)
        with pytest.raises(CheckpointError, match=f"{name} cannot be read: .*{message}") as caught:
            LazyWeights({name: held[name]})[name]
        assert ("damaged" in caught.value.action) == damaged


@pytest.mark.parametrize("write", [np.savez, np.savez_compressed])
def test_numpy_archives(tmp_path: Path, write: Any) -> None:
    params = {f"params/{name}": np.asfortranarray(value) for name, value in numbers(parameter_shapes(CONFIG)).items()}
    odd = {"o": np.array([None], object), "c": np.ones(2, complex), "t": np.array(["a"]), "step": np.int64(3)}
    with (tmp_path / "weights").open("wb") as file:
        write(file, **params, **odd)
    assert read_tree(tmp_path / "weights")[0] == "NumPy archive"
    assert_read(tmp_path / "weights", 3, 0, CONFIG)
    with pytest.raises(CheckpointError, match="o cannot be read: it is an array of type object"):
        LazyWeights(tensors(read_tree(tmp_path / "weights")[1]))["o"]


def test_orbax_folders_with_leaves_that_are_no_arrays(tmp_path: Path) -> None:
    import jax
    import orbax.checkpoint as ocp

    odd = {"key": jax.random.key(0), "name": "text", "none": None, "flag": True}
    ocp.PyTreeCheckpointer().save(tmp_path / "c", {"params": numbers(parameter_shapes(CONFIG)), "step": 3, **odd})
    assert_read(tmp_path / "c", 3, 0, CONFIG)


@pytest.mark.parametrize(
    ("data", "message", "advice"),
    [
        (b"\x1f\x8b\x08\x00", "packed by gzip", "Unpack"),
        (b"\x28\xb5\x2f\xfd", "packed by zstd", "Unpack"),
        (b"\x89HDF\r\n", "an HDF5 file", "Known are"),
        (b"GGUF\x03", "a GGUF file", "Known are"),
        (pickle.dumps([1, 2]), "no tree of names|holds no weights", "official checkpoint|dict of names"),
        (pickle.dumps(argparse.ArgumentParser), "asks for argparse.ArgumentParser", "dict of names"),
    ],
)
def test_advice_is_true(tmp_path: Path, data: bytes, message: str, advice: str) -> None:
    (tmp_path / "model").write_bytes(data)
    with pytest.raises(CheckpointError, match=message) as caught:
        read_elf_weights(tmp_path / "model")
    assert "damaged" not in caught.value.action.replace("Known are", "")
    assert any(words in caught.value.action for words in advice.split("|"))


def test_a_tensor_that_repeats_its_numbers_takes_no_room(tmp_path: Path) -> None:
    """Strides of 0 would make any size of four bytes."""
    pickled = (FIXTURES / "torch_odd_leaves_old.pt").read_bytes()
    assert pickled  # the form is as old as the trick
    data = old_form().replace(b"(I2\nt(I1\ntI00", b"(I99999999\nt(I0\ntI00")
    file = tmp_path / "old.pt"
    file.write_bytes(data)
    held = tensors(read_tree(file)[1])
    with pytest.raises(CheckpointError, match=r"shape \(99999999,\) that repeats its numbers"):
        LazyWeights(held)["b"]


def test_shapes_beyond_64_bits_are_counted_right(tmp_path: Path) -> None:
    file = tmp_path / "checkpoint"
    array = msgpack.packb([[2**32, 2**32], "float32", b""])
    file.write_bytes(msgpack.packb({"a": msgpack.ExtType(1, array)}))
    with pytest.raises(CheckpointError, match="and has 0 bytes"):
        LazyWeights(tensors(read_tree(file)[1]))["a"]


def zeros(file: Path, method: int = zipfile.ZIP_DEFLATED, count: int = 2**25) -> Path:
    header = f"{{'descr': '<f4', 'fortran_order': False, 'shape': ({count},), }}\n".encode()
    with zipfile.ZipFile(file, "w", method) as archive, archive.open("a.npy", "w", force_zip64=True) as entry:
        entry.write(b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
        for _ in range(4 * count // 2**20):
            entry.write(bytes(2**20))
    return file


def test_a_little_that_becomes_very_much_is_not_unpacked(tmp_path: Path) -> None:
    held = tensors(read_tree(zeros(tmp_path / "zeros.npz"))[1])
    with pytest.raises(CheckpointError, match=r"134,217,8\d\d bytes would come of 1\d\d,\d\d\d") as caught:
        LazyWeights(held)["a"]
    assert "without compression" in caught.value.action
    assert LazyWeights(tensors(read_tree(zeros(tmp_path / "few.npz", count=2**20))[1]))["a"].size == 2**20


@pytest.mark.parametrize("header", [b"(" * 300, b"__import__('os')", b"{'descr': '|O'}", b"{'shape': 1e999}", b"\xff"])
def test_headers_that_numpy_cannot_read(tmp_path: Path, header: bytes) -> None:
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("a.npy", b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header)
    with pytest.raises(CheckpointError, match="a cannot be read: it is no array"):
        LazyWeights(tensors(read_tree(tmp_path / "a.npz")[1]))["a"]


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_damage_inside_what_is_compressed_has_a_name(tmp_path: Path, method: int) -> None:
    content = bytearray(zeros(tmp_path / "a.npz", method, 2**18).read_bytes())
    start = content.index(b"a.npy") + len(b"a.npy")
    content[start : start + 60] = b"\x77" * 60
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(CheckpointError):
        LazyWeights(tensors(read_tree(tmp_path / "a.npz")[1]))["a"]


@pytest.mark.parametrize("step", [float("inf"), float("nan"), np.float64("inf")])
def test_a_step_without_an_end_is_none(tmp_path: Path, step: float) -> None:
    file = tmp_path / "checkpoint"
    file.write_bytes(flax.serialization.to_bytes({"params": numbers(parameter_shapes(TORCH_CONFIG)), "step": step}))
    assert read_elf_weights(file).step is None
