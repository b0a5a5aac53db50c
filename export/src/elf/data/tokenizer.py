"""Tokenizers, loaded in one place, so that every command reads a text as the same ids.

A `tokenizer.json` may ask for more than ids: padding, truncation, merges left out at random. Programs that save one
after a training leave such wishes in it, and none of them is for those who only want to know a text's ids.
"""

from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from elf.errors import CheckpointError, ConfigError

PAD, EOS, UNK = 0, 1, 2
"""Ids of T5's special tokens, which this project's own tokenizers have too."""
WORD_START = "▁"
"""SentencePiece's mark for a space before the piece."""


def load_tokenizer(path: Path) -> tokenizers.Tokenizer:
    """Reads a `tokenizer.json`; it gives all of a text's ids and nothing but them, the same every time.

    Raises CheckpointError when it is missing or broken.
    """
    try:
        tokenizer = tokenizers.Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(
            f"{path} cannot be read as a tokenizer: {error}", "Give the tokenizer.json of `elf tokenizer train`."
        ) from error
    return _ids_alone(tokenizer)


def load_byte_level_bpe(vocabulary: Path, merges: Path) -> tokenizers.Tokenizer:
    """The tokenizer of GPT-2's own two files, `vocab.json` and `merges.txt`. Raises CheckpointError."""
    try:
        tokenizer = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    except Exception as error:  # the library raises bare Exception
        raise CheckpointError(
            f"{vocabulary} and {merges.name} cannot be read as a tokenizer: {error}", "Copy them again."
        ) from error
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return _ids_alone(tokenizer)


def _ids_alone(tokenizer: tokenizers.Tokenizer) -> tokenizers.Tokenizer:
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if isinstance(tokenizer.model, models.BPE):
        tokenizer.model.dropout = None
    return tokenizer


def mask_token(tokenizer: tokenizers.Tokenizer) -> int:
    """Id of `<extra_id_0>`, which stands for a hidden token. Raises ConfigError for a tokenizer without sentinels."""
    token = tokenizer.token_to_id("<extra_id_0>")
    if token is None:
        raise ConfigError("this tokenizer has no <extra_id_0>", "Train it with --sentinels 1 or more.")
    return token
