"""The files of a tokenizer: SentencePiece's as `tokenizer.json`, in the form that Hugging Face publishes for T5, and
back, and what stands beside it."""

import atexit
import base64
import binascii
import functools
import itertools
import shutil
import tempfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import decoders, models, normalizers, pre_tokenizers, processors

from elf.errors import CheckpointError
from elf.paths import is_same, written_whole
from elf.text_file import json_value, refuse_pointer

# What the file says is what SentencePiece does, but not every program that reads it does that: `tokenizers` looks up
# clusters of characters in the table of normalisations, adds scores in another precision, and finds special tokens also
# in what a text only becomes by normalisation. So a file of this form is read back as the model that it came from, and
# SentencePiece itself gives the ids.

PAD, EOS, UNK = 0, 1, 2
"""Ids of T5's special tokens, which this project's own tokenizers have too."""
WORD_START = "▁"
"""SentencePiece's mark for a space before the piece."""

SPECIAL = {PAD: "<pad>", EOS: "</s>", UNK: "<unk>"}

UNIGRAM = 1
"""SentencePiece's number for its kind of model."""
NORMAL, UNKNOWN, CONTROL = 1, 2, 3
"""Its numbers for kinds of pieces: only normal ones are found in texts."""

Facts = dict[str, Any]
"""The content of a tokenizer.json."""


def tokenizer_of_model(model: Any, sentinels: list[str]) -> tokenizers.Tokenizer:
    """The `tokenizer.json` of a ModelProto, with `sentinels` for its last ids.

    Raises ValueError, saying why, for a model that this form cannot hold.
    """
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    if model.trainer_spec.model_type != UNIGRAM or [piece for piece, _ in pieces[:3]] != list(SPECIAL.values()):
        raise ValueError("it is no unigram model with <pad>, </s> and <unk> for its first pieces")
    if kinds := {piece.type for piece in model.pieces[3:]} - {NORMAL}:
        raise ValueError(f"it has pieces of other kinds than T5's: {sorted(kinds)}")
    spec = model.normalizer_spec
    if not (spec.add_dummy_prefix and spec.remove_extra_whitespaces and spec.escape_whitespaces):
        raise ValueError("it keeps spaces that T5's normaliser drops, or begins a text without one")
    if model.trainer_spec.treat_whitespace_as_suffix:
        raise ValueError("it has spaces behind words, not before them")
    vocabulary = [(piece, 0.0 if i in SPECIAL else score) for i, (piece, score) in enumerate(pieces)]
    tokenizer = tokenizers.Tokenizer(
        models.Unigram([*vocabulary, *((name, 0.0) for name in sentinels)], UNK, byte_fallback=False)
    )
    check_charsmap(spec.precompiled_charsmap)
    steps = [normalizers.Strip(left=False, right=True), normalizers.Replace(tokenizers.Regex(" {2,}"), WORD_START)]
    if spec.precompiled_charsmap:
        steps.insert(0, normalizers.Precompiled(spec.precompiled_charsmap))
    tokenizer.normalizer = normalizers.Sequence(steps)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.add_special_tokens([tokenizers.AddedToken(name, normalized=False) for name in SPECIAL.values()])
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, normalized=False, lstrip=True, rstrip=True) for name in sentinels]
    )
    return tokenizer


def check_charsmap(charsmap: bytes) -> None:
    """Raises ValueError for a table of normalisations that says to be larger than it is: the library would reserve as
    much as it says, up to 4 GB, and where that cannot be had it ends the program."""
    if charsmap:
        size = int.from_bytes(charsmap[:4], "little")
        if size % 4 or 4 + size > len(charsmap):
            raise ValueError("its charsmap is cut off")


def check_charsmaps(normalizer: Any) -> None:
    """The same of every table of a tokenizer.json's `normalizer`. What is of no form is left to the library."""
    if isinstance(normalizer, list):
        for step in normalizer:
            check_charsmaps(step)
    elif isinstance(normalizer, dict):
        check_charsmaps(normalizer.get("normalizers"))
        charsmap = normalizer.get("precompiled_charsmap")
        if isinstance(charsmap, str):
            with suppress(binascii.Error):
                check_charsmap(base64.b64decode(charsmap))


def model_of_tokenizer(facts: Facts) -> Any:
    """The ModelProto of a tokenizer.json, its special tokens as control pieces.

    Raises ValueError, saying why, for a file of another form.
    """
    vocabulary = vocabulary_of(facts)
    charsmap = _charsmap(facts)
    _check_spaces(facts)
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    unknown = facts["model"]["unk_id"]
    special = {token["content"] for token in facts["added_tokens"]}
    for id, (piece, score) in enumerate(vocabulary):
        kind = UNKNOWN if id == unknown else CONTROL if piece in special else NORMAL
        model.pieces.add(piece=piece, score=score, type=kind)
    model.trainer_spec.model_type = UNIGRAM
    model.trainer_spec.unk_id = unknown
    # No id is needed but that of the unknown: texts are read without special tokens.
    model.trainer_spec.bos_id = model.trainer_spec.eos_id = model.trainer_spec.pad_id = -1
    model.normalizer_spec.precompiled_charsmap = charsmap
    model.normalizer_spec.add_dummy_prefix = True
    model.normalizer_spec.remove_extra_whitespaces = True
    model.normalizer_spec.escape_whitespaces = True
    return model


def vocabulary_of(facts: Facts) -> list[tuple[str, float]]:
    """Pieces and scores of a tokenizer.json. Raises ValueError, saying why, for another model than a plain Unigram, and
    for added tokens that are not special."""
    model = facts["model"]
    if model.get("type") != "Unigram" or model.get("byte_fallback") or not isinstance(model.get("unk_id"), int):
        raise ValueError(f"its model is {model.get('type')}, not a Unigram with an unknown token and without bytes")
    vocabulary = [(piece, score) for piece, score in model["vocab"]]
    by_id = dict(enumerate(piece for piece, _ in vocabulary))
    for token in facts["added_tokens"]:
        if not token["special"] or token["normalized"] or token["single_word"]:
            raise ValueError(f"its added token {token['content']!r} is no special one")
        if by_id.get(token["id"], token["content"]) != token["content"]:
            raise ValueError(f"its added token {token['content']!r} has the id of a piece")
    return vocabulary


def _charsmap(facts: Facts) -> bytes:
    """SentencePiece's table of normalisations; empty where a text is taken as it is."""
    steps = _steps(facts["normalizer"], "normalizers")
    if steps and steps[0]["type"] == "Precompiled":
        return base64.b64decode(steps[0]["precompiled_charsmap"] or "")
    return b""


def _check_spaces(facts: Facts) -> None:
    """Raises ValueError unless runs of spaces count as one, those at the ends as none, and each text begins a word."""
    steps = _steps(facts["normalizer"], "normalizers")
    squeezed = False
    for number, step in enumerate(steps):
        if step["type"] == "Precompiled" and number == 0:
            continue
        if step["type"] == "Strip" and step["strip_right"]:
            continue
        if step["type"] == "Replace" and step["pattern"] == {"Regex": " {2,}"} and step["content"] in (WORD_START, " "):
            squeezed = True
            continue
        raise ValueError(f"its normaliser has a step {step['type']}")
    before = _steps(facts["pre_tokenizer"], "pretokenizers")
    if before and before[0]["type"] == "WhitespaceSplit":
        squeezed = True
        before = before[1:]
    if [step["type"] for step in before] != ["Metaspace"]:
        raise ValueError(f"its pre-tokenizer is {' and '.join(step['type'] for step in before) or 'none'}")
    if before[0]["replacement"] != WORD_START or before[0]["prepend_scheme"] != "always" or not squeezed:
        raise ValueError("it keeps spaces that T5's normaliser drops, or begins a text without one")


def _steps(component: Facts | None, name: str) -> list[Facts]:
    """A component, or those it is made of."""
    if component is None:
        return []
    if component["type"] != "Sequence":
        return [component]
    return list(itertools.chain.from_iterable(_steps(each, name) for each in component[name]))


SENTINELS = 100
"""`<extra_id_99>` … `<extra_id_0>`, T5's last ids, which the SentencePiece file does not have."""

TOKENIZER_ADVICE = "Give a tokenizer.json, or the spiece.model of a T5."


def convert_sentencepiece(path: Path) -> tokenizers.Tokenizer:
    """A tokenizer that gives the ids of SentencePiece with this file, and the sentinels behind them.

    Raises CheckpointError for a file that is no unigram model of SentencePiece with T5's special tokens.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    refuse_pointer(path, CheckpointError)
    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}", TOKENIZER_ADVICE) from error
    try:
        tokenizer = tokenizer_of_model(model, [f"<extra_id_{i}>" for i in reversed(range(SENTINELS))])
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # bare Exception; and where the library's Rust gives up, what is no Exception
        raise CheckpointError(f"{path} is no SentencePiece model of T5's kind: {error}", TOKENIZER_ADVICE) from error
    # For programs that ask for special tokens; none here does.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", EOS)]
    )
    return tokenizer


@functools.cache
def converted_file(path: Path) -> Path:
    """A tokenizer.json made of `path`, with its configuration; both last as long as the process. Raises as above."""
    tokenizer = convert_sentencepiece(path)
    folder = tempfile.TemporaryDirectory(prefix="elf-tokenizer-")
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "tokenizer.json"
    tokenizer.save(str(file))
    if (path.parent / CONFIG).is_file():
        shutil.copyfile(path.parent / CONFIG, file.parent / CONFIG)
    return file


# --- The clean-up of decoded text -----------------------------------------------------------------------------------
#
# Spaces before punctuation and contractions are taken out where a tokenizer's configuration asks for it.
#
# A tokenizer_config.json beside the tokenizer.json says so as `clean_up_tokenization_spaces`: T5's says true, this
# project's own say false. Where the field or the file is missing it means true, as it does to transformers up to 4.44,
# by which the official texts were written, and to transformers.js, by which the page writes.

CONFIG = "tokenizer_config.json"
FIELD = "clean_up_tokenization_spaces"

TAKEN_OUT = (
    *((" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'")),
    *((" n't", "n't"), (" 'm", "'m"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re")),
)
"""What transformers replaces, one after the other."""

NEVER_IN_A_PIECE = "\0"


def cleans_up(tokenizer: Path) -> bool:
    """Whether text of the tokenizer in this file is cleaned up. Raises CheckpointError for a broken configuration."""
    file = tokenizer.parent / CONFIG
    if not file.is_file():
        return True
    try:
        value = json_value(file.read_text(encoding="utf-8-sig")).get(FIELD, True)
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", "Copy it again, or delete it.") from error
    if not isinstance(value, bool):
        raise CheckpointError(f"{file} has {FIELD} {value!r}", "Set it to true or false, or leave it out for true.")
    return value


def cleaning(decoder: decoders.Decoder | None) -> decoders.Decoder:
    """`decoder`, followed by the clean-up of the whole text."""
    # Without a decoder the library puts a space between pieces; so does this one.
    first = decoders.WordPiece(prefix=NEVER_IN_A_PIECE, cleanup=False) if decoder is None else decoder
    replacements = [decoders.Replace(wrong, right) for wrong, right in TAKEN_OUT]
    return decoders.Sequence([first, decoders.Fuse(), *replacements])


def copy_tokenizer(tokenizer: Path, folder: Path) -> None:
    """Puts a copy of `tokenizer` into `folder` as its tokenizer.json, with the configuration beside it.

    Each file is there whole, or as it was before. Raises DiskFullError.
    """
    target = folder / "tokenizer.json"
    if is_same(tokenizer, target):
        return
    config = tokenizer.parent / CONFIG
    if config.is_file():
        with written_whole(folder / CONFIG) as file:
            file.write_bytes(config.read_bytes())
    else:
        # One of another tokenizer must not speak for this one.
        (folder / CONFIG).unlink(missing_ok=True)
    with written_whole(target) as file:
        file.write_bytes(tokenizer.read_bytes())
