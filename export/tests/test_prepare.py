"""From a corpus to datasets: windows and other packings, pairs, and what is held out from training."""

import errno
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pytest

from elf.data.corpus import DROPPED, HELD_OUT, TRAIN, assign_rows
from elf.data.prepare import Arguments, Concatenated, Continuations, Documents, Pairs, RowWriter, Windows, main
from elf.data.rows import TokenDataset, open_dataset
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError, CorpusFormatError, DiskFullError, EmptyCorpusError, OutputExistsError

EOS = 1


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def texts_of(dataset: TokenDataset, tokenizer_file: Path) -> list[str]:
    tokenizer = load_tokenizer(tokenizer_file)
    return [tokenizer.decode(dataset[i][1].tolist()) for i in range(len(dataset))]


def windows_of(text: str, tokenizer_file: Path, max_length: int) -> list[list[int]]:
    tokenizer, packing = load_tokenizer(tokenizer_file), Windows(max_length)
    pieces = packing.pieces((text,))
    return [window for (window,) in packing.rows([tokenizer.encode(piece).ids for piece in pieces])]


def test_windows_are_whole_sentences_with_room_for_the_end(tokenizer_file: Path) -> None:
    text = "Mia found a kite. Was it lost? Tom sang a quiet song. Ada went home to sleep."
    windows = windows_of(text, tokenizer_file, 24)
    texts = [load_tokenizer(tokenizer_file).decode(window) for window in windows]
    assert len(windows) > 1
    assert all(len(window) < 24 for window in windows)
    assert all(text[-1] in ".?" for text in texts)
    assert " ".join(texts) == text


def test_a_long_sentence_is_cut_hard(tokenizer_file: Path) -> None:
    windows = windows_of("song " * 40, tokenizer_file, 16)
    assert max(map(len, windows)) == 16
    assert sum(map(len, windows)) == len(load_tokenizer(tokenizer_file).encode("song " * 40).ids)


def test_concatenated_rows_are_full_and_lose_nothing_between_them() -> None:
    packing = Concatenated(4)
    rows = [row for ids in ([5, 6], [7], [8, 9, 10, 11, 12, 13]) for row in packing.rows([ids])]
    assert rows == [([5, 6, EOS, 7],), ([EOS, 8, 9, 10],), ([11, 12, 13, EOS],)]
    assert packing.rows([[14]]) == [] and packing.rest == [14, EOS]


def test_documents_are_rows_of_their_own() -> None:
    packing = Documents(3)
    assert [packing.rows([ids]) for ids in ([5, 6], [5, 6, 7, 8], [])] == [[([5, 6],)], [([5, 6, 7],)], []]


def test_pairs_fit_or_are_left_out() -> None:
    packing = Pairs(max_length=2, max_input_length=3)
    assert packing.rows([[5, 6, 7], [8, 9]]) == [([8, 9], [5, 6, 7])], "the target first, as the columns are"
    for source, target in (([5, 6, 7, 8], [9]), ([5], [7, 8, 9]), ([], [9]), ([5], [])):
        assert packing.rows([source, target]) == []


def test_continuations_follow_their_sources() -> None:
    """Sentences of two tokens each: three and their eos fit into a target of 7, two into a source."""
    packing = Continuations(max_length=7, max_input_length=4)
    story = [[i, i] for i in range(10, 18)]
    rows = packing.rows(story)
    assert rows[0] == ([10, 10, 11, 11, 12, 12, 13, 13, 14, 14], []), "its beginning, free, 11 tokens with the end"
    assert rows[1] == ([11, 11, 12, 12, 13, 13], [10, 10]), "one sentence of source"
    assert rows[2] == ([14, 14, 15, 15, 16, 16], [12, 12, 13, 13]), "then two"
    assert rows[3] == ([17, 17], [15, 15, 16, 16]), "then three, of which two fit"
    assert packing.rows(story)[1] == ([11, 11, 12, 12, 13, 13], [10, 10]), "and from the start again"
    assert packing.rows([[5, 5]]) == [([5, 5], [])]


def test_no_continuation_is_empty() -> None:
    """Behind the last sentence of "One. Two. " there is a piece of no tokens."""
    packing = Continuations(max_length=7, max_input_length=4)
    assert packing.pieces(("One. Two. ",)) == ["One.", "Two.", ""]
    assert packing.rows([[5, 5], [6, 6], []]) == [([5, 5, 6, 6], []), ([6, 6], [5, 5])]
    assert packing.rows([[5, 5], [6, 6], []]) == [([5, 5, 6, 6], [])], "two sentences of source, and nothing after them"
    assert packing.rows([[], []]) == []


def test_continuations_leave_out_what_does_not_fit() -> None:
    packing = Continuations(max_length=3, max_input_length=2)
    assert packing.rows([[5], [6] * 3, [7], [8], [9]]) == [([5, 6, 6, 6], []), ([9], [8])], "7 has no source that fits"


def test_prepared_data_come_back(prepared: Path, tokenizer_file: Path, corpus_file: Path) -> None:
    """Windows of 32 tokens in order, put together again, are the 192 stories, a tenth of them held out."""
    texts = {name: texts_of(open_dataset(prepared, split=name), tokenizer_file) for name in ("train", "held_out")}
    stories = json.loads(corpus_file.read_text())
    joined = {name: " ".join(windows) for name, windows in texts.items()}
    sides = ["train" if story in joined["train"] else "held_out" for story in stories]
    assert all(story in joined[side] for story, side in zip(stories, sides, strict=True))
    assert sides.count("held_out") == 19
    assert sum(map(len, joined.values())) == sum(map(len, stories)) + len(stories) - 2


@pytest.mark.parametrize("packing", ["concatenate", "documents"])
def test_packings_on_the_command_line(tmp_path: Path, corpus_file: Path, tokenizer_file: Path, packing: Any) -> None:
    main(Arguments(corpus_file, tokenizer_file, tmp_path, max_length=40, packing=packing, held_out=0.1))
    train = open_dataset(tmp_path / "train")
    rows = [train[i][1].tolist() for i in range(len(train))]
    tokenizer = load_tokenizer(tokenizer_file)
    if packing == "documents":
        assert len(rows) == 173 and max(map(len, rows)) <= 40
        return
    assert {len(row) for row in rows} == {40}
    texts = [tokenizer.decode(text) for text in split_at_eos([id for row in rows for id in row])]
    assert set(texts[:-1]) <= set(json.loads(corpus_file.read_text())), "all but the last are whole stories"
    assert len(texts) >= 170


def split_at_eos(ids: list[int]) -> list[list[int]]:
    texts: list[list[int]] = [[]]
    for id in ids:
        if id == EOS:
            texts.append([])
        else:
            texts[-1].append(id)
    return texts


def test_pairs_get_a_condition(tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"Mia found a {thing}.\tTom sang a {thing}.\n" for thing in ("kite", "boat", "lamp", "drum"))
    corpus = write(tmp_path / "pairs.tsv", rows + "Mia " * 60 + "\tshort\n")
    main(Arguments(corpus, tokenizer_file, tmp_path / "out", 32, 32, held_out=0.2, reverse=True, seed=1))
    report = json.loads(capsys.readouterr().out)
    assert (report["rows"], report["dropped"], report["too_long"]) == (5, 0, 1)
    tokenizer = load_tokenizer(tokenizer_file)
    pairs = [
        tuple(tokenizer.decode(ids.tolist()) for ids in dataset[i])
        for dataset in (open_dataset(tmp_path / "out", split=split) for split in ("train", "held_out"))
        for i in range(len(dataset))
    ]
    things = ["boat", "drum", "kite", "lamp"]
    assert sorted(pairs) == [(f"Tom sang a {thing}.", f"Mia found a {thing}.") for thing in things]


def test_equal_texts_are_on_one_side() -> None:
    rows = [(f"text {i % 50}",) for i in range(200)] + [(f" Text  {i}",) for i in range(50)]
    fate = assign_rows(rows, 0.2, seed=0)
    sides: dict[str, set[int]] = {}
    for (text,), its_fate in zip(rows, fate, strict=True):
        sides.setdefault(" ".join(text.lower().split()), set()).add(int(its_fate))
    assert all(len(fates) == 1 for fates in sides.values())
    assert sum(fates == {HELD_OUT} for fates in sides.values()) == 10, "a fifth of the 50 different texts"


def assert_no_side_is_on_both(rows: list[tuple[str, str]], fate: np.ndarray) -> None:
    sides: dict[int, set[str]] = {TRAIN: set(), HELD_OUT: set(), DROPPED: set()}
    for row, its_fate in zip(rows, fate, strict=True):
        sides[int(its_fate)].update(" ".join(text.casefold().split()) for text in row)
    assert sides[TRAIN] and sides[HELD_OUT]
    assert not sides[TRAIN] & sides[HELD_OUT]


def test_no_side_of_a_held_out_pair_is_trained_on() -> None:
    """Twenty sources with six targets each, every target shared by several sources."""
    rows = [(f"source {i % 20}", f"target {(i * 7) % 45}") for i in range(120)]
    fate = assign_rows(rows, 0.1, seed=0)
    assert_no_side_is_on_both(rows, fate)
    assert len({source for (source, _), its_fate in zip(rows, fate, strict=True) if its_fate == HELD_OUT}) == 2
    held_targets = {target for (_, target), its_fate in zip(rows, fate, strict=True) if its_fate == HELD_OUT}
    dropped = [row for row, its_fate in zip(rows, fate, strict=True) if its_fate == DROPPED]
    assert dropped and all(target in held_targets for _, target in dropped), "no more than need be"


def test_what_is_held_out_depends_on_the_seed_alone() -> None:
    rows = [(f"text {i}",) for i in range(300)]
    first = assign_rows(rows, 0.1, seed=0)
    assert (first == HELD_OUT).sum() == 30
    np.testing.assert_array_equal(first, assign_rows(rows, 0.1, seed=0))
    assert (first != assign_rows(rows, 0.1, seed=1)).any()
    backwards = assign_rows(rows[::-1], 0.1, seed=0)
    np.testing.assert_array_equal(first, backwards[::-1])


def test_something_is_held_out_of_a_small_corpus_and_something_left() -> None:
    for share in (0.001, 0.999):
        assert set(assign_rows([("a",), ("b",)], share, seed=0)) == {TRAIN, HELD_OUT}
    with pytest.raises(EmptyCorpusError, match="too small"):
        assign_rows([("a",), ("A ",)], 0.5, seed=0)


@pytest.mark.parametrize(
    ("corpus", "changes", "error", "words"),
    [
        ("a\nb\n", {"held_out": 0.0}, ConfigError, "--held-out is 0"),
        ("a\nb\n", {"max_length": 0}, ConfigError, "below 1"),
        ("\n\n", {}, EmptyCorpusError, "too small"),
        ("Mia\nBen\n", {"packing": "concatenate", "max_length": 99}, EmptyCorpusError, "no row of the train part"),
    ],
)
def test_what_cannot_be_is_refused(
    tmp_path: Path, tokenizer_file: Path, corpus: str, changes: dict[str, Any], error: type, words: str
) -> None:
    file = write(tmp_path / "a.txt", corpus)
    with pytest.raises(error, match=words):
        main(Arguments(file, tokenizer_file, tmp_path / "out", **changes))
    assert not list(tmp_path.glob("out/*")), "nothing half-made is left"


def test_pairs_are_not_packed(tmp_path: Path, tokenizer_file: Path) -> None:
    with pytest.raises(ConfigError, match="--packing is documents, but the corpus has pairs"):
        main(Arguments(write(tmp_path / "a.tsv", "a\tb\nc\td\n"), tokenizer_file, tmp_path, packing="documents"))


def test_a_corpus_that_changes_meanwhile_is_noticed(
    tmp_path: Path, tokenizer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    readings = iter([[("a",), ("b",), ("c",)], [("a",), ("b",)]])
    monkeypatch.setattr("elf.data.prepare.stream_corpus", lambda *_: iter(next(readings)))
    with pytest.raises(CorpusFormatError, match="changed"):
        main(Arguments(tmp_path / "a.txt", tokenizer_file, tmp_path / "out"))


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("needs /dev/full")
    # The writer's file beside the folder is a device without room.
    (tmp_path / ".train.arrow").symlink_to("/dev/full")
    with (
        pytest.raises(DiskFullError, match="train does not fit on the disk"),
        RowWriter(tmp_path / "train", ("input_ids",)) as writer,
    ):
        writer.write([([1, 2, 3],)] * 100_000)
        writer.save()
    assert not (tmp_path / "train").exists()


def test_rows_are_written_as_datasets_does(tmp_path: Path) -> None:
    with RowWriter(tmp_path / "deep/train", ("input_ids", "condition_input_ids")) as writer:
        writer.write([([1, 2], [3]), ([4], [])])
        writer.write([])
        writer.write([([5], [6, 7])])
        writer.save()
    dataset = datasets.load_from_disk(str(tmp_path / "deep/train"))
    assert dataset.to_dict() == {"input_ids": [[1, 2], [4], [5]], "condition_input_ids": [[3], [], [6, 7]]}
    assert dataset.features["input_ids"].feature.dtype == "int32"
    assert (writer.examples, writer.tokens) == (3, 4)
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["train"]


def replaced(folder: Path, ids: int, *others: Path) -> None:
    """One row of a number of tokens, where there may be a dataset already."""
    with ExitStack() as stack:
        writers = [stack.enter_context(RowWriter(each, ("input_ids",))) for each in (folder, *others)]
        for writer in writers:
            writer.write([([ids] * ids,)])
        writers[0].save(*writers[1:])


def lengths(*folders: Path) -> list[int]:
    return [len(open_dataset(folder)[0][1]) for folder in folders]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_what_a_training_reads_stays_as_it_was(tmp_path: Path) -> None:
    """Written over, its mapped file was cut to nothing under it, which ended the training with a signal."""
    replaced(tmp_path / "train", 3)
    mapped = next((tmp_path / "train").glob("*.arrow")).stat().st_ino
    opened = open_dataset(tmp_path / "train")
    replaced(tmp_path / "train", 5)
    assert opened[0][1].tolist() == [3, 3, 3] and lengths(tmp_path / "train") == [5]
    assert next((tmp_path / "train").glob("*.arrow")).stat().st_ino != mapped
    assert names(tmp_path) == ["train"]


@pytest.mark.parametrize("failure", [KeyboardInterrupt(), OSError(errno.ENOSPC, "full")])
@pytest.mark.parametrize("moment", ["train", "held_out"])
def test_an_interrupted_save_leaves_both_datasets_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException, moment: str
) -> None:
    parts = (tmp_path / "train", tmp_path / "held_out")
    replaced(parts[0], 3, parts[1])
    save = datasets.Dataset.save_to_disk

    def fails(self: datasets.Dataset, path: str) -> None:
        save(self, path)
        if moment in Path(path).name:
            next(Path(path).glob("*.arrow")).write_bytes(b"half")
            raise failure

    monkeypatch.setattr(datasets.Dataset, "save_to_disk", fails)
    with pytest.raises((KeyboardInterrupt, DiskFullError)):
        replaced(parts[0], 5, parts[1])
    assert lengths(*parts) == [3, 3] and names(tmp_path) == ["held_out", "train"]


@pytest.mark.parametrize(
    ("is_there", "moves"), [*((True, moves) for moves in range(4)), *((False, moves) for moves in range(2))]
)
def test_datasets_take_their_places_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, moves: int
) -> None:
    parts = (tmp_path / "train", tmp_path / "held_out")
    if is_there:
        replaced(parts[0], 3, parts[1])
    rename, done = Path.rename, []

    def interrupted(self: Path, to: Path) -> Path:
        done.append(to)
        if len(done) == moves + 1:
            raise KeyboardInterrupt
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt):
        replaced(parts[0], 5, parts[1])
    assert names(tmp_path) == (["held_out", "train"] if is_there else [])
    assert not is_there or lengths(*parts) == [3, 3]


def test_what_a_killed_process_had_moved_away_is_given_back(tmp_path: Path) -> None:
    replaced(tmp_path / "train", 3)
    (tmp_path / "train").rename(tmp_path / ".train.old")
    (tmp_path / ".train.new").mkdir()
    with RowWriter(tmp_path / "train", ("input_ids",)):
        assert lengths(tmp_path / "train") == [3]
    assert names(tmp_path) == ["train"]


def test_a_folder_with_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "train").mkdir()
    write(tmp_path / "train/notes.txt", "mine")
    with pytest.raises(OutputExistsError, match=r"train holds notes\.txt"):
        RowWriter(tmp_path / "train", ("input_ids",))
    write(tmp_path / "file", "mine")
    with pytest.raises(OutputExistsError, match="is a file"):
        RowWriter(tmp_path / "file", ("input_ids",))
    assert names(tmp_path) == ["file", "train"] and names(tmp_path / "train") == ["notes.txt"]


def test_a_link_to_another_disk_stays_one(tmp_path: Path) -> None:
    (tmp_path / "disk/data").mkdir(parents=True)
    (tmp_path / "train").symlink_to(tmp_path / "disk/data")
    replaced(tmp_path / "train", 3)
    replaced(tmp_path / "train", 5)
    assert lengths(tmp_path / "train") == [5] and (tmp_path / "train").is_symlink()
    assert (names(tmp_path), names(tmp_path / "disk")) == (["disk", "train"], ["data"])
