"""T5's `spiece.model` as the `tokenizer.json` that Hugging Face publishes beside it."""

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import tokenizers
from tokenizers import processors

from elf.data.clean_up import CONFIG
from elf.data.sentencepiece_form import EOS, tokenizer_of_model
from elf.errors import CheckpointError
from elf.foreign_files import refuse_pointer

SENTINELS = 100
"""`<extra_id_99>` … `<extra_id_0>`, T5's last ids, which the SentencePiece file does not have."""

ADVICE = "Give a tokenizer.json, or the spiece.model of a T5."


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
        raise CheckpointError(f"{path} cannot be read as a tokenizer: {error}", ADVICE) from error
    try:
        tokenizer = tokenizer_of_model(model, [f"<extra_id_{i}>" for i in reversed(range(SENTINELS))])
    except ValueError as error:
        raise CheckpointError(f"{path} is no SentencePiece model of T5's kind: {error}", ADVICE) from error
    # For programs that ask for special tokens; none here does.
    tokenizer.post_processor = processors.TemplateProcessing(
        single=["$A", "</s>"], pair=["$A", "</s>", "$B", "</s>"], special_tokens=[("</s>", EOS)]
    )
    return tokenizer


@functools.cache
def converted_file(path: Path) -> Path:
    """A tokenizer.json made of `path`, with its configuration; both last as long as the process. Raises as above."""
    folder = tempfile.TemporaryDirectory(prefix="elf-tokenizer-")
    atexit.register(folder.cleanup)
    file = Path(folder.name) / "tokenizer.json"
    convert_sentencepiece(path).save(str(file))
    if (path.parent / CONFIG).is_file():
        shutil.copyfile(path.parent / CONFIG, file.parent / CONFIG)
    return file
