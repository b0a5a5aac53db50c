"""Text files as people have them, with marks or without, with the line ends of any system; JSON; and files that are no
text."""

import codecs
import json
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from elf.errors import ElfError, TextError
from elf.paths import open_to_read

# A line ends at LF or CRLF and nowhere else: a text may hold a lone carriage return, a form feed, or one of the rarer
# separators of Unicode, which Python would cut it at.

WHITE_SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))
"""Unicode's property of that name. Python's `str.strip` takes four control characters besides."""

MARK = "\ufeff"
"""The byte-order mark. It says how a file is encoded and is no part of its text."""

BLANK_AT_ENDS = WHITE_SPACE.replace("\x85", "") + MARK
"""What does not count at the ends of a prompt; JavaScript's `trim`, by which the page reads its box, takes the same."""

MARKS = {
    b"\xff\xfe\x00\x00": "UTF-32LE",
    b"\x00\x00\xfe\xff": "UTF-32BE",
    b"\xff\xfe": "UTF-16LE",
    b"\xfe\xff": "UTF-16BE",
}
"""How the mark begins files of other encodings; the longer ones first."""

ZIP = b"PK\x03\x04"
"""Not among foreign files: checkpoints are zip files, too."""

LOOKED_AT = 4096
"""Bytes from which an encoding is guessed where there is no mark."""


def read_lines(path: Path, error: type[ElfError]) -> Iterator[tuple[int, str]]:
    """Number from 1 and text of each line, as they are asked for, without marks.

    A mark is dropped at the beginning of every line, as files that have one are joined to each other. Raises `error`
    for what is not there, and for what is not UTF-8, naming the line.
    """
    number = 0
    try:
        with open_to_read(path) as file:
            beginning = file.peek(LOOKED_AT)[:LOOKED_AT]
            if beginning.startswith(ZIP):
                raise error(f"{path} is not UTF-8 text but packed by zip", UNPACK)
            if foreign := foreign_file(beginning):
                raise error(f"{path} is not UTF-8 text but {foreign.what}", foreign.action or foreign.for_text)
            if encoding := foreign_encoding(beginning):
                raise error(
                    f"{path} is not UTF-8 text but {encoding}",
                    f"Convert it: iconv -f {encoding} -t UTF-8 FILE > NEW_FILE",
                )
            for number, line in enumerate(file, 1):
                end = -2 if line.endswith(b"\r\n") else -1 if line.endswith(b"\n") else None
                yield number, line[:end].decode().lstrip(MARK)
    except OSError as problem:
        raise error(f"{path} cannot be read: {problem.strerror}", "Check the path.") from problem
    except UnicodeDecodeError as problem:
        raise error(
            f"{path} is not UTF-8 text: line {number} has the byte 0x{problem.object[problem.start]:02x} at place "
            f"{problem.start + 1}",
            "Convert it to UTF-8.",
        ) from problem


def read_text(path: Path, error: type[ElfError]) -> str:
    """The whole text of a file, its lines ended by LF. Raises as `read_lines`."""
    return "\n".join(line for _, line in read_lines(path, error))


def foreign_encoding(beginning: bytes) -> str | None:
    """The name of the encoding of a file that begins so, where it is UTF-16 or UTF-32, with a mark or without."""
    for mark, name in MARKS.items():
        if beginning.startswith(mark):
            return name
    # Latin letters in UTF-16 have a zero in every second byte, in UTF-32 in three of four, and UTF-8 has none.
    whole = beginning[: len(beginning) // 4 * 4]
    zeros = [place for place in range(4) if 2 * whole[place::4].count(0) > len(whole) // 4]
    latin = {"123": "UTF-32LE", "012": "UTF-32BE", "13": "UTF-16LE", "02": "UTF-16BE"}.get("".join(map(str, zeros)))
    if latin or not _is_odd(beginning):
        return latin
    pairs = beginning[: len(beginning) // 2 * 2]
    return next((encoding for encoding in ("UTF-16LE", "UTF-16BE") if _is_of_lines(pairs, encoding)), None)


def _is_odd(beginning: bytes) -> bool:
    """Whether bytes are no text of UTF-8, or one with zeros and other control characters: what UTF-16 of other scripts
    looks like."""
    try:
        text = codecs.getincrementaldecoder("UTF-8")().decode(beginning)
    except UnicodeDecodeError:
        return True
    return "\0" in text and any(unicodedata.category(sign) == "Cc" for sign in set(text) - set("\0\t\n\v\f\r\x1b"))


def _is_of_lines(pairs: bytes, encoding: str) -> bool:
    """Whether bytes are lines of known characters in this encoding."""
    try:
        text = codecs.getincrementaldecoder(encoding)().decode(pairs)
    except UnicodeDecodeError:
        return False
    known = (sign in "\t\r\n" or unicodedata.category(sign) not in ("Cc", "Cn", "Co") for sign in text)
    return "\n" in text and all(known)


def half_character(text: str) -> int | None:
    """Where in `text` half of a character stands, a lone surrogate, which no file can hold; None where none does."""
    try:
        text.encode()
    except UnicodeEncodeError as problem:
        return problem.start
    return None


def check_characters(text: str) -> None:
    """Raises TextError for a text with half of a character."""
    if (at := half_character(text)) is not None:
        raise TextError(describe_half(text, at), "Delete it there, or write the whole character.")


def describe_half(text: str, at: int) -> str:
    """What to say of it; the text around it is escaped, as a terminal could not show it."""
    around = text[max(0, at - 20) : at + 20]
    return f"a text holds half of a character, U+{ord(text[at]):04X} at place {at + 1}: {around!r}"


# --- JSON from files, with one kind of error for whatever is wrong with it ------------------------------------------

Pairs = list[tuple[str, Any]]


def json_value(text: str | bytes, fields: Callable[[Pairs], Any] | None = None) -> Any:
    """The value that a JSON text holds; `fields` makes an object of its pairs, a dict unless given.

    Raises ValueError, also for one that is nested deeper than Python can follow.
    """
    try:
        return json.loads(text, object_pairs_hook=fields)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


# --- Files that are something else than their name says: packed, of another program, a note of where they lie -------


class Foreign(NamedTuple):
    what: str
    """"packed by gzip": what may follow "it is"."""
    action: str = ""
    """What to do whatever was wanted; empty where that depends on it."""
    for_text: str = "Save its text as plain UTF-8 text."
    """What to do where a text was wanted."""


UNPACK = "Unpack it, and give what is in it."

SIGNS = {
    b"version https://git-lfs": Foreign(
        "only the pointer of a file kept by Git LFS", "Run `git lfs pull` there, or download the file itself."
    ),
    b"\x1f\x8b": Foreign("packed by gzip", UNPACK),
    **{b"BZh%d1AY&SY" % level: Foreign("packed by bzip2", UNPACK) for level in range(1, 10)},
    b"\xfd7zXZ\x00": Foreign("packed by xz", UNPACK),
    b"\x28\xb5\x2f\xfd": Foreign("packed by zstd", UNPACK),
    b"7z\xbc\xaf\x27\x1c": Foreign("packed by 7-Zip", UNPACK),
    b"PAR1": Foreign("a Parquet file", for_text="Name it .parquet, and it is read by its columns."),
    b"ARROW1\0": Foreign("an Arrow file", for_text="Name it .arrow, and it is read by its columns."),
    b"%PDF-": Foreign("a PDF"),
    b"\xd0\xcf\x11\xe0": Foreign("a document of an office program"),
    b"SQLite format 3\0": Foreign("an SQLite database"),
    b"\x89HDF": Foreign("an HDF5 file"),
    b"GGUF": Foreign("a GGUF file"),
}
"""How files begin → what they are."""

LONGEST = max(map(len, SIGNS))


def foreign_file(beginning: bytes) -> Foreign | None:
    """What a file is that begins so; None for what may be anything else."""
    return next((known for sign, known in SIGNS.items() if beginning.startswith(sign)), None)


def refuse_pointer(path: Path, error: type[ElfError]) -> None:
    """Raises `error` where only the pointer of a file lies in its place. Says nothing of what cannot be read at all."""
    try:
        with path.open("rb") as file:
            found = foreign_file(file.read(LONGEST))
    except OSError:
        return
    if found and "pointer" in found.what:
        raise error(f"{path} is {found.what}", found.action)
