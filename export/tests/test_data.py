"""From text to batches: corpus files, tokenizer, windows, collation, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest
import tokenizers

from elf.data.corpus import read_corpus
from elf.data.dataset import Ragged, TokenDataset, batch_rows, check_vocabulary, collate, open_dataset
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.prepare import split_into_windows
from elf.data.tokenizer import load_tokenizer, mask_token, train_tokenizer
from elf.errors import CheckpointError, ConfigError, CorpusFormatError, DatasetError, EmptyCorpusError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_kind_of_corpus_file(tmp_path: Path) -> None:
    assert read_corpus(write(tmp_path / "a.json", '["one", "", "two"]')) == [("one",), ("two",)]
    assert read_corpus(write(tmp_path / "a.jsonl", '"one"\n{"text": "two"}\n\n')) == [("one",), ("two",)]
    pairs = '{"input": "a", "output": "b"}\n'
    assert read_corpus(write(tmp_path / "b.jsonl", pairs)) == [("a", "b")]
    assert read_corpus(write(tmp_path / "a.tsv", "Hi.\tHallo!\n")) == [("Hi.", "Hallo!")]
    assert read_corpus(write(tmp_path / "a.txt", "one\n\ntwo\n")) == [("one",), ("two",)]


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("a.json", "[]", EmptyCorpusError, "no text"),
        ("a.txt", " \n\n", EmptyCorpusError, "no text"),
        ("a.json", "[1]", CorpusFormatError, "list of strings"),
        ("a.json", "[", CorpusFormatError, "not JSON"),
        ("a.jsonl", '"x"\n{"a": 1}', CorpusFormatError, "line 2"),
        ("a.tsv", "a\tb\na\n", CorpusFormatError, "row 2"),
    ],
)
def test_broken_corpora_are_named(tmp_path: Path, name: str, text: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        read_corpus(write(tmp_path / name, text))


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusFormatError, match="nowhere"):
        read_corpus(tmp_path / "nowhere.txt")


def test_tokenizer_is_t5_style(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    assert [tokenizer.id_to_token(i) for i in range(3)] == ["<pad>", "</s>", "<unk>"]
    assert tokenizer.get_vocab_size() == 60
    assert mask_token(tokenizer) == 58
    text = "Mia found a kite by the old mill."
    encoding = tokenizer.encode(text)
    assert encoding.tokens[0].startswith("▁")
    assert tokenizer.decode(encoding.ids) == text
    assert tokenizer.encode("  Mia \n found ").ids == tokenizer.encode("Mia found").ids


def test_the_same_corpus_gives_the_same_pieces() -> None:
    texts = ["a small boat", "a small lamp", "the big boat and the big lamp"] * 4
    first, second = (train_tokenizer(texts, 20, 1).to_str() for _ in range(2))
    assert first == second


def test_too_large_a_vocabulary_is_refused() -> None:
    with pytest.raises(ConfigError, match="5000"):
        train_tokenizer(["one two three"], 5000, 1)


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tok\.json"):
        load_tokenizer(write(tmp_path / "tok.json", "{}"))


def test_windows_are_whole_sentences_with_room_for_the_end(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    text = "Mia found a kite. Was it lost? Tom sang a quiet song. Ada went home to sleep."
    windows = split_into_windows(text, tokenizer, 24)
    assert len(windows) > 1
    assert all(len(window) < 24 for window in windows)
    assert all(tokenizer.decode(window)[-1] in ".?" for window in windows)
    assert " ".join(tokenizer.decode(window) for window in windows) == text


def test_a_long_sentence_is_cut_hard(tokenizer_file: Path) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    windows = split_into_windows("song " * 40, tokenizer, 16)
    assert max(map(len, windows)) == 16
    assert sum(map(len, windows)) == len(tokenizer.encode("song " * 40).ids)


def test_prepared_data_come_back(prepared: Path, tokenizer_file: Path) -> None:
    train, held_out = open_dataset(prepared / "train"), open_dataset(prepared / "held_out")
    assert len(held_out) == 38 and len(train) == 346
    text = load_tokenizer(tokenizer_file).decode(train.input_ids[0].tolist())
    assert text[-1] in ".?"


def test_pairs_get_a_condition(tmp_path: Path, tokenizer_file: Path) -> None:
    rows = "".join(f"Mia found a {thing}.\tTom sang a {thing}.\n" for thing in ("kite", "boat", "lamp", "drum"))
    corpus = write(tmp_path / "pairs.tsv", rows + "Mia " * 60 + "\tshort\n")
    prepare(PrepareArguments(corpus, tokenizer_file, tmp_path / "out", 32, 32, held_out=0.2, reverse=True))
    dataset = open_dataset(tmp_path / "out" / "train")
    tokenizer = load_tokenizer(tokenizer_file)
    assert dataset.condition_input_ids is not None
    sources = {tokenizer.decode(dataset.condition_input_ids[i].tolist())[:3] for i in range(len(dataset))}
    assert sources <= {"Tom", "sho"}
    batch = collate(dataset, np.array([0]), 48, 1)
    n = int(batch.source_length[0])
    assert tokenizer.decode(batch.ids[0, n:].tolist()).startswith("Mia")


def test_collation_fills_cuts_and_marks() -> None:
    dataset = TokenDataset(Ragged.from_rows([[5, 6], [7, 8, 9, 10, 11]]))
    batch = collate(dataset, np.array([1, 0]), 4, pad_token=1)
    assert batch.ids.tolist() == [[7, 8, 9, 10], [5, 6, 1, 1]]
    assert batch.real.tolist() == [[True] * 4, [True, True, False, False]]


def test_an_epoch_visits_every_row_once_and_the_next_in_another_order() -> None:
    rows = np.concatenate([batch_rows(10, 4, step, seed=3) for step in range(5)])
    assert sorted(rows[:10]) == sorted(rows[10:]) == list(range(10))
    assert rows[:10].tolist() != rows[10:].tolist()
    assert batch_rows(10, 4, 2, seed=3).tolist() == rows[8:12].tolist(), "a batch depends on its step alone"


def test_unreadable_datasets_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"holds no state\.json"):
        open_dataset(tmp_path)


def test_foreign_ids_are_refused() -> None:
    with pytest.raises(DatasetError, match="token id 40"):
        check_vocabulary(TokenDataset(Ragged.from_rows([[3, 40]])), 40)


def test_tokenizer_file_is_plain_json(tokenizer_file: Path) -> None:
    content = json.loads(tokenizer_file.read_text())
    assert content["model"]["type"] == "Unigram" and content["model"]["unk_id"] == 2
    assert isinstance(tokenizers.Tokenizer.from_file(str(tokenizer_file)), tokenizers.Tokenizer)
