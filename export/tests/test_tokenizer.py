"""Loading a tokenizer: a text's ids and nothing but them, whatever else its file asks for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tokenizers
from tokenizers import models

from elf.data.dataset import open_dataset
from elf.data.prepare import Arguments, main
from elf.data.tokenizer import load_byte_level_bpe, load_tokenizer
from elf.errors import CheckpointError

WISHES = [
    {"padding": {"length": 40}},
    {"padding": {"pad_to_multiple_of": 8, "direction": "left"}},
    {"padding": {}},
    {"truncation": {"max_length": 3}},
    {"truncation": {"max_length": 3, "direction": "left"}},
    {"padding": {"length": 7}, "truncation": {"max_length": 7, "stride": 2}},
]
TEXTS = ["Mia found a kite by the old mill.", "Ben", "Was it lost? Tom sang a quiet song."]


def with_wishes(file: Path, out: Path, padding: dict[str, Any] | None = None, truncation: Any = None) -> Path:
    """A copy of tokenizer `file` that asks for padding and truncation, as a training may leave it behind."""
    tokenizer = tokenizers.Tokenizer.from_file(str(file))
    if padding is not None:
        tokenizer.enable_padding(**padding)
    if truncation is not None:
        tokenizer.enable_truncation(**truncation)
    tokenizer.save(str(out))
    assert [json.loads(out.read_text())[name] is not None for name in ("padding", "truncation")] == [
        padding is not None,
        truncation is not None,
    ]
    return out


@pytest.mark.parametrize("wishes", WISHES)
def test_padding_and_truncation_are_cleared(tmp_path: Path, tokenizer_file: Path, wishes: dict[str, Any]) -> None:
    plain = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    loaded = load_tokenizer(with_wishes(tokenizer_file, tmp_path / "tokenizer.json", **wishes))
    expected = [plain.encode(text).ids for text in TEXTS]
    assert [loaded.encode(text).ids for text in TEXTS] == expected
    assert [each.ids for each in loaded.encode_batch(TEXTS, add_special_tokens=False)] == expected
    assert loaded.to_str() == load_tokenizer(tokenizer_file).to_str(), "the same tokenizer to `elf distill`"


def test_prepared_rows_have_neither_pads_nor_gaps(tmp_path: Path, tokenizer_file: Path, corpus_file: Path) -> None:
    wishes = with_wishes(tokenizer_file, tmp_path / "tokenizer.json", {"length": 40}, {"max_length": 9})
    for out, tokenizer in (("plain", tokenizer_file), ("wishes", wishes)):
        main(Arguments(corpus_file, tokenizer, tmp_path / out, max_length=32, held_out=0.1))
    plain, read = (open_dataset(tmp_path / out, split="train") for out in ("plain", "wishes"))
    assert len(plain) == len(read)
    for row in range(len(plain)):
        np.testing.assert_array_equal(plain[row][1], read[row][1])


def test_merges_are_never_left_out(tmp_path: Path) -> None:
    letters = {letter: id for id, letter in enumerate("abcd")}
    bpe = models.BPE(vocab=letters | {"ab": 4, "cd": 5, "abcd": 6}, merges=[("a", "b"), ("c", "d"), ("ab", "cd")])
    bpe.dropout = 0.9
    tokenizers.Tokenizer(bpe).save(str(tmp_path / "tokenizer.json"))
    assert json.loads((tmp_path / "tokenizer.json").read_text())["model"]["dropout"]
    loaded = load_tokenizer(tmp_path / "tokenizer.json")
    assert [loaded.encode("abcdab").ids for _ in range(20)] == [[6, 4]] * 20


def test_gpt2s_two_files(tmp_path: Path) -> None:
    vocabulary = {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4}
    (tmp_path / "vocab.json").write_text(json.dumps(vocabulary), encoding="utf-8")
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\nĠ ab\n", encoding="utf-8")
    tokenizer = load_byte_level_bpe(tmp_path / "vocab.json", tmp_path / "merges.txt")
    assert tokenizer.encode("ab ab b").ids == [3, 4, 2, 1]
    assert tokenizer.decode([3, 4]) == "ab ab"
    (tmp_path / "merges.txt").write_text("a z\n")
    with pytest.raises(CheckpointError, match=r"vocab\.json and merges\.txt cannot be read"):
        load_byte_level_bpe(tmp_path / "vocab.json", tmp_path / "merges.txt")
