"""Read a corpus file: rows of one text (stories) or of two (source and target)."""

import json
from pathlib import Path

from elf.errors import CorpusFormatError, EmptyCorpusError

Row = tuple[str, ...]


def read_corpus(path: Path) -> list[Row]:
    """Rows of `path`, each (text,) or (source, target), by the file's ending:

    - `.json`: a list of strings
    - `.jsonl`: strings, `{"text": …}` or `{"input": …, "output": …}`, one a line
    - `.tsv`: one or two columns
    - anything else: plain text, one text a line

    Empty rows are dropped. Raises CorpusFormatError naming the line, and EmptyCorpusError when nothing is left.
    """
    try:
        content = path.read_text(encoding="utf-8")
    except OSError as error:
        raise CorpusFormatError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    except UnicodeDecodeError as error:
        raise CorpusFormatError(f"{path} is not UTF-8 text: {error}", "Convert it to UTF-8.") from error
    read = {".json": _json, ".jsonl": _jsonl, ".tsv": _tsv}.get(path.suffix, _lines)
    rows = [row for row in read(path, content) if all(text.strip() for text in row)]
    if not rows:
        raise EmptyCorpusError(f"{path} holds no text", "Give a file with at least one non-empty text.")
    return rows


def _json(path: Path, content: str) -> list[Row]:
    try:
        texts = json.loads(content)
    except json.JSONDecodeError as error:
        raise CorpusFormatError(f"{path} is not JSON: {error}", "Give a JSON list of strings.") from error
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise CorpusFormatError(f"{path} is not a list of strings", "Give a JSON list of strings.")
    return [(text,) for text in texts]


def _jsonl(path: Path, content: str) -> list[Row]:
    rows: list[Row] = []
    for number, line in enumerate(content.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
            if isinstance(value, str):
                rows.append((value,))
            elif "text" in value:
                rows.append((str(value["text"]),))
            else:
                rows.append((str(value["input"]), str(value["output"])))
        except (json.JSONDecodeError, KeyError, TypeError) as error:
            raise CorpusFormatError(
                f"{path}, line {number} is neither a string, a text, nor an input with an output",
                'Write {"text": …} or {"input": …, "output": …} on every line.',
            ) from error
    return rows


def _tsv(path: Path, content: str) -> list[Row]:
    rows = [tuple(line.split("\t")) for line in content.split("\n") if line.strip()]
    for number, row in enumerate(rows, 1):
        if len(row) > 2 or len(row) != len(rows[0]):
            raise CorpusFormatError(
                f"{path}, row {number} has {len(row)} columns", "Give one or two columns, the same in every row."
            )
    return rows


def _lines(path: Path, content: str) -> list[Row]:
    return [(line,) for line in content.split("\n")]
