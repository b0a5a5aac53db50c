"""Rows of a dataset as one batch of fixed length: the condition in front, the text behind it, filling at the end."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from elf.errors import DatasetError

TokenRow = tuple[np.ndarray, np.ndarray]
"""(source ids, text ids), both (n,) of any integer type; the source is empty for unconditional data."""


@dataclass(frozen=True)
class Batch:
    """One collated batch; the condition, if any, stands at the front of each row."""

    ids: np.ndarray
    """(B, L) int32, filled up with the pad token."""
    real: np.ndarray
    """(B, L) bool: a token of the source or of the text, not filling. With pad token "pad" only these count in the
    loss, with "eos" all positions do (spec section 4)."""
    source_length: np.ndarray
    """(B,) int32: number of leading condition tokens; 0 throughout for unconditional data."""


def collate_rows(
    rows: Sequence[TokenRow],
    length: int,
    pad_token: int,
    max_input_length: int | None = None,
    vocabulary_size: int | None = None,
) -> Batch:
    """Source and text of each row side by side, cut at `length` and filled with `pad_token` (spec section 5).

    Sources are cut at `max_input_length` tokens first, so that a long one leaves the text its place. Raises
    DatasetError for a negative id, and for one that a model of `vocabulary_size` ids (unchecked if None) has no row
    for: indexing with it would be silently wrong on an accelerator.
    """
    # Wide while being checked: an id beyond 2³¹ must not wrap around into the vocabulary.
    ids = np.full((len(rows), length), pad_token, np.int64)
    real = np.zeros((len(rows), length), bool)
    source_length = np.zeros(len(rows), np.int32)
    for i, (source, text) in enumerate(rows):
        split = min(len(source), length if max_input_length is None else min(length, max_input_length))
        end = min(split + len(text), length)
        ids[i, :split] = source[:split]
        ids[i, split:end] = text[: end - split]
        real[i, :end] = True
        source_length[i] = split
    check_ids(ids, vocabulary_size)
    return Batch(ids.astype(np.int32), real, source_length)


def check_ids(ids: np.ndarray, vocabulary_size: int | None) -> None:
    """Raises DatasetError unless all ids are from 0 to `vocabulary_size` − 1 (any upper end if None)."""
    if not ids.size:
        return
    if (smallest := int(ids.min())) < 0:
        raise DatasetError(f"the dataset holds the negative token id {smallest}", "Prepare the dataset again.")
    if vocabulary_size is not None and (largest := int(ids.max())) >= vocabulary_size:
        raise DatasetError(
            f"the dataset holds token id {largest}, the model knows ids below {vocabulary_size}",
            "Prepare the dataset with the model's own tokenizer.",
        )
