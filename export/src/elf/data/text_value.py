"""The one step from what a file holds to a text: what is missing is None, and what is no text is refused by its place.

A program that wants a text from everything gets the words "None", "5" and "['a']" and trains on them.
"""

import json
from dataclasses import dataclass
from typing import Any

from elf.errors import ElfError
from elf.progress import say
from elf.text_file import describe_half, half_character, json_value

HALF = "Write the whole character there, or delete what is left of it."
NULL_OR_TEXT = "Write a text there, or null, and the row is left out."


@dataclass
class LeftOut:
    """Rows of a corpus that hold no text."""

    null: int = 0
    """Null in place of a text, or of one of two."""
    blank: int = 0
    """A text of nothing but spaces."""

    def tell(self, corpus: object) -> None:
        """Says how many have null: somebody may have wanted a text there. Blank lines are usual."""
        if self.null:
            say(f"{rows(self.null)} of {corpus} with null in place of a text: left out")


def rows(count: int) -> str:
    return f"{count:,} row{'s' * (count != 1)}"


def text_of(value: Any, place: str, error: type[ElfError], remedy: str = NULL_OR_TEXT) -> str | None:
    """A text as it is, and None for null. Raises `error`, naming the `place`, for every other kind of value, and for a
    text with half of a character."""
    if value is None:
        return None
    if not isinstance(value, str):
        raise error(f"{place} holds {described(value)}, not a text", remedy)
    if (at := half_character(value)) is not None:
        raise error(f"{place}: {describe_half(value, at)}", HALF)
    return value


def described(value: Any) -> str:
    """A value's kind and its beginning, for people."""
    kinds = {bool: "a truth value", int: "a number", float: "a number", list: "a list", dict: "fields", bytes: "bytes"}
    shown = str(value) if isinstance(value, bool | int | float) else repr(value)
    shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
    return f"{kinds.get(type(value), type(value).__name__)} ({shown})"


def json_of(text: str, place: str, error: type[ElfError], remedy: str) -> Any:
    """The value that a JSON text holds. Raises `error` for what is no JSON, and for a field given twice."""
    try:
        return json_value(text, _fields)
    except json.JSONDecodeError as problem:
        # `place` names the line of a file already; the library counts lines within the text.
        line = f"line {problem.lineno}, " if "\n" in text else ""
        raise error(f"{place} is not JSON: {problem.msg}, at {line}character {problem.colno}", remedy) from problem
    except ValueError as problem:
        raise error(f"{place} is not JSON: {problem}", remedy) from problem


def _fields(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"it has the field {twice!r} twice")
    return fields
