"""Checkpoints from strangers, in every form that they come in."""

import io
import json
import pickle
from pathlib import Path
from typing import Any

import flax.serialization
import numpy as np
import orbax.checkpoint as ocp
import pytest
from flax.traverse_util import unflatten_dict
from hypothesis import strategies as st
from inputs import alone, as_json, byte_files, changed, folders, json_files
from packed import archives, msgpacks, pickles, safetensors, unzipped, zip_of
from safetensors.numpy import save
from withstands import CASES, withstands

from elf.checkpoints.elf_in_file import read_elf_weights, read_optimizer
from elf.checkpoints.formats import read_tree
from elf.checkpoints.stored_tensors import LazyWeights, leaves, tensors
from elf.config import ElfConfig
from elf.errors import CheckpointError
from elf.models.text_encoder import load_encoder
from elf.network.parameters import elf_config, parameter_shapes

FIXTURES = Path(__file__).parents[1] / "fixtures"
CONFIG = ElfConfig(depth=1, hidden_size=8, heads=2, latent_size=4, bottleneck_size=2, vocabulary_size=12, max_length=16)
REFUSALS = {"CheckpointError", "CheckpointMismatchError"}


def weights(seed: int) -> dict[str, np.ndarray]:
    draws = np.random.default_rng(seed)
    return {name: draws.standard_normal(shape, np.float32) for name, shape in parameter_shapes(CONFIG).items()}


def nested(params: dict[str, np.ndarray]) -> dict[str, Any]:
    return unflatten_dict({tuple(name.split("/")): value for name, value in params.items()})


STATE = {
    "params": nested(weights(0)),
    "ema_params1": nested(weights(1)),
    "opt_state": {"0": {"mu": nested(weights(2)), "nu": nested(weights(3)), "count": np.int32(9)}, "1": {}},
    "step": 1234,
    "epoch": 2.5,
}
"""The tree that the official code saves."""


def everything(path: Path) -> list[Any]:
    """All that is in a checkpoint, and the network that it is of, as far as there is one."""
    kind, tree = read_tree(path)
    held = tensors(tree)
    found = [kind, {name: _value(held, name) for name in held}]
    found.append({name: value for name, value in leaves(tree) if name not in held})
    read = read_elf_weights(path)
    _, params = read.chosen(False)
    config = elf_config(params, 16, 0)
    state = read_optimizer(read, read.sets[0])
    moments = {f"{kind} of {name}": value for name, kinds in state.moments.items() for kind, value in kinds.items()}
    return [*found, config, dict(params), state.updates, {name: _value(moments, name) for name in moments}]


def _value(held: Any, name: str) -> Any:
    """Its numbers, or why they cannot be had."""
    try:
        return LazyWeights(held)[name]
    except CheckpointError as error:
        return str(error)[:500]


def npz_of(arrays: dict[str, np.ndarray]) -> bytes:
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


def npy_of(array: np.ndarray) -> bytes:
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


HEADERS = st.builds(
    lambda header, data: (
        b"\x93NUMPY\x01\0" + len(header := f"{header}\n".encode()[:60_000]).to_bytes(2, "little") + header + data
    ),
    st.one_of(
        changed({"descr": "<f4", "fortran_order": False, "shape": [2, 3]}).map(
            lambda value: repr(value).replace("[", "(").replace("]", ",)")
        ),
        st.sampled_from(
            ("(" * 300, "__import__('os').system('id')", "{'descr': '|O', 'fortran_order': 0, 'shape': ()}")
        ),
    ),
    st.binary(max_size=30),
)
"""Of NumPy's own files, each with some bytes behind it."""

FLAT = {name.replace("/", "."): value for name, value in weights(1).items()}
TORCH = tuple(
    (FIXTURES / name).read_bytes() for name in ("torch_elf_tiny.pt", "torch_odd_leaves.pt", "torch_whole_module.pt")
)
LEGACY = (FIXTURES / "torch_odd_leaves_old.pt").read_bytes()
MSGPACK = flax.serialization.to_bytes(STATE)
PICKLE = pickle.dumps(STATE, 4)
NPZ = npz_of(weights(1))
SAFE = (save(weights(1)), save({f"ema_params1/{name}": value for name, value in weights(1).items()}))


def torch_archives() -> st.SearchStrategy[bytes]:
    """With another pickle among the storages, or another storage."""
    opened = [unzipped(each) for each in TORCH]
    names = [next(name for name in each if name.endswith("data.pkl")) for each in opened]
    replaced = [
        pickles(each[name]).map(lambda data, each=each, name=name: zip_of({**each, name: data}))
        for each, name in zip(opened, names, strict=True)
    ]
    return st.one_of(*replaced, *replaced, archives(*TORCH), byte_files(*TORCH))


FORMS: dict[str, tuple[st.SearchStrategy[bytes], tuple[bytes, ...]]] = {
    "safetensors": (safetensors(*SAFE), SAFE),
    "torch archive": (torch_archives(), TORCH[:1]),
    "torch file of the old form": (pickles(LEGACY), ()),
    "Flax msgpack": (msgpacks(MSGPACK), (MSGPACK,)),
    "NumPy pickle": (pickles(PICKLE, values=(STATE, {"params": {"a": [1, 2.5, b"x"]}})), (PICKLE,)),
    "NumPy archive": (
        st.one_of(archives(NPZ), byte_files(NPZ), HEADERS.map(lambda data: zip_of({"a.npy": data}))),
        (NPZ,),
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_checkpoints_are_read_or_refused_by_name(tmp_path: Path, form: str) -> None:
    inputs, examples = FORMS[form]
    withstood = withstands(
        tmp_path,
        alone("checkpoint", inputs),
        lambda folder: everything(folder / "checkpoint"),
        tuple({"checkpoint": example} for example in examples),
    )
    assert withstood.refusals <= REFUSALS and "CheckpointError" in withstood.refusals


def orbax_files(folder: Path) -> dict[str, bytes]:
    ocp.PyTreeCheckpointer().save(folder / "checkpoint_12", {"params": nested(weights(1)), "step": 12})
    return {file.relative_to(folder).as_posix(): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


@pytest.mark.slow("Orbax opens every one of them anew; npm run hostile has them all")
def test_orbax_folders(tmp_path: Path) -> None:
    files = orbax_files(tmp_path / "written")
    others = {
        name: json_files(content) if content[:1] == b"{" else byte_files(content)
        for name, content in files.items()
        if content
    }
    # Orbax opens a store anew for each of a network's weights.
    withstood = withstands(
        tmp_path,
        folders(files, others),
        lambda folder: everything(folder / "checkpoint_12"),
        (files,),
        cases=max(10, CASES // 10),
    )
    assert withstood.refusals <= REFUSALS


def test_weights_in_several_files_lie_beside_their_index(tmp_path: Path) -> None:
    names = sorted(FLAT)
    parts = {f"model-0000{i + 1}-of-00002.safetensors": names[i::2] for i in range(2)}
    files = {part: save({name: FLAT[name] for name in held}) for part, held in parts.items()}
    index = as_json({"metadata": {}, "weight_map": {name: part for part, held in parts.items() for name in held}})
    files["model.safetensors.index.json"] = index
    others = {name: safetensors(content) for name, content in files.items() if not name.endswith("json")}
    others["model.safetensors.index.json"] = json_files(index)
    withstood = withstands(tmp_path, folders(files, others), everything, (files,))
    assert withstood.refusals <= REFUSALS


def test_encoders(tmp_path: Path) -> None:
    with np.load(FIXTURES / "t5_tiny.npz") as file:
        params = {name.removeprefix("params/"): file[name] for name in file.files if name.startswith("params/")}
    config = {"vocab_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
    config |= {
        "relative_attention_max_distance": 128,
        "relative_attention_num_buckets": 32,
        "feed_forward_proj": "relu",
    }
    files = {"model.safetensors": save(params), "config.json": as_json(config)}
    others = {
        "model.safetensors": safetensors(files["model.safetensors"]),
        "config.json": json_files(files["config.json"]),
    }
    withstood = withstands(tmp_path, folders(files, others), load_encoder, (files,))
    assert withstood.refusals <= REFUSALS and withstood.read

    own = {"vocabulary_size": 64, "d_model": 32, "d_kv": 8, "d_ff": 64, "layers": 2, "heads": 4}
    files = {"encoder.safetensors": files["model.safetensors"], "encoder.json": json.dumps({"config": own}).encode()}
    others = {"encoder.safetensors": others["model.safetensors"], "encoder.json": json_files(files["encoder.json"])}
    withstood = withstands(tmp_path, folders(files, others), load_encoder, (files,))
    assert withstood.refusals <= REFUSALS and withstood.read
