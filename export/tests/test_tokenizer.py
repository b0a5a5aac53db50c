"""Loading a tokenizer: a text's ids and nothing but them, whatever else its file asks for."""

import base64
import json
import runpy
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import sentencepiece
import tokenizers
from conftest import stories
from tokenizers import models

from elf.data.prepare import Arguments, main
from elf.data.rows import open_dataset
from elf.data.tokenizer import load_byte_level_bpe, load_tokenizer
from elf.data.tokenizer_json import check_charsmap, model_of_tokenizer
from elf.data.tokenizer_json import converted_file as tokenizer_file_of
from elf.data.train_tokenizer import WordCounts, add_whole_words, learn_pieces, train_tokenizer
from elf.errors import CheckpointError, ConfigError, TextError
from elf.sampling.sample import read_prompts

T5 = Path(__file__).parents[2].parent / "shared/tokenizers/t5"
FIXTURES = Path(__file__).parents[2] / "test/fixtures"
SHIPPED = Path(__file__).parents[2] / "models/translate-de-en/tokenizer.json"
needs_t5 = pytest.mark.skipif(not T5.is_dir(), reason="T5's own files are not shipped; put them in ../shared")

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
    expected = [plain.encode(text, add_special_tokens=False).ids for text in TEXTS]
    assert [loaded.encode(text).ids for text in TEXTS] == expected
    assert [each.ids for each in loaded.encode_batch(TEXTS)] == expected
    assert loaded.content() == load_tokenizer(tokenizer_file).content(), "the same tokenizer to `elf distill`"


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


ODD_TEXTS = [
    "\ufeffMia found a kite.",
    "the\u200bcat sat\u200d.",
    "\x01\x02 tab\there\x85 next\x85",
    "ª\u0300 decomposed e\u0302\u0301 か\u3099 \u1112\u1161\u11ab",
    "ggggg aaaaaaaaa ..... -----",
    "＜/s＞ is no end, nor is ＜pad＞",
    "  two   spaces and ▁ a mark ▁",
    "👩\u200d👩\u200d👧 and 🏴󠁧󠁢󠁥󠁮󠁧󠁿",
    "nul \0 nul",
    "",
    " \t\n",
]


def test_a_new_tokenizer_reads_texts_as_its_pieces_were_learnt(tmp_path: Path) -> None:
    texts = [*stories(), "the cat sat on a mat.", "ggg hhh", "é ạ か が 한 a b c d"] * 2
    train_tokenizer(texts, 72, 2).save(str(tmp_path / "tokenizer.json"))
    pieces = sentencepiece.SentencePieceProcessor(model_proto=learn_pieces(texts, 70).SerializeToString())
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    for text in ODD_TEXTS:
        assert tokenizer.encode(text).ids == pieces.encode(text), text
    assert [each.ids for each in tokenizer.encode_batch(ODD_TEXTS)] == pieces.encode(ODD_TEXTS)
    unknown = tokenizer.token_to_id("<unk>")
    assert tokenizer.encode("the\u200bcat\x07 sat").ids == tokenizer.encode("the cat sat").ids
    assert unknown not in tokenizer.encode("the\u200bcat\x07 sat").ids


def test_frequent_words_that_would_be_cut_are_whole(tmp_path: Path) -> None:
    texts = [*stories(), '"Tomorrow," said Mia. "Tomorrow?" asked Ben.', "It is tomorrow. Tomorrow it is. ﬁve"] * 2
    cut = learn_pieces(texts, 72)
    learnt = sentencepiece.SentencePieceProcessor(model_proto=cut.SerializeToString())
    assert len(learnt.encode("Tomorrow")) > 1
    train_tokenizer(texts, 80, 2, whole_words=6).save(str(tmp_path / "tokenizer.json"))
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    assert tokenizer.get_vocab_size() == 80
    assert tokenizer.encode('"Tomorrow," found').tokens == ["▁", '"', "Tomorrow", ",", '"', "▁found"]
    added = [tokenizer.id_to_token(id) for id in range(72, 78)]
    assert set(added) == {"▁found", "▁lost", "▁by", "▁old", "▁Was", "▁it"}, "those of every story"
    for text in ("a white otter", *TEXTS):
        assert tokenizer.decode(tokenizer.encode(text).ids) == text
    assert tokenizer.encode("a gate").ids == learnt.encode("a gate"), "what holds no whole word is read as before"


def test_a_whole_word_wins_over_whole_words_in_it() -> None:
    model = learn_pieces([*stories(), "A p n d a"], 60)
    counts = WordCounts()
    for times, word in ((5, "panda"), (4, "pan"), (3, "pand"), (2, "panda")):
        counts.add(f"{word} " * times)
    add_whole_words(model, counts, 3)
    assert [piece.piece for piece in model.pieces[-3:]] == ["▁panda", "▁pan", "▁pand"], "by frequency"
    pieces = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    assert pieces.encode("panda pan pand pa", out_type=str)[:3] == ["▁panda", "▁pan", "▁pand"]


def test_more_whole_words_than_are_cut_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"cut only \d+ words of this corpus, and 9,000 are asked for"):
        train_tokenizer(stories(), 9060, 2, whole_words=9000)
    with pytest.raises(ConfigError, match="--whole-words is -1"):
        train_tokenizer(stories(), 60, 2, whole_words=-1)


def test_rare_characters_are_known_where_that_is_asked_for() -> None:
    texts = [*stories()] * 3 + ["Q"]
    some, all_of_them = (train_tokenizer(texts, 62, 2, coverage=coverage) for coverage in (0.999, 1.0))
    assert some.token_to_id("Q") is None and all_of_them.token_to_id("Q") is not None
    with pytest.raises(ConfigError, match="--character-coverage is 99"):
        train_tokenizer(texts, 60, 2, coverage=99)


def test_long_lines_are_learnt_from_too() -> None:
    """SentencePiece leaves lines of more than 4,192 bytes out unless it is told not to."""
    long = "Quizzical jackdaws vex me. " * 300
    tokenizer = train_tokenizer([*stories(), long], 70, 2, coverage=1.0)
    assert all(tokenizer.token_to_id(letter) is not None for letter in "Qzqjx")


@needs_t5
def test_t5s_tokenizer_gives_the_ids_of_sentencepiece() -> None:
    pieces = sentencepiece.SentencePieceProcessor(model_file=str(T5 / "spiece.model"))
    for file in (T5 / "tokenizer.json", tokenizer_file_of(T5 / "spiece.model")):
        tokenizer = load_tokenizer(file)
        for text in ODD_TEXTS:
            assert tokenizer.encode(text).ids == pieces.encode(text), text


@needs_t5
def test_special_tokens_in_a_text_are_special(tmp_path: Path) -> None:
    library = tokenizers.Tokenizer.from_file(str(T5 / "tokenizer.json"))
    tokenizer = load_tokenizer(T5 / "tokenizer.json")
    texts = ["a </s> b", "<pad>x<pad>", " <extra_id_0>  Hund <extra_id_12>läuft ", "</s></s>", "<unk> <extra_id_100>"]
    for text in texts:
        expected, found = library.encode(text, add_special_tokens=False), tokenizer.encode(text)
        assert found.ids == expected.ids and len(found.tokens) == len(found.offsets) == len(found.ids)
        places, specials = zip(found.tokens, found.offsets, strict=True), ("</s>", "<pad>", "<unk>", "<extra_id_0>")
        assert all(token == text[begin:end] for token, (begin, end) in places if token in specials)
    assert [each.ids for each in tokenizer.encode_batch(["one", *texts, "two"])] == [
        tokenizer.encode(text).ids for text in ("one", *texts, "two")
    ]


@pytest.mark.parametrize("text", ["the cat \ud83d sat.", "\udc80", "a\ude00\ud83d"])
def test_half_a_character_is_named(tokenizer_file: Path, text: str) -> None:
    tokenizer = load_tokenizer(tokenizer_file)
    for read in (tokenizer.encode, lambda text: tokenizer.encode_batch(["whole 😀", text])):
        with pytest.raises(TextError, match=r"half of a character, U\+D[8-F]\w\w at place"):
            read(text)


def test_a_file_with_a_mark_is_read(tmp_path: Path, tokenizer_file: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(b"\xef\xbb\xbf" + tokenizer_file.read_bytes())
    assert load_tokenizer(tmp_path / "tokenizer.json").content() == load_tokenizer(tokenizer_file).content()


def change(facts: dict[str, Any], place: str, value: Any) -> dict[str, Any]:
    """A copy of `facts` with one value changed; `place` has dots between its names."""
    facts = json.loads(json.dumps(facts))
    *path, last = place.split(".")
    part: Any = facts
    for name in path:
        part = part[int(name) if isinstance(part, list) else name]
    part[last] = value
    return facts


METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
FIRST_METASPACE = METASPACE | {"prepend_scheme": "first"}


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        ("normalizer", None, "keeps spaces"),
        ("normalizer", {"type": "NFKC"}, "step NFKC"),
        ("pre_tokenizer", None, "pre-tokenizer is none"),
        ("pre_tokenizer", FIRST_METASPACE, "begins a text without one"),
        (
            "pre_tokenizer",
            {"type": "Sequence", "pretokenizers": [METASPACE, {"type": "Digits"}]},
            "Metaspace and Digits",
        ),
        ("model.byte_fallback", True, "without bytes"),
        ("model.unk_id", None, "with an unknown token"),
        ("model.type", "BPE", "its model is BPE"),
        ("added_tokens.0.special", False, "'<pad>' is no special one"),
        ("added_tokens.0.id", 7, "'<pad>' has the id of a piece"),
    ],
)
def test_other_forms_are_not_taken_for_sentencepieces(
    tokenizer_file: Path, place: str, value: Any, reason: str
) -> None:
    facts = json.loads(tokenizer_file.read_text())
    model_of_tokenizer(facts)
    with pytest.raises(ValueError, match=reason):
        model_of_tokenizer(change(facts, place, value))


def test_older_files_of_t5_mean_the_same(tokenizer_file: Path) -> None:
    """As transformers wrote them in 2020: no step for runs of spaces, but a split at them."""
    facts = json.loads(tokenizer_file.read_text())
    older = change(
        facts, "pre_tokenizer", {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, METASPACE]}
    )
    older["normalizer"] = older["normalizer"]["normalizers"][0]
    assert model_of_tokenizer(older) == model_of_tokenizer(facts)


def test_a_prompt_is_read_as_in_the_pages_box(tokenizer_file: Path) -> None:
    """JavaScript's `trim` takes U+FEFF, and not U+0085."""
    model: Any = SimpleNamespace(tokenizer=SHIPPED)
    tokenizer = load_tokenizer(SHIPPED)
    plain = tokenizer.encode("Lily found a kite.").ids
    for before, after in (("\ufeff", ""), (" \ufeff\u3000", "\n\ufeff"), ("\u00a0\t", "\u2028\v")):
        assert read_prompts(model, [f"{before}Lily found a kite.{after}"], []) == [plain]
    assert read_prompts(model, ["Li\ufeffly\x1c"], []) == [tokenizer.encode("Li\ufeffly\x1c").ids]
    assert read_prompts(model, ["\ufeff", ""], []) == [[], []]


def test_the_fixture_of_blank_ends_is_what_its_maker_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """src/runtime/tokenizer/blankEnds.test.ts holds the page to it."""
    maker, written = Path(__file__).parent / "fixtures/make_blank_ends.py", tmp_path / "blank-ends.json"
    monkeypatch.setattr(sys, "argv", [str(maker), str(written)])
    runpy.run_path(str(maker), run_name="__main__")
    assert json.loads(written.read_text()) == json.loads(
        (SHIPPED.parents[2] / "test/fixtures/blank-ends.json").read_text()
    )


def test_tokens_that_share_an_id_are_refused(tmp_path: Path) -> None:
    """Which of them an id is decoded as changes from one reading to the next."""
    (tmp_path / "vocab.json").write_text(json.dumps({"a": 0, "b": 1, "c": 1}))
    (tmp_path / "merges.txt").write_text("#version: 0.2\n")
    with pytest.raises(CheckpointError, match="several tokens the same id"):
        load_byte_level_bpe(tmp_path / "vocab.json", tmp_path / "merges.txt")
    model = {"type": "WordLevel", "vocab": {"a": 0, "b": 1, "c": 1}, "unk_token": "a"}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"version": "1.0", "added_tokens": [], "model": model}))
    with pytest.raises(CheckpointError, match="several tokens the same id"):
        load_tokenizer(tmp_path / "tokenizer.json")


def test_what_the_library_gives_up_on_has_a_name(tmp_path: Path) -> None:
    """Its Rust then raises what is no Exception."""
    facts = json.loads((FIXTURES / "tokenizers/sentencepiece.json").read_text())
    facts["normalizer"] = {"type": "Precompiled", "precompiled_charsmap": "A"}
    (tmp_path / "tokenizer.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match="cannot be read as a tokenizer"):
        load_tokenizer(tmp_path / "tokenizer.json")


@pytest.mark.parametrize("head", ["00bc02ec", "08000000", "01000000"])
def test_a_table_of_normalisations_is_no_larger_than_it_is(tmp_path: Path, head: str) -> None:
    """The library would reserve what it says, and end the program where there is not so much: 3.96 GB of the first."""
    table = bytes.fromhex(head) + bytes(4)
    facts = json.loads((FIXTURES / "tokenizers/sentencepiece.json").read_text())
    step = {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(table).decode()}
    facts["normalizer"] = {"type": "Sequence", "normalizers": [{"type": "Sequence", "normalizers": [step]}]}
    (tmp_path / "tokenizer.json").write_text(json.dumps(facts))
    with pytest.raises(CheckpointError, match="charsmap is cut off"):
        load_tokenizer(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match="charsmap is cut off"):
        check_charsmap(table)
    check_charsmap(bytes(4))
    check_charsmap(b"")
