"""Files that hold other things in a wrapping, wrong inside and right outside: archives, pickles, msgpack."""

import io
import json
import os
import pickle
import struct
import zipfile
from typing import Any

import msgpack
from hypothesis import strategies as st
from inputs import SILLY, as_json, byte_files, changed

METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)


def zip_of(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return out.getvalue()


def unzipped(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@st.composite
def archives(draw: st.DrawFn, *examples: bytes) -> bytes:
    """Zip files whose checksums are right, with one entry changed, renamed, emptied, gone, or of a great many zeros."""
    files = unzipped(draw(st.sampled_from(examples)))
    name = draw(st.sampled_from(sorted(files)))
    deed = draw(st.sampled_from(("change", "change", "change", "drop", "rename", "bomb", "double")))
    if deed == "change":
        files[name] = draw(byte_files(files[name]))
    elif deed == "drop":
        del files[name]
    elif deed == "rename":
        files[draw(st.sampled_from(("../secret", "/tmp/x", "data.pkl", "", "a" * 60_000, "a\0b")))] = files.pop(name)
    elif deed == "bomb":
        files[name] += bytes(2**24)
    else:
        files[f"x/{name}"] = files[name]
    return zip_of(files, draw(st.sampled_from(METHODS)))


class Calls:
    """Pickled as a call of a function."""

    def __init__(self, function: Any, *arguments: Any):
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def named(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


NAMES = (
    *(("os", "system"), ("posix", "system"), ("builtins", "eval"), ("builtins", "exec"), ("builtins", "getattr")),
    *(("subprocess", "Popen"), ("collections", "OrderedDict"), ("collections", "OrderedDict.__class__")),
    *(("numpy", "dtype"), ("numpy", "ndarray"), ("numpy", "load"), ("numpy._core.multiarray", "_reconstruct")),
    *(("numpy._core.multiarray", "scalar"), ("numpy._core.numeric", "_frombuffer"), ("_codecs", "encode")),
    *(("torch", "FloatStorage"), ("torch", "Size"), ("torch._utils", "_rebuild_tensor_v2"), ("torch", "float32")),
    *(("torch._utils", "_rebuild_parameter"), ("torch._tensor", "_rebuild_from_type_v2"), ("torch", "nn.Module")),
    *(("jax._src.array", "_reconstruct_array"), ("ml_dtypes", "bfloat16"), ("flax.core.frozen_dict", "FrozenDict")),
)

COMMAND = "echo hostile > canary"

OPERATIONS = st.one_of(
    st.sampled_from(NAMES).map(lambda pair: named(*pair)),
    st.sampled_from((b"(", b"(", b"t", b"R", b"R", b"b", b"s", b"u", b"a", b"e", b"0", b"2", b"1", b"l", b"d")),
    st.sampled_from((b"}", b"]", b")", b"\x8f", b"N", b"\x88", b"\x81", b"\x92", b"\x85", b"\x86", b"\x87", b"\x90")),
    st.sampled_from((b"o", b"Q", b"\x94", b"q\x01", b"h\x01", b"\x91", b"\x93", b"\x97", b"\x98", b"\x82\x01")),
    st.integers(-(2**31), 2**31 - 1).map(lambda number: b"J" + struct.pack("<i", number)),
    st.sampled_from((0, 1, 2**16, 2**28, 2**30, 2**32 - 1)).map(lambda number: b"r" + struct.pack("<I", number)),
    st.sampled_from((0, 2**20, 2**28, 2**40, 2**62, 10**30, -1)).map(lambda number: b"p%d\n" % number),
    st.sampled_from((0, 1, 5, 2**30, 2**31, 2**60)).flatmap(
        lambda size: st.sampled_from((b"\x8e", b"\x8d", b"\x96")).map(
            lambda code: code + struct.pack("<Q", size) + b"hello"
        )
    ),
    st.sampled_from((0, 1, 2**20, 2**30, 2**31, 2**60)).map(lambda size: b"\x95" + struct.pack("<Q", size)),
    st.sampled_from((2**20, 2**31 - 1, -1)).map(lambda size: b"\x8b" + struct.pack("<i", size) + b"1"),
    st.binary(max_size=8).map(lambda data: b"C" + bytes([len(data)]) + data),
    st.sampled_from(("storage", "latin1", "f4", "cpu", "<", "0", "params", COMMAND, "\ud800")).map(
        lambda text: (
            b"X" + struct.pack("<I", len(text.encode("utf8", "surrogatepass"))) + text.encode("utf8", "surrogatepass")
        )
    ),
    st.sampled_from(
        (b"I1\nI0", b"I99999999999999999999999\n", b"L1L\n", b"F1e999\n", b"S'a'\n", b"Va\n", b"I%s\n" % (b"9" * 5000))
    ),
)
"""Of a pickle, each with what it takes."""

PICKLES = st.lists(OPERATIONS, max_size=40).map(lambda parts: b"\x80\x04" + b"".join(parts) + b".")


@st.composite
def spliced_pickles(draw: st.DrawFn, *examples: bytes) -> bytes:
    """Pickles with operations put into them somewhere: most places are between two operations, or in a text."""
    data = draw(st.sampled_from(examples))
    places = draw(st.lists(st.integers(2, len(data) - 1), min_size=1, max_size=2))
    for place in sorted(places, reverse=True):
        data = data[:place] + draw(OPERATIONS) + data[place:]
    return data


def objects(*examples: Any, protocol: int = 4) -> st.SearchStrategy[bytes]:
    """Pickles of values like `examples` with a call of the system, or other things, somewhere in them."""
    calls = (
        Calls(os.system, COMMAND),
        Calls(eval, "open('canary', 'w')"),
        Calls(print, "x"),
        {1: 2},
        {(1, 2): 3},
        b"x" * 300,
    )
    return changed(*examples, silly=(*SILLY, *calls, 10**30, frozenset([1]), complex(1, 2))).map(
        lambda value: pickle.dumps(value, protocol)
    )


def pickles(
    *examples: bytes, values: tuple[Any, ...] = ({"params": [1.5, "x"], "step": 3},)
) -> st.SearchStrategy[bytes]:
    """One of `examples`, changed, or some operations, or `values`, changed."""
    return st.one_of(byte_files(*examples), spliced_pickles(*examples), PICKLES, objects(*values))


def msgpacks(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Of a tree like one of `examples`, its arrays as they are or not."""
    trees = [msgpack.unpackb(each, strict_map_key=False, raw=False) for each in examples]

    def pack(value: Any) -> bytes:
        return msgpack.packb(value, default=repr, unicode_errors="surrogatepass")

    silly = [value for value in SILLY if not isinstance(value, int) or -(2**63) <= value < 2**64]
    odd = (
        *silly,
        msgpack.ExtType(1, b""),
        msgpack.ExtType(1, b"\x93"),
        msgpack.ExtType(2, b"\x93\x91\x01"),
        msgpack.ExtType(3, b"x"),
    )
    whole = changed(*trees, silly=odd).map(small).map(pack)
    return st.one_of(whole, whole, byte_files(*examples), byte_files(*examples))


def small(value: Any) -> Any:
    """With numbers that msgpack can hold."""
    if isinstance(value, dict):
        return {name: small(each) for name, each in value.items()}
    if isinstance(value, list):
        return [small(each) for each in value]
    if isinstance(value, int) and not -(2**63) <= value < 2**64:
        return float(value % 2**63)
    return value


def safetensors_of(header: Any, numbers: bytes) -> bytes:
    text = as_json(header)
    return struct.pack("<Q", len(text)) + text + numbers


def safetensors(*examples: bytes) -> st.SearchStrategy[bytes]:
    """With a header that says something else, of the length that is told."""

    def parts(data: bytes) -> tuple[Any, bytes]:
        size = struct.unpack("<Q", data[:8])[0]
        return json.loads(data[8 : 8 + size]), data[8 + size :]

    told = [
        changed(header).map(lambda header, numbers=numbers: safetensors_of(header, numbers))
        for header, numbers in map(parts, examples)
    ]
    return st.one_of(*told, *told, byte_files(*examples))
