"""Corpora as the world sends them: nulls, other kinds than texts, marks, line ends, in every form that is read."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from elf.cli import main
from elf.data.corpus import Columns, read_corpus, stream_corpus
from elf.data.rows import open_dataset
from elf.data.tables import LeftOut
from elf.data.tokenizer import load_tokenizer
from elf.errors import CorpusFormatError, DatasetError, EmptyCorpusError

NOT_TEXTS: list[tuple[Any, str]] = [
    (5, r"a number \(5\)"),
    (1.5, r"a number \(1\.5\)"),
    (float("nan"), r"a number \(nan\)"),
    (True, r"a truth value \(True\)"),
    (["a"], r"a list \(\['a'\]\)"),
    ({"a": "b"}, r"fields \(\{'a': 'b'\}\)"),
]
"""Values of JSON, and how an error calls them."""


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def read_all(corpus: Path) -> list[tuple[str, ...]]:
    return [*read_corpus(corpus)]


def rows_of(corpus: Path, **columns: Any) -> tuple[list[tuple[str, ...]], int, int]:
    """Rows, and how many were left out as null and as blank."""
    left_out = LeftOut()
    rows = list(stream_corpus(corpus, Columns(**columns), left_out))
    return rows, left_out.null, left_out.blank


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.json", '["one", null, "", "two"]', ([("one",), ("two",)], 1, 1)),
        ("a.jsonl", '"one"\nnull\n{"text": null}\n{"text": " "}\n{"text": "two"}\n', ([("one",), ("two",)], 2, 1)),
        ("a.ndjson", '{"input": null, "output": "x"}\n{"input": "a", "output": null}\n', ([], 2, 0)),
        (
            "a.jsonl",
            '{"input": null, "output": null}\n{"text": null}\n{"input": "a", "output": "b"}\n',
            ([("a", "b")], 2, 0),
        ),
        # A table with columns for both kinds of rows, written out.
        ("a.jsonl", '{"text": null, "input": "a", "output": "b"}\n', ([("a", "b")], 0, 0)),
        ("a.jsonl", '{"text": "a", "input": null, "output": null}\n', ([("a",)], 0, 0)),
        # Words are texts, whatever other programs read into them.
        ("a.jsonl", '{"text": "None"}\n{"text": "null"}\n', ([("None",), ("null",)], 0, 0)),
        ("a.tsv", "None\tNULL\nNA\tnan\n\tx\n", ([("None", "NULL"), ("NA", "nan")], 0, 1)),
        ("a.csv", 'id,text\n1,one\n2,\n3,"two, ""three"""\n', ([("one",), ('two, "three"',)], 0, 1)),
        ("a.txt", "one\nnull\n\n", ([("one",), ("null",)], 0, 1)),
    ],
)
def test_nulls_are_left_out_and_counted(tmp_path: Path, name: str, content: str, expected: Any) -> None:
    assert rows_of(write(tmp_path / name, content)) == expected


def test_lines_with_columns_of_other_names(tmp_path: Path) -> None:
    lines = ['{"story": "one", "t": {"de": "a", "en": "b"}}', "null", '{"story": null, "t": null}']
    file = write(tmp_path / "a.jsonl", "\n".join(lines))
    assert rows_of(file, text_column="story") == ([("one",)], 2, 0)
    assert rows_of(file, text_column="t.en", source_column="t.de") == ([("a", "b")], 2, 0)
    for line, words in [
        ('{"text": "a"}', "line 2 has no column story, only text"),
        ('{"story": 5}', r"column story of .*, line 2 holds a number \(5\), not a text"),
        ('["a"]', r"line 2 holds a list \(\['a'\]\), not columns"),
        ('{"story": "\\ud83d"}', "column story of .*, line 2: a text holds half of a character"),
    ]:
        with pytest.raises(CorpusFormatError, match=words):
            rows_of(write(tmp_path / "b.jsonl", f'{{"story": "one"}}\n{line}\n'), text_column="story")


@pytest.mark.parametrize("name", ["a.tsv", "a.json", "a.txt", "a.de"])
def test_columns_of_a_file_without_names_are_refused(tmp_path: Path, name: str) -> None:
    """`--source-column de` of a table English, German was dropped in silence, and the pairs were learnt backwards."""
    file = write(tmp_path / name, '["a"]' if name == "a.json" else "en\tde\nHi.\tHallo.\n")
    for columns in ({"source_column": "de", "text_column": "en"}, {"text_column": "en"}, {"source_column": "de"}):
        with pytest.raises(CorpusFormatError, match="has no columns with names") as caught:
            rows_of(file, **columns)
        assert "--reverse swaps" in caught.value.action
    assert rows_of(file, text_column="text")[0], "the default asks for nothing"


@pytest.mark.parametrize(
    ("form", "refused"),
    [
        ("tsv", ["split", "subset", "revision"]),
        ("parquet", ["split", "subset", "revision"]),
        ("arrow folder", ["subset", "revision"]),
        ("parquet folder", ["revision"]),
    ],
)
def test_parts_that_a_corpus_cannot_have_are_refused(tmp_path: Path, form: str, refused: list[str]) -> None:
    if form == "tsv":
        corpus = write(tmp_path / "a.tsv", "a\tb\n")
    else:
        corpus = table_file(tmp_path / "a", pa.table({"text": ["a"]}), form)
    for option in refused:
        with pytest.raises(DatasetError, match=rf"--{option} is given, but .* on this machine"):
            rows_of(corpus, **{option: "train"})
    assert rows_of(corpus)[0]


@pytest.mark.parametrize(("value", "called"), NOT_TEXTS)
def test_other_kinds_of_values_are_refused_by_their_line(tmp_path: Path, value: Any, called: str) -> None:
    shown = json.dumps(value)
    for name, content, place in [
        ("a.json", f'["x", {shown}]', "a.json is not a list of strings: item 2"),
        ("a.jsonl", f'"x"\n\n{{"text": {shown}}}\n', "a.jsonl, line 3, text"),
        ("a.jsonl", f'{{"input": "x", "output": {shown}}}\n', "a.jsonl, line 1, output"),
        ("a.jsonl", f'{{"input": {shown}, "output": null}}\n', "a.jsonl, line 1, input"),
    ]:
        with pytest.raises(CorpusFormatError, match=rf"{place} holds {called}, not a text"):
            read_all(write(tmp_path / name, content))
    if not isinstance(value, dict):
        with pytest.raises(CorpusFormatError, match=rf"a\.jsonl, line 2 holds {called}, not a text"):
            read_all(write(tmp_path / "a.jsonl", f'"x"\n{shown}\n'))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('{"text": "a", "text": "b"}', r"line 1 is not JSON: it has the field 'text' twice"),
        ('"a"\n{"text": "b"', "line 2 is not JSON"),
        ("[" * 100_000, "line 1 is not JSON"),
        ('{"text": 1' + "0" * 5000 + "}", "line 1 is not JSON"),
        ('"a"\n"b",\n', "line 2 is not JSON: Extra data, at character 4$"),
        ('{"story": "a"}', "line 1 is neither"),
        ('{"input": "a"}', "line 1 is neither"),
        (
            '"a"\n{"text": "the cat \\ud83d sat."}',
            r"line 2, text: a text holds half of a character, U\+D83D at place 9",
        ),
        ('{"input": "a", "output": "\\udc00"}', r"line 1, output: a text holds half of a character, U\+DC00"),
        ('"\\ud83d"', r"line 1: a text holds half of a character"),
    ],
)
def test_lines_that_cannot_be_read_are_named(tmp_path: Path, content: str, words: str) -> None:
    with pytest.raises(CorpusFormatError, match=words):
        read_all(write(tmp_path / "a.jsonl", content))


def test_a_pair_of_halves_is_a_character(tmp_path: Path) -> None:
    assert read_all(write(tmp_path / "a.jsonl", '"\\ud83d\\ude00"')) == [("😀",)]
    with pytest.raises(CorpusFormatError, match=r"item 2: a text holds half of a character, U\+DE00 at place 1"):
        read_all(write(tmp_path / "a.json", '["a", "\\ude00\\ud83d"]'))


def table_file(path: Path, table: pa.Table, form: str) -> Path:
    """`table` as one of the things that are read by columns."""
    path.mkdir()
    if form == "arrow folder":
        datasets.Dataset(table).save_to_disk(str(path))
        return path
    if form == "parquet folder":
        pq.write_table(table, path / "train.parquet", row_group_size=2)
        return path
    if form == "parquet":
        pq.write_table(table, path / "a.parquet")
        return path / "a.parquet"
    if form == "upper case":
        pq.write_table(table, path / "A.PARQUET")
        return path / "A.PARQUET"
    make: Callable[..., Any] = pa.ipc.new_stream if form == "arrow stream" else pa.ipc.new_file
    with make(str(path / "a.arrow"), table.schema) as writer:
        writer.write_table(table)
    return path / "a.arrow"


FORMS = ["arrow folder", "parquet folder", "parquet", "upper case", "arrow stream", "arrow file"]

ONE_NULL = ["one", None, "two", " "]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    "array",
    [
        pa.array(ONE_NULL),
        pa.array(ONE_NULL, pa.large_string()),
        pa.array(ONE_NULL, pa.string_view()),
        pa.array(ONE_NULL).dictionary_encode(),
        pa.chunked_array([ONE_NULL[:1], ONE_NULL[1:2], ONE_NULL[2:]], pa.string()),
        pa.array(["zero", *ONE_NULL]).slice(1),
    ],
    ids=["string", "large", "view", "dictionary", "chunks", "slice"],
)
def test_columns_with_nulls(tmp_path: Path, form: str, array: Any) -> None:
    file = table_file(tmp_path / "a", pa.table({"n": range(4), "text": array}), form)
    assert rows_of(file) == ([("one",), ("two",)], 1, 1)


@pytest.mark.parametrize("form", FORMS)
def test_fields_within_columns_with_nulls(tmp_path: Path, form: str) -> None:
    translations = [{"de": "a", "en": "b"}, None, {"de": None, "en": "c"}, {"de": "d", "en": "e"}]
    file = table_file(tmp_path / "a", pa.table({"translation": translations}), form)
    columns = {"text_column": "translation.en", "source_column": "translation.de"}
    assert rows_of(file, **columns) == ([("a", "b"), ("d", "e")], 2, 0)
    nothing = table_file(tmp_path / "nothing", pa.table({"translation": pa.array([None] * 3)}), form)
    assert rows_of(nothing, **columns) == ([], 3, 0)
    deep = pa.table({"a.b": ["dot", None], "t": [{"x": {"y": "deep"}}, {"x": None}]})
    file = table_file(tmp_path / "b", deep, form)
    assert rows_of(file, text_column="t.x.y") == ([("deep",)], 1, 0)
    assert rows_of(file, text_column="a.b") == ([("dot",)], 1, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", [pa.null(), pa.string(), pa.float64(), pa.list_(pa.string())], ids=str)
def test_a_column_of_nulls_alone(tmp_path: Path, form: str, kind: pa.DataType) -> None:
    """Programs that write a column without a single value give it any kind."""
    file = table_file(tmp_path / "a", pa.table({"n": range(3), "text": pa.array([None] * 3, kind)}), form)
    assert rows_of(file) == ([], 3, 0)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize(
    ("values", "kind", "called"),
    [
        ([None, b"a"], pa.binary(), r"binary, not a text: bytes \(b'a'\)"),
        ([None, b"a"], pa.large_binary(), "large_binary, not a text: bytes"),
        ([None, b"ab"], pa.binary(2), r"fixed_size_binary\[2\], not a text: bytes"),
        ([None, 5], pa.int64(), r"int64, not a text: a number \(5\)"),
        ([None, float("nan")], pa.float64(), r"double, not a text: a number \(nan\)"),
        ([None, True], pa.bool_(), r"bool, not a text: a truth value \(True\)"),
        ([None, ["a"]], pa.list_(pa.string()), "list<.*>, not a text: a list"),
        ([None, {"a": "b"}], pa.struct({"a": pa.string()}), "struct<a: string>, not a text: fields"),
        ([None, 1], pa.timestamp("ms"), r"timestamp\[ms\], not a text: datetime"),
    ],
)
def test_columns_of_other_kinds_are_refused_by_their_row(
    tmp_path: Path, form: str, values: list[Any], kind: pa.DataType, called: str
) -> None:
    file = table_file(tmp_path / "a", pa.table({"n": range(2), "text": pa.array(values, kind)}), form)
    with pytest.raises(CorpusFormatError, match=f"column text of .*, row 2 holds {called}") as caught:
        rows_of(file)
    assert "--text-column" in caught.value.action


@pytest.mark.parametrize("form", FORMS)
def test_columns_that_are_not_there(tmp_path: Path, form: str) -> None:
    file = table_file(tmp_path / "a", pa.table({"n": [1], "story": ["a"]}), form)
    with pytest.raises(CorpusFormatError, match="has no column text, only n, story"):
        rows_of(file)
    with pytest.raises(CorpusFormatError, match=r"has no column story\.en, only nothing below it"):
        rows_of(file, text_column="story.en")
    # A column that nobody asks for may hold anything.
    assert rows_of(file, text_column="story") == ([("a",)], 0, 0)


def test_bytes_in_a_text_column_that_are_no_utf_8(tmp_path: Path) -> None:
    bad = pa.array([b"one", b"Gr\xfc\xdfe"]).view(pa.string())
    with pytest.raises(CorpusFormatError, match=r"column text of .*a\.parquet, row 2 is not UTF-8"):
        rows_of(table_file(tmp_path / "a", pa.table({"text": bad}), "parquet"))


def test_tables_that_are_broken_or_empty(tmp_path: Path) -> None:
    for name in ("a.parquet", "a.arrow"):
        with pytest.raises(DatasetError, match=f"{name} cannot be read"):
            rows_of(write(tmp_path / name, b"PAR1 or not"))
    empty = pa.table({"text": pa.array([], pa.string())})
    for number, form in enumerate(FORMS[1:]):
        assert rows_of(table_file(tmp_path / str(number), empty, form)) == ([], 0, 0)
    twice = pa.Table.from_arrays([pa.array(["a"]), pa.array(["b"])], ["text", "text"])
    with pytest.raises(CorpusFormatError, match="several columns text"):
        rows_of(table_file(tmp_path / "twice", twice, "arrow file"))


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view", "dictionary", "field"])
def test_wrong_bytes_in_an_arrow_file_are_named(tmp_path: Path, kind: str) -> None:
    """Arrow itself reads beyond its memory where a file's places are wrong, which ended the program with a signal."""
    texts = pa.array(["a text of some length", None, "é"] * 50)
    array = {"dictionary": texts.dictionary_encode, "field": lambda: pa.StructArray.from_arrays([texts], ["en"])}.get(
        kind, lambda: texts.cast(kind)
    )()
    file = table_file(tmp_path / "a", pa.table({"text": array}), "arrow stream")
    content, random = file.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(100):
        wrong = bytearray(content)
        for place in random.integers(len(content), size=3):
            wrong[place] = random.integers(256)
        file.write_bytes(wrong)
        try:
            rows_of(file, text_column="text.en" if kind == "field" else "text")
        except (DatasetError, CorpusFormatError):
            refused += 1
    assert refused > 50


@pytest.mark.parametrize("name", ["a.parquet", "a.arrow", "folder"])
def test_the_pointer_of_a_table_is_named(tmp_path: Path, name: str) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n"
    file = tmp_path / name
    if name == "folder":
        datasets.Dataset(pa.table({"text": ["a"]})).save_to_disk(str(file))
        write(next(file.glob("*.arrow")), pointer)
    else:
        write(file, pointer)
    with pytest.raises(DatasetError, match="only the pointer of a file kept by Git LFS") as caught:
        rows_of(file)
    assert "git lfs pull" in caught.value.action


def test_names_and_values_that_cannot_be_shown_are_named_all_the_same(tmp_path: Path) -> None:
    moment = pa.array([1], pa.timestamp("us", "Mars/Base"))
    twice = pa.StructArray.from_arrays([pa.array(["a"]), pa.array(["b"])], ["en", "en"])
    file = table_file(tmp_path / "a", pa.table({"\ufefftext": ["a"], "at": moment, "t": twice}), "arrow file")
    with pytest.raises(CorpusFormatError, match=r"has no column text, only '\\ufefftext', at, t"):
        rows_of(file)
    with pytest.raises(CorpusFormatError, match=r"row 1 holds timestamp\[us, tz=Mars/Base\], not a text"):
        rows_of(file, text_column="at")
    with pytest.raises(CorpusFormatError, match="several fields en in t"):
        rows_of(file, text_column="t.en")
    with pytest.raises(CorpusFormatError, match=r"a\.csv has several columns text"):
        rows_of(write(tmp_path / "a.csv", "text,n,text\na,1,b\n"))
    assert rows_of(write(tmp_path / "b.csv", "text,n,n\na,1,2\n")) == ([("a",)], 0, 0)


def test_rows_of_many_tables_are_counted_through(tmp_path: Path) -> None:
    texts = [f"text {i}" for i in range(2500)]
    file = table_file(tmp_path / "a", pa.table({"text": texts}), "parquet")
    assert [text for (text,) in rows_of(file)[0]] == texts
    records: dict[str, Any] = {"text": texts, "n": [None] * 2400 + list(range(100))}
    with pytest.raises(CorpusFormatError, match="row 2401 holds int64"):
        rows_of(table_file(tmp_path / "b", pa.table(records), "parquet"), text_column="n")


def test_parquet_files_of_several_splits(tmp_path: Path) -> None:
    for name, text in (("train-00000-of-00002", "a"), ("train-00001-of-00002", "b"), ("test-00000-of-00001", "c")):
        pq.write_table(pa.table({"text": [text, None]}), tmp_path / f"{name}.parquet")
    assert rows_of(tmp_path, split="train") == ([("a",), ("b",)], 2, 0)
    with pytest.raises(DatasetError, match="several splits: test, train"):
        rows_of(tmp_path)


@pytest.mark.parametrize(
    ("records", "columns", "expected"),
    [
        ([{"text": "one"}, {"text": None}, {"text": np.str_("two")}], {}, ([("one",), ("two",)], 1, 0)),
        ([{"t": {"en": "a"}}, {"t": None}, {"t": {"en": None}}], {"text_column": "t.en"}, ([("a",)], 2, 0)),
        ([{"text": 5}], {}, r"column text of owner/stories, row 1 holds a number \(5\), not a text"),
        ([{"text": "a"}, {"text": b"a"}], {}, r"row 2 holds bytes \(b'a'\), not a text"),
        ([{"text": "a"}, {"text": ["a"]}], {}, "row 2 holds a list"),
        ([{"text": np.float32("nan")}], {}, "row 1 holds float32"),
        ([{"text": "half \ud83d"}], {}, r"row 1: a text holds half of a character, U\+D83D"),
        ([{"t": "a"}], {"text_column": "t.en"}, r"has no column t\.en, only nothing below it"),
        ([{"story": "a"}], {}, "has no column text, only story"),
    ],
)
def test_columns_of_the_hub(
    monkeypatch: pytest.MonkeyPatch, records: list[Any], columns: dict[str, str], expected: Any
) -> None:
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda *_, **__: ["train"])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: records)
    if not isinstance(expected, str):
        assert rows_of(Path("owner/stories"), **columns) == expected
        return
    with pytest.raises(CorpusFormatError, match=expected):
        rows_of(Path("owner/stories"), **columns)


MARK = b"\xef\xbb\xbf"


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.txt", b"one\r\ntwo\r\n", [("one",), ("two",)]),
        ("a.tsv", b"a\tb\r\nc\td", [("a", "b"), ("c", "d")]),
        ("a.jsonl", b'{"text": "one"}\r\n"two"\r\n', [("one",), ("two",)]),
        ("a.ndjson", b'"one"\n', [("one",)]),
        ("a.json", b'["one",\r\n "two"]', [("one",), ("two",)]),
        ("a.csv", b"text,n\r\none,1\r\n", [("one",)]),
        ("A.JSONL", b'"one"\n', [("one",)]),
        ("A.Tsv", b"a\tb\n", [("a", "b")]),
    ],
)
def test_marks_line_ends_and_the_case_of_suffixes(tmp_path: Path, name: str, content: bytes, expected: Any) -> None:
    assert read_all(write(tmp_path / name, content)) == expected
    assert read_all(write(tmp_path / name, MARK + content)) == expected
    if name.lower() not in ("a.json", "a.csv"):
        joined = content.removesuffix(b"\r\n").removesuffix(b"\n") + b"\n" + MARK + content
        assert read_all(write(tmp_path / name, MARK + joined)) == expected * 2
    with pytest.raises(CorpusFormatError, match="is not UTF-8 text but UTF-16LE"):
        read_all(write(tmp_path / name, content.decode().encode("utf-16")))


@pytest.mark.parametrize("character", ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"])
def test_a_text_is_not_cut_at_its_rarer_characters(tmp_path: Path, character: str) -> None:
    text = f"one{character}two"
    assert read_all(write(tmp_path / "a.txt", f"{text}\nthree\n")) == [(text,), ("three",)]
    assert read_all(write(tmp_path / "a.tsv", f"{text}\tx\n")) == [(text, "x")]
    assert read_all(write(tmp_path / "a.csv", f"text,n\n{text},1\n")) == [(text,)]
    # JSON has no bare control characters in its strings.
    if character > "\x1f":
        assert read_all(write(tmp_path / "a.jsonl", json.dumps(text, ensure_ascii=False))) == [(text,)]


def test_fields_of_a_csv_are_those_that_datasets_reads(tmp_path: Path) -> None:
    content = 'id,text,"a ""b"""\n1,"two\nlines, one text",x\r\n\n2,plain,y\n3,"",z\n4," spaces ",\n'
    file = write(tmp_path / "a.csv", content)
    theirs = datasets.load_dataset(
        "csv", data_files=str(file), cache_dir=str(tmp_path / "cache"), keep_default_na=False
    )
    for column in ("text", 'a "b"'):
        expected = [(text,) for text in theirs["train"][column] if text.strip()]
        assert rows_of(file, text_column=column)[0] == expected
    for content, words in [
        ("text,n\na,b,c\n", "line 2 has 3 fields, and the first line names 2"),
        ('text\nok\n"open\n\nmore\n', "line 3 has a quote that is never closed"),
        ('text\na "b" c\n', "line 2 has a quote within a field"),
        ("story\na\n", "has no column text, only story"),
    ]:
        with pytest.raises(CorpusFormatError, match=words):
            rows_of(write(tmp_path / "a.csv", content))


def test_what_is_taken_for_plain_text_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name, said in (("a.md", True), ("stories", True), ("a.txt", False), ("A.TXT", False)):
        assert read_all(write(tmp_path / name, "one\n")) == [("one",)]
        assert (f"{name} is taken for plain text, one text a line" in capsys.readouterr().err) == said


def test_a_quoted_field_may_go_across_many_lines(tmp_path: Path) -> None:
    """Joined line by line it would take minutes."""
    text = "\n".join(["a line", ""] * 50_000)
    corpus = tmp_path / "corpus.csv"
    corpus.write_text(f'text,n\n"{text}",1\nafter,2\n')
    assert [len(row[0].split()) for row in stream_corpus(corpus)] == [100_000, 1]
    corpus.write_text(f'text,n\n"{text}')
    with pytest.raises(CorpusFormatError, match="line 2 has a quote that is never closed"):
        [*stream_corpus(corpus)]


def test_a_json_file_of_lines_gets_the_right_advice(tmp_path: Path) -> None:
    with pytest.raises(CorpusFormatError, match=r"a\.json is not JSON") as caught:
        read_all(write(tmp_path / "a.json", '{"text": "one"}\n{"text": "two"}\n'))
    assert "name the file .jsonl" in caught.value.action


def test_what_was_left_out_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = write(tmp_path / "a.jsonl", '"a"\nnull\n{"text": null}\n')
    assert read_all(file) == [("a",)]
    assert f"2 rows of {file} with null in place of a text: left out" in capsys.readouterr().err
    with pytest.raises(EmptyCorpusError, match="no text: 2 rows are null"):
        read_all(write(file, 'null\n{"text": null}\n'))


def prepared(tmp_path: Path, corpus: Path, tokenizer: Path, *options: str) -> list[str]:
    out = tmp_path / "out"
    words = ["prepare", "--corpus", str(corpus), "--tokenizer", str(tokenizer), "--out", str(out), "--held-out", "0.2"]
    assert main([*words, "--packing", "documents", *options]) == 0
    read = load_tokenizer(tokenizer).decode
    parts = [open_dataset(out, split=part) for part in ("train", "held_out")]
    return sorted(read(part[i][1].tolist()) for part in parts for i in range(len(part)))


@pytest.mark.parametrize("form", ["jsonl", "json", "parquet", "arrow folder"])
def test_prepare_learns_from_texts_alone(
    tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    texts = ["Mia found a kite.", None, "Ben went home.", "Tom sang.", None, "Ada found a pear."]
    if form == "jsonl":
        lines = "".join(json.dumps({"text": text}) + "\n" for text in texts)
        corpus = write(tmp_path / "a.jsonl", MARK + lines.encode())
    elif form == "json":
        corpus = write(tmp_path / "a.json", json.dumps(texts))
    else:
        corpus = table_file(tmp_path / "a", pa.table({"text": texts}), form)
    assert prepared(tmp_path, corpus, tokenizer_file) == sorted(text for text in texts if text)
    printed = capsys.readouterr()
    report = json.loads(printed.out)
    assert (report["rows"], report["left_out"]) == (4, {"null": 2, "blank": 0})
    assert printed.err.count("2 rows of") == 1


def test_prepare_says_what_it_left_out_of_too_small_a_corpus(
    tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = write(tmp_path / "a.jsonl", '"a"\n' + "null\n" * 1200)
    assert main(["prepare", "--corpus", str(corpus), "--tokenizer", str(tokenizer_file), "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "1,200 rows of" in error and "too small to hold anything out" in error


def test_half_a_character_is_named_by_every_command(
    tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    half = write(tmp_path / "half.jsonl", '{"text": "the cat sat"}\n{"text": "the cat \\ud83d sat."}\n')
    fine = write(tmp_path / "fine.jsonl", '{"id": 0, "generated": "a"}\n')
    generated = write(tmp_path / "g.jsonl", '{"id": 0, "generated": "a \\ud83d"}\n')
    own_id = write(tmp_path / "id.jsonl", '{"id": "\\ud83d", "generated": "a"}\n')
    reference = write(tmp_path / "r.jsonl", '{"output": "\\ude00 b"}\n')
    details = str(tmp_path / "details.jsonl")
    for words, place in [
        (["prepare", "--corpus", half, "--tokenizer", tokenizer_file, "--out", tmp_path / "out"], "line 2, text"),
        (["tokenizer", "train", "--corpus", half, "--out", tmp_path / "t.json"], "line 2, text"),
        (["score", generated, "--details", details], "line 1, generated"),
        (["score", own_id, "--details", details], "line 1, id"),
        (["score", fine, "--training", half, "--details", details], "line 2, text"),
        (["score", fine, "--reference", reference, "--details", details], "line 1, output"),
    ]:
        assert main([str(word) for word in words]) == 2
        error = capsys.readouterr().err
        assert f"{place}: a text holds half of a character, U+D" in error and "Traceback" not in error
    assert not (tmp_path / "details.jsonl").exists()
