"""JSON that is nested deeper than Python follows is refused as any other that is wrong."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elf.checkpoints.formats import read_tree
from elf.checkpoints.official import read_source
from elf.data.stored_datasets import load_arrow_folder
from elf.data.tokenizer_json import cleans_up
from elf.errors import ElfError
from elf.evaluation.gpt2 import read_facts
from elf.evaluation.output_files import read_metrics
from elf.models.exported_folder import read_manifest
from elf.models.trained_model import load_trained_model
from elf.models.weight_places import read_index
from elf.text_file import json_value

DEEP = "[" * 100_000


@pytest.mark.parametrize("text", [DEEP, '{"a":' * 100_000, "{", "1e", "9" * 5000, b"\xff"])
def test_what_is_no_json_is_a_value_error(text: str | bytes) -> None:
    with pytest.raises(ValueError):
        json_value(text)


def test_fields_may_be_made_otherwise() -> None:
    assert json_value('{"a": 1, "a": 2}') == {"a": 2} and json_value('{"a": 1, "a": 2}', len) == 2


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("x.index.json", read_tree),
        ("source.json", read_source),
        ("tokenizer_config.json", lambda folder: cleans_up(folder / "tokenizer.json")),
        ("state.json", load_arrow_folder),
        ("config.json", read_facts),
        ("metrics.jsonl", read_metrics),
        ("manifest.json", read_manifest),
        ("index.json", lambda folder: read_index(folder / "index.json")),
        ("config.json", load_trained_model),
    ],
)
def test_readers_say_so_by_name(tmp_path: Path, name: str, read: Callable[[Path], Any]) -> None:
    (tmp_path / name).write_text(DEEP)
    with pytest.raises(ElfError, match="nested too deep"):
        read(tmp_path)
