"""What `elf evaluate` reads: JSONL lines and datasets, with ids that generations and references share."""

from pathlib import Path
from typing import Any

import pytest
from datasets import Dataset

from elf.data.evaluation_rows import evaluation_rows
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.errors import CorpusFormatError, DatasetError, EmptyCorpusError
from elf.evaluation.real_texts import real_texts


@pytest.fixture(scope="module")
def tokenizer(tokenizer_file: Path) -> Tokenizer:
    return load_tokenizer(tokenizer_file)


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_lines_are_numbered_from_0_unless_they_have_ids(tmp_path: Path, tokenizer: Tokenizer) -> None:
    file = write(
        tmp_path / "a.jsonl",
        '{"input": "Mia found a kite.", "output": "Ja"}\n\n{"input": "Tom", "output": "Nö"}\n'
        '{"id": "x7", "input": "Ada", "output": ""}\n{"output": "alone"}\n',
    )
    rows = evaluation_rows(file, tokenizer, max_input_length=5)
    assert [row.id for row in rows] == [0, 2, "x7", 4]
    assert [row.reference for row in rows] == ["Ja", "Nö", "", "alone"]
    assert [row.source_text for row in rows] == ["Mia found a kite.", "Tom", "Ada", None]
    assert rows[0].source_ids.tolist() == tokenizer.encode("Mia found a kite.", add_special_tokens=False).ids[:5]
    assert len(rows[0].source_ids) == 5 and rows[3].source_ids.tolist() == []


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ('{"output": "a"}\n{"input": "b"}', CorpusFormatError, "line 2"),
        ('{"output": "a"}\nnothing', CorpusFormatError, "line 2"),
        ('["a"]', CorpusFormatError, "line 1"),
        ('{"input": 3, "output": "a"}', CorpusFormatError, "line 1"),
        ('{"id": 1, "output": "a"}\n{"output": "b"}', CorpusFormatError, "id 1 twice"),
        ("\n", EmptyCorpusError, "no rows"),
        ('null\n{"output": null}\n', EmptyCorpusError, "no rows: 2 are null"),
        ('{"output": "a"}\n{"output": 5}', CorpusFormatError, r"line 2, output holds a number \(5\)"),
        ('{"input": ["a"], "output": null}', CorpusFormatError, "line 1, input holds a list"),
        ('{"output": "a", "output": "b"}', CorpusFormatError, "line 1 is not JSON: it has the field 'output' twice"),
        ('{"output": "\\ud83d"}', CorpusFormatError, "line 1, output: a text holds half of a character"),
        ('{"id": true, "output": "a"}', CorpusFormatError, r"line 1, id holds a truth value \(True\)"),
        ('{"id": null, "output": "a"}', CorpusFormatError, "line 1, id holds NoneType"),
        ('{"id": 1.0, "output": "a"}', CorpusFormatError, r"line 1, id holds a number \(1\.0\)"),
        ('{"id": "\\ud83d", "output": "a"}', CorpusFormatError, "line 1, id: a text holds half"),
    ],
)
def test_broken_lines_are_named(tmp_path: Path, tokenizer: Tokenizer, text: str, error: type, words: str) -> None:
    with pytest.raises(error, match=words):
        evaluation_rows(write(tmp_path / "a.jsonl", text), tokenizer, 8)


def dataset_of(folder: Path, tokenizer: Tokenizer, **columns: Any) -> Path:
    ids = {
        "condition_input_ids": [tokenizer.encode(text).ids for text in ("Mia found a kite.", "Tom sang")],
        "input_ids": [tokenizer.encode(text).ids for text in ("Ben went home.", "Ada")],
    }
    Dataset.from_dict(ids | columns).save_to_disk(str(folder))
    return folder


def test_a_dataset_is_decoded(tmp_path: Path, tokenizer: Tokenizer) -> None:
    rows = evaluation_rows(dataset_of(tmp_path, tokenizer), tokenizer, 3)
    assert [(row.id, row.source_text, row.reference) for row in rows] == [
        (0, "Mia found a kite.", "Ben went home."),
        (1, "Tom sang", "Ada"),
    ]
    assert rows[0].source_ids.tolist() == tokenizer.encode("Mia found a kite.").ids[:3]


def test_a_datasets_own_texts_are_taken(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = {"input": ["Müller", "Tom"], "target": ["Ben!", "Ada"], "index": [17, 4]}
    rows = evaluation_rows(dataset_of(tmp_path, tokenizer, **own), tokenizer, 99)
    assert [(row.id, row.source_text, row.reference) for row in rows] == [(17, "Müller", "Ben!"), (4, "Tom", "Ada")]


def test_a_dataset_without_sources(tmp_path: Path, tokenizer: Tokenizer) -> None:
    Dataset.from_dict({"input_ids": [tokenizer.encode("Ada").ids]}).save_to_disk(str(tmp_path))
    (row,) = evaluation_rows(tmp_path, tokenizer, 8)
    assert (row.source_text, row.source_ids.tolist(), row.reference) == (None, [], "Ada")


def test_a_dataset_of_another_tokenizer_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    Dataset.from_dict({"input_ids": [[60]]}).save_to_disk(str(tmp_path))
    with pytest.raises(DatasetError, match="token id 60, the model knows ids below 60"):
        evaluation_rows(tmp_path, tokenizer, 8)


def test_beside_free_texts_stand_the_beginnings_alone(tmp_path: Path, tokenizer: Tokenizer) -> None:
    ids = {
        "condition_input_ids": [[], tokenizer.encode("Tom sang").ids, []],
        "input_ids": [tokenizer.encode(text).ids for text in ("Mia found a kite.", "Ada", "Ben went home.")],
    }
    Dataset.from_dict(ids).save_to_disk(tmp_path / "mixed")
    assert real_texts(tmp_path / "mixed", tokenizer, free=True) == ["Mia found a kite.", "Ben went home."]
    assert real_texts(tmp_path / "mixed", tokenizer) == ["Mia found a kite.", "Ada", "Ben went home."]
    # Pairs have no row without a source: all of their targets count.
    pairs = dataset_of(tmp_path / "pairs", tokenizer)
    assert real_texts(pairs, tokenizer, free=True) == ["Ben went home.", "Ada"]


def test_lines_with_nulls_marks_and_rare_separators(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.ndjson"
    lines = [
        '{"input": "Mia", "output": null}',
        "null",
        '{"input": null, "output": "free\u2028text"}',
        '{"output": "x"}',
    ]
    file.write_bytes(b"\xef\xbb\xbf" + "\r\n".join(lines).encode())
    rows = evaluation_rows(file, tokenizer, 8)
    assert [(row.id, row.source_text, row.reference) for row in rows] == [
        (2, None, "free\u2028text"),
        (3, None, "x"),
    ]
    assert f"2 rows of {file} with null in place of a text: left out" in capsys.readouterr().err
    file.write_bytes(b'{"output": "x"}\n'.decode().encode("utf-16"))
    with pytest.raises(CorpusFormatError, match="not UTF-8 text but UTF-16LE"):
        evaluation_rows(file, tokenizer, 8)


def test_a_datasets_own_texts_with_nulls(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    own: dict[str, Any] = {"input": ["Müller", None], "target": ["Ben!", "Ada"], "index": [17, 4]}
    (row,) = evaluation_rows(dataset_of(tmp_path / "input", tokenizer, **own), tokenizer, 99)
    assert (row.id, row.source_text, row.reference) == (17, "Müller", "Ben!")
    own = {"input": ["Müller", "Tom"], "target": [None, "Ada"]}
    (row,) = evaluation_rows(dataset_of(tmp_path / "target", tokenizer, **own), tokenizer, 99)
    assert (row.id, row.source_text, row.reference) == (1, "Tom", "Ada")
    assert capsys.readouterr().err.count("1 row of") == 2
    for number, (own, words) in enumerate(
        [
            ({"target": [5, 6]}, r"column target of .*, row 1 holds a number \(5\), not a text"),
            ({"input": [None, b"Tom"]}, "column input of .*, row 2 holds bytes"),
            ({"target": [["a"], None]}, "column target of .*, row 1 holds a list"),
            ({"index": [1.0, 2.0]}, r"column index of .*, row 1 holds a number \(1\.0\)"),
            ({"index": [1, None]}, "column index of .*, row 2 holds NoneType"),
        ]
    ):
        with pytest.raises(CorpusFormatError, match=words):
            evaluation_rows(dataset_of(tmp_path / str(number), tokenizer, **own), tokenizer, 99)
