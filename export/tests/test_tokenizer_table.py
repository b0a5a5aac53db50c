"""Thousands of texts in which tokenizers differ: every loaded tokenizer gives the ids of its reference.

src/runtime/tokenizer/table.test.ts holds the page to the same table.
"""

import gzip
import json
import unicodedata
from pathlib import Path
from typing import Any

import pytest
import tokenizers
from tokenizers import normalizers

from elf.data.tokenizer import check_read_alike, load_tokenizer
from elf.errors import TokenizerFormError

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "test/fixtures/tokenizers"
T5 = ROOT.parent / "shared/tokenizers/t5"
TABLE: dict[str, Any] = json.loads(gzip.decompress((FIXTURES / "table.json.gz").read_bytes()))

FILES = {
    "sentencepiece": FIXTURES / "sentencepiece.json",
    "translate-de-en": ROOT / "models/translate-de-en/tokenizer.json",
    "stories-mini": ROOT / "test/fixtures/stories-mini/tokenizer.json",
    "t5": T5 / "tokenizer.json",
}
SHIPPED = sorted((ROOT / "models").glob("*/tokenizer.json"))


@pytest.mark.parametrize("name", FILES)
def test_every_text_has_the_ids_of_the_reference(name: str) -> None:
    if not FILES[name].is_file():
        pytest.skip("T5's own files are not shipped; put them in ../shared")
    tokenizer, texts = load_tokenizer(FILES[name]), TABLE["texts"]
    found = [each.ids for each in tokenizer.encode_batch(texts)]
    wrong = [(text, ids) for text, ids, right in zip(texts, found, TABLE["ids"][name], strict=True) if ids != right]
    assert wrong == []
    assert [tokenizer.encode(text).ids for text in texts[::50]] == found[::50]


def test_the_table_has_what_it_is_for() -> None:
    texts = TABLE["texts"]
    assert len({*texts}) == len(texts) >= 2000
    assert all(len(ids) == len(texts) for ids in TABLE["ids"].values()) and TABLE["ids"].keys() == FILES.keys()
    together = "".join(texts)
    kinds = ("Zs", "Zl", "Zp", "Cc", "Cf", "Mn")
    wanted = {chr(code) for code in range(0x110000) if unicodedata.category(chr(code)) in kinds}
    assert wanted - {*together} == set()
    # The library by itself, which reads clusters of characters and sums in another precision, gets hundreds wrong.
    library = tokenizers.Tokenizer.from_file(str(FILES["sentencepiece"]))
    theirs = [each.ids for each in library.encode_batch(texts, add_special_tokens=False)]
    assert sum(ids != right for ids, right in zip(theirs, TABLE["ids"]["sentencepiece"], strict=True)) > 300


@pytest.mark.parametrize("file", [*SHIPPED, FIXTURES / "sentencepiece.json"], ids=lambda file: file.parent.name)
def test_tokenizers_that_the_page_reads_alike_are_exported(file: Path) -> None:
    check_read_alike(file)


@pytest.mark.parametrize(
    ("part", "value", "reason"),
    [
        ("normalizer", normalizers.Lowercase(), "its normaliser has a step Lowercase"),
        ("normalizer", normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()]), "a step NFKC"),
        ("normalizer", normalizers.NFC(), "a step NFC"),
        ("pre_tokenizer", tokenizers.pre_tokenizers.Whitespace(), "its pre-tokenizer is Whitespace"),
        ("pre_tokenizer", tokenizers.pre_tokenizers.Metaspace(prepend_scheme="first"), "begins a text without one"),
    ],
)
def test_tokenizers_that_it_may_read_otherwise_are_refused(tmp_path: Path, part: str, value: Any, reason: str) -> None:
    library = tokenizers.Tokenizer.from_file(str(FILES["sentencepiece"]))
    setattr(library, part, value)
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerFormError, match=reason) as caught:
        check_read_alike(tmp_path / "tokenizer.json")
    assert "elf tokenizer train" in caught.value.action
    bpe = tokenizers.Tokenizer(tokenizers.models.BPE(vocab={"a": 0}, merges=[]))
    bpe.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(TokenizerFormError, match="its model is BPE"):
        check_read_alike(tmp_path / "tokenizer.json")


def test_a_vocabulary_that_sentencepiece_cannot_read_is_refused(tmp_path: Path) -> None:
    """The library reads it, and so Python's ids are the library's, which are not known to be the page's."""
    facts = json.loads(FILES["sentencepiece"].read_text())
    for piece in (facts["model"]["vocab"][50], ["", -5.0], ["a\0b", -5.0]):
        changed = facts | {"model": facts["model"] | {"vocab": [*facts["model"]["vocab"], piece]}, "added_tokens": []}
        (tmp_path / "tokenizer.json").write_text(json.dumps(changed))
        load_tokenizer(tmp_path / "tokenizer.json")
        with pytest.raises(TokenizerFormError, match="SentencePiece cannot read its pieces"):
            check_read_alike(tmp_path / "tokenizer.json")
