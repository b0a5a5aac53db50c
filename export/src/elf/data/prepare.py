"""Turn a corpus into Arrow datasets (`datasets.save_to_disk`) of `input_ids`, with `condition_input_ids` for pairs."""

import errno
import json
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import accumulate, chain, islice
from pathlib import Path
from types import TracebackType
from typing import Literal, Protocol

import numpy as np
import pyarrow as pa

from elf.data.corpus import DROPPED, HELD_OUT, TRAIN, Columns, Row, assign_rows, stream_corpus
from elf.data.tables import LeftOut
from elf.data.tokenizer import EOS, Tokenizer, load_tokenizer
from elf.errors import ConfigError, CorpusFormatError, DiskFullError, EmptyCorpusError, OutputExistsError
from elf.progress import say, ticker

# --- From the texts of a corpus to rows of ids: what is tokenised as one, and how rows are cut from it --------------
#
# Ids carry no special tokens but the eos between concatenated texts: filling and the end of a row are added when a
# batch is collated (spec section 5).

SENTENCE_END = re.compile(r"(?<=[.!?…][\"'”’])\s+|(?<=[.!?…])\s+")

Ids = list[int]


class Packing(Protocol):
    """One row of the corpus after the other goes in, rows of the dataset come out: one list of ids per column."""

    def pieces(self, row: Row) -> list[str]:
        """The texts that are tokenised, each by itself."""

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        """Rows of the dataset from the ids of the pieces."""


@dataclass
class Windows:
    """Runs of whole sentences of fewer than `max_length` tokens, so that each ends with room for eos.

    A single sentence that is longer is cut hard.
    """

    max_length: int

    def pieces(self, row: Row) -> list[str]:
        return SENTENCE_END.split(row[0])

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        windows: list[Ids] = []
        current: Ids = []
        for ids in pieces:
            if current and len(current) + len(ids) >= self.max_length:
                windows.append(current)
                current = []
            current = current + ids
            while len(current) > self.max_length:
                windows.append(current[: self.max_length])
                current = current[self.max_length :]
        return [(window,) for window in [*windows, current] if window]


@dataclass
class Documents:
    """One row a text, cut at `max_length` tokens."""

    max_length: int

    def pieces(self, row: Row) -> list[str]:
        return [row[0]]

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        return [(pieces[0][: self.max_length],)] if pieces[0] else []


@dataclass
class Concatenated:
    """Texts one after the other, eos after each, in full rows of exactly `max_length` tokens.

    Nothing is filled and nothing cut away, but the tokens after the last full row.
    """

    max_length: int
    rest: Ids = field(default_factory=list)

    def pieces(self, row: Row) -> list[str]:
        return [row[0]]

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        text = [*self.rest, *pieces[0], EOS]
        full = len(text) // self.max_length * self.max_length
        self.rest = text[full:]
        return [(text[at : at + self.max_length],) for at in range(0, full, self.max_length)]


@dataclass
class Pairs:
    """(target, source). Longer pairs are left out, not cut: half a sentence is no translation."""

    max_length: int
    """Most tokens of a target."""
    max_input_length: int
    """Most tokens of a source."""

    def pieces(self, row: Row) -> list[str]:
        return list(row)

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        source, target = pieces
        fits = 0 < len(source) <= self.max_input_length and 0 < len(target) <= self.max_length
        return [(target, source)] if fits else []


@dataclass
class Continuations:
    """(target, source) from one text: a run of whole sentences, and the one to three sentences before it, in turn.

    The targets of a text follow each other without a gap. Besides, its beginning is a row with an empty source, as long
    as source and target together, so that a model learns to write without a source too. Texts leave room for eos.
    Left out: a sentence too long for a target, and a target after a sentence too long for a source.
    """

    max_length: int
    """Most tokens of a target, eos included."""
    max_input_length: int
    """Most tokens of a source."""
    turn: int = 0

    def pieces(self, row: Row) -> list[str]:
        return SENTENCE_END.split(row[0])

    def rows(self, pieces: list[Ids]) -> list[tuple[Ids, ...]]:
        # Behind a sentence's last space there is none.
        pieces = [ids for ids in pieces if ids]
        beginning = leading(pieces, self.max_length + self.max_input_length - 1)
        rows: list[tuple[Ids, ...]] = [(joined(beginning), [])] if beginning else []
        at = 1 + self.turn % 3
        while at < len(pieces):
            before = pieces[max(0, at - 1 - self.turn % 3) : at]
            source = leading(before[::-1], self.max_input_length)[::-1]
            target = leading(pieces[at:], self.max_length - 1)
            if source and target:
                rows.append((joined(target), joined(source)))
                self.turn += 1
            at += max(1, len(target))
        return rows


def leading(pieces: list[Ids], most: int) -> list[Ids]:
    """As many of the first pieces as have `most` tokens together."""
    for count, total in enumerate(accumulate(map(len, pieces))):
        if total > most:
            return pieces[:count]
    return pieces


def joined(pieces: list[Ids]) -> Ids:
    return list(chain.from_iterable(pieces))


# --- The command ----------------------------------------------------------------------------------------------------

# int32: a vocabulary fits, and the files are half as large.
IDS = pa.list_(pa.int32())

DATASET_FILE = re.compile(r"state\.json|dataset_info\.json|.*\.arrow")
"""What `save_to_disk` writes, and what `datasets` keeps beside it of what was made of it."""


class RowWriter:
    """Appends rows to a file beside `folder`; `save` makes the folder of it. A context that leaves no such file behind.

    Until `save` returns, what was in `folder` before is untouched, and twice the data's size is needed on disk besides.
    What a training reads of it stays readable: files are taken away whole, never written over.
    """

    def __init__(self, folder: Path, columns: tuple[str, ...]):
        """Raises OutputExistsError where `folder` is, or holds, what `datasets` has not written: it would be lost."""
        self.folder = folder
        self.examples = self.tokens = 0
        self._schema = pa.schema([(name, IDS) for name in columns])
        folder.parent.mkdir(parents=True, exist_ok=True)
        # A link stays, and what it leads to is replaced, on its own disk.
        self._place = folder.resolve()
        self._file, self._new, self._old = (
            self._place.with_name(f".{self._place.name}.{part}") for part in ("arrow", "new", "old")
        )
        self._tidy_up()
        if self._place.is_file():
            raise OutputExistsError(f"{folder} is a file, not a folder", "Give another --out, or remove it.")
        names = [file.name for file in self._place.iterdir()] if self._place.exists() else []
        if strange := [name for name in names if not DATASET_FILE.fullmatch(name)]:
            raise OutputExistsError(f"{folder} holds {min(strange)}, which is no dataset's", "Give another --out.")
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

    def save(self, *others: "RowWriter") -> None:
        """With `others`, all take their places or none does. Raises DiskFullError."""
        writers = (self, *others)
        for writer in writers:
            writer._write_beside()
        try:
            for writer in writers:
                if writer._place.exists():
                    writer._place.rename(writer._old)
                writer._new.rename(writer._place)
        except BaseException:  # Ctrl-C too
            for writer in writers:
                writer._take_back()
            raise

    def _write_beside(self) -> None:
        from datasets import Dataset

        try:
            self._stream.close()
            Dataset.from_file(str(self._file)).save_to_disk(str(self._new))
        except OSError as error:
            raise self._named(error) from error

    def _take_back(self) -> None:
        if not self._new.exists():
            self._place.rename(self._new)
        if self._old.exists():
            self._old.rename(self._place)

    def _tidy_up(self) -> None:
        """Also after a process that was killed. One that had moved the dataset away gives it back."""
        if self._old.exists() and not self._place.exists():
            self._old.rename(self._place)
        for hidden in (self._new, self._old):
            shutil.rmtree(hidden, ignore_errors=True)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)
        self._tidy_up()

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
        # Together: a new train beside an old held_out may have the same texts.
        writers[TRAIN].save(writers[HELD_OUT])
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
