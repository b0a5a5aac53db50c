"""`elf renew`: an exported folder in the present format and by other defaults, its graphs and weights untouched."""

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from elf import cli
from elf.dev.make_random import TINY_CONDITIONAL, random_model
from elf.errors import ConfigError, ExportedModelError, ParityError
from elf.models.trained_model import save_trained_model
from elf.onnx_export import parity
from elf.onnx_export.card_parts import kept_tables
from elf.onnx_export.check import check_folder
from elf.onnx_export.model_card import card_languages, card_section
from elf.onnx_export.renew import Arguments, renew
from elf.paths import sha256

SMALL = replace(TINY_CONDITIONAL, depth=1, max_length=10, max_input_length=4)
PRESETS = """\
- {name: Quick, note: Fewer steps., settings: {steps: 1}}
- {name: Same, note: As it was., settings: {gamma: 2}}
"""
NOTES = "It writes nonsense.\n\n- **Always.**"


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as version 2 had it, of a model whose x̂ starts at zero."""
    place = tmp_path_factory.mktemp("renew")
    save_trained_model(random_model(SMALL, self_cond_start="zero"), place / "model")
    (place / "presets.yml").write_text(PRESETS)
    (place / "notes.md").write_text(NOTES)
    command = ["export", str(place / "model"), "--out", str(place / "small"), "--licence", "MIT", "--steps", "2"]
    command += ["--gamma", "1", "--cfg", "2", "--presets", str(place / "presets.yml"), "--dtype", "f16", "--ungated"]
    command += ["--notes", str(place / "notes.md"), "--language", "de,en", "--parity-seeds", "16"]
    assert cli.main(command) == 0
    manifest = read(place / "small" / "manifest.json")
    assert manifest.pop("selfCondStart") == "zero"
    (place / "small" / "manifest.json").write_text(json.dumps({**manifest, "schemaVersion": 2}))
    return place / "small"


@pytest.fixture
def folder(exported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(exported, tmp_path / "small"))


def read(path: Path) -> dict[str, Any]:
    return json.loads(path.read_text())


def test_version_2_becomes_3_and_says_what_x_hat_starts_with(folder: Path, exported: Path, capsys) -> None:
    capsys.readouterr()
    assert cli.main(["renew", str(folder)]) == 0
    assert json.loads(capsys.readouterr().out)["selfCondStart"] == "zero"
    before, after = read(exported / "manifest.json"), read(folder / "manifest.json")
    assert (after["schemaVersion"], after["selfCondStart"]) == (3, "zero")
    assert read(folder / "config.json")["self_cond_start"] == "zero"
    # Found again in the runs that the stored weights write.
    of_before, of_after = (manifest["latent"].pop("basis") for manifest in (before, after))
    np.testing.assert_allclose(of_after["mean"], of_before["mean"], atol=0.05)
    assert of_after["reach"] == pytest.approx(of_before["reach"], rel=0.05)
    changed = {"schemaVersion", "selfCondStart", "files"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    check_folder(folder)
    for path in [*(exported / "onnx").iterdir()]:
        assert sha256(path) == sha256(folder / "onnx" / path.name)
    old, new = read(exported / "parity.json"), read(folder / "parity.json")
    assert new["runs"]["weights"] == "f16" and new["runs"]["tokens"] == old["runs"]["tokens"]
    assert {name: new[name] for name in ("graphs", "dtypes")} == {name: old[name] for name in ("graphs", "dtypes")}


def test_the_card_keeps_what_stays_true(folder: Path, exported: Path) -> None:
    renew(folder, Arguments(folder=folder))
    before, after = ((at / "README.md").read_text() for at in (exported, folder))
    for title in ("Training", "Limits and failures"):
        assert card_section(after, title) == card_section(before, title) != ""
    assert card_section(after, "Limits and failures") == NOTES
    assert card_languages(after) == ["de", "en"]
    assert "Over 16 whole runs with the weights of f16, 100.00% of 160 tokens agree." in after
    assert "over the runs that it was first exported with" in after


def test_other_defaults_move_no_preset(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "other"
    renew(folder, Arguments(folder=folder, out=out, gamma=2.0, steps=3, seed=9, description="Another."))
    manifest = read(out / "manifest.json")
    assert (manifest["defaults"]["gamma"], manifest["defaults"]["steps"], manifest["defaults"]["cfgScale"]) == (2, 3, 2)
    assert manifest["description"] == "Another."
    assert [preset["settings"] for preset in manifest["presets"]] == [{"steps": 1, "gamma": 1.0}, {"steps": 2}]
    assert read(out / "generation_config.json")["gamma"] == 2
    assert "3 steps, γ 2" in card_section((out / "README.md").read_text(), "Samples")
    check_folder(out)
    # The folder it was made of is as it was, and a renewed one can be renewed.
    assert read(folder / "manifest.json")["schemaVersion"] == 2
    renew(out, Arguments(folder=out))
    assert read(out / "manifest.json")["presets"] == manifest["presets"]


def test_an_evaluation_of_other_runs_does_not_stay(folder: Path, capsys) -> None:
    """Texts to sources start otherwise now, texts without do not."""
    card = folder / "README.md"
    tables = [a_table(note, 3) for note in ("8 texts", "9 texts to sources")]
    add_evaluation(card, tables)
    renew(folder, Arguments(folder=folder))
    assert "evaluation on the card was of other runs" in capsys.readouterr().err
    assert card_section(card.read_text(), "Evaluation") == tables[0]
    # From version 3 on runs start as they did before.
    card.write_text(card.read_text().replace(f"## Evaluation\n\n{tables[0]}\n\n", ""))
    add_evaluation(card, tables)
    renew(folder, Arguments(folder=folder))
    assert card_section(card.read_text(), "Evaluation") == "\n\n".join(tables)
    renew(folder, Arguments(folder=folder, gamma=1.5))
    assert not card_section(card.read_text(), "Evaluation")
    # Shorter texts have another perplexity, too.
    add_evaluation(card, tables)
    renew(folder, Arguments(folder=folder, length=read(folder / "manifest.json")["defaults"]["length"] - 1))
    assert not card_section(card.read_text(), "Evaluation")


def test_a_table_gives_way_to_one_of_its_kind() -> None:
    before = "\n\n".join([a_table("8 texts", 1), a_table("9 texts to sources", 2)])
    given = a_table("1,137 texts to sources", 3)
    same = {"same_settings": True, "same_start": True}
    assert kept_tables(before, given, **same) == "\n\n".join([a_table("8 texts", 1), given])
    assert kept_tables(before, "", **same) == before
    assert kept_tables("", given, **same) == given


def a_table(note: str, number: int) -> str:
    return f"{note}; in brackets …\n\n| | SDE 2 |\n|---|---|\n| BLEU | {number} |"


def add_evaluation(card: Path, tables: list[str]) -> None:
    section = "\n\n".join(["## Evaluation", *tables, "## Samples"])
    card.write_text(card.read_text().replace("## Samples", section))
    relist(card.parent)


def relist(folder: Path) -> None:
    manifest = read(folder / "manifest.json")
    path = folder / "README.md"
    entry = {"path": "README.md", "bytes": path.stat().st_size, "sha256": sha256(path)}
    manifest["files"] = [entry if file["path"] == "README.md" else file for file in manifest["files"]]
    (folder / "manifest.json").write_text(json.dumps(manifest))


def test_nothing_is_written_of_what_is_wrong(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (folder / "manifest.json").read_bytes()
    with pytest.raises(ConfigError, match="3 parity seeds"):
        renew(folder, Arguments(folder=folder, parity_seeds=3))
    with monkeypatch.context() as patch:
        patch.setattr(parity, "MIN_TOKEN_AGREEMENT", 1.1)
        with pytest.raises(ParityError, match="whole runs"):
            renew(folder, Arguments(folder=folder))
    assert (folder / "manifest.json").read_bytes() == before
    (folder / "onnx" / "decoder.onnx").write_bytes(b"broken")
    with pytest.raises(ExportedModelError, match="decoder"):
        renew(folder, Arguments(folder=folder))
