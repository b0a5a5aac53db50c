"""Inputs as somebody would send them who wants harm: what is right, with one to three things wrong in it. What is
merely random is refused at its first byte and shows nothing."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from hypothesis import strategies as st
from withstands import ODD

LONGEST = 200_000
"""Bytes of a part that is said again and again; what takes the square of that hangs."""

MOST_LETTERS = 500_000
"""Of the longest list that is made of a short one."""

SILLY: tuple[Any, ...] = (
    *(None, True, False, 0, -0.0, -1, 0.5, 1e-9, 255, 2**31, 2**32, 2**53, 2**63, 2**64, 1e308, -1e308),
    *(float("nan"), float("inf"), 10**30, -(10**30), 10**4000),
    *("", " ", "0", "1e400", "__class__", "\0", "\ud800", "\ufeff", "‮", "\x1b[2J", "../secret", "/etc/passwd"),
    *("..", ".", "a/b", "C:\\x", "https://evil.example/x", "gs://evil/x", "evil/x", "file:///etc/passwd", "~"),
    *("(a+)+$", "{0.__class__}", "%s%n", "a" * 5000, "é" * 3000),
    *([], {}, [[]], [None], [-1], [2**40, 2**40], {"a": 1}, [0, 1], {"": None}),
)
"""What no field expects, the edges of its kind, and names by which a program could be led astray."""

Step = Callable[[Any], Any]


def values(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        leaves,
        lambda each: st.lists(each, max_size=3) | st.dictionaries(st.text(max_size=5), each, max_size=3),
        max_leaves=6,
    )


PLAIN = values(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8))
"""What JSON can say."""


@st.composite
def steps(draw: st.DrawFn, silly: Sequence[Any] = SILLY) -> Step:
    """Changes one place of a value of dicts and lists, found by walking down from the top."""
    way = draw(st.lists(st.integers(0, 1000), min_size=1, max_size=8))
    deed = draw(st.sampled_from(("put", "put", "put", "drop", "double", "stretch", "rename", "swap")))
    value = draw(st.sampled_from(silly) if draw(st.integers(0, 3)) else PLAIN)
    times = draw(st.sampled_from((2, 100, 10_000)))

    def change(at: Any, depth: int) -> Any:
        if not isinstance(at, dict | list) or not at:
            return value
        keys: list[Any] = [*at] if isinstance(at, dict) else [*range(len(at))]
        key = keys[way[depth] % len(keys)]
        inner, copy = at[key], at.copy()
        if depth + 1 < len(way) and isinstance(inner, dict | list) and inner:
            copy[key] = change(inner, depth + 1)
        elif deed == "put":
            copy[key] = value
        elif deed == "drop":
            del copy[key]
        elif deed == "swap":
            copy[key] = at[keys[0]]
        elif deed == "stretch":
            copy[key] = stretched(inner, times)
        elif isinstance(copy, list):
            copy.insert(key, inner)
        elif deed == "rename":
            copy[value if isinstance(value, str) else repr(value)[:50]] = copy.pop(key)
        else:
            copy[f"{key}2"] = inner
        return copy

    return lambda top: change(top, 0)


def stretched(value: Any, times: int) -> Any:
    if isinstance(value, bool) or value is None:
        return [value] * times
    if isinstance(value, int | float):
        return value * times
    if isinstance(value, str | bytes):
        return value[:20] * times
    if isinstance(value, list) and value:
        letters = max(1, len(repr(value)) // len(value))
        return [value[i % len(value)] for i in range(min(times, MOST_LETTERS // letters))]
    return value


def changed(*examples: Any, silly: Sequence[Any] = SILLY) -> st.SearchStrategy[Any]:
    """Values like one of `examples`, in one to three places otherwise."""

    def apply(pair: tuple[Any, list[Step]]) -> Any:
        value, changes = pair
        for change in changes:
            value = change(value)
        return value

    return st.tuples(st.sampled_from(examples), st.lists(steps(silly), min_size=1, max_size=3)).map(apply)


def as_json(value: Any) -> bytes:
    """The text of a value; halves of characters stay escaped."""
    return json.dumps(value, default=repr).encode()


DEEP = st.sampled_from((b"[", b'{"a":', b"[{'", b"- ", b"(", b"\x91", b"\x81\xa1a")).map(lambda opened: opened * 20_000)


def json_files(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Files in JSON: one of `examples`, changed; or its text, changed."""
    return st.one_of(
        changed(*(json.loads(text) for text in examples)).map(as_json),
        changed(*(json.loads(text) for text in examples)).map(as_json),
        changed(*(json.loads(text) for text in examples)).map(as_json),
        byte_files(*examples),
        text_files(*examples),
        PLAIN.map(as_json) | DEEP,
    )


MARKS = (
    *"#?&=:;,+%<>{}[]()|\\/'\"*. \t\n\r-!@`~^$",
    *("\0", "\ufeff", "\x85", "\u2028", "\x0c", "\x1b[31m", "𝕏", "\ufdd0", "null", "NaN", "1e999", "0x10", "9" * 5000),
    *("\r\n", "\n\n", '""', "\\ud800", "&a ", "*a", "<<: ", "!!python/object/apply:os.system [id]", "!!int", "---\n"),
)
"""Pieces that a text can be broken with."""


@st.composite
def text_step(draw: st.DrawFn) -> Callable[[str], str]:
    at, length = draw(st.integers(0, 100_000)), draw(st.integers(0, 12))
    put = draw(st.sampled_from(MARKS) | st.text(max_size=8))
    deed = draw(st.sampled_from(("put", "put", "cut", "drop", "repeat", "shout", "stretch", "stretch own")))
    times = draw(st.sampled_from((3, 300, LONGEST // 10)))

    def apply(text: str) -> str:
        place = at % (len(text) + 1)
        before, after = text[:place], text[place:]
        part = after[:length]
        if deed == "cut":
            return before
        if deed == "drop":
            return before + after[length:]
        if deed == "repeat":
            return before + part + after
        if deed == "shout":
            return before + after.upper()
        if deed.startswith("stretch"):
            part = (part if deed == "stretch own" else put) or "a"
            return before + (part * times)[:LONGEST] + after
        return before + put + after

    return apply


def text_files(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Files of text: one of `examples`, cut, doubled, with foreign signs in it, with a part of it said very often."""

    def apply(pair: tuple[bytes, list[Callable[[str], str]]]) -> bytes:
        text = pair[0].decode()
        for change in pair[1]:
            text = change(text)
        return text.encode("utf-8", "surrogatepass")

    some = st.tuples(st.sampled_from(examples), st.lists(text_step(), min_size=1, max_size=3)).map(apply)
    return st.one_of(some, some, some, some, st.text().map(lambda text: text.encode("utf-8", "surrogatepass")), DEEP)


@st.composite
def byte_step(draw: st.DrawFn) -> Callable[[bytes], bytes]:
    # Heads and tails say how long all else is.
    at = draw(st.one_of(st.integers(0, 64), st.integers(0, 2**24), st.integers(-64, -1)))
    length = draw(st.integers(1, 64))
    put = draw(st.binary(min_size=1, max_size=10))
    deed = draw(
        st.sampled_from(
            ("flip", "flip", "put", "put", "greatest", "zero", "cut", "drop", "insert", "double", "stretch")
        )
    )
    times = draw(st.sampled_from((3, 300, LONGEST // 10)))

    def apply(data: bytes) -> bytes:
        place = at % (len(data) + 1)
        before, after = data[:place], data[place:]
        if deed == "cut":
            return before
        if deed == "drop":
            return before + after[length:]
        if deed == "insert":
            return before + put + after
        if deed == "double":
            return before + after[:length] + after
        if deed == "stretch":
            part = after[:length] if place % 2 == 0 and after else put
            return before + (part * times)[:LONGEST] + after
        if deed == "flip":
            return before + bytes(byte ^ (1 << (length % 8)) for byte in after[:1]) + after[1:]
        part = put if deed == "put" else (b"\xff" if deed == "greatest" else b"\0") * (length % 9)
        return before + part[: len(after)] + after[len(part) :]

    return apply


def byte_files(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Files of bytes: one of `examples`, with bits flipped, numbers set to their greatest, parts cut, doubled, said
    very often."""

    def apply(pair: tuple[bytes, list[Callable[[bytes], bytes]]]) -> bytes:
        data = pair[0]
        for change in pair[1]:
            data = change(data)
        return data

    some = st.tuples(st.sampled_from(examples), st.lists(byte_step(), min_size=1, max_size=3)).map(apply)
    return st.one_of(some, some, some, some, some, some, st.binary(max_size=200), DEEP)


def folders(
    files: dict[str, bytes], others: dict[str, st.SearchStrategy[bytes]]
) -> st.SearchStrategy[dict[str, bytes]]:
    """Folders of these files, of which one is another, by its name, or is missing, or no file, or has the bytes of a
    neighbour."""
    swaps = [st.just({**files, name: files[neighbour]}) for name in others for neighbour in files if name != neighbour]
    odd = [st.just({**files, name: each}) for name in others for each in ODD]
    gone = [st.just({each: files[each] for each in files if each != name}) for name in others]
    told = [other.map(lambda content, name=name: {**files, name: content}) for name, other in others.items()]
    return st.one_of(*told, *told, st.one_of(*swaps, *gone, *odd))


def alone(name: str, contents: st.SearchStrategy[bytes]) -> st.SearchStrategy[dict[str, bytes]]:
    """Folders of one file."""
    return contents.map(lambda content: {name: content})
