"""Batches of a dataset in shuffled order, by Grain: each a pure function of (seed, step), and of nothing else.

So a resumed run needs no saved position, and any number of processes makes the same global batches together.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import grain

from elf.data.rows import Batch, TokenDataset, collate_rows
from elf.errors import ConfigError

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
) -> grain.MapDataset[Batch]:
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
