"""What `elf evaluate` reads: JSONL lines and datasets, with ids that generations and references share."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from datasets import Dataset

from elf.data.evaluation_rows import EvaluationRow, own_columns, stream_evaluation_rows
from elf.data.rows import open_arrow
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.dev.make_random import TINY, random_model
from elf.devices import make_mesh
from elf.errors import CorpusFormatError, DatasetError, EmptyCorpusError, UsageError
from elf.evaluation import generator
from elf.evaluation.generator import Generator, sources_for
from elf.evaluation.texts import real_texts


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
    rows = [*stream_evaluation_rows(file, tokenizer, max_input_length=5)]
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
        [*stream_evaluation_rows(write(tmp_path / "a.jsonl", text), tokenizer, 8)]


def dataset_of(folder: Path, tokenizer: Tokenizer, **columns: Any) -> Path:
    ids = {
        "condition_input_ids": [tokenizer.encode(text).ids for text in ("Mia found a kite.", "Tom sang")],
        "input_ids": [tokenizer.encode(text).ids for text in ("Ben went home.", "Ada")],
    }
    Dataset.from_dict(ids | columns).save_to_disk(str(folder))
    return folder


def test_a_dataset_is_decoded(tmp_path: Path, tokenizer: Tokenizer) -> None:
    rows = [*stream_evaluation_rows(dataset_of(tmp_path, tokenizer), tokenizer, 3)]
    assert [(row.id, row.source_text, row.reference) for row in rows] == [
        (0, "Mia found a kite.", "Ben went home."),
        (1, "Tom sang", "Ada"),
    ]
    assert rows[0].source_ids.tolist() == tokenizer.encode("Mia found a kite.").ids[:3]


def test_a_datasets_own_texts_are_taken(tmp_path: Path, tokenizer: Tokenizer) -> None:
    own = {"input": ["Müller", "Tom"], "target": ["Ben!", "Ada"], "index": [17, 4]}
    rows = [*stream_evaluation_rows(dataset_of(tmp_path, tokenizer, **own), tokenizer, 99)]
    assert [(row.id, row.source_text, row.reference) for row in rows] == [(17, "Müller", "Ben!"), (4, "Tom", "Ada")]


def test_a_dataset_without_sources(tmp_path: Path, tokenizer: Tokenizer) -> None:
    Dataset.from_dict({"input_ids": [tokenizer.encode("Ada").ids]}).save_to_disk(str(tmp_path))
    (row,) = [*stream_evaluation_rows(tmp_path, tokenizer, 8)]
    assert (row.source_text, row.source_ids.tolist(), row.reference) == (None, [], "Ada")


def test_a_dataset_of_another_tokenizer_is_refused(tmp_path: Path, tokenizer: Tokenizer) -> None:
    Dataset.from_dict({"input_ids": [[60]]}).save_to_disk(str(tmp_path))
    with pytest.raises(DatasetError, match="token id 60, the model knows ids below 60"):
        [*stream_evaluation_rows(tmp_path, tokenizer, 8)]


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
    rows = [*stream_evaluation_rows(file, tokenizer, 8)]
    assert [(row.id, row.source_text, row.reference) for row in rows] == [
        (2, None, "free\u2028text"),
        (3, None, "x"),
    ]
    assert f"2 rows of {file} with null in place of a text: left out" in capsys.readouterr().err
    file.write_bytes(b'{"output": "x"}\n'.decode().encode("utf-16"))
    with pytest.raises(CorpusFormatError, match="not UTF-8 text but UTF-16LE"):
        [*stream_evaluation_rows(file, tokenizer, 8)]


def test_a_datasets_own_texts_with_nulls(
    tmp_path: Path, tokenizer: Tokenizer, capsys: pytest.CaptureFixture[str]
) -> None:
    own: dict[str, Any] = {"input": ["Müller", None], "target": ["Ben!", "Ada"], "index": [17, 4]}
    (row,) = [*stream_evaluation_rows(dataset_of(tmp_path / "input", tokenizer, **own), tokenizer, 99)]
    assert (row.id, row.source_text, row.reference) == (17, "Müller", "Ben!")
    own = {"input": ["Müller", "Tom"], "target": [None, "Ada"]}
    (row,) = [*stream_evaluation_rows(dataset_of(tmp_path / "target", tokenizer, **own), tokenizer, 99)]
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
            [*stream_evaluation_rows(dataset_of(tmp_path / str(number), tokenizer, **own), tokenizer, 99)]


def sources_of(data: Path, tokenizer: Tokenizer, samples: int | None = None) -> list[int | str]:
    model = random_model(replace(TINY, max_input_length=8))
    return [row.id for row in sources_for(model, tokenizer, str(data), None, None, samples)]


def test_of_many_rows_only_those_that_are_needed_are_read(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generator, "DIGESTED", 3)
    monkeypatch.setattr(generator, "MOST_UNASKED", 4)
    # The last row of either cannot be read; who asks for two texts never comes to it.
    lines = [f'{{"input": "Mia", "output": "{i}"}}' for i in range(4)] + ["{", "{"]
    file = write(tmp_path / "a.jsonl", '{"output": "free"}\n' + "\n".join(lines))
    known = tokenizer.encode("Tom").ids
    ids = [*[known] * 5, [10**6]]
    Dataset.from_dict({"condition_input_ids": ids, "input_ids": ids}).save_to_disk(tmp_path / "many")
    for data, first, error in ((file, 1, CorpusFormatError), (tmp_path / "many", 0, DatasetError)):
        # Three, because by those the sources are told from others, however many texts are written to them.
        assert sources_of(data, tokenizer, 2) == [first, first + 1, first + 2]
        assert sources_of(data, tokenizer, 4) == [*range(first, first + 4)]
        with pytest.raises(error):
            sources_of(data, tokenizer, 6)
    assert "1 of 4 rows have no source" in capsys.readouterr().err
    with pytest.raises(UsageError, match="many has more than 4 rows") as caught:
        sources_of(tmp_path / "many", tokenizer)
    assert "--samples" in caught.value.action


def test_more_samples_are_of_the_same_sources(tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generator, "DIGESTED", 3)
    model = random_model(replace(TINY, max_input_length=8, vocabulary_size=60), tokenizer=tokenizer_file)
    rows = [EvaluationRow(i, "a", np.array([5 + i]), "b") for i in range(6)]
    of = [Generator(model, rows[:count], make_mesh(), 4, "float32", 1, 1).sources for count in (3, 4, 6)]
    assert of[0] and len({*of}) == 1
    others = Generator(model, [*rows[:2], rows[3]], make_mesh(), 4, "float32", 1, 1)
    assert others.sources != of[0]


def test_real_texts_are_read_when_they_are_asked_for(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["Mia", "Ben", "Tom", "Ada", "Sam", "Lea", "kite", "boat"]
    file = write(tmp_path / "a.txt", "\n".join(words) + "\n\n")
    ids = [tokenizer.encode(word).ids for word in words]
    Dataset.from_dict({"input_ids": ids}).save_to_disk(tmp_path / "ids")
    own = {"input_ids": [[9]] * 10, "target": [*words[:4], None, *words[4:], None]}
    Dataset.from_dict(own).save_to_disk(tmp_path / "own")
    decoded: list[object] = []
    decode = Tokenizer.decode
    monkeypatch.setattr(Tokenizer, "decode", lambda self, ids: decoded.append(ids) or decode(self, ids))
    for name in (file, tmp_path / "ids", tmp_path / "own"):
        texts = real_texts(name, tokenizer)
        decoded.clear()
        assert len(texts) == 8 and not decoded
        assert texts.evenly(3) == ["Mia", "Sam", "boat"] and len(decoded) in (0, 3)
        assert [*texts] == words and [*texts] == words, "as often as one likes"
        assert texts == words and texts != words[1:] and texts.evenly(99) == words
        some = real_texts(name, tokenizer, most=4)
        assert len(some) == 4 and [*some] == ["Mia", "Tom", "Lea", "boat"] and some.evenly(2) == ["Mia", "boat"]
        assert len(real_texts(name, tokenizer, most=8)) == 8
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(EmptyCorpusError, match="holds no text"):
        real_texts(tmp_path / "empty.txt", tokenizer)
    with pytest.raises(DatasetError, match="token id"):
        Dataset.from_dict({"input_ids": [[5], [10**6]]}).save_to_disk(tmp_path / "foreign")
        [*real_texts(tmp_path / "foreign", tokenizer)]


def test_a_stream_of_rows_ends_where_nobody_asks_for_more(tmp_path: Path, tokenizer: Tokenizer) -> None:
    file = write(tmp_path / "a.jsonl", '{"output": "a"}\n{"output": "b"}\nno json\n')
    rows = stream_evaluation_rows(file, tokenizer, 8)
    assert [next(rows).reference, next(rows).reference] == ["a", "b"]
    rows.close()


@pytest.mark.parametrize("column", ["target", "input"])
def test_texts_of_a_dataset_that_lie_outside_of_it(tmp_path: Path, column: str) -> None:
    """Reading there would end the program, or show what lies in its memory."""
    rows = {"input_ids": [[3], [4]], "condition_input_ids": [[3], [4]], "input": ["a", "b"], "target": ["c", "d"]}
    rows[column] = ["the text that is looked for", "x"]
    Dataset.from_dict(rows).save_to_disk(str(tmp_path))
    [file] = tmp_path.glob("*.arrow")
    content = file.read_bytes()
    offsets = np.array([0, 27, 28], np.int32).tobytes()
    for wrong in ([0, 2**30, 2**30 + 1], [0, -5, 28], [0, 29, 28]):
        assert content.count(offsets) == 1
        file.write_bytes(content.replace(offsets, np.array(wrong, np.int32).tobytes()))
        with pytest.raises(DatasetError, match=f"column {column} of the dataset cannot be read"):
            list(own_columns(open_arrow(tmp_path)))
    file.write_bytes(content.replace(b"looked", b"\xff\xfe\xfd\xfc\xfb\xfa"))
    with pytest.raises(DatasetError, match=f"column {column} of the dataset cannot be read"):
        list(own_columns(open_arrow(tmp_path)))
