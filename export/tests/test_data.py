"""Corpus files, tokenizers, and what is refused of them."""

import json
from pathlib import Path
from typing import Any

import datasets
import pytest
import tokenizers

from elf.data.corpus import Columns, pick_evenly, read_corpus, stream_corpus, take_evenly
from elf.data.tokenizer import load_tokenizer, mask_token
from elf.data.train_tokenizer import Arguments as TokenizerArguments
from elf.data.train_tokenizer import main as train_tokenizer_command
from elf.data.train_tokenizer import train_tokenizer
from elf.errors import CheckpointError, ConfigError, CorpusFormatError, DatasetError, EmptyCorpusError


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_every_kind_of_corpus_file(tmp_path: Path) -> None:
    assert [*read_corpus(write(tmp_path / "a.json", '["one", "", "two"]'))] == [("one",), ("two",)]
    assert [*read_corpus(write(tmp_path / "a.jsonl", '"one"\n{"text": "two"}\n\n'))] == [("one",), ("two",)]
    pairs = '{"input": "a", "output": "b"}\n'
    assert [*read_corpus(write(tmp_path / "b.jsonl", pairs))] == [("a", "b")]
    assert [*read_corpus(write(tmp_path / "a.tsv", "Hi.\tHallo!\n"))] == [("Hi.", "Hallo!")]
    assert [*read_corpus(write(tmp_path / "a.txt", "one\n\ntwo\n"))] == [("one",), ("two",)]


@pytest.mark.parametrize(
    ("name", "text", "error", "words"),
    [
        ("a.json", "[]", EmptyCorpusError, "no text"),
        ("a.txt", " \n\n", EmptyCorpusError, "no text"),
        ("a.json", "[1]", CorpusFormatError, "list of strings"),
        ("a.json", "[", CorpusFormatError, "not JSON"),
        ("a.jsonl", '"x"\n{"a": 1}', CorpusFormatError, "line 2"),
        ("a.jsonl", '"x"\n{"input": "a", "output": "b"}', CorpusFormatError, "line 2 has 2 columns"),
        ("a.jsonl", '"x"\n3', CorpusFormatError, "line 2"),
        ("a.tsv", "a\tb\na\n", CorpusFormatError, "row 2"),
        ("a.tsv", "a\tb\tc\n", CorpusFormatError, "row 1"),
    ],
)
def test_broken_corpora_are_named(tmp_path: Path, name: str, text: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        [*read_corpus(write(tmp_path / name, text))]


def test_a_missing_corpus_is_named(tmp_path: Path) -> None:
    with pytest.raises(CorpusFormatError, match="nowhere"):
        [*read_corpus(tmp_path / "nowhere.txt")]


def test_a_corpus_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.txt").write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(CorpusFormatError, match=r"latin\.txt is not UTF-8"):
        [*read_corpus(tmp_path / "latin.txt")]


def test_a_corpus_is_read_as_far_as_it_is_asked_for(tmp_path: Path) -> None:
    rows = stream_corpus(write(tmp_path / "a.jsonl", '"one"\n"two"\nbroken\n'))
    assert [next(rows), next(rows)] == [("one",), ("two",)]
    with pytest.raises(CorpusFormatError, match="line 3"):
        next(rows)


def test_columns_of_a_saved_dataset(tmp_path: Path) -> None:
    pairs = [{"de": "Hallo", "en": "Hi"}, {"de": " ", "en": "nothing"}, {"de": "Ja", "en": "Yes"}]
    datasets.Dataset.from_dict({"translation": pairs, "n": [1, 2, 3]}).save_to_disk(str(tmp_path))
    both = Columns(text_column="translation.en", source_column="translation.de")
    assert list(stream_corpus(tmp_path, both)) == [("Hallo", "Hi"), ("Ja", "Yes")]
    with pytest.raises(CorpusFormatError, match="no column text, only translation, n"):
        list(stream_corpus(tmp_path))
    with pytest.raises(CorpusFormatError, match=r"n of .* holds int"):
        list(stream_corpus(tmp_path, Columns(text_column="n")))


def test_columns_of_parquet_files(tmp_path: Path) -> None:
    datasets.Dataset.from_dict({"story": ["one", "two"]}).to_parquet(str(tmp_path / "train.parquet"))
    assert list(stream_corpus(tmp_path, Columns(text_column="story"))) == [("one",), ("two",)]


def test_a_hub_corpus_is_streamed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def split_names(name: str, subset: str | None, revision: str | None) -> list[str]:
        return ["train", "test"]

    def load_dataset(*arguments: Any, **settings: Any) -> list[dict[str, str]]:
        calls.append((arguments, settings))
        return [{"text": "one"}, {"text": "two"}]

    monkeypatch.setattr(datasets, "get_dataset_split_names", split_names)
    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    columns = Columns(split="train", subset="small", revision="v2")
    assert list(stream_corpus(Path("owner/stories"), columns)) == [("one",), ("two",)]
    assert calls == [(("owner/stories", "small"), {"split": "train", "revision": "v2", "streaming": True})]
    with pytest.raises(DatasetError, match="several splits: test, train"):
        list(stream_corpus(Path("owner/stories")))


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
    with pytest.raises(ConfigError, match="4999 pieces"):
        train_tokenizer(["one two three"], 5000, 1)


def test_a_tokenizer_learns_from_texts_that_are_read_once_and_names_what_is_wrong_with_them(tmp_path: Path) -> None:
    texts = ["one two three", "two three four\nfive six"] * 20
    assert train_tokenizer(iter(texts), 20, 1).to_str() == train_tokenizer(texts, 20, 1).to_str()
    corpus = write(tmp_path / "a.jsonl", '"one two three"\n' * 30 + "7\n")
    with pytest.raises(CorpusFormatError, match="line 31 holds"):
        train_tokenizer((text for row in read_corpus(corpus) for text in row), 20, 1)
    out = tmp_path / "tokenizer.json"
    with pytest.raises(CorpusFormatError, match="line 31 holds"):
        train_tokenizer_command(TokenizerArguments((corpus,), out, 20, 1))
    assert not out.exists()


@pytest.mark.parametrize("total", [0, 1, 7, 100])
def test_what_is_picked_in_one_pass_is_what_is_taken_of_a_list(total: int) -> None:
    picked = pick_evenly(iter(range(total)), total, 3, 20)
    assert picked == [take_evenly(range(total), 3), take_evenly(range(total), 20)]


def test_a_broken_tokenizer_is_named(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"tok\.json"):
        load_tokenizer(write(tmp_path / "tok.json", "{}"))


def test_tokenizer_file_is_plain_json(tokenizer_file: Path) -> None:
    content = json.loads(tokenizer_file.read_text())
    assert content["model"]["type"] == "Unigram" and content["model"]["unk_id"] == 2
    assert isinstance(tokenizers.Tokenizer.from_file(str(tokenizer_file)), tokenizers.Tokenizer)
