"""Weights at rest: encodings, shards, the index, and the way back."""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from elf.errors import StoredWeightsError
from elf.models import exported_folder, weight_places
from elf.models.encodings import decode, encode, encoded_bytes, encoding_of
from elf.models.exported_folder import ShardReader, ShardWriter, StoredWeights, write_weights
from elf.models.weight_places import WeightLayout, read_index


def random(*shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_q8_and_q4_are_laid_out_as_matmulnbits_takes_them():
    # Three inputs, two outputs, blocks of two: the last block of an output is half empty. Of the scales without error,
    # some are negative: 7/128 is a float16 and 7/127 is none.
    kernel = np.asarray([[1.0, 7.0], [-127.0, 3.5], [0.5, 0.0]], np.float32)
    stored = encode(kernel, "q8", 2)
    assert [*stored[:8]] == [129, 1, 0, 128, 0, 64, 128, 128]
    scales = np.frombuffer(stored, np.float16, 4, 8)
    np.testing.assert_array_equal(scales, [1, -0.5 / 128, -7 / 128, 0])
    four = encode(np.asarray([[1.0], [-7.0], [7.0], [0.0]], np.float32), "q4", 4)
    assert [*four[:2]] == [0x19, 0x8F] and np.frombuffer(four, np.float16, 1, 2) == 1


@pytest.mark.parametrize(("encoding", "worst"), [("f32", 0.0), ("f16", 2**-11), ("q8", 0.006), ("q4", 0.1)])
@pytest.mark.parametrize("shape", [(64, 48), (65, 3), (1, 1), (31, 7)])
def test_what_is_stored_comes_back_but_for_its_rounding(encoding, worst, shape):
    kernel = random(*shape)
    stored = encode(kernel, encoding)
    assert len(stored) == encoded_bytes(shape, encoding)
    back = decode(stored, shape, encoding)
    assert back.dtype == np.float32 and back.flags["C_CONTIGUOUS"]
    assert np.linalg.norm(back - kernel) <= worst * np.linalg.norm(kernel)


def test_blocks_of_zeros_stay_zeros_and_outliers_stay_in_their_block():
    kernel = random(64, 4)
    kernel[:32, 1] = 0
    kernel[3, 2] = 1000
    back = decode(encode(kernel, "q8"), kernel.shape, "q8")
    assert (back[:32, 1] == 0).all()
    assert np.abs(back - kernel)[32:].max() < 0.02
    assert np.abs(back[3, 2] - 1000) < 1


def test_angles_and_small_tensors_keep_their_precision():
    assert [encoding_of("tables/cos", (64, 32), dtype) for dtype in ("f32", "f16", "q8")] == ["f32"] * 3
    assert encoding_of("blocks_0/attn/qkv/kernel", (256, 768), "q4") == "q4"
    assert encoding_of("encoder/block_0/layer_0/SelfAttention/q/kernel", (256, 256), "q8") == "q8"
    assert encoding_of("unembed_0/kernel", (256, 4096), "q8") == "q8"
    assert encoding_of("final_layer/linear/kernel", (256, 128), "q8") == "f16"
    assert [encoding_of("shared/embedding", (4096, 128), dtype) for dtype in ("f16", "q8", "q4")] == ["f16", "q8", "q8"]
    assert encoding_of("blocks_0/norm1/weight", (256,), "q8") == "f32"
    assert encoding_of("blocks_0/norm1/weight", (256,), "f16") == "f16"


def test_a_stream_is_cut_anywhere_and_read_across_the_cuts(tmp_path):
    data = bytes(range(256)) * 5
    with ShardWriter(tmp_path, "w", greatest=100) as writer:
        for at in range(0, len(data), 37):
            writer.write(data[at : at + 37])
    assert writer.names == [f"w-{number:05}.bin" for number in range(1, 14)]
    assert [(tmp_path / name).stat().st_size for name in writer.names] == [100] * 12 + [80]
    reader = ShardReader(tmp_path, "w")
    for offset, count in ((0, 1280), (99, 2), (100, 100), (250, 777), (1279, 1), (5, 0)):
        assert reader.read(offset, count) == data[offset : offset + count]
    with pytest.raises(StoredWeightsError, match="end at byte 1280"):
        reader.read(1279, 2)
    with pytest.raises(StoredWeightsError, match="v-00001"):
        ShardReader(tmp_path, "v")


def test_virtual_files_are_no_larger_than_a_browser_can_hold(monkeypatch):
    monkeypatch.setattr(weight_places, "GREATEST_FILE", 1000)
    layout = WeightLayout({"a": random(100), "b": random(150), "c": random(400)}, {"d": random(1)})
    assert [(slot.file, slot.offset, slot.length) for slot in layout.slots.values()] == [
        (0, 0, 400),
        (1, 0, 600),
        # Larger than any file may be: alone in its own.
        (2, 0, 1600),
        (3, 0, 4),
    ]
    assert layout.file_sizes == [400, 600, 1600, 4]


class Lazy(Mapping[str, np.ndarray]):
    """Makes its tensors when asked, and remembers for which."""

    def __init__(self, names):
        self.names, self.loads = names, []

    def __getitem__(self, name):
        self.loads.append(name)
        return random(40, 6, seed=self.names.index(name))

    def __iter__(self):
        return iter(self.names)

    def __len__(self):
        return len(self.names)


@pytest.mark.parametrize("dtype", ["f32", "f16", "q8", "q4"])
def test_weights_are_written_tensor_by_tensor_and_read_back(dtype, tmp_path, monkeypatch):
    monkeypatch.setattr(exported_folder, "ShardWriter", partial(ShardWriter, greatest=500))
    lazy = Lazy(["blocks_0/a/kernel", "blocks_0/b/kernel"])
    layout = WeightLayout(lazy, {"norm/weight": random(7)})
    lazy.loads.clear()
    names = write_weights(layout, {}, dtype, tmp_path)
    assert lazy.loads == ["blocks_0/a/kernel", "blocks_0/b/kernel"]
    stored = StoredWeights(tmp_path, dtype)
    assert list(stored) == ["blocks_0/a/kernel", "blocks_0/b/kernel", "norm/weight"]
    for name, value in layout.tensors.items():
        encoding = encoding_of(name, value.shape, dtype)
        np.testing.assert_array_equal(stored[name], decode(encode(value, encoding), value.shape, encoding))
    index = json.loads((tmp_path / f"weights-{dtype}.json").read_text())
    assert index["bytes"] == sum((tmp_path / name).stat().st_size for name in names)
    for tensor in index["tensors"]:
        slot = layout.slots[tensor["name"]]
        assert tensor["plain"] == {"file": slot.file, "offset": slot.offset}
        assert tensor["offset"] % 16 == 0


def test_a_broken_index_is_named(tmp_path):
    write_weights(WeightLayout({"a": random(3)}), {}, "f32", tmp_path)
    path = tmp_path / "weights-f32.json"
    for broken in ("", "[]", "{}", path.read_text().replace('"schemaVersion": 1', '"schemaVersion": 9')):
        path.write_text(broken)
        with pytest.raises(StoredWeightsError, match=r"weights-f32\.json"):
            StoredWeights(tmp_path, "f32")


@pytest.mark.parametrize(
    "change",
    [
        *({"encoding": encoding} for encoding in ("q9", None, "q8")),
        *({"offset": -1}, {"shape": [1.5]}, {"block": -16}, {"bytes": "3"}, {"name": ["a"]}),
        *({"plain": place} for place in ({"file": "0", "offset": 0}, {"file": 0, "offset": None}, {})),
    ],
)
def test_tensors_that_are_stored_in_no_way_that_there_is(tmp_path: Path, change: dict) -> None:
    fixture = Path(__file__).parents[2] / "test/fixtures/tiny-model/onnx/weights-f32.json"
    index = json.loads(fixture.read_text())
    index["tensors"][0] |= change
    (tmp_path / "weights-f32.json").write_text(json.dumps(index))
    with pytest.raises(StoredWeightsError, match="cannot be read"):
        read_index(tmp_path / "weights-f32.json")


def test_a_shard_that_is_missing_or_a_broken_link_is_named(tmp_path: Path) -> None:
    """What follows a missing one would be taken for it."""
    for number in (1, 2, 3):
        (tmp_path / f"weights-f32-{number:05}.bin").write_bytes(bytes(4))
    assert ShardReader(tmp_path, "weights-f32").read(6, 4) == bytes(4)
    (tmp_path / "weights-f32-00002.bin").unlink()
    with pytest.raises(StoredWeightsError, match=r"has no weights-f32-00002\.bin"):
        ShardReader(tmp_path, "weights-f32")
    (tmp_path / "weights-f32-00002.bin").symlink_to("nowhere")
    with pytest.raises(StoredWeightsError, match=r"weights-f32-00002\.bin cannot be read: No such file"):
        ShardReader(tmp_path, "weights-f32")
    (tmp_path / "weights-f32-00002.bin").unlink()
    (tmp_path / "weights-f32-00002.bin").mkdir()
    with pytest.raises(StoredWeightsError, match=r"weights-f32-00002\.bin cannot be read: Is a directory"):
        ShardReader(tmp_path, "weights-f32").read(0, 12)
