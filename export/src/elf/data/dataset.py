"""Read a prepared dataset and collate its batches. Needs only pyarrow and NumPy, so training runs on a bare machine.

The batch of a step is a pure function of (seed, step): resuming needs no saved position.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from elf.errors import DatasetError, EmptyCorpusError

REMEDY = "Give a folder written by `elf prepare` (its `train` or `held_out`)."


@dataclass(frozen=True)
class Ragged:
    """Rows of different lengths in one array."""

    values: np.ndarray
    offsets: np.ndarray

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, i: int) -> np.ndarray:
        return self.values[self.offsets[i] : self.offsets[i + 1]]

    @classmethod
    def from_rows(cls, rows: list[list[int]]) -> "Ragged":
        offsets = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
        values = np.concatenate([np.asarray(row, np.int32) for row in rows]) if rows else np.zeros(0, np.int32)
        return cls(values.astype(np.int32), offsets)


@dataclass(frozen=True)
class TokenDataset:
    input_ids: Ragged
    condition_input_ids: Ragged | None = None

    def __len__(self) -> int:
        return len(self.input_ids)


def load_dataset(directory: Path) -> TokenDataset:
    """Reads the Arrow files of `datasets.save_to_disk`. Raises DatasetError or EmptyCorpusError."""
    files = sorted(Path(directory).glob("data-*.arrow"))
    if not files:
        raise DatasetError(f"{directory} holds no data-*.arrow file", REMEDY)
    try:
        tables = [pa.ipc.open_stream(file.read_bytes()).read_all() for file in files]
    except (pa.ArrowInvalid, OSError) as error:
        raise DatasetError(f"{directory} cannot be read: {error}", REMEDY) from error
    table = pa.concat_tables(tables)
    if "input_ids" not in table.column_names:
        raise DatasetError(f"{directory} has no column input_ids, only {', '.join(table.column_names)}", REMEDY)
    if table.num_rows == 0:
        raise EmptyCorpusError(f"{directory} has no rows", "Prepare it again from a corpus with text.")
    condition = _ragged(table["condition_input_ids"]) if "condition_input_ids" in table.column_names else None
    return TokenDataset(_ragged(table["input_ids"]), condition)


def _ragged(column: pa.ChunkedArray) -> Ragged:
    array = column.combine_chunks()
    return Ragged(
        array.flatten().to_numpy().astype(np.int32), np.concatenate([[0], np.cumsum(array.value_lengths().to_numpy())])
    )


def check_vocabulary(dataset: TokenDataset, vocabulary_size: int) -> None:
    """Raises DatasetError when the dataset holds ids that the model has no row for."""
    columns = [dataset.input_ids] + ([dataset.condition_input_ids] if dataset.condition_input_ids else [])
    largest = max(int(column.values.max()) for column in columns)
    if largest >= vocabulary_size:
        raise DatasetError(
            f"the dataset holds token id {largest}, the model knows ids below {vocabulary_size}",
            "Prepare the dataset with the model's own tokenizer.",
        )


def batch_rows(count: int, batch_size: int, step: int, seed: int) -> np.ndarray:
    """Row numbers of batch `step` (from 0), (batch_size,): every epoch runs through all rows once, in a new order.

    A batch may straddle two epochs, so no row is dropped.
    """
    first = step * batch_size
    rows = np.arange(first, first + batch_size)
    out = np.empty(batch_size, np.int64)
    for epoch in np.unique(rows // count):
        here = rows // count == epoch
        out[here] = _permutation(count, seed, int(epoch))[rows[here] % count]
    return out


_last_permutation: tuple[tuple[int, int, int], np.ndarray] | None = None


def _permutation(count: int, seed: int, epoch: int) -> np.ndarray:
    # Kept for the next step: drawing it anew would cost more than the batch.
    global _last_permutation
    key = (count, seed, epoch)
    if _last_permutation is None or _last_permutation[0] != key:
        _last_permutation = (key, np.random.default_rng([seed, epoch]).permutation(count))
    return _last_permutation[1]


@dataclass(frozen=True)
class Batch:
    """One collated batch; the condition, if any, stands at the front of each row."""

    ids: np.ndarray
    """(B, L) int32, filled up with the pad token."""
    real: np.ndarray
    """(B, L) bool: a token of the text, not filling."""
    source_length: np.ndarray
    """(B,) int32: number of leading condition tokens; 0 throughout for unconditional data."""


def collate(dataset: TokenDataset, rows: np.ndarray, length: int, pad_token: int) -> Batch:
    """Rows as (B, length), cut where longer and filled with `pad_token` where shorter (spec section 5)."""
    ids = np.full((len(rows), length), pad_token, np.int32)
    real = np.zeros((len(rows), length), bool)
    source_length = np.zeros(len(rows), np.int32)
    for i, row in enumerate(rows):
        source = dataset.condition_input_ids[row] if dataset.condition_input_ids else np.zeros(0, np.int32)
        text = np.concatenate([source, dataset.input_ids[row]])[:length]
        ids[i, : len(text)] = text
        real[i, : len(text)] = True
        source_length[i] = min(len(source), length)
    return Batch(ids, real, source_length)
