"""Datasets from folders and from the hub: every form they come in, and what is refused of them."""

import json
import pickle
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Dataset, DatasetDict, Features, LargeList, List, Value
from huggingface_hub import errors as hub_errors

from elf.data.corpus import stream_corpus, take_evenly
from elf.data.evaluation_rows import own_columns
from elf.data.rows import Ragged, TokenDataset, check_vocabulary, open_arrow, open_dataset
from elf.errors import DatasetError, EmptyCorpusError

ROWS = [[5, 6], [7, 8, 9], [], [10]]


def test_a_few_are_taken_from_all_over() -> None:
    assert take_evenly([*"abcdefghi"], 3) == [*"aei"] and take_evenly([*"ab"], 3) == [*"ab"]
    assert take_evenly([*range(101)], 5) == [0, 25, 50, 75, 100] and take_evenly([], 5) == []


def save(folder: Path, ids: Any = ROWS, **columns: Any) -> Path:
    Dataset.from_dict({"input_ids": ids, **columns}).save_to_disk(str(folder))
    return folder


def ids_of(dataset: TokenDataset) -> list[list[int]]:
    return [text.tolist() for _, text in (dataset[i] for i in range(len(dataset)))]


@pytest.mark.parametrize(
    "kind", [List(Value("int32")), List(Value("int64")), List(Value("uint16")), LargeList(Value("int32"))]
)
def test_every_kind_of_list(tmp_path: Path, kind: Any) -> None:
    Dataset.from_dict({"input_ids": ROWS}, features=Features({"input_ids": kind})).save_to_disk(str(tmp_path))
    assert ids_of(open_dataset(tmp_path)) == ROWS


def test_lists_of_one_length(tmp_path: Path) -> None:
    rows = [[1, 2], [3, 4], [5, 6]]
    Dataset.from_dict({"input_ids": rows}, features=Features({"input_ids": List(Value("int32"), 2)})).save_to_disk(
        str(tmp_path)
    )
    assert ids_of(open_dataset(tmp_path)) == rows


def test_sources_come_with_the_texts(tmp_path: Path) -> None:
    dataset = open_dataset(save(tmp_path, condition_input_ids=[[1], [2, 2], [3], []]))
    source, text = dataset[1]
    assert source.tolist() == [2, 2] and text.tolist() == [7, 8, 9]
    unconditional = open_dataset(save(tmp_path / "plain"))
    assert unconditional[1][0].tolist() == [] and unconditional.condition_input_ids is None


def test_rows_are_found_across_files_and_blocks(tmp_path: Path) -> None:
    rows = [list(range(n % 7)) for n in range(250)]
    Dataset.from_dict({"input_ids": rows}).save_to_disk(str(tmp_path), num_shards=3)
    dataset = open_dataset(tmp_path)
    assert len(list(tmp_path.glob("data-*.arrow"))) == 3
    assert ids_of(dataset) == rows
    for outside in (-1, 250):
        with pytest.raises(IndexError):
            dataset[outside]


def test_ids_stay_on_disk(tmp_path: Path) -> None:
    """500,000 ids take no memory, neither here nor on their way to another process."""
    save(tmp_path, np.arange(500_000, dtype=np.int32).reshape(500, 1000))
    before = pa.total_allocated_bytes()
    dataset = open_dataset(tmp_path)
    assert dataset[499][1][-1] == 499_999
    assert pa.total_allocated_bytes() - before < 100_000
    sent = pickle.dumps(dataset)
    assert len(sent) < 10_000
    assert pickle.loads(sent)[499][1].tolist() == dataset[499][1].tolist()


def test_splits_are_chosen_by_name(tmp_path: Path) -> None:
    both = DatasetDict(train=Dataset.from_dict({"input_ids": [[1]]}), test=Dataset.from_dict({"input_ids": [[2]]}))
    both.save_to_disk(str(tmp_path / "both"))
    assert ids_of(open_dataset(tmp_path / "both", split="test")) == [[2]]
    with pytest.raises(DatasetError, match="several splits: test, train"):
        open_dataset(tmp_path / "both")
    with pytest.raises(DatasetError, match="no split 'dev'") as raised:
        open_dataset(tmp_path / "both", split="dev")
    assert "test, train" in raised.value.action
    (tmp_path / "both/dataset_dict.json").unlink()
    assert ids_of(open_dataset(tmp_path / "both", split="train")) == [[1]], "as elf prepare writes them"
    shutil.rmtree(tmp_path / "both/test")
    assert ids_of(open_dataset(tmp_path / "both")) == [[1]], "the only one need not be named"
    with pytest.raises(DatasetError, match="no splits"):
        open_dataset(save(tmp_path / "one"), split="train")


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder .*nowhere"):
        open_dataset(tmp_path / "nowhere")
    with pytest.raises(DatasetError, match=r"holds no state\.json"):
        open_dataset(tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(DatasetError, match="is a file"):
        open_dataset(tmp_path / "file")


def test_missing_columns_and_rows_are_named(tmp_path: Path) -> None:
    Dataset.from_dict({"text": ["a"], "label": [1]}).save_to_disk(str(tmp_path / "text"))
    with pytest.raises(DatasetError, match="no column input_ids, only text, label"):
        open_dataset(tmp_path / "text")
    Dataset.from_dict({"input_ids": [[1]]}).select([]).save_to_disk(str(tmp_path / "empty"))
    with pytest.raises(EmptyCorpusError, match="no rows"):
        open_dataset(tmp_path / "empty")


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([["a", "b"]], "holds list.*string"),
        ([[0.5]], "holds list.*double"),
        ([1, 2], "holds int32"),
        ([[1], None], "1 rows without a value"),
        ([[1, None]], "missing token ids"),
    ],
)
def test_ids_that_are_no_lists_of_whole_numbers_are_refused(tmp_path: Path, ids: Any, words: str) -> None:
    with pytest.raises(DatasetError, match=words):
        open_dataset(save(tmp_path, ids))


def arrow_file(folder: Path) -> Path:
    return save(folder, [[n] * 50 for n in range(3000)]) / "data-00000-of-00001.arrow"


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.999])
def test_a_file_that_is_cut_off_is_named(tmp_path: Path, kept: float) -> None:
    file = arrow_file(tmp_path)
    content = file.read_bytes()
    file.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow is cut off"):
        open_dataset(tmp_path)


def test_a_file_cut_off_between_two_blocks_is_named(tmp_path: Path) -> None:
    """Arrow itself reads such a file without complaint, only with fewer rows."""
    file = arrow_file(tmp_path)
    with pa.memory_map(str(file)) as content:
        stream = pa.ipc.open_stream(content)
        stream.read_next_batch()
        block_end = content.tell()
    file.write_bytes(file.read_bytes()[:block_end])
    assert 0 < pa.ipc.open_stream(file.read_bytes()).read_all().num_rows < 3000
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow is cut off"):
        open_dataset(tmp_path)


def test_a_file_with_a_hole_is_named(tmp_path: Path) -> None:
    file = arrow_file(tmp_path)
    content = bytearray(file.read_bytes())
    content[16:200] = bytes(184)
    file.write_bytes(content)
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow cannot be read"):
        open_dataset(tmp_path)


def test_offsets_that_lead_outside_are_named(tmp_path: Path) -> None:
    file = arrow_file(tmp_path)
    content = bytearray(file.read_bytes())
    offsets = np.arange(0, 50_000, 50, dtype=np.int32)[1:20].tobytes()
    at = content.find(offsets)
    assert at > 0
    content[at : at + len(offsets)] = b"\x7f" * len(offsets)
    file.write_bytes(content)
    dataset = open_dataset(tmp_path)
    with pytest.raises(DatasetError, match="row 3 of input_ids lies outside"):
        dataset[3]


def test_missing_and_broken_files_of_the_folder_are_named(tmp_path: Path) -> None:
    arrow_file(tmp_path / "gone").unlink()
    with pytest.raises(DatasetError, match=r"data-00000-of-00001\.arrow cannot be read: No such file"):
        open_dataset(tmp_path / "gone")
    (save(tmp_path / "state") / "state.json").write_text("{")
    with pytest.raises(DatasetError, match=r"state\.json cannot be read"):
        open_dataset(tmp_path / "state")
    (save(tmp_path / "info") / "dataset_info.json").unlink()
    with pytest.raises(DatasetError, match="cannot be read"):
        open_dataset(tmp_path / "info")


def test_foreign_ids_are_refused() -> None:
    dataset = TokenDataset(Ragged.from_rows([[3], [3, 40]]), Ragged.from_rows([[50], []]))
    check_vocabulary(dataset, 51)
    with pytest.raises(DatasetError, match="token id 50, the model knows ids below 50"):
        check_vocabulary(dataset, 50)
    with pytest.raises(DatasetError, match="negative token id -2"):
        check_vocabulary(TokenDataset(Ragged.from_rows([[-2]])), 50)


class Hub:
    """In place of the hub: a folder that is "downloaded" by the patterns asked for, and a record of the calls."""

    def __init__(self, repository: Path, cache: Path):
        self.repository, self.cache = repository, cache
        self.calls: list[dict[str, Any]] = []

    def snapshot_download(self, name: str, **settings: Any) -> str:
        self.calls.append({"name": name, **settings})
        for file in filter(Path.is_file, self.repository.rglob("*")):
            path = file.relative_to(self.repository)
            if list(huggingface_hub.utils.filter_repo_objects([str(path)], allow_patterns=settings["allow_patterns"])):
                (self.cache / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(file, self.cache / path)
        return str(self.cache)


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Hub:
    hub = Hub(tmp_path / "repository", tmp_path / "cache")
    monkeypatch.setattr(huggingface_hub, "snapshot_download", hub.snapshot_download)
    return hub


def test_a_hub_repository_saved_with_save_to_disk(hub: Hub) -> None:
    save(hub.repository)
    assert ids_of(open_dataset("owner/texts-t5", revision="v1")) == ROWS
    assert {call["name"] for call in hub.calls} == {"owner/texts-t5"}
    assert all(call["repo_type"] == "dataset" and call["revision"] == "v1" for call in hub.calls)


def test_of_a_hub_repository_with_splits_one_is_downloaded(hub: Hub) -> None:
    splits = {name: Dataset.from_dict({"input_ids": [[i]]}) for i, name in enumerate(("train", "validation"))}
    DatasetDict(splits).save_to_disk(str(hub.repository))
    with pytest.raises(DatasetError, match="several splits: train, validation"):
        open_dataset(Path("owner/texts"))
    assert ids_of(open_dataset(Path("owner/texts"), split="validation")) == [[1]]
    assert list(hub.cache.glob("*/*.arrow")) == [hub.cache / "validation/data-00000-of-00001.arrow"]


def test_a_hub_repository_of_parquet_files(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.repository.mkdir()
    calls: list[Any] = []

    def load_dataset(*arguments: Any, **settings: Any) -> Dataset:
        calls.append((arguments, settings))
        return Dataset.from_dict({"input_ids": ROWS})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    monkeypatch.setattr(datasets, "get_dataset_split_names", lambda name, revision: ["train"])
    assert ids_of(open_dataset("owner/texts", revision="main")) == ROWS
    assert calls == [(("owner/texts",), {"split": "train", "revision": "main"})]
    with pytest.raises(DatasetError, match="no split 'dev'"):
        open_dataset("owner/texts", split="dev")


def test_a_downloaded_repository_of_parquet_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What `hf download --local-dir` leaves, which the error for a hub out of reach advises."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", str(tmp_path / "cache"))
    for split, ids in (("train", ROWS), ("test", [[3]])):
        (tmp_path / "texts/data").mkdir(parents=True, exist_ok=True)
        Dataset.from_dict({"input_ids": ids}).to_parquet(str(tmp_path / f"texts/data/{split}-00000-of-00001.parquet"))
    assert ids_of(open_dataset(tmp_path / "texts", split="train")) == ROWS
    with pytest.raises(DatasetError, match="several splits: test, train"):
        open_dataset(tmp_path / "texts")
    (tmp_path / "texts/data/test-00000-of-00001.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(DatasetError, match=r"texts cannot be read"):
        open_dataset(tmp_path / "texts", split="test")


def http_error(kind: type, status: int) -> Exception:
    response = SimpleNamespace(status_code=status, headers={}, request=None)
    return kind("the hub says no", response=response)


@pytest.mark.parametrize(
    ("error", "message", "action"),
    [
        (http_error(hub_errors.RepositoryNotFoundError, 404), "no folder owner/texts, and no dataset", "auth login"),
        (http_error(hub_errors.GatedRepoError, 403), "gated", "auth login"),
        (http_error(hub_errors.RevisionNotFoundError, 404), "no revision 'v9'", "branch"),
        (hub_errors.LocalEntryNotFoundError("no connection"), "no connection", "--local-dir FOLDER"),
        (ConnectionError("refused"), "refused", "--local-dir FOLDER"),
    ],
)
def test_a_hub_that_says_no(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str, action: str) -> None:
    def fail(name: str, **settings: Any) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "snapshot_download", fail)
    with pytest.raises(DatasetError, match=message) as raised:
        open_dataset("owner/texts", revision="v9")
    assert action in raised.value.action


def test_a_dataset_folder_says_which_files_it_has(tmp_path: Path) -> None:
    """`datasets` still writes the state that this code looks for."""
    state = json.loads((save(tmp_path) / "state.json").read_text())
    assert [file["filename"] for file in state["_data_files"]] == ["data-00000-of-00001.arrow"]


def test_files_and_splits_that_lie_elsewhere_are_not_opened(tmp_path: Path) -> None:
    folder = save(tmp_path / "own")
    state = json.loads((folder / "state.json").read_text())
    [file] = state["_data_files"]
    for name in (f"../other/{file['filename']}", str(folder / file["filename"]), "", "x" * 300, None):
        (folder / "state.json").write_text(json.dumps({**state, "_data_files": [{"filename": name}]}))
        with pytest.raises(DatasetError, match="none of its folder"):
            open_dataset(folder)
    (folder / "state.json").write_text(json.dumps({**state, "_data_files": [file, file]}))
    with pytest.raises(DatasetError, match="names a file twice"):
        open_dataset(folder)
    for splits in (["../own"], [3], "train", {"train": 1}, [[]]):
        (tmp_path / "dataset_dict.json").write_text(json.dumps({"splits": splits}))
        with pytest.raises(DatasetError, match=r"dataset_dict\.json does not list its splits"):
            open_dataset(tmp_path)


@pytest.mark.parametrize("facts", [{"features": "a"}, {"features": {"input_ids": {"_type": "os"}}}, {"splits": 3}])
def test_facts_that_datasets_cannot_read(tmp_path: Path, facts: dict) -> None:
    save(tmp_path)
    (tmp_path / "dataset_info.json").write_text(json.dumps(facts))
    try:
        assert ids_of(open_dataset(tmp_path)) == ROWS
    except DatasetError as error:
        assert "cannot be read" in str(error)


def test_a_dataset_that_asks_for_some_of_its_columns_gives_all(tmp_path: Path) -> None:
    save(tmp_path, index=[0, 1, 2, 3])
    state = json.loads((tmp_path / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**state, "_format_columns": ["input_ids"]}))
    assert [row["index"] for row in own_columns(open_arrow(tmp_path))] == [0, 1, 2, 3]


@pytest.mark.parametrize(
    "place",
    ["https://evil.example/x.parquet", "hf://datasets/a/b/x.parquet", "../x.parquet", "/x.parquet", "a/../../x"],
)
@pytest.mark.parametrize("form", ["path", "list", "data_dir", "yaml"])
def test_a_card_does_not_send_readers_elsewhere(tmp_path: Path, place: str, form: str) -> None:
    pq.write_table(pa.table({"input_ids": ROWS, "text": [*"abcd"]}), tmp_path / "train.parquet")
    files = {"data_files": [{"split": "train", "path": place}]} if form == "path" else {"data_files": ["*", place]}
    configs = {"configs": [{"config_name": "default", **({"data_dir": place} if form == "data_dir" else files)}]}
    if form == "yaml":
        (tmp_path / ".huggingface.yaml").write_text(json.dumps(configs))
    else:
        (tmp_path / "README.md").write_text(f"---\n{json.dumps(configs)}\n---\n# A dataset\n")
    for read in (open_dataset, lambda folder: [*stream_corpus(folder)]):
        with pytest.raises(DatasetError, match="outside of its folder"):
            read(tmp_path)


def test_a_card_may_name_files_of_its_folder(tmp_path: Path) -> None:
    pq.write_table(pa.table({"input_ids": ROWS, "text": [*"abcd"]}), tmp_path / "some.parquet")
    configs = {"configs": [{"config_name": "default", "data_files": [{"split": "train", "path": "some*.parquet"}]}]}
    (tmp_path / "README.md").write_text(f"---\n{json.dumps(configs)}\n---\n# A dataset\n")
    assert [*stream_corpus(tmp_path)] == [("a",), ("b",), ("c",), ("d",)]
    (tmp_path / "README.md").write_text("---\n[\n---\n")
    with pytest.raises(DatasetError, match=r"README\.md cannot be read"):
        [*stream_corpus(tmp_path)]
