"""Generated texts and their references on disk, matched by id.

Generations are the official `all_generated_*.jsonl`: `{"id": 0, "generated": "…"}`, one a line (spec section 6).
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO, TypeVar

from elf.data.corpus import JSON_LINES
from elf.data.text_value import json_of, text_of
from elf.errors import GenerationsError
from elf.text_file import read_lines, read_text

T = TypeVar("T")

ROW = 'Write {"id": 0, "generated": "…"} on every line.'
REFERENCE_ROW = 'Write {"output": "…"} on every line, with an "id" of its own where the line number is not the id.'
REFERENCES = "Give one reference a line, or JSONL rows with an output."
TABLES = (".csv", ".parquet", ".arrow")
SOURCE_ROW = 'Give a .jsonl with {"input": "…", "output": "…"} on every line.'

Id = int | str


def write_generation(file: TextIO, id: Id, generated: str) -> None:
    """Writes one row of `all_generated_*.jsonl`."""
    file.write(json.dumps({"id": id, "generated": generated}, ensure_ascii=False) + "\n")


def read_generations(path: Path) -> dict[str, str]:
    """Generated texts by id, in the order of the file. Ids are kept as text, so that 3 and "3" are the same.

    Empty texts are kept: a model that writes nothing is scored for it.
    Raises GenerationsError naming the line, for rows of another shape, an id given twice, or a file without rows.
    """
    generations: dict[str, str] = {}
    for number, row in _json_rows(path, ROW):
        text = _text(row, "generated", path, number, ROW)
        if "id" not in row or text is None:
            raise GenerationsError(f'{path}, line {number} has no "id" or no text as "generated"', ROW)
        _put(generations, _key(row["id"], path, number), text, path, number)
    return _not_empty(generations, path, ROW)


def read_references(path: Path) -> dict[str, str | None]:
    """Reference texts by id, None for null.

    `.jsonl`, `.ndjson`: the `output` of each row, under the row's own `id` if it has one. `.json`: a list of texts.
    `.tsv`: one text a line, or a source and a text. Any other ending: one text a line. Without an `id`, a row's id is
    its line number, or its place in the list, counted from 0.
    Raises GenerationsError naming the line, and for tables, whose first line is none of their rows.
    """
    kind = path.suffix.lower()
    if kind in JSON_LINES:
        references = _texts_by_id(path, "output", REFERENCE_ROW)
    elif kind == ".json":
        references = _listed(path)
    elif kind in TABLES:
        raise GenerationsError(f"{path} is a table, and references are texts", REFERENCES)
    else:
        lines = ((str(number - 1), line) for number, line in read_lines(path, GenerationsError))
        references = {key: _target(line, path, key) if kind == ".tsv" else line for key, line in lines}
    return _not_empty(references, path, REFERENCES)


def _listed(path: Path) -> dict[str, str | None]:
    texts = json_of(read_text(path, GenerationsError), str(path), GenerationsError, REFERENCES)
    if not isinstance(texts, list):
        raise GenerationsError(f"{path} is not a list of texts", REFERENCES)
    places = enumerate(texts)
    return {str(i): text_of(text, f"{path}, item {i + 1}", GenerationsError) for i, text in places}


def _target(line: str, path: Path, key: str) -> str:
    """The last of one or two columns."""
    if line.count("\t") > 1:
        raise GenerationsError(f"{path}, line {int(key) + 1} has {line.count(chr(9)) + 1} columns", REFERENCES)
    return line.rpartition("\t")[2]


def read_sources(path: Path) -> dict[str, str | None]:
    """The `input` of each row of a `.jsonl`, ids as in `read_references`. Raises GenerationsError naming the line."""
    if path.suffix.lower() not in JSON_LINES:
        raise GenerationsError(f"{path} holds no sources", SOURCE_ROW)
    return _not_empty(_texts_by_id(path, "input", SOURCE_ROW), path, SOURCE_ROW)


def _texts_by_id(path: Path, name: str, remedy: str) -> dict[str, str | None]:
    texts: dict[str, str | None] = {}
    for rows, (number, row) in enumerate(_json_rows(path, remedy)):
        if name not in row:
            raise GenerationsError(f'{path}, line {number} has no text as "{name}"', remedy)
        text = _text(row, name, path, number, remedy)
        if "id" not in row and number - 1 != rows:
            # A reader of the same file as a dataset does not count blank lines: the ids would not mean the same.
            raise GenerationsError(
                f"{path}, line {number} comes after a blank line, so its number is no safe id",
                'Delete the blank lines, or give every row an "id".',
            )
        _put(texts, _key(row.get("id", number - 1), path, number), text, path, number)
    return texts


def _text(row: dict[str, Any], name: str, path: Path, number: int, remedy: str) -> str | None:
    return text_of(row.get(name), f"{path}, line {number}, {name}", GenerationsError, remedy)


def match_references(generations: Mapping[str, str], references: Mapping[str, T], path: Path) -> list[T]:
    """The reference of each generation, in the order of the generations. `path` is the references' file, for errors.

    References without a generation are left out: an evaluation may have been stopped midway.
    Raises GenerationsError when a generation has no reference.
    """
    missing = [key for key in generations if key not in references]
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise GenerationsError(
            f"{path} has no reference for the generation of id {missing[0]}{more}; its ids are {_some(references)}",
            "Give the reference file that these texts were generated for; without an id, a row's id is its line "
            "number from 0.",
        )
    return [references[key] for key in generations]


def _some(keys: Iterable[str]) -> str:
    first, *rest = keys
    return f"{first} to {rest[-1]}" if rest else first


def _json_rows(path: Path, remedy: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number from 1 and object of every line that is not blank."""
    lines = [(number, line) for number, line in read_lines(path, GenerationsError) if line.strip()]
    for number, line in lines:
        cut = " It is the last line: if writing was interrupted, delete it." if number == lines[-1][0] else ""
        row = json_of(line, f"{path}, line {number}", GenerationsError, remedy + cut)
        if not isinstance(row, dict):
            raise GenerationsError(f"{path}, line {number} is no JSON object", remedy)
        yield number, row


def _key(id: Any, path: Path, number: int) -> str:
    if isinstance(id, bool) or not isinstance(id, int | str):
        raise GenerationsError(f"{path}, line {number} has the id {id!r}", "Give a whole number or a string as id.")
    if isinstance(id, str):
        text_of(id, f"{path}, line {number}, id", GenerationsError)
    return str(id)


def _put(texts: dict[str, T], key: str, text: T, path: Path, number: int) -> None:
    if key in texts:
        raise GenerationsError(
            f"{path}, line {number} has the id {key} for a second time", "Give one row for each id; delete the others."
        )
    texts[key] = text


def _not_empty(texts: dict[str, T], path: Path, remedy: str) -> dict[str, T]:
    if not texts:
        raise GenerationsError(f"{path} holds no rows", remedy)
    return texts
