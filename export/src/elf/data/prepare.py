"""Turn a corpus into an Arrow dataset (`datasets.save_to_disk`) of `input_ids`, with `condition_input_ids` for pairs.

Ids carry no special tokens: padding and the end of the text are added when a batch is collated (spec section 5).
"""

import json
import random
import re
from dataclasses import dataclass
from pathlib import Path

import tokenizers

from elf.data.corpus import Row, read_corpus
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError, EmptyCorpusError
from elf.progress import say, told

SENTENCE_END = re.compile(r"(?<=[.!?…][\"'”’])\s+|(?<=[.!?…])\s+")


@dataclass(frozen=True)
class Arguments:
    corpus: Path
    """Corpus file: .json (list of strings), .jsonl, .tsv or .txt."""
    tokenizer: Path
    """A tokenizer.json."""
    out: Path
    """Folder to write; `train` and `held_out` datasets go below it."""
    max_length: int = 64
    """Most tokens of a text (of a target, for pairs)."""
    max_input_length: int = 64
    """Most tokens of a source. Longer pairs are dropped, not cut: half a sentence is no translation."""
    held_out: float = 0.01
    """Share of rows kept apart for evaluation, chosen by --seed."""
    reverse: bool = False
    """Pairs: the second column is the source."""
    seed: int = 0


def split_into_windows(text: str, tokenizer: tokenizers.Tokenizer, max_length: int) -> list[list[int]]:
    """Cuts a text into runs of whole sentences of fewer than `max_length` tokens, so that each ends with room for eos.

    A single sentence that is longer is cut hard.
    """
    sentences = [
        encoding.ids for encoding in tokenizer.encode_batch(SENTENCE_END.split(text), add_special_tokens=False)
    ]
    windows: list[list[int]] = []
    current: list[int] = []
    for ids in sentences:
        if current and len(current) + len(ids) >= max_length:
            windows.append(current)
            current = []
        current = current + ids
        while len(current) > max_length:
            windows.append(current[:max_length])
            current = current[max_length:]
    return windows + ([current] if current else [])


def texts_to_columns(rows: list[Row], tokenizer: tokenizers.Tokenizer, max_length: int) -> dict[str, list[list[int]]]:
    texts = told(rows, "splitting texts")
    windows = [window for (text,) in texts for window in split_into_windows(text, tokenizer, max_length)]
    return {"input_ids": windows}


def pairs_to_columns(
    rows: list[Row], tokenizer: tokenizers.Tokenizer, max_length: int, max_input_length: int
) -> dict[str, list[list[int]]]:
    sources = tokenizer.encode_batch([row[0] for row in rows], add_special_tokens=False)
    targets = tokenizer.encode_batch([row[1] for row in rows], add_special_tokens=False)
    kept = [
        (source.ids, target.ids)
        for source, target in zip(sources, targets, strict=True)
        if len(source.ids) <= max_input_length and len(target.ids) <= max_length
    ]
    return {"input_ids": [target for _, target in kept], "condition_input_ids": [source for source, _ in kept]}


def main(arguments: Arguments) -> None:
    from datasets import Dataset

    if not 0 < arguments.held_out < 1:
        raise ConfigError(f"--held-out is {arguments.held_out}", "Give a share between 0 and 1, such as 0.01.")
    tokenizer = load_tokenizer(arguments.tokenizer)
    rows = read_corpus(arguments.corpus)
    if arguments.reverse:
        rows = [row[::-1] for row in rows]
    random.Random(arguments.seed).shuffle(rows)
    held_out = max(1, round(arguments.held_out * len(rows)))
    report: dict[str, object] = {"rows": len(rows), "out": str(arguments.out)}
    for name, part in (("held_out", rows[:held_out]), ("train", rows[held_out:])):
        if not part:
            raise EmptyCorpusError(f"{arguments.corpus} is too small to hold anything out", "Give at least two texts.")
        say(f"{name}: {len(part):,} rows")
        columns = (
            texts_to_columns(part, tokenizer, arguments.max_length)
            if len(part[0]) == 1
            else pairs_to_columns(part, tokenizer, arguments.max_length, arguments.max_input_length)
        )
        if not columns["input_ids"]:
            raise EmptyCorpusError(
                f"no row of the {name} part fits", "Raise --max-length or --max-input-length, or give more text."
            )
        dataset = Dataset.from_dict(columns)
        # int32: a vocabulary fits, and the files are half as large.
        dataset = dataset.cast(_int32_features(dataset.column_names))
        dataset.save_to_disk(str(arguments.out / name))
        report[name] = {"examples": len(dataset), "tokens": sum(map(len, columns["input_ids"]))}
    print(json.dumps(report))


def _int32_features(columns: list[str]):
    from datasets import Features, List, Value

    return Features({name: List(Value("int32")) for name in columns})
