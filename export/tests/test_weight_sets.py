"""Weights are found wherever in a checkpoint they lie and whatever stands before their names, averaged ones first."""

import itertools
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flax.serialization
import numpy as np
import pytest
from flax.traverse_util import unflatten_dict
from safetensors.numpy import save_file

from elf.checkpoints.elf_in_file import ElfWeights, read_elf_weights
from elf.checkpoints.formats import WRAPPERS, is_averaged, parts_of
from elf.cli import main
from elf.config import ElfConfig
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.models.open_model import open_model
from elf.network.parameters import elf_config, parameter_shapes

CONFIG = ElfConfig(depth=2, hidden_size=8, heads=2, latent_size=4, bottleneck_size=2, vocabulary_size=12, max_length=16)
SHAPES = parameter_shapes(CONFIG)

Params = dict[str, Any]


def weights(value: float) -> Params:
    """Each weight has numbers of its own, so that none is taken for another."""
    return {name: np.full(shape, value + i / 64, np.float32) for i, (name, shape) in enumerate(SHAPES.items())}


RAW, AVERAGED = weights(0), weights(100)


def as_torch(params: Params) -> Params:
    """By torch's names, matrices (out, in)."""
    found = {}
    for name, value in params.items():
        torch = name.replace("blocks_", "blocks.").replace("/", ".")
        found[torch.replace(".kernel", ".weight")] = value.T if torch.endswith(".kernel") else value
    return found


def before(prefix: str, params: Params) -> Params:
    return {prefix + name: value for name, value in params.items()}


raw, averaged = as_torch(RAW), as_torch(AVERAGED)


def read(tree: Any, folder: Path) -> ElfWeights:
    (folder / "model").write_bytes(pickle.dumps(tree))
    return read_elf_weights(folder / "model")


def assert_is(found: ElfWeights, expected: Params, raw: bool = False) -> None:
    taken = found.chosen(raw)[1]
    assert taken.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(taken[name], value)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_prefixes_in_any_order(tmp_path: Path, count: int) -> None:
    usual = ["module.", "_orig_mod.", "model.", "_fsdp_wrapped_module.", "net."]
    for prefixes in itertools.permutations(usual, count):
        found = read({"params": before("".join(prefixes), raw)}, tmp_path)
        assert_is(found, RAW)
        for prefix in prefixes:
            # What was taken off is said; a container is named with where it lies.
            assert prefix in found.told(False) or prefix.removesuffix(".") in found.chosen(False)[0]


def test_prefixes_in_the_middle_of_names(tmp_path: Path) -> None:
    for wrapper in WRAPPERS:
        wrapped = {name.replace("blocks.1.", f"blocks.1.{wrapper}."): value for name, value in raw.items()}
        assert_is(read({"model": wrapped}, tmp_path), RAW)


def nested(params: Params, *names: str) -> dict[str, Any]:
    for name in reversed(names):
        params = {name: params}
    return params


CONTAINERS: dict[str, Callable[[], dict[str, Any]]] = {
    "params, ema_params1": lambda: {"params": raw, "ema_params1": averaged},
    "one set prefixed": lambda: {"params": raw, "ema_params1": before("module.", averaged)},
    "the other": lambda: {"params": before("_orig_mod.", raw), "ema_params1": averaged},
    "model, ema": lambda: {"model": raw, "ema": averaged},
    "state_dict": lambda: {"state_dict": before("model.", raw) | before("ema_model.", averaged), "global_step": 3},
    "timm": lambda: {"state_dict": raw, "state_dict_ema": before("module.", averaged)},
    "weights named twice": lambda: {"model_state_dict": raw, "ema_state_dict": averaged, "optimizer_state_dict": {}},
    "swa": lambda: {"model": raw, "swa_model": {"n_averaged": np.ones(1)} | before("module.", averaged)},
    "shadow": lambda: {"model": raw, "ema": {"shadow": averaged, "decay": 0.9}},
    "deep": lambda: nested({"a": nested(raw, "model", "module"), "ema": nested(averaged, "x", "y")}, "state", "dict"),
    "a list": lambda: {"model": raw, "ema_model": [averaged[name] for name in raw]},
    "shadow_params": lambda: {"model": raw, "ema": {"decay": 0.9, "shadow_params": [*averaged.values()]}},
    "names without dots": lambda: {
        "state_dict": before("model.", raw) | {f"model_ema.{k.replace('.', '')}": v for k, v in averaged.items()}
    },
    "beside others": lambda: {
        "params": raw | {"text_encoder.shared.weight": np.ones((3, 2)), "rope.cos": np.ones(4)},
        "ema_params1": averaged,
    },
    "an optimizer by names": lambda: {
        "ema": averaged,
        "model": raw,
        "optimizer": {"exp_avg": weights(7), "exp_avg_sq": weights(8)},
        "opt_state": {"0": {"mu": weights(9)}},
    },
    "of Lightning's averaging": lambda: {
        "state_dict": before("model.", averaged),
        "averaging_state": {"n_averaged": np.ones(1)},
        "current_model_state": before("model.", raw),
    },
    "a teacher": lambda: {"student": raw, "student_ema": averaged, "teacher": weights(5), "teacher_ema": weights(6)},
}


@pytest.mark.parametrize("name", CONTAINERS)
def test_containers_of_all_kinds(tmp_path: Path, name: str) -> None:
    found = read(CONTAINERS[name](), tmp_path)
    assert_is(found, AVERAGED)
    assert_is(found, RAW, raw=True)
    said = found.told(False)
    assert f"taking {found.chosen(False)[0]} of " in said and "averaged weights" in said
    assert "raw weights" in found.told(True)


def test_flax_trees_and_flat_names(tmp_path: Path) -> None:
    def tree(params: Params) -> dict[str, Any]:
        return unflatten_dict({tuple(name.split("/")): value for name, value in params.items()})

    state = {"state": {"params": {"params": tree(RAW)}, "ema": {"params": tree(AVERAGED)}}, "step": 5}
    (tmp_path / "checkpoint_5").write_bytes(flax.serialization.to_bytes(state))
    assert_is(read_elf_weights(tmp_path / "checkpoint_5"), AVERAGED)
    for flat in (before("module/", RAW), before("model.", {k.replace("/", "."): v for k, v in RAW.items()})):
        save_file({name: np.ascontiguousarray(value) for name, value in flat.items()}, tmp_path / "flat")
        assert_is(read_elf_weights(tmp_path / "flat"), RAW)


def test_a_set_that_is_not_whole_is_not_taken_and_named(tmp_path: Path) -> None:
    for part, message in (
        (
            {k: v for k, v in averaged.items() if "blocks.1." not in k},
            "not ema: it lacks blocks_1/attn/k_norm/weight, which model has",
        ),
        ({k: v for k, v in averaged.items() if k != "unembed_kernel"}, "not ema: it lacks unembed_kernel"),
        ([np.ones(3)], "not ema: it is a list of 1 tensors, which are not those of model in their order"),
    ):
        found = read({"model": raw, "ema": part}, tmp_path)
        assert_is(found, RAW)
        assert message in found.told(False)
    # Alone, it is named when it is opened.
    found = read({"ema": {k: v for k, v in averaged.items() if k != "unembed_kernel"}}, tmp_path)
    assert "unembed_kernel" not in found.chosen(False)[1]


def test_what_holds_no_weights_is_named(tmp_path: Path) -> None:
    for tree in ({"model": {"layer.weight": np.ones((2, 2))}}, {"optimizer": {"exp_avg": raw}}, {"params": 3}):
        with pytest.raises(CheckpointError, match=r"holds no weights of an ELF; it has (model|optimizer|params)"):
            read(tree, tmp_path)


def test_what_was_taken_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "model").write_bytes(pickle.dumps(CONTAINERS["beside others"]()))
    model = open_model(tmp_path / "model")
    assert model.training["weights"] == "ema_params1"
    assert "taking ema_params1 of ema_params1, params: averaged weights" in capsys.readouterr().err
    (tmp_path / "model").write_bytes(pickle.dumps({"state_dict": before("module.", raw)}))
    assert main(["sample", str(tmp_path / "model"), "--max-length", "4", "--steps", "1", "--json"]) == 0
    assert "taking state_dict of state_dict: raw weights, module. taken off their names" in capsys.readouterr().err


def test_what_programs_keep_beside_the_weights_of_a_layer_is_passed_over(tmp_path: Path) -> None:
    beside = {
        "attn.num_batches_tracked": np.array(1),
        "attn.steps": np.ones(3, np.int64),
        "attn.rope.inv_freq": np.ones(4, np.float32),
        "attn.freqs_cis": np.ones(4, np.complex64),
        "attn.mask": np.ones((2, 2), np.float32),
        "attn.position_ids": np.ones((1, 2), np.float32),
    }
    found = read({"model": raw | before("blocks.1.", beside), "ema": averaged}, tmp_path)
    assert_is(found, RAW, raw=True)
    assert "passing over model/blocks/1/attn/num_batches_tracked, model/blocks/1/attn/steps" in found.told(True)
    # Others change what a layer does, and nobody is told a text of theirs without them.
    found = read({"model": raw | {"blocks.1.attn.qkv.lora_A": np.ones((4, 8), np.float32)}}, tmp_path)
    with pytest.raises(CheckpointMismatchError, match=r"blocks_1/attn/qkv/lora_A of shape \(4, 8\), unknown"):
        elf_config(found.chosen(False)[1], 16, 0)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int32])
def test_quantised_matrices_are_not_taken_for_weights(tmp_path: Path, dtype: Any) -> None:
    """In torch's layout too: such a matrix was read as the whole numbers that it is stored as."""
    quantised = averaged | {"blocks.0.attn.qkv.weight": averaged["blocks.0.attn.qkv.weight"].astype(dtype)}
    found = read({"params": raw, "ema": quantised | {"blocks.0.attn.qkv.scale": np.ones(1, np.float32)}}, tmp_path)
    assert_is(found, RAW)
    assert "not ema: blocks_0/attn/qkv/kernel cannot be read: it is quantised" in found.told(False)
    with pytest.raises(
        CheckpointError, match=f"qkv/kernel cannot be read: it is quantised: it is of type {np.dtype(dtype)}"
    ):
        read({"ema": quantised}, tmp_path).chosen(False)


@pytest.mark.parametrize(
    "name",
    [
        "model.safetensors.index.json",
        "model.safetensors.index.fp16.json",
        "diffusion_pytorch_model.safetensors.index.json",
    ],
)
def test_any_index_of_a_folder(tmp_path: Path, name: str) -> None:
    contiguous = {weight: np.ascontiguousarray(value) for weight, value in raw.items()}
    names = sorted(contiguous)
    parts = {"model-00001-of-00002.safetensors": names[:9], "model-00002-of-00002.safetensors": names[9:]}
    for file, held in parts.items():
        save_file({weight: contiguous[weight] for weight in held}, tmp_path / file)
    with pytest.raises(CheckpointError, match=r"parts of weights, such as model-00001-of-00002\.safetensors, without"):
        read_elf_weights(tmp_path)
    places = {weight: f"./{file}" for file, held in parts.items() for weight in held}
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + json.dumps({"weight_map": places}).encode())
    assert_is(read_elf_weights(tmp_path), RAW)
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(CheckpointError, match="only the pointer of a file kept by Git LFS"):
        read_elf_weights(tmp_path)
    (tmp_path / name).write_text(json.dumps({"weight_map": {"a": "../a.safetensors"}}))
    with pytest.raises(CheckpointError, match="is no name of a file beside it") as caught:
        read_elf_weights(tmp_path)
    assert "into one folder" in caught.value.action


def test_a_folder_of_torchs_distributed_checkpoints_is_named(tmp_path: Path) -> None:
    (tmp_path / ".metadata").write_bytes(b"\x80\x04")
    (tmp_path / "__0_0.distcp").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"a folder of torch\.distributed\.checkpoint") as caught:
        read_elf_weights(tmp_path)
    assert "dcp_to_torch" in caught.value.action


def test_words_that_mean_averages() -> None:
    averages = ("ema", "model_ema", "ema_params1", "EMA", "state_dict_ema", "swa_model", "avg-model", "shadow_params")
    assert all(is_averaged((name,)) for name in averages)
    assert not any(is_averaged((name,)) for name in ("schema", "params", "model", "email", "emacs", "lambda"))
    assert parts_of("module._orig_mod.a/b.c") == ("a", "b", "c")
