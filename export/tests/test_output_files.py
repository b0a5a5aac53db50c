"""Texts that are written row by row: cut anywhere, completed to the same bytes."""

import json
from pathlib import Path

import pytest

from elf.errors import DiskFullError, GenerationsError, OutputExistsError
from elf.evaluation.output_files import GenerationFile, MetricsFile, read_metrics


def test_a_file_cut_anywhere_is_completed_to_the_same_bytes(tmp_path: Path) -> None:
    texts = ["Ä kite", "", 'said "yes"\nand left']
    settings = {"steps": 4, "gamma": 1.5}
    file = GenerationFile(tmp_path, 1, 2, settings, [7, "b", 9])
    file.append(texts[:2], 1.5)
    file.append(texts[2:], 1.5)
    content = file.path.read_bytes()
    assert [json.loads(line)["id"] for line in content.splitlines()] == [7, "b", 9]
    for cut in range(len(content) + 1):
        file.path.write_bytes(content[:cut])
        resumed = GenerationFile(tmp_path, 1, 2, settings, [7, "b", 9])
        assert resumed.texts == texts[: content[:cut].count(b"\n")] and resumed.seconds >= 3
        resumed.append(texts[len(resumed.texts) :], 0)
        assert file.path.read_bytes() == content


def test_texts_made_in_another_way_are_refused_by_name(tmp_path: Path) -> None:
    GenerationFile(tmp_path, 0, 5, {"steps": 4, "gamma": 1.5}, [0]).append(["text"], 1.0)
    with pytest.raises(OutputExistsError, match=r"gamma 1\.5, not 2"):
        GenerationFile(tmp_path, 0, 5, {"steps": 4, "gamma": 2.0}, [0])
    # Another checkpoint's texts lie beside.
    assert GenerationFile(tmp_path, 0, 6, {"steps": 4, "gamma": 2.0}, [0]).texts == []
    (tmp_path / "settings_0_5.json").write_text("{")
    with pytest.raises(OutputExistsError, match=r"settings_0_5\.json cannot be read"):
        GenerationFile(tmp_path, 0, 5, {"steps": 4, "gamma": 1.5}, [0])
    (tmp_path / "settings_0_5.json").unlink()
    with pytest.raises(OutputExistsError, match=r"not the settings_0_5\.json"):
        GenerationFile(tmp_path, 0, 5, {"steps": 4, "gamma": 1.5}, [0])


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's always full device")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    (tmp_path / "all_generated_0_0.jsonl").symlink_to("/dev/full")
    file = GenerationFile(tmp_path, 0, 0, {}, [0])
    with pytest.raises(DiskFullError, match="No space left"):
        file.append(["text"], 1.0)


@pytest.mark.parametrize("record", [{"settings": [1], "seconds": 1}, {"settings": {}, "seconds": "x"}, [], 3])
def test_settings_that_no_evaluation_wrote(tmp_path: Path, record: object) -> None:
    (tmp_path / "settings_0_5.json").write_text(json.dumps(record))
    with pytest.raises(OutputExistsError, match="cannot be read"):
        GenerationFile(tmp_path, 0, 5, {}, [])


ROW = {"combination": "a", "epoch": 0, "step": 1, "method": "ode", "steps": 2, "self_cond_cfg": 3, "cfg": 1}


@pytest.mark.parametrize("change", [{"method": 1.5}, {"schedule": 3}, {"self_cond_cfg": "x"}])
def test_metrics_that_no_evaluation_wrote(tmp_path: Path, change: dict) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text(json.dumps(ROW | {"schedule": "uniform"} | change))
    with pytest.raises(GenerationsError, match="cannot be read as an evaluation"):
        read_metrics(file)
    file.write_text(json.dumps("combination epoch step"))
    with pytest.raises(OutputExistsError, match="no evaluation wrote it"):
        MetricsFile(file)
