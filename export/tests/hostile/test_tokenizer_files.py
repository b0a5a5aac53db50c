"""Tokenizers from strangers, and prompts for those of this project."""

import io
import json
from pathlib import Path
from typing import Any

import sentencepiece
from conftest import stories
from hypothesis import strategies as st
from inputs import alone, as_json, byte_files, folders, json_files, text_files
from withstands import withstands

from elf.data.tokenizer import SentencePieceTokenizer, Tokenizer, load_byte_level_bpe, load_tokenizer
from elf.data.tokenizer_json import convert_sentencepiece
from elf.models.text_encoder import tokenizer_file

ROOT = Path(__file__).parents[3]
OWN = (ROOT / "test/fixtures/tiny-model/tokenizer.json").read_bytes()
SENTENCEPIECE = (ROOT / "test/fixtures/tokenizers/sentencepiece.json").read_bytes()
CONFIG = (ROOT / "test/fixtures/tiny-model/tokenizer_config.json").read_bytes()
REFUSALS = {"CheckpointError"}

PROMPTS = (
    "Once upon a time, there was a cat.",
    "Ein Mädchen — „Lily“ — lief\u00a0heim.</s><pad>",
    "a" * 3000,
    "\u0301" * 500,
    " " * 3000,
)


def smaller(tokenizer: bytes, pieces: int = 300) -> bytes:
    """The same with its first pieces alone: what is read again and again must be small."""
    facts = json.loads(tokenizer)
    facts["model"]["vocab"] = facts["model"]["vocab"][:pieces]
    facts["added_tokens"] = [token for token in facts["added_tokens"] if token["id"] < pieces]
    return as_json(facts)


def used(tokenizer: Tokenizer) -> Any:
    """What is made of some prompts, and back."""
    ids = [each.ids for each in tokenizer.encode_batch(PROMPTS)]
    size = tokenizer.get_vocab_size()
    pieces = tokenizer.encode(PROMPTS[1])
    return [
        ids,
        [tokenizer.decode(each) for each in ids],
        size,
        pieces.tokens,
        pieces.offsets,
        tokenizer.token_to_id("</s>"),
    ]


def test_a_tokenizer_is_read_or_refused_by_name(tmp_path: Path) -> None:
    for example in (smaller(OWN), smaller(SENTENCEPIECE)):
        files = {"tokenizer.json": example, "tokenizer_config.json": CONFIG}
        others = {"tokenizer.json": json_files(example), "tokenizer_config.json": json_files(CONFIG)}
        withstood = withstands(
            tmp_path, folders(files, others), lambda folder: used(load_tokenizer(tokenizer_file(folder))), (files,)
        )
        assert withstood.refusals <= REFUSALS


def spiece_model(texts: list[str]) -> bytes:
    """A SentencePiece model of T5's kind."""
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=out,
        vocab_size=60,
        hard_vocab_limit=False,
        **{"pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1, "minloglevel": 2},
    )
    return out.getvalue()


def as_tokenizer(file: Path) -> Tokenizer:
    """As the file that is made of it is read."""
    library = convert_sentencepiece(file)
    try:
        return SentencePieceTokenizer(library, json.loads(library.to_str()))
    except ValueError:
        return Tokenizer(library)


def test_a_sentencepiece_model_is_read_or_refused_by_name(tmp_path: Path) -> None:
    example = spiece_model(stories())
    withstood = withstands(
        tmp_path,
        alone("spiece.model", byte_files(example)),
        lambda folder: used(as_tokenizer(folder / "spiece.model")),
        ({"spiece.model": example},),
    )
    assert withstood.refusals <= REFUSALS


def test_gpt2s_two_files_are_read_or_refused_by_name(tmp_path: Path) -> None:
    vocabulary = {sign: number for number, sign in enumerate("abcdefghijklmnopqrstuvwxyzĠ")} | {
        "<|endoftext|>": 27,
        "ab": 28,
    }
    files = {"vocab.json": as_json(vocabulary), "merges.txt": b"#version: 0.2\na b\n"}
    others = {"vocab.json": json_files(files["vocab.json"]), "merges.txt": text_files(files["merges.txt"])}
    withstood = withstands(
        tmp_path,
        folders(files, others),
        lambda folder: used(load_byte_level_bpe(folder / "vocab.json", folder / "merges.txt", ("<|endoftext|>",))),
        (files,),
    )
    assert withstood.refusals <= REFUSALS


def test_any_prompt_is_read_or_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes(SENTENCEPIECE)
    tokenizer = load_tokenizer(tmp_path / "tokenizer.json")
    prompts = [text.encode() for text in PROMPTS]

    def read(folder: Path) -> Any:
        encoded = tokenizer.encode((folder / "prompt").read_bytes().decode("utf-8", "surrogateescape"))
        assert all(0 <= id < tokenizer.get_vocab_size() for id in encoded.ids)
        return [encoded.ids, tokenizer.decode(encoded.ids), encoded.offsets]

    text = st.one_of(
        text_files(*prompts),
        text_files(*prompts),
        st.text(st.characters()).map(lambda text: text.encode("utf-8", "surrogatepass")),
    )
    withstood = withstands(tmp_path, alone("prompt", text), read, tuple({"prompt": prompt} for prompt in prompts))
    assert withstood.refusals <= {"TextError"}
