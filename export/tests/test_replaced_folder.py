"""What takes the place of an exported folder, and what is left of it when its process is killed."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from elf.errors import OutputExistsError
from elf.onnx_export.replaced_folder import replaced_folder

KILLED = """
import os, signal, sys
from pathlib import Path
from elf.onnx_export.replaced_folder import replaced_folder
out, moment = Path(sys.argv[1]), sys.argv[2]
if moment == "moved":
    rename = Path.rename
    Path.rename = lambda self, to: rename(self, to) if self == out else os.kill(os.getpid(), signal.SIGKILL)
with replaced_folder(out) as new:
    (new / "manifest.json").write_text("half")
    if moment == "writing":
        os.kill(os.getpid(), signal.SIGKILL)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def export(out: Path, text: str) -> None:
    with replaced_folder(out) as new:
        (new / "manifest.json").write_text(text)


@pytest.mark.parametrize("moment", ["writing", "moved"])
def test_what_a_killed_export_leaves_is_removed_by_the_next(moment: str, tmp_path: Path, capsys) -> None:
    out = tmp_path / "model"
    export(out, "first")
    ended = subprocess.run([sys.executable, "-c", KILLED, str(out), moment], env=os.environ, check=False)
    assert ended.returncode == -signal.SIGKILL and len(names(tmp_path)) == (2 if moment == "writing" else 1)
    # A folder of the same kind of name that is somebody's own.
    (tmp_path / ".model-mine").mkdir()
    with pytest.raises(RuntimeError), replaced_folder(out) as new:
        assert (out / "manifest.json").read_text() == "first", "moved away, it is back"
        assert new.is_dir()
        raise RuntimeError
    assert names(tmp_path) == [".model-mine", "model"]
    assert "left by an export that was killed, is removed" in capsys.readouterr().err
    export(out, "second")
    assert names(tmp_path) == [".model-mine", "model"] and (out / "manifest.json").read_text() == "second"


def test_an_export_that_goes_on_elsewhere_is_left_alone(tmp_path: Path) -> None:
    out = tmp_path / "model"
    with replaced_folder(out) as first:
        (first / "manifest.json").write_text("first")
        export(out, "second")
        assert first.is_dir() and (out / "manifest.json").read_text() == "second"
    assert (out / "manifest.json").read_text() == "first" and names(tmp_path) == ["model"]


def test_files_that_were_not_exported_are_not_lost(tmp_path: Path) -> None:
    """An evaluation in the folder went with the model that it was of."""
    out = tmp_path / "model"
    export(out, json.dumps({"files": [{"path": "onnx/a.bin"}]}))
    (out / "onnx").mkdir()
    for name in ("onnx/a.bin", ".gitattributes"):
        (out / name).write_text("exported")
    export(out, json.dumps({"files": []}))
    (out / "evaluation").mkdir()
    (out / "evaluation/metrics.jsonl").write_text("mine")
    with pytest.raises(OutputExistsError, match=r"holds evaluation/metrics\.jsonl"):
        export(out, "new")
    assert (out / "evaluation/metrics.jsonl").is_file() and names(tmp_path) == ["model"]


def test_what_another_models_export_left_is_not_touched(tmp_path: Path) -> None:
    """A killed export of stories-fast gives its folder back to stories-fast, not to stories."""
    export(tmp_path / "model-fast", "fast")
    killed = subprocess.run([sys.executable, "-c", KILLED, str(tmp_path / "model-fast"), "moved"], check=False)
    assert killed.returncode == -signal.SIGKILL
    export(tmp_path / "model", "own")
    assert (tmp_path / "model/manifest.json").read_text() == "own"
    left = [name for name in names(tmp_path) if name.startswith(".model-fast-")]
    with pytest.raises(RuntimeError), replaced_folder(tmp_path / "model-fast"):
        raise RuntimeError
    assert left and (tmp_path / "model-fast/manifest.json").read_text() == "fast"


def test_a_folder_of_something_else_stays(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(OutputExistsError, match="was not exported"), replaced_folder(tmp_path):
        pass
    assert names(tmp_path) == ["notes.txt"]
