"""Spaces before punctuation and contractions, taken out of decoded text where a tokenizer's configuration asks for it.

A tokenizer_config.json beside the tokenizer.json says so as `clean_up_tokenization_spaces`: T5's says true, this
project's own say false. Where the field or the file is missing it means true, as it does to transformers up to 4.44, by
which the official texts were written, and to transformers.js, by which the page writes.
"""

from pathlib import Path

from tokenizers import decoders

from elf.disk import written_whole
from elf.errors import CheckpointError
from elf.paths import is_same
from elf.text_file import json_value

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
