"""Decoded text has the spaces that official text has, wherever it is read, and the files that say so travel."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elf.cli import main
from elf.data.tokenizer import EOS, load_tokenizer
from elf.data.tokenizer_json import CONFIG, FIELD, cleans_up, converted_file, copy_tokenizer
from elf.data.train_tokenizer import save_tokenizer, train_tokenizer
from elf.dev.make_random import TINY, random_model
from elf.errors import CheckpointError
from elf.models.open_model import open_model
from elf.models.trained_model import save_trained_model
from elf.sampling.options import text_reader

FIXTURE = Path(__file__).parents[2] / "test/fixtures/clean-up"
ROWS = json.loads((FIXTURE / "rows.json").read_text(encoding="utf-8"))
"""Shared with the TypeScript tests."""
SHARED = Path(__file__).parents[2].parent / "shared"
needs_shared = pytest.mark.skipif(
    not (SHARED / "golden/text.json").is_file(), reason="official texts are not shipped; put them in ../shared/golden"
)


def with_config(folder: Path, config: Any) -> Path:
    """The fixture's tokenizer in `folder`, beside a configuration, or none."""
    folder.mkdir(exist_ok=True)
    shutil.copyfile(FIXTURE / "tokenizer.json", folder / "tokenizer.json")
    if config is not None:
        (folder / CONFIG).write_text(config if isinstance(config, str) else json.dumps(config))
    return folder / "tokenizer.json"


@pytest.mark.parametrize(
    ("config", "column"),
    [
        ({FIELD: True}, "text"),
        ({FIELD: False}, "text_without_clean_up"),
        ({"tokenizer_class": "T5Tokenizer"}, "text"),
        (None, "text"),
    ],
)
def test_the_configuration_decides_and_its_absence_means_true(tmp_path: Path, config: Any, column: str) -> None:
    tokenizer = load_tokenizer(with_config(tmp_path, config))
    assert tokenizer.content() == load_tokenizer(FIXTURE / "tokenizer.json").content(), "the same ids either way"
    assert [tokenizer.decode(row["ids"]) for row in ROWS] == [row[column] for row in ROWS]


@pytest.mark.parametrize("config", [{FIELD: None}, {FIELD: "yes"}, [FIELD], "{", "\x00"])
def test_a_broken_configuration_is_named(tmp_path: Path, config: Any) -> None:
    with pytest.raises(CheckpointError, match=r"tokenizer_config\.json"):
        load_tokenizer(with_config(tmp_path, config))


def test_pieces_stay_apart_where_a_tokenizer_has_no_decoder(tmp_path: Path) -> None:
    file = with_config(tmp_path, {FIELD: True})
    file.write_text(json.dumps(json.loads(file.read_text(encoding="utf-8")) | {"decoder": None}))
    ids = [load_tokenizer(file).token_to_id(piece) for piece in ("▁he", ",", "▁go", "!")]
    assert load_tokenizer(file).decode(ids) == "▁he, ▁go!"


@needs_shared
@pytest.mark.parametrize("name", ["tokenizer.json", "spiece.model"])
def test_official_ids_give_the_official_text(name: str) -> None:
    file = SHARED / "tokenizers/t5" / name
    model = random_model(TINY)
    model.tokenizer = file if name == "tokenizer.json" else converted_file(file)
    read = text_reader(model)
    rows = json.loads((SHARED / "golden/text.json").read_text(encoding="utf-8"))["rows"]
    assert len(rows) >= 12
    for row in rows:
        written = row["ids"][row.get("source_length", 0) :]
        if "max_length" in row:
            written = written[: row["max_length"] - row["max_input_length"]]
        assert read(np.asarray(written)) == row["text"], row["what"]
        # The end token itself is special: what follows it is filling.
        assert read([id for id in row["ids_after_cut"] if id != EOS]) == row["text"], row["what"]


def test_what_says_so_travels_with_the_tokenizer(tmp_path: Path) -> None:
    for number, config in enumerate([{FIELD: True}, {FIELD: False}, None, {FIELD: False}]):
        file = with_config(tmp_path / f"from{number}", config)
        # The same folder again and again, as a run writes its model: what was there before says nothing any more.
        (tmp_path / "to").mkdir(exist_ok=True)
        copy_tokenizer(file, tmp_path / "to")
        assert cleans_up(tmp_path / "to/tokenizer.json") == cleans_up(file), config
        copy_tokenizer(tmp_path / "to/tokenizer.json", tmp_path / "to")
        assert (tmp_path / "to" / CONFIG).is_file() == (config is not None)
    spiece = SHARED / "tokenizers/t5/spiece.model"
    if spiece.is_file():
        for value in (True, False):
            shutil.copyfile(spiece, tmp_path / "spiece.model")
            (tmp_path / CONFIG).write_text(json.dumps({FIELD: value}))
            converted_file.cache_clear()
            assert cleans_up(converted_file(tmp_path / "spiece.model")) == value


def test_tokenizers_of_this_project_take_nothing_out(tmp_path: Path) -> None:
    texts = ["one , two , three .", "he said ' no ' and it was n't so"] * 9
    save_tokenizer(train_tokenizer(texts, 24, 2), tmp_path / "own/tokenizer.json")
    config = json.loads((tmp_path / "own" / CONFIG).read_text())
    assert config[FIELD] is False
    tokenizer = load_tokenizer(tmp_path / "own/tokenizer.json")
    assert [tokenizer.decode(tokenizer.encode(text, add_special_tokens=False).ids) for text in texts] == texts


@pytest.mark.parametrize("config", [{FIELD: True}, {FIELD: False}, None])
def test_models_and_exported_folders_carry_it(tmp_path: Path, config: Any) -> None:
    model = random_model(TINY, tokenizer=with_config(tmp_path / "tokenizer", config))
    save_trained_model(model, tmp_path / "model")
    out = tmp_path / "out"
    words = ["--parity-steps", "1", "--parity-length", "4", "--ungated", "--steps", "1", "--parity-seeds", "16"]
    assert main(["export", str(tmp_path / "model"), "--out", str(out), *words]) == 0
    expected = config is None or config[FIELD]
    assert json.loads((out / CONFIG).read_text())[FIELD] is expected
    column = "text" if expected else "text_without_clean_up"
    for place in (tmp_path / "model", out):
        tokenizer = load_tokenizer(place / "tokenizer.json")
        assert [tokenizer.decode(row["ids"]) for row in ROWS] == [row[column] for row in ROWS], place
    assert open_model(tmp_path / "model").tokenizer == tmp_path / "model/tokenizer.json"
