"""What a conditional model is evaluated on: the sources that --data holds, and what it may not hold."""

from contextlib import closing

import jax

from elf.data.evaluation_rows import EvaluationRow, stream_evaluation_rows
from elf.data.tokenizer import Tokenizer
from elf.errors import CheckpointError, UsageError
from elf.models.trained_model import TrainedModel
from elf.progress import say

DIGESTED = 20_000
"""By so many of its first rows one set of sources is told from another, however many of them texts are written to."""
MOST_UNASKED = 100_000


def sources_for(
    model: TrainedModel,
    tokenizer: Tokenizer | None,
    data: str | None,
    split: str | None,
    revision: str | None,
    samples: int | None = None,
) -> list[EvaluationRow]:
    """The rows of --data that have a source; none for a model that is to write freely.

    Of many rows the first DIGESTED, or `samples` if those are more: the rest of a dataset of millions is never read.
    Raises UsageError where the model cannot write to them, or where all of too many are asked for.
    """
    longest = model.elf.max_input_length
    if not longest:
        if data:
            raise UsageError("--data is given, but this model writes without a source", "Leave it out.")
        return []
    if not data:
        if model.elf.source_optional:
            return []
        raise UsageError(
            "this model writes to sources, and none are given",
            'Give --data, JSONL rows {"input": …, "output": …}; or, where it was trained without sources too, set '
            "elf.source_optional in its config.json.",
        )
    if tokenizer is None:
        raise CheckpointError("this model has no tokenizer.json to read sources with", "Put it into its folder.")
    most = MOST_UNASKED + 1 if samples is None else max(samples, DIGESTED)
    with_source, read = [], 0
    with closing(stream_evaluation_rows(data, tokenizer, longest, split, revision)) as rows:
        for row in rows:
            read += 1
            if len(row.source_ids):
                with_source.append(row)
            if len(with_source) == most:
                break
    if len(with_source) > MOST_UNASKED and samples is None:
        raise UsageError(
            f"{data} has more than {MOST_UNASKED:,} rows", "Give --samples: so many of them, from the first."
        )
    if not with_source:
        raise UsageError(f"no row of {data} has a source", "Give rows with an input.")
    if len(with_source) < read and jax.process_index() == 0:
        say(f"{read - len(with_source)} of {read} rows have no source, and are left out")
    return with_source
