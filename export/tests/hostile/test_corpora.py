"""Corpora from strangers: texts, tables, and datasets of token ids."""

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset
from hypothesis import strategies as st
from inputs import DEEP, PLAIN, as_json, byte_files, changed, folders, json_files, text_files
from withstands import MOST_BYTES, Files, withstands

from elf.data.corpus import Columns, stream_corpus
from elf.data.evaluation_rows import own_columns
from elf.data.rows import check_vocabulary, collate_rows, open_arrow, token_dataset
from elf.data.tables import LeftOut

REFUSALS = {"CorpusFormatError", "DatasetError", "EmptyCorpusError", "TextError"}

TEXTS = ["Mia found a kite.", "Ein Mädchen — „Lily“", 'She said: "yes, no"', "a\tb", "𝕏 😀 é", "one"]
PAIRS = [{"input": text, "output": text.upper()} for text in TEXTS]
TABLE = pa.table({"text": TEXTS, "n": [*range(6)], "translation": [{"en": text, "de": "x"} for text in TEXTS]})


def jsonl(*values: Any) -> bytes:
    return b"".join(as_json(value) + b"\n" for value in values)


def jsonl_files(*examples: list[Any]) -> st.SearchStrategy[bytes]:
    """Lines of JSON: with other values in them, or as a text that was changed."""
    return st.one_of(
        changed(*examples).map(lambda value: jsonl(*value) if isinstance(value, list) else jsonl(value)),
        text_files(*(jsonl(*each) for each in examples)),
        byte_files(jsonl(*examples[0])),
    )


def arrow_of(table: pa.Table, open_writer: Callable[..., Any] = pa.ipc.new_file) -> bytes:
    out = io.BytesIO()
    with open_writer(out, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)
    return out.getvalue()


def parquet_of(table: pa.Table, **options: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(table, out, **options)
    return out.getvalue()


KINDS = st.recursive(
    st.sampled_from(
        (
            *(pa.string(), pa.large_string(), pa.binary(), pa.int32(), pa.float64(), pa.bool_(), pa.null()),
            *(pa.timestamp("us", "x/y"), pa.decimal128(10, 2), pa.date32(), pa.duration("s"), pa.string_view()),
        )
    ),
    lambda kind: st.one_of(
        kind.map(pa.list_),
        kind.map(lambda each: pa.struct([("en", each), ("en", each)])),
        kind.map(lambda each: pa.struct([("en", each)])),
        kind.map(lambda each: pa.map_(pa.string(), each)),
        st.sampled_from((pa.dictionary(pa.int8(), pa.string()), pa.dictionary(pa.int32(), pa.int64()))),
    ),
    max_leaves=3,
)


@st.composite
def odd_tables(draw: st.DrawFn) -> pa.Table:
    """Tables whose columns are of any kind and name, without values."""
    names = draw(
        st.lists(st.sampled_from(("text", "text", "translation", "input", "translation.en", "\0", "")), max_size=4)
    )
    return pa.table([pa.nulls(3, draw(KINDS)) for _ in names], names=names)


def tables(*examples: bytes, of: Callable[[pa.Table], bytes]) -> st.SearchStrategy[bytes]:
    return st.one_of(byte_files(*examples), byte_files(*examples), odd_tables().map(of))


PARQUET = (parquet_of(TABLE), parquet_of(TABLE, compression="zstd", use_dictionary=False, write_page_index=True))

PAGE_BYTES = 3 * 2**30
"""What Parquet's own library may reserve: a page says in 31 bits how large it is, and only then is it found that the
file ends sooner. None of it is touched."""

FORMS: dict[str, tuple[st.SearchStrategy[bytes], bytes]] = {
    ".json": (json_files(as_json(TEXTS)), as_json(TEXTS)),
    ".jsonl": (jsonl_files(TEXTS, PAIRS, [{"text": text} for text in TEXTS]), jsonl(*PAIRS)),
    ".tsv": (text_files("".join(f"{text}\tb\n" for text in TEXTS[:3]).encode()), b"a\tb\n"),
    ".csv": (text_files(b'text,n\n"a ""b"", c",1\nd,2\n'), b'text,n\n"a ""b"", c",1\nd,2\n'),
    ".txt": (
        st.one_of(text_files("\n".join(TEXTS).encode()), byte_files("\r\n".join(TEXTS).encode("utf-16"))),
        b"a\nb",
    ),
    ".parquet": (tables(*PARQUET, of=parquet_of), PARQUET[0]),
    ".arrow": (
        tables(arrow_of(TABLE), arrow_of(TABLE, pa.ipc.new_stream), of=arrow_of),
        arrow_of(TABLE),
    ),
}


def rows_of(corpus: Path) -> Any:
    """Its rows, read by its usual names and by others."""
    left_out = LeftOut()
    found: list[Any] = [[*stream_corpus(corpus, left_out=left_out)], left_out.null, left_out.blank]
    if corpus.suffix in (".parquet", ".arrow"):
        found.append([*stream_corpus(corpus, Columns(text_column="translation.en", source_column="text"))])
    return found


@pytest.mark.parametrize("ending", FORMS)
def test_a_corpus_is_read_or_refused_by_name(tmp_path: Path, ending: str) -> None:
    inputs, example = FORMS[ending]
    withstood = withstands(
        tmp_path,
        inputs.map(lambda content: {f"corpus{ending}": content}),
        lambda folder: rows_of(folder / f"corpus{ending}"),
        ({f"corpus{ending}": example},),
        holds=all_are_texts,
        most_bytes=PAGE_BYTES if ending == ".parquet" else MOST_BYTES,
    )
    assert withstood.refusals <= REFUSALS


def all_are_texts(found: Any) -> None:
    for row in found[0]:
        assert 1 <= len(row) <= 2 and all(isinstance(text, str) and text.encode() for text in row)


def dataset_files(folder: Path) -> Files:
    """As save_to_disk writes them."""
    rows = {"input_ids": [[3, 4, 5], [6], [7, 8, 9, 10]], "condition_input_ids": [[3], [], [4, 4]], "index": [0, 1, 2]}
    rows |= {"input": ["a", None, "é" * 40], "target": ["Mia found a kite.", "", "b"]}
    Dataset.from_dict(rows).save_to_disk(str(folder))
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def tokens_of(folder: Path) -> Any:
    arrow = open_arrow(folder)
    dataset = token_dataset(arrow, folder)
    check_vocabulary(dataset, 60)
    rows = [dataset[i] for i in range(len(dataset))]
    lengths = None if dataset.condition_input_ids is None else dataset.condition_input_ids.lengths().tolist()
    batch = collate_rows(rows, 8, 0, 4, 60)
    return [batch.ids, batch.real, batch.source_length, lengths, [*own_columns(arrow)]]


def test_a_dataset_of_token_ids_is_read_or_refused_by_name(tmp_path: Path) -> None:
    files = dataset_files(tmp_path / "written")
    others = {
        name: json_files(content) if name.endswith(".json") else byte_files(content) for name, content in files.items()
    }
    withstood = withstands(tmp_path, folders(files, others), tokens_of, (files,))
    assert withstood.refusals <= REFUSALS

    # Of several splits the one there is.
    inner = {f"train/{name}": content for name, content in files.items()} | {
        "dataset_dict.json": json.dumps({"splits": ["train"]}).encode()
    }
    splits = {"dataset_dict.json": json_files(inner["dataset_dict.json"])}
    withstood = withstands(tmp_path, folders(inner, splits), tokens_of, (inner,))
    assert withstood.refusals <= REFUSALS


def test_values_that_are_no_rows(tmp_path: Path) -> None:
    contents = st.one_of(PLAIN.map(as_json), st.lists(PLAIN).map(lambda values: jsonl(*values)), DEEP)
    for ending in (".json", ".jsonl"):
        withstands(
            tmp_path,
            contents.map(lambda content, ending=ending: {f"corpus{ending}": content}),
            lambda folder, ending=ending: rows_of(folder / f"corpus{ending}"),
            holds=all_are_texts,
        )
