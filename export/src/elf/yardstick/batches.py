"""Pairs as batches of few shapes: rows of like length together, so that little time goes into filling.

Each batch is a function of (seed, step) alone, so a resumed run reads on where it was.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import grain
import numpy as np

from elf.data.rows import ENDLESS, TokenDataset, TokenRow, check_ids
from elf.data.tokenizer import EOS, PAD
from elf.yardstick.translator import TranslatorConfig

LENGTHS = (8, 12, 16, 24)
"""Tokens of source or target that a batch may be cut to, besides the longest: each is compiled once."""
POOL = 16
"""Batches that are sorted by length together, and then come in random order."""
SAMPLE = 512
"""Rows, evenly spread, that tell how long targets are."""


@dataclass(frozen=True)
class PairBatch:
    source: np.ndarray
    """(B, S) int32, filled up with pad."""
    source_length: np.ndarray
    """(B,) int32."""
    target: np.ndarray
    """(B, T) int32, eos behind the last token, filled up with pad."""
    target_length: np.ndarray
    """(B,) int32, eos counted."""

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.source, self.source_length, self.target, self.target_length


def collate_pairs(rows: Sequence[TokenRow], config: TranslatorConfig, filled_to: int | None = None) -> PairBatch:
    """Rows of (source ids, target ids) in the smallest shape of LENGTHS that holds them, or in the longest.

    What is too long is cut; a target that was cut has no eos. `filled_to` asks for so many rows, the last ones empty,
    in the longest shape, so that every batch has the same. Raises DatasetError for ids outside the vocabulary.
    """
    inputs, outputs = config.max_input_length, config.max_output_length
    if filled_to is None:
        longest = max(map(_length, rows))
        most = next((length for length in LENGTHS if length >= longest), max(inputs, outputs))
        inputs, outputs = min(most, inputs), min(most, outputs)
    count = filled_to or len(rows)
    source, target = (np.full((count, length), PAD, np.int64) for length in (inputs, outputs + 1))
    source_length, target_length = np.zeros(count, np.int32), np.zeros(count, np.int32)
    for i, (source_ids, target_ids) in enumerate(rows):
        ids = source_ids[:inputs]
        source[i, : len(ids)], source_length[i] = ids, len(ids)
        ids = target_ids[:outputs] if len(target_ids) > outputs else np.append(target_ids, EOS)
        target[i, : len(ids)], target_length[i] = ids, len(ids)
    for ids in (source, target):
        check_ids(ids, config.vocabulary_size)
    return PairBatch(source.astype(np.int32), source_length, target.astype(np.int32), target_length)


def pair_batches(
    dataset: TokenDataset, config: TranslatorConfig, *, batch_size: int, seed: int, start: int = 0
) -> Iterator[PairBatch]:
    """Batches `start`, `start` + 1, … without end; epochs follow each other, and no row is left out."""
    rows = grain.MapDataset.source(dataset).shuffle(seed % 2**32).repeat(max(1, ENDLESS // len(dataset)))
    first = start // POOL
    pools = rows.batch(POOL * batch_size, batch_fn=list)[first:]
    ahead = pools.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
    for number, pool in enumerate(ahead, first):
        pool.sort(key=_length)
        order = np.random.default_rng((seed % 2**32, number)).permutation(POOL)
        for at in order[start % POOL if number == first else 0 :]:
            yield collate_pairs(pool[at * batch_size : (at + 1) * batch_size], config)


def mean_target_length(dataset: TokenDataset, config: TranslatorConfig) -> float:
    """Tokens that a row teaches, its end counted, by a sample of the dataset."""
    sample = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    return float(np.mean([min(len(dataset[int(i)][1]), config.max_output_length) + 1 for i in sample]))


def _length(row: TokenRow) -> int:
    return max(map(len, row))
