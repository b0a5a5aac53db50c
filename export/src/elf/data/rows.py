"""Rows of token ids: a dataset of them, checked, several side by side as a batch, and its batches in shuffled order."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from elf.data.stored_datasets import (
    COPY_AGAIN,
    holds_parquet,
    is_hub_name,
    load_arrow_folder,
    load_files,
    load_hub_dataset,
)
from elf.errors import ConfigError, DatasetError, EmptyCorpusError
from elf.paths import COPY, refuse_address

if TYPE_CHECKING:
    import grain
    from datasets import Dataset

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


VOCABULARY_SAMPLE = 1024
"""Rows, evenly spread, that `check_vocabulary` reads: one page each, so under a second even from a slow disk."""

NO_TOKENS = np.zeros(0, np.int32)


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one array."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    def lengths(self) -> np.ndarray:
        """Tokens of every row, (n,)."""
        return np.diff(self.offsets)

    @classmethod
    def from_rows(cls, rows: Sequence[Sequence[int]]) -> "Ragged":
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])]).astype(np.int64)
        values = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else NO_TOKENS
        return cls(values.astype(np.int32), offsets)


class ArrowColumn:
    """A column of lists of integers: the `Ragged` views of its memory-mapped pieces, read where they lie."""

    def __init__(self, dataset: "Dataset", name: str):
        """Raises DatasetError unless every row is a list of whole numbers."""
        self._dataset, self._name = dataset, name
        column = dataset.data.column(name)
        kind = column.type
        if not (_is_list(kind) and pa.types.is_integer(kind.value_type)):
            raise DatasetError(f"column {name} holds {kind}, not lists of token ids", "Prepare the dataset again.")
        try:
            column.validate()
        except pa.ArrowInvalid as error:
            raise DatasetError(f"column {name} lies outside of its Arrow file: {error}", COPY_AGAIN) from error
        if column.null_count:
            raise DatasetError(f"column {name} has {column.null_count} rows without a value", "Drop them.")
        self._pieces = [_view(chunk) for chunk in column.chunks if len(chunk)]
        self._starts = [0, *np.cumsum([len(piece) for piece in self._pieces]).tolist()]

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, i: int) -> np.ndarray:
        """The ids of row i, (n,), in the file's integer type. Raises DatasetError where the file is corrupt."""
        if not 0 <= i < len(self):
            raise IndexError(i)
        at = bisect_right(self._starts, i) - 1
        piece, row = self._pieces[at], i - self._starts[at]
        start, end = int(piece.offsets[row]), int(piece.offsets[row + 1])
        if not 0 <= start <= end <= len(piece.values):
            raise DatasetError(
                f"row {i} of {self._name} lies outside of its Arrow file, which is corrupt", "Copy the dataset again."
            )
        return piece.values[start:end]

    def lengths(self) -> np.ndarray:
        """Tokens of every row, (n,), without reading them."""
        return np.concatenate([piece.lengths() for piece in self._pieces] or [np.zeros(0, np.int64)])

    def __reduce__(self):
        # To a worker process goes the place of the files, not what is in them.
        return ArrowColumn, (self._dataset, self._name)


@dataclass(frozen=True)
class TokenDataset:
    """Random access to rows of token ids; `dataset[i]` is (source ids, text ids)."""

    input_ids: Ragged | ArrowColumn
    condition_input_ids: Ragged | ArrowColumn | None = None
    """Sources, for conditional tasks."""

    def __len__(self) -> int:
        return len(self.input_ids)

    def __getitem__(self, i: int) -> TokenRow:
        source = NO_TOKENS if self.condition_input_ids is None else self.condition_input_ids[i]
        return source, self.input_ids[i]


def open_dataset(name: str | Path, split: str | None = None, revision: str | None = None) -> TokenDataset:
    """The dataset in folder `name`, or of that name on the hub (`embedded-language-flows/openwebtext-t5`).

    Reads what `save_to_disk` of `datasets` wrote, one dataset or several splits, and Parquet files. Only column
    `input_ids` is needed; `condition_input_ids` holds the sources of conditional tasks. `revision` is a branch, tag or
    commit on the hub.

    Raises DatasetError for what is missing, broken or of another form, and EmptyCorpusError for no rows.
    """
    return token_dataset(open_arrow(name, split, revision), name)


def open_pairs(name: str | Path) -> TokenDataset:
    """As `open_dataset`, for one of pairs. Raises DatasetError besides for one without sources."""
    pairs = open_dataset(name)
    if pairs.condition_input_ids is None:
        raise DatasetError(f"{name} holds texts, not pairs", "Give a folder that `elf prepare` wrote from pairs.")
    return pairs


def open_arrow(name: str | Path, split: str | None = None, revision: str | None = None) -> "Dataset":
    """As `open_dataset`, with all columns as they are."""
    refuse_address(name, "the dataset", f"It is mapped into memory, which takes a disk. {COPY} {name} .")
    folder = Path(name).expanduser()
    if folder.is_dir():
        return load_files(str(folder), split) if holds_parquet(folder) else load_arrow_folder(folder, split)
    if not folder.exists() and is_hub_name(str(name)):
        return load_hub_dataset(str(name), split, revision)
    raise DatasetError(
        f"{name} is a file, not a folder" if folder.exists() else f"there is no folder {name}",
        "Give a folder written by `elf prepare` (its `train` or `held_out`), or the name of a dataset on the hub.",
    )


def token_dataset(dataset: "Dataset", name: str | Path) -> TokenDataset:
    columns = dataset.column_names
    if "input_ids" not in columns:
        raise DatasetError(
            f"{name} has no column input_ids, only {', '.join(columns)}", "Turn its texts into ids by `elf prepare`."
        )
    if not len(dataset):
        raise EmptyCorpusError(f"{name} has no rows", "Prepare it again from a corpus with text.")
    condition = ArrowColumn(dataset, "condition_input_ids") if "condition_input_ids" in columns else None
    return TokenDataset(ArrowColumn(dataset, "input_ids"), condition)


def _is_list(kind: pa.DataType) -> bool:
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _view(chunk: pa.Array) -> Ragged:
    if chunk.values.null_count:
        raise DatasetError("the dataset holds rows with missing token ids", "Prepare the dataset again.")
    values = chunk.values.to_numpy(zero_copy_only=True)
    if pa.types.is_fixed_size_list(chunk.type):
        size = chunk.type.list_size
        return Ragged(values, (chunk.offset + np.arange(len(chunk) + 1)) * size)
    return Ragged(values, chunk.offsets.to_numpy(zero_copy_only=True))


def check_vocabulary(dataset: TokenDataset, vocabulary_size: int) -> None:
    """Raises DatasetError when a sample of VOCABULARY_SAMPLE rows holds ids that the model has no row for.

    Every batch is checked besides, when it is collated: nobody reads 9 billion ids first.
    """
    for i in np.unique(np.linspace(0, len(dataset) - 1, VOCABULARY_SAMPLE).astype(np.int64)):
        for ids in dataset[int(i)]:
            check_ids(ids, vocabulary_size)


# --- Batches of a dataset in shuffled order, by Grain ---------------------------------------------------------------
#
# Each a pure function of (seed, step), and of nothing else. So a resumed run needs no saved position, and any number of
# processes makes the same global batches together.

THREADS = 4
PREFETCHED = 8
"""Batches made ahead, 21 MB of 512 × 1024 tokens. Grain's own 500 would fill the memory with them."""

ENDLESS = 2**52
"""Rows until the epochs end, a century away. Grain's own endless length overflows in its batches of one row."""


@dataclass(frozen=True)
class Shard:
    """Which part of each global batch this process reads: the `index`-th of `count` runs of equally many rows."""

    index: int = 0
    count: int = 1


def training_batches(
    dataset: TokenDataset,
    *,
    batch_size: int,
    length: int,
    pad_token: int,
    seed: int,
    start: int = 0,
    shard: Shard = Shard(),
    max_input_length: int | None = None,
    vocabulary_size: int | None = None,
) -> Iterator[Batch]:
    """Without end, this shard's rows of global batches `start`, `start` + 1, …, made ahead by background threads.

    `batch_size` is the global one; each Batch has batch_size / shard.count rows;
    `collate_rows` explains the other arguments.

    Raises ConfigError for sizes that do not fit together, and while iterating DatasetError for ids out of range.
    """
    import grain  # it takes a second, which whoever only reads rows need not wait

    batches = _batches(dataset, batch_size, length, pad_token, seed, shard, max_input_length, vocabulary_size)
    ahead = batches[start:].to_iter_dataset(grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=PREFETCHED))
    return iter(ahead)


def batch_at(
    dataset: TokenDataset,
    step: int,
    *,
    batch_size: int,
    length: int,
    pad_token: int,
    seed: int,
    shard: Shard = Shard(),
    max_input_length: int | None = None,
    vocabulary_size: int | None = None,
) -> Batch:
    """Batch number `step` of `training_batches`, alone."""
    return _batches(dataset, batch_size, length, pad_token, seed, shard, max_input_length, vocabulary_size)[step]


def _batches(
    dataset: TokenDataset,
    batch_size: int,
    length: int,
    pad_token: int,
    seed: int,
    shard: Shard,
    max_input_length: int | None,
    vocabulary_size: int | None,
) -> "grain.MapDataset[Batch]":
    import grain

    _check(dataset, batch_size, length, shard, max_input_length)
    collate = partial(
        collate_rows,
        length=length,
        pad_token=pad_token,
        max_input_length=max_input_length,
        vocabulary_size=vocabulary_size,
    )
    # Epochs follow each other, each in an order of its own, and are then cut into batches: a batch may straddle two,
    # and no row is left out. Cut as finely as one shard reads, global batch s is pieces s·count … s·count + count − 1.
    rows = grain.MapDataset.source(dataset).shuffle(seed % 2**32).repeat(max(1, ENDLESS // len(dataset)))
    return rows.batch(batch_size // shard.count, batch_fn=collate)[shard.index :: shard.count]


def _check(dataset: TokenDataset, batch_size: int, length: int, shard: Shard, max_input_length: int | None) -> None:
    if batch_size < 1 or batch_size % shard.count:
        raise ConfigError(
            f"a batch of {batch_size} rows cannot be shared by {shard.count} processes",
            f"Give a multiple of {shard.count}.",
        )
    if not 0 <= shard.index < shard.count:
        raise ConfigError(f"there is no shard {shard.index} of {shard.count}", "Count shards from 0.")
    if dataset.condition_input_ids is not None and max_input_length is not None and not 0 < max_input_length < length:
        raise ConfigError(
            f"rows of {length} tokens with sources of up to {max_input_length} leave no room for source and text",
            "The dataset has sources: give a max_input_length from 1 to below max_length.",
        )
