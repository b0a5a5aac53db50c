"""Turn a corpus into Arrow datasets (`datasets.save_to_disk`) of `input_ids`, with `condition_input_ids` for pairs."""

import errno
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from types import TracebackType
from typing import Literal

import numpy as np
import pyarrow as pa

from elf.data.corpus import Columns, Row, stream_corpus
from elf.data.packing import Concatenated, Continuations, Documents, Packing, Pairs, Windows
from elf.data.row_choice import DROPPED, HELD_OUT, TRAIN, assign_rows
from elf.data.text_value import LeftOut
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.errors import ConfigError, CorpusFormatError, DiskFullError, EmptyCorpusError
from elf.progress import say, ticker

# int32: a vocabulary fits, and the files are half as large.
IDS = pa.list_(pa.int32())


class RowWriter:
    """Appends rows to a file beside `folder`; `save` makes the folder of it. A context that leaves no such file behind.

    Until `save` returns, what was in `folder` before is untouched, and twice the data's size is needed on disk.
    """

    def __init__(self, folder: Path, columns: tuple[str, ...]):
        self.folder = folder
        self.examples = self.tokens = 0
        self._schema = pa.schema([(name, IDS) for name in columns])
        self._file = folder.with_name(f".{folder.name}.arrow")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._stream = pa.ipc.new_stream(pa.OSFile(str(self._file), "wb"), self._schema)

    def __enter__(self) -> "RowWriter":
        return self

    def write(self, rows: list[tuple[list[int], ...]]) -> None:
        """`rows` have one list of ids per column. Raises DiskFullError."""
        if not rows:
            return
        columns = [pa.array(column, IDS) for column in zip(*rows, strict=True)]
        try:
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
        except OSError as error:
            raise self._named(error) from error
        self.examples += len(rows)
        self.tokens += sum(len(row[0]) for row in rows)

    def save(self) -> None:
        """Raises DiskFullError."""
        from datasets import Dataset

        try:
            self._stream.close()
            Dataset.from_file(str(self._file)).save_to_disk(str(self.folder))
        except OSError as error:
            raise self._named(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)

    def _named(self, error: OSError) -> Exception:
        if error.errno != errno.ENOSPC:
            return error
        return DiskFullError(
            f"{self.folder} does not fit on the disk after {self.examples:,} rows", "Make room, or give another --out."
        )


AT_ONCE = 1000
"""Rows tokenised together; the tokenizer spreads them over all cores."""


@dataclass(frozen=True)
class Arguments(Columns):
    corpus: Path
    """Corpus file (.json with a list of strings, .jsonl, .tsv, .csv, .parquet, .arrow or .txt), folder of a dataset
    with texts, or hub name. Rows with null in place of a text are left out and counted."""
    tokenizer: Path
    """A tokenizer.json."""
    out: Path
    """Folder to write; `train` and `held_out` datasets go below it."""
    max_length: int = 64
    """Most tokens of a row (of a target, where there are sources)."""
    max_input_length: int = 64
    """Most tokens of a source. Longer pairs are left out, not cut: half a sentence is no translation."""
    packing: Literal["windows", "concatenate", "documents", "continuations"] = "windows"
    """Rows of a text: runs of whole sentences that leave room for the end; all texts joined by eos and cut into full
    rows (the usual form of OpenWebText); one row a text, cut; or runs of whole sentences with the few before them as
    their source, and the text's beginning without one."""
    held_out: float = 0.01
    """Share of the different texts (of the sources, for pairs) kept apart for evaluation, chosen by --seed."""
    reverse: bool = False
    """Pairs: the second column is the source."""
    seed: int = 0


def make_packing(arguments: Arguments, is_pair: bool) -> Packing:
    """Raises ConfigError for a packing that cuts pairs apart."""
    if not is_pair:
        if arguments.packing == "continuations":
            return Continuations(arguments.max_length, arguments.max_input_length)
        kinds = {"windows": Windows, "concatenate": Concatenated, "documents": Documents}
        return kinds[arguments.packing](arguments.max_length)
    if arguments.packing != "windows":
        raise ConfigError(
            f"--packing is {arguments.packing}, but the corpus has pairs", "Leave it out: a pair is a row of its own."
        )
    return Pairs(arguments.max_length, arguments.max_input_length)


def tokenize(texts: list[list[str]], tokenizer: Tokenizer) -> Iterator[list[list[int]]]:
    """Ids of each text, without special tokens, in the same grouping."""
    encodings = iter(tokenizer.encode_batch(list(chain.from_iterable(texts)), add_special_tokens=False))
    return ([encoding.ids for encoding in islice(encodings, len(group))] for group in texts)


def main(arguments: Arguments) -> None:
    """Turn a corpus into Arrow datasets (`datasets.save_to_disk`) of `input_ids`, with `condition_input_ids` for
    pairs.

    The corpus is read twice, row by row: first to choose what is held out, then to tokenise. It is never in memory
    whole.
    """
    check(arguments)
    tokenizer = load_tokenizer(arguments.tokenizer)
    say(f"reading {arguments.corpus}")
    left_out = LeftOut()
    try:
        fate = assign_rows(read_rows(arguments, left_out), arguments.held_out, arguments.seed)
    finally:
        # Also where too little is left.
        left_out.tell(arguments.corpus)
    rows = with_fate(read_rows(arguments), fate)
    first = next(rows)
    is_pair = len(first[0]) == 2
    parts = {TRAIN: "train", HELD_OUT: "held_out"}
    packings = {part: make_packing(arguments, is_pair) for part in parts}
    has_sources = is_pair or arguments.packing == "continuations"
    columns = ("input_ids", "condition_input_ids") if has_sources else ("input_ids",)
    tick = ticker("tokenising rows", len(fate))
    with ExitStack() as stack:
        writers = {part: stack.enter_context(RowWriter(arguments.out / name, columns)) for part, name in parts.items()}
        rows = chain([first], rows)
        done = 0
        while batch := list(islice(rows, AT_ONCE)):
            for part in parts:
                packing = packings[part]
                pieces = [packing.pieces(row) for row, its_fate in batch if its_fate == part]
                writers[part].write([row for ids in tokenize(pieces, tokenizer) for row in packing.rows(ids)])
            done += len(batch)
            tick(done)
        for part, name in parts.items():
            if not writers[part].examples:
                raise EmptyCorpusError(
                    f"no row of the {name} part fits", "Change --max-length or --max-input-length, or give more text."
                )
        for writer in writers.values():
            writer.save()
    report: dict[str, object] = {"rows": len(fate), "out": str(arguments.out), "left_out": vars(left_out)}
    if is_pair:
        report["dropped"] = int((fate == DROPPED).sum())
        report["too_long"] = int((fate != DROPPED).sum()) - sum(writer.examples for writer in writers.values())
    for part, name in parts.items():
        report[name] = {"examples": writers[part].examples, "tokens": writers[part].tokens}
    print(json.dumps(report))


def check(arguments: Arguments) -> None:
    """Raises ConfigError for values that cannot be."""
    if not 0 < arguments.held_out < 1:
        raise ConfigError(f"--held-out is {arguments.held_out}", "Give a share between 0 and 1, such as 0.01.")
    if arguments.max_length < 1 or arguments.max_input_length < 1:
        raise ConfigError("--max-length and --max-input-length are below 1", "Give numbers of tokens, such as 64.")


def read_rows(arguments: Arguments, left_out: LeftOut | None = None) -> Iterator[Row]:
    for row in stream_corpus(arguments.corpus, arguments, left_out):
        yield row[::-1] if arguments.reverse else row


def with_fate(rows: Iterator[Row], fate: np.ndarray) -> Iterator[tuple[Row, int]]:
    """Raises CorpusFormatError where the corpus has not as many rows as when it was first read."""
    try:
        yield from zip(rows, fate.tolist(), strict=True)
    except ValueError as error:
        raise CorpusFormatError("the corpus changed while it was read", "Start again.") from error
