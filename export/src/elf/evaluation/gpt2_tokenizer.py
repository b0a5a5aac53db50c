"""The tokenizer beside a GPT-2's weights: a tokenizer.json, or GPT-2's own vocab.json and merges.txt."""

from pathlib import Path
from typing import Any

from elf.data.tokenizer import Tokenizer, load_byte_level_bpe, load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError

ENDS = ("<|endoftext|>", "</s>")
"""How GPT-2's tokenizer and this project's write the end of a text."""

FILES = ("tokenizer.json", "vocab.json", "merges.txt")


def read_tokenizer(folder: Path) -> Tokenizer:
    """The tokenizer of `folder`. Raises CheckpointError where none is readable."""
    if (folder / FILES[0]).is_file():
        return load_tokenizer(folder / FILES[0])
    vocabulary, merges = (folder / name for name in FILES[1:])
    if not vocabulary.is_file() or not merges.is_file():
        raise CheckpointError(
            f"{folder} holds no tokenizer", "Put a tokenizer.json beside the weights, or vocab.json and merges.txt."
        )
    return load_byte_level_bpe(vocabulary, merges, ENDS)


def end_of_text(tokenizer: Tokenizer, facts: dict[str, Any], vocab_size: int) -> int:
    """The id that ends a text: `eos_token_id` of config.json (`facts`), or else the tokenizer's own.

    Raises CheckpointMismatchError where there is none, or the tokenizer has ids that the model has no row for.
    """
    largest = max(tokenizer.get_vocab().values())
    known = [id for id in map(tokenizer.token_to_id, ENDS) if id is not None]
    end = facts.get("eos_token_id", known[0] if known else None)
    if not isinstance(end, int):
        raise CheckpointMismatchError(
            f"the judge's tokenizer has no end of text, neither {' nor '.join(ENDS)}",
            "Name its id as eos_token_id in config.json.",
        )
    if max(largest, end) >= vocab_size or end < 0:
        raise CheckpointMismatchError(
            f"the judge's tokenizer has ids up to {max(largest, end)}, the judge knows {vocab_size} ids",
            "Put the tokenizer beside the weights that they were trained with.",
        )
    return end
