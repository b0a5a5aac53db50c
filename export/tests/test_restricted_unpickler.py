"""Pickles are programs: what a checkpoint must not be able to do."""

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elf.checkpoints import array_files, torch_file
from elf.checkpoints.formats import read_tree
from elf.checkpoints.restricted_unpickler import unpickle
from elf.checkpoints.stored_tensors import LazyWeights, plain_tree, tensors
from elf.errors import CheckpointError


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def assert_refused(path: Path, message: str) -> None:
    """Whoever asks for what is in a file is refused; the file itself only where it holds nothing else."""
    with pytest.raises(CheckpointError, match=message):
        held = tensors(read_tree(path)[1])
        assert held
        for name in held:
            LazyWeights(held)[name]


@pytest.mark.parametrize("protocol", [2, 4, 5])
def test_functions_of_the_system_are_not_called(tmp_path: Path, protocol: int) -> None:
    witness = tmp_path / "witness"
    file = tmp_path / "model.pkl"
    for call, name in (
        (Calls(os.system, f"touch {witness}"), "system"),
        (Calls(eval, f"open({str(witness)!r}, 'w')"), "eval"),
        (Calls(exec, f"open({str(witness)!r}, 'w')"), "exec"),
        (Calls(open, str(witness), "w"), "open"),
        (Calls(getattr, os, "system"), "getattr|import"),
        (Calls(np.load, str(witness)), "load"),
        (Calls(np.memmap, str(witness), "u1", "w+", 0, (1,)), "memmap"),
        (Calls(np.fromfile, str(witness)), "fromfile"),
        (Calls(np.array, [1]), "array"),
    ):
        try:
            file.write_bytes(pickle.dumps({"params": call}, protocol))
        except TypeError:  # a module as an argument cannot be pickled at all
            continue
        assert_refused(file, f"asks for .*({name})")
        with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
            archive.writestr("model/data.pkl", file.read_bytes())
        assert_refused(tmp_path / "model.pt", f"asks for .*({name})")
        assert not witness.exists()


def text(*parts: bytes | str) -> bytes:
    """A pickle spelt out."""
    return b"".join(part.encode() if isinstance(part, str) else part for part in (b"\x80\x04", *parts, b"."))


ARRAY = b"cnumpy._core.multiarray\n_reconstruct\n"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        # Names that lead on from an allowed one.
        (text("\x8c\x0bcollections\x8c\x15OrderedDict.__class__\x93".encode("latin1")), "asks for|.*"),
        (text("ccollections\n_sys\n"), "asks for collections._sys"),
        (text("cnumpy._core.multiarray\nfromfile\n"), "asks for numpy._core.multiarray.fromfile"),
        (text("cnumpy.testing._private.utils\nrunstring\n"), "asks for numpy.testing"),
        (text("cnumpy\nload\n"), "asks for numpy.load"),
        (text("cnumpy.core._internal\neval\n"), "asks for numpy.core._internal.eval"),
        # An object of the copyreg extension registry.
        (text(b"\x82\x01"), "unregistered extension code 1"),
        # A reference to something outside.
        (text("Pid\n"), "outside itself"),
        # New attributes for an allowed function, by both ways of a state.
        (text(ARRAY, b"}\x8c\x01xK\x01sb"), "attribute"),
        (text(ARRAY, b"N}\x8c\x0c__defaults__)s\x86b"), "attribute"),
        (text(b"ccollections\nOrderedDict\n", b"N}\x8c\x05clearK\x01s\x86b"), "attribute"),
        # Instances of an allowed class without its checks.
        (text(b"cnumpy\ndtype\n", b")\x81"), "NEWOBJ|not.*type|expected"),
    ],
)
def test_ways_around_the_table_are_closed(tmp_path: Path, data: bytes, message: str) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(data)
    assert_refused(file, message)
    state = {name: vars(value).copy() for name, value in vars(array_files).items() if hasattr(value, "__dict__")}
    assert not state["_reconstruct"] and array_files._from_buffer.__defaults__ == (None,)


def test_arrays_of_objects_and_records_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "model.pkl"
    for array in (
        np.array([None, {}], object),
        np.zeros(2, [("a", "f4")]),
        np.array(["text"]),
        np.array([b"text"]),
        np.zeros(2, ">f4"),
        np.zeros(2, "M8[s]"),
    ):
        for protocol in (2, 4, 5):
            file.write_bytes(pickle.dumps({"a": array}, protocol))
            assert_refused(file, "it is an array (of|in byte order)|asks for")


def test_an_array_has_as_many_bytes_as_numbers() -> None:
    kind = array_files.PickledType("f4")
    for shape in ((3,), (2, -5), (2**40, 2**40)):
        with pytest.raises(ValueError):  # NumPy's own words
            array_files._pickled_array(bytes(8), kind, shape)


def test_a_tree_that_contains_itself_or_doubles_at_every_step_ends(tmp_path: Path) -> None:
    loop: dict[str, Any] = {}
    loop["again"] = loop
    bomb: Any = 1
    for _ in range(60):
        bomb = [bomb, bomb]
    for tree in (loop, {"a": bomb}):
        (tmp_path / "model.pkl").write_bytes(pickle.dumps(tree))
        assert_refused(tmp_path / "model.pkl", "too large, or contains itself")


@pytest.mark.parametrize(
    ("shape", "strides", "offset", "count", "message"),
    [
        ((3,), (1,), 0, 2, "beyond its storage"),
        ((2,), (1,), 1, 2, "beyond its storage"),
        ((2, 2), (1000, 1), 0, 4, "beyond its storage"),
        ((-1,), (1,), 0, 4, "without a storage"),
        ((2,), (-1,), 0, 4, "without a storage"),
        ((2,), (1, 1), 0, 4, "2 strides"),
        ((1,), (1,), 0, 5, "16 bytes for 5 numbers"),
        ((2, 2), (2, 1), 0, 4, None),
    ],
)
def test_a_tensor_of_torch_stays_within_its_storage(
    tmp_path: Path, shape: tuple, strides: tuple, offset: int, count: int, message: str | None
) -> None:
    """Each case is a pickle that torch.save would not write."""

    def numbers(values: tuple) -> str:
        return "(" + "".join(f"I{value}\n" for value in values) + "t"

    storage = f"(Vstorage\nctorch\nFloatStorage\nV0\nVcpu\nI{count}\ntQ"
    tensor = f"ctorch._utils\n_rebuild_tensor_v2\n({storage}I{offset}\n{numbers(shape)}{numbers(strides)}I00\nNtR"
    with zipfile.ZipFile(tmp_path / "model.pt", "w") as archive:
        archive.writestr("model/data.pkl", text("}Vw\n", tensor, "s"))
        archive.writestr("model/data/0", bytes(16))
    if message:
        assert_refused(tmp_path / "model.pt", message)
    else:
        assert read_tree(tmp_path / "model.pt")[1]["w"].read().tolist() == [[0, 0], [0, 0]]


def test_the_table_names_nothing_of_the_system() -> None:
    for table in (array_files.ALLOWED, torch_file.ALLOWED):
        for stand_in in table.values():
            assert getattr(stand_in, "__module__", "elf").startswith(("elf", "builtins", "collections"))
    with pytest.raises(ValueError, match=r"asks for builtins\.eval"):
        plain_tree(unpickle(pickle.dumps(eval), array_files.ALLOWED))


@pytest.mark.parametrize(
    ("operations", "message"),
    [
        # Python makes room for as many objects as the greatest number says, and for as many bytes.
        (b"}r\xff\xff\xff\x3f", "under the number 1,073,741,823"),
        (b"}p999999999999\n", "under the number 999,999,999,999"),
        (b"\x8e" + (2**40).to_bytes(8, "little") + b"x", "ends early"),
        (b"\x8d" + (2**60).to_bytes(8, "little") + b"x", "ends early"),
        (b"\x96" + (2**60).to_bytes(8, "little") + b"x", "ends early"),
        (b"\x95" + (2**60).to_bytes(8, "little") + b"}", "ends early"),
        (b"\x8b\xff\xff\xff\x7f", "ends early"),
        (b"cos\nsystem", "ends early"),
        (b"\x00", "byte 2 is no operation"),
    ],
)
def test_a_pickle_gets_no_more_room_than_it_is_long(tmp_path: Path, operations: bytes, message: str) -> None:
    file = tmp_path / "model.pkl"
    file.write_bytes(text(operations))
    with pytest.raises(CheckpointError, match=message):
        read_tree(file)


@pytest.mark.parametrize("protocol", range(6))
def test_every_protocol_is_gone_through(protocol: int) -> None:
    value = {"a": [1, 2.5, None, True, 10**30, "ä" * 300, b"x" * 300], "b": {"c": (1, 2, 3, 4)}, "d": [{}] * 2000}
    assert unpickle(pickle.dumps(value, protocol), array_files.ALLOWED) == value
