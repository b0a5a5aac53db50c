"""T5's `spiece.model` as the `tokenizer.json` that Hugging Face publishes beside it."""

import atexit
import functools
import tempfile
from pathlib import Path

import tokenizers

from elf.data.tokenizer import EOS, PAD, UNK, WORD_START
from elf.errors import CheckpointError

SENTINELS = 100
"""`<extra_id_99>` … `<extra_id_0>`, T5's last ids, which the SentencePiece file does not have."""

UNIGRAM = 1
"""SentencePiece's number for its kind of model."""

SPECIAL = {PAD: "<pad>", EOS: "</s>", UNK: "<unk>"}

ADVICE = "Give a tokenizer.json, or the spiece.model of a T5."


def convert_sentencepiece(path: Path) -> tokenizers.Tokenizer:
    """A tokenizer that gives the ids of SentencePiece with this file, and the sentinels behind them.

    Raises CheckpointError for a file that is no unigram model of SentencePiece with T5's special tokens.
    """
    from google.protobuf.message import DecodeError
    from sentencepiece import sentencepiece_model_pb2

    model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
    try:
        model.ParseFromString(path.read_bytes())
    except (OSError, DecodeError) as error:
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}", ADVICE) from error
    pieces = [(piece.piece, piece.score) for piece in model.pieces]
    if model.trainer_spec.model_type != UNIGRAM or [piece for piece, _ in pieces[:3]] != list(SPECIAL.values()):
        raise CheckpointError(f"{path} is no SentencePiece model of T5's kind", ADVICE)
    sentinels = [f"<extra_id_{i}>" for i in reversed(range(SENTINELS))]
    vocabulary = [(piece, 0.0 if i in SPECIAL else score) for i, (piece, score) in enumerate(pieces)]
    tokenizer = tokenizers.Tokenizer(
        tokenizers.models.Unigram([*vocabulary, *((name, 0.0) for name in sentinels)], UNK, byte_fallback=False)
    )
    normalizers = [
        tokenizers.normalizers.Strip(left=False, right=True),
        tokenizers.normalizers.Replace(tokenizers.Regex(" {2,}"), WORD_START),
    ]
    if model.normalizer_spec.precompiled_charsmap:
        normalizers.insert(0, tokenizers.normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap))
    tokenizer.normalizer = tokenizers.normalizers.Sequence(normalizers)
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.decoder = tokenizers.decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", EOS)]
    )
    tokenizer.add_special_tokens([tokenizers.AddedToken(name, normalized=False) for name in SPECIAL.values()])
    tokenizer.add_special_tokens(
        [tokenizers.AddedToken(name, normalized=False, lstrip=True, rstrip=True) for name in sentinels]
    )
    return tokenizer


@functools.cache
def converted_file(path: Path) -> Path:
    """A tokenizer.json made of `path`; it lasts as long as the process. Raises as above."""
    folder = tempfile.TemporaryDirectory(prefix="elf-tokenizer-")
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "tokenizer.json"
    convert_sentencepiece(path).save(str(file))
    return file
