"""Real texts that generated ones are measured against: those a model was trained on, and those it was not."""

from collections.abc import Sequence
from pathlib import Path

from elf.data.corpus import read_corpus
from elf.data.evaluation_rows import evaluation_rows
from elf.data.tokenizer import Tokenizer
from elf.errors import CheckpointError


def real_texts(name: Path, tokenizer: Tokenizer | None, free: bool = False) -> list[str]:
    """The texts, or the targets of pairs, of a corpus file or a dataset of token ids. Raises what reading them does.

    `free`: to stand beside texts that were written without a source. Of a dataset that has rows with a source and rows
    without (`elf prepare --packing continuations`), only the latter: a continuation alone is harder to foretell.
    """
    if name.is_file():
        return [row[-1] for row in read_corpus(name)]
    if tokenizer is None:
        raise CheckpointError(f"this model has no tokenizer.json to read {name} with", "Give a file of texts.")
    rows = evaluation_rows(name, tokenizer, 0)
    beginnings = [row for row in rows if row.source_text is None]
    return [row.reference for row in (beginnings if free and beginnings else rows)]


def cut_texts(texts: Sequence[str], tokenizer: Tokenizer | None, length: int) -> list[str]:
    """Each text's first `length` tokens; as it is without a tokenizer."""
    if tokenizer is None:
        return [*texts]
    encoded = tokenizer.encode_batch([*texts], add_special_tokens=False)
    return [tokenizer.decode(each.ids[:length]) for each in encoded]
