"""What `elf pretrain-encoder` reads: windows of several datasets in given shares, each a pure function of (seed, step).

A row is source and text as the flow sees them, side by side. Short rows share a window, eos between them, so that no
time goes into filling; every fourth window holds one row alone, because the flow's rows end in filling too.
"""

from collections.abc import Iterator, Sequence
from functools import partial

import grain
import numpy as np

from elf.data.collation import Batch, TokenRow, collate_rows
from elf.data.dataset import NO_TOKENS, TokenDataset
from elf.data.pipeline import ENDLESS, PREFETCHED, THREADS
from elf.data.tokenizer import EOS
from elf.errors import ConfigError

ALONE = 4
"""One window in so many holds a single row."""
SAMPLE = 512
"""Rows, evenly spread, that tell how many fit into a window."""


def check_shares(datasets: int, shares: Sequence[float]) -> tuple[float, ...]:
    """One share a dataset, equal ones if none are given. Raises ConfigError."""
    if not shares:
        return (1 / datasets,) * datasets
    if len(shares) != datasets or any(not share > 0 for share in shares):
        raise ConfigError(
            f"there are {datasets} datasets and the shares {', '.join(map(str, shares))}",
            "Give as many numbers above 0, such as --shares 0.5 0.5, or none.",
        )
    return tuple(share / sum(shares) for share in shares)


def rows_per_window(dataset: TokenDataset, length: int) -> int:
    """How many rows of average length fill a window."""
    sample = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    mean = np.mean([sum(map(len, dataset[int(i)])) for i in sample])
    return max(1, round(length / (float(mean) + 1)))


def fill(number: int, rows: Sequence[TokenRow], length: int) -> TokenRow:
    """Window `number`: the first of `rows`, and those after it that fit whole into `length`, eos between them."""
    parts: list[np.ndarray] = []
    total = 0
    for source, text in rows if number % ALONE else rows[:1]:
        eos = [np.asarray([EOS], np.int32)] if parts else []
        total += len(source) + len(text) + len(eos)
        if parts and total > length:
            break
        parts += [*eos, source, text]
    return NO_TOKENS, np.concatenate(parts)


def windows(dataset: TokenDataset, length: int, seed: int) -> grain.MapDataset[TokenRow]:
    """Without end; a row that does not fit into its window is left out until the next epoch's order."""
    count = min(rows_per_window(dataset, length), len(dataset))
    rows = grain.MapDataset.source(dataset).shuffle(seed % 2**32).repeat(max(1, ENDLESS // len(dataset)))
    return rows.batch(count, batch_fn=list).map_with_index(partial(fill, length=length))


def encoder_batches(
    datasets: Sequence[TokenDataset],
    shares: Sequence[float],
    *,
    batch_size: int,
    length: int,
    vocabulary_size: int,
    seed: int,
    start: int = 0,
) -> Iterator[Batch]:
    """Batches `start`, `start` + 1, … without end; of their windows `shares` of each dataset, in turn."""
    mixed = grain.MapDataset.mix([windows(dataset, length, seed) for dataset in datasets], list(shares))
    collate = partial(collate_rows, length=length, pad_token=EOS, vocabulary_size=vocabulary_size)
    batches = mixed.batch(batch_size, batch_fn=collate)[start:]
    return iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=PREFETCHED)))
