"""What a conditional model is evaluated on: the sources that --data holds, and what it may not hold."""

import jax

from elf.data.evaluation_rows import EvaluationRow, evaluation_rows
from elf.data.tokenizer import Tokenizer
from elf.errors import CheckpointError, UsageError
from elf.models.trained_model import TrainedModel
from elf.progress import say


def sources_for(
    model: TrainedModel,
    tokenizer: Tokenizer | None,
    data: str | None,
    split: str | None,
    revision: str | None,
) -> list[EvaluationRow]:
    """The rows of --data; none for a model that is to write freely. Raises UsageError where it cannot."""
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
    rows = evaluation_rows(data, tokenizer, longest, split, revision)
    with_source = [row for row in rows if len(row.source_ids)]
    if not with_source:
        raise UsageError(f"no row of {data} has a source", "Give rows with an input.")
    if len(with_source) < len(rows) and jax.process_index() == 0:
        say(f"{len(rows) - len(with_source)} of {len(rows)} rows have no source, and are left out")
    return with_source
