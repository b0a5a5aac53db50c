"""Collation by hand, and the promises of the pipeline: order, epochs, shards, resuming."""

from itertools import islice
from typing import Any

import numpy as np
import pytest

from elf.data.rows import Ragged, Shard, TokenDataset, batch_at, collate_rows, training_batches
from elf.errors import ConfigError, DatasetError

EOS, PAD = 1, 0


def numbered(count: int) -> TokenDataset:
    """Row i says i, after the two tokens that tell real ids from filling."""
    return TokenDataset(Ragged.from_rows([[100 + i] for i in range(count)]))


def settings(**changes: Any) -> dict[str, Any]:
    return {"batch_size": 4, "length": 2, "pad_token": EOS, "seed": 3} | changes


def rows_of(dataset: TokenDataset, steps: range, **changes: Any) -> list[int]:
    batches = (batch_at(dataset, step, **settings(**changes)) for step in steps)
    return [int(row) - 100 for batch in batches for row in batch.ids[:, 0]]


def test_collation_fills_cuts_and_marks() -> None:
    nothing = np.zeros(0, np.int32)
    rows = [(nothing, np.array([7, 8, 9, 10, 11])), (nothing, np.array([5, 6])), (nothing, nothing)]
    for filling in (EOS, PAD):
        batch = collate_rows(rows, 4, filling)
        assert batch.ids.tolist() == [[7, 8, 9, 10], [5, 6, filling, filling], [filling] * 4]
        assert batch.real.tolist() == [[True] * 4, [True, True, False, False], [False] * 4]
        assert batch.source_length.tolist() == [0, 0, 0]
        assert (batch.ids.dtype, batch.real.dtype, batch.source_length.dtype) == (np.int32, bool, np.int32)


def test_a_long_source_leaves_the_target_its_place() -> None:
    rows = [(np.array([5, 6, 7, 8, 9]), np.array([15, 16, 17, 18])), (np.array([5]), np.array([15]))]
    batch = collate_rows(rows, 6, EOS, max_input_length=3)
    assert batch.ids.tolist() == [[5, 6, 7, 15, 16, 17], [5, 15, EOS, EOS, EOS, EOS]]
    assert batch.source_length.tolist() == [3, 1]
    assert batch.real.tolist() == [[True] * 6, [True, True, False, False, False, False]]
    whole = collate_rows(rows, 6, EOS)
    assert whole.ids[0].tolist() == [5, 6, 7, 8, 9, 15] and whole.source_length[0] == 5
    assert collate_rows(rows, 4, EOS).source_length[0] == 4, "never longer than the row"


@pytest.mark.parametrize(
    ("foreign", "words"), [(40, "token id 40"), (-1, "negative"), (2**32 + 5, "token id 4294967301")]
)
def test_foreign_ids_stop_at_the_batch(foreign: int, words: str) -> None:
    rows = [(np.zeros(0, np.int64), np.array([3, foreign]))]
    with pytest.raises(DatasetError, match=words):
        collate_rows(rows, 4, EOS, vocabulary_size=40)


def test_foreign_ids_stop_the_iterator() -> None:
    batches = training_batches(numbered(8), **settings(vocabulary_size=107))
    with pytest.raises(DatasetError, match="token id 107, the model knows ids below 107"):
        list(islice(batches, 2))


def test_an_epoch_visits_every_row_once_and_the_next_in_another_order() -> None:
    rows = rows_of(numbered(10), range(10))
    epochs = [rows[start : start + 10] for start in range(0, 40, 10)]
    assert all(sorted(epoch) == list(range(10)) for epoch in epochs), "batches of 4 straddle the epochs of 10"
    assert len({tuple(epoch) for epoch in epochs}) == 4
    assert rows_of(numbered(10), range(10), seed=4) != rows


def test_a_batch_larger_than_the_dataset_holds_several_epochs() -> None:
    rows = rows_of(numbered(3), range(1), batch_size=8)
    assert sorted(rows[:3]) == sorted(rows[3:6]) == [0, 1, 2] and len(set(rows[6:])) == 2


def test_shuffling_leaves_no_neighbours() -> None:
    """Of 1,000 rows in random order, about 2 follow their neighbour in the file."""
    rows = np.array(rows_of(numbered(1000), range(1), batch_size=1000))
    assert sorted(rows) == list(range(1000))
    assert (np.abs(np.diff(rows)) == 1).sum() < 20
    assert abs(np.corrcoef(np.arange(1000), rows)[0, 1]) < 0.15


def test_any_number_of_processes_reads_the_same_global_batch() -> None:
    dataset = numbered(10)
    for step in range(6):
        whole = batch_at(dataset, step, **settings()).ids
        for count in (2, 4):
            shards = [batch_at(dataset, step, **settings(shard=Shard(index, count))).ids for index in range(count)]
            np.testing.assert_array_equal(np.concatenate(shards), whole)


def test_the_iterator_gives_the_numbered_batches_from_any_start() -> None:
    dataset = numbered(10)
    for start, shard in ((0, Shard()), (7, Shard(3, 4))):
        batches = training_batches(dataset, **settings(start=start, shard=shard))
        for step, batch in enumerate(islice(batches, 12), start):
            expected = batch_at(dataset, step, **settings(shard=shard))
            np.testing.assert_array_equal(batch.ids, expected.ids)
            np.testing.assert_array_equal(batch.real, expected.real)


def test_the_order_of_a_seed_is_kept() -> None:
    """A run resumed after an update of Grain must not see another order: these numbers may not change."""
    assert rows_of(numbered(10), range(4)) == [4, 7, 0, 8, 2, 5, 3, 6, 1, 9, 6, 0, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"batch_size": 6, "shard": Shard(0, 4)}, "6 rows cannot be shared by 4 processes"),
        ({"batch_size": 0}, "0 rows"),
        ({"shard": Shard(2, 2)}, "no shard 2 of 2"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        training_batches(numbered(10), **settings(**changes))


def test_a_source_without_room_is_refused() -> None:
    pairs = TokenDataset(Ragged.from_rows([[5]]), Ragged.from_rows([[6]]))
    for max_input_length in (0, 2):
        with pytest.raises(ConfigError, match="leave no room"):
            batch_at(pairs, 0, **settings(max_input_length=max_input_length))
    batch_at(numbered(4), 0, **settings(max_input_length=0))
