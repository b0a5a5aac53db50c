"""Presets of a model's own: from a YAML file into the manifest, and what is refused on the way and by `elf check`."""

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from elf import cli
from elf.config import SamplerSettings
from elf.dev.make_random import TINY, random_model
from elf.errors import ConfigError, ExportedModelError, UsageError
from elf.models.trained_model import save_trained_model
from elf.onnx_export.manifest import check_presets
from elf.onnx_export.presets import LIMITS, Preset, read_presets, refuse_beyond_page

SMALL = replace(TINY, depth=1, hidden_size=32, heads=2, latent_size=16, max_length=8)
DEFAULTS = SamplerSettings(steps=32, method="sde", gamma=0.5, self_cond_scale=3.0, cfg_scale=2.0)
SWEPT = """\
- name: Careful
  note: >
    64 steps: twice as long,
    more fluent
  settings: {steps: 64, gamma: 0.5, self_cond_cfg: 2}
- name: " Quick "
  note: Four steps.
  settings: {method: ode, steps: 4, cfg: 1, schedule: quantile, solver: multistep}
- name: As it is
  note: The defaults, under a name.
  settings: {}
"""


def read(tmp_path: Path, text: str, defaults: SamplerSettings = DEFAULTS, prompted: bool = True) -> tuple[Preset, ...]:
    path = tmp_path / "presets.yml"
    path.write_text(text)
    return read_presets(path, defaults, prompted=prompted)


def test_a_file_lies_over_the_defaults_and_the_manifest_says_what_differs(tmp_path: Path) -> None:
    careful, quick, same = read(tmp_path, SWEPT)
    assert careful.note == "64 steps: twice as long, more fluent" and quick.name == "Quick"
    assert careful.settings == replace(DEFAULTS, steps=64, self_cond_scale=2.0)
    assert careful.changes(DEFAULTS) == {"steps": 64, "selfCondScale": 2.0}
    expected = {"method": "ode", "steps": 4, "cfgScale": 1.0, "schedule": "quantile", "solver": "multistep"}
    assert quick.changes(DEFAULTS) == expected
    assert same.settings == DEFAULTS and same.changes(DEFAULTS) == {}


def test_an_sde_leaves_the_solver_of_the_models_ode(tmp_path: Path) -> None:
    multistep = SamplerSettings(method="ode", solver="multistep")
    text = "- {name: Noisy, note: With fresh noise., settings: {method: sde}}\n"
    (noisy,) = read(tmp_path, text, multistep)
    assert noisy.changes(multistep) == {"method": "sde", "solver": "euler"}


def group(settings: str, name: str = "A", note: str = "note") -> str:
    return f"- {{name: {name}, note: {note}, settings: {{{settings}}}}}\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no presets"),
        ("steps: 3\n", "holds no presets"),
        ("- 3\n", "holds no presets"),
        ("- {name: a: b}\n", "cannot be read"),
        ("[]\n", "holds no presets"),
        ("".join(group("steps: 3", name=f"p{i}") for i in range(7)), "holds 7 presets"),
        ("- {name: A, settings: {steps: 3}}\n", r"\[0\]\.note is not set"),
        ("- {name: A, note: b}\n", r"\[0\]\.settings is not set"),
        (group("steps: 3") + group("seed: 3", name="B"), r"no field \[1\]\.settings\.seed"),
        (group("length: 3"), r"no field \[0\]\.settings\.length"),
        (group("steps: many"), r"\[0\]\.settings\.steps is 'many'"),
        (group("steps: [4, 8]"), r"\[0\]\.settings\.steps is \[4, 8\]"),
        (group("method: euler"), r"\[0\]\.settings\.method is 'euler'"),
        (group("gamma: -1"), r"\[0\]\.settings: gamma is -1"),
        (group("solver: multistep"), r"\[0\]\.settings: the solver is multistep and the method sde"),
        (group("steps: 1025"), r"\[0\] of .*: steps is 1025"),
        (group("self_cond_cfg: 0.4"), r"\[0\] of .*: self_cond_scale is 0\.4"),
        (group("steps: 3", name="x" * 41), r"\[0\] of .*: its name has 41 characters"),
        (group("steps: 3", name="' '"), r"\[0\] of .*: its name has 0 characters"),
        (group("steps: 3", note="x" * 201), r"\[0\] of .*: its note has 201 characters"),
        (group("steps: 3", note='"a\\e[31mb"'), r"\[0\] of .*: its note has control characters"),
        (group("steps: 3") + group("steps: 4"), r"\[1\]\.name is 'A' a second time"),
    ],
)
def test_what_is_no_preset_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        read(tmp_path, text)


def test_guidance_by_a_prompt_is_for_models_that_take_one(tmp_path: Path) -> None:
    free = replace(DEFAULTS, cfg_scale=1.0)
    assert read(tmp_path, group("cfg: 1"), free, prompted=False)
    with pytest.raises(ConfigError, match="takes no prompt"):
        read(tmp_path, group("cfg: 2"), free, prompted=False)


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "presets.yml").write_bytes(b"\xff\xfe\x00")
    for name, words in (("presets.yml", "is not UTF-8 text but UTF-16LE"), ("none.yml", "cannot be read")):
        with pytest.raises(ConfigError, match=words):
            read_presets(tmp_path / name, DEFAULTS, prompted=True)


def test_the_limits_are_those_of_the_page() -> None:
    source = (Path(__file__).parents[2] / "src" / "flow" / "settings.ts").read_text()
    names = {"steps": "steps", "gamma": "gamma", "selfCondScale": "self_cond_scale", "cfgScale": "cfg_scale"}
    for theirs, ours in names.items():
        least, greatest = re.findall(rf"^  {theirs}: {{ least: ([\d.]+), greatest: ([\d.]+)", source, re.MULTILINE)[0]
        assert LIMITS[ours] == (float(least), float(greatest))
    refuse_beyond_page(replace(DEFAULTS, gamma=8.0))
    with pytest.raises(UsageError, match=r"gamma is 8\.5"):
        refuse_beyond_page(replace(DEFAULTS, gamma=8.5))


def manifest(**preset) -> dict:
    settings = {"steps": 8, "method": "ode", "gamma": 0.5, "selfCondScale": 3, "schedule": "uniform", "rng": "original"}
    return {
        "architecture": {"maxInputLength": 0},
        "defaults": {**settings, "seed": 7, "length": 4},
        "presets": [{"name": "A", "note": "b", "settings": {"steps": 4}}, {"name": "B", "note": "c", **preset}],
    }


@pytest.mark.parametrize(
    ("preset", "said"),
    [
        ({"settings": {"seed": 3}}, r"presets\.1\.settings\.seed is nothing that a preset sets"),
        ({"settings": {"steps": "3"}}, r'presets\.1\.settings\.steps is "3"'),
        ({"settings": {"gamma": True}}, r"presets\.1\.settings\.gamma is true"),
        ({"settings": {"gamma": 9}}, r"presets\.1: gamma is 9"),
        ({"settings": {"method": "sde", "solver": "multistep"}}, r"presets\.1: the solver is multistep"),
        ({"settings": {"cfgScale": 2}}, r"presets\.1: its cfg is not 1, but this model takes no prompt"),
        ({"settings": []}, r"presets\.1\.settings is \[\]"),
        ({}, r"presets\.1\.settings is missing"),
        ({"settings": {}, "note": " "}, r"presets\.1: its note has 0 characters"),
        ({"settings": {}, "note": "\ufeff"}, r"presets\.1: its note has 0 characters"),
        ({"settings": {}, "name": "a\nb"}, r"presets\.1: its name has control characters"),
    ],
)
def test_what_elf_check_finds_wrong(preset: dict, said: str) -> None:
    check_presets(manifest(settings={"gamma": 8, "selfCondScale": 0.5}))
    with pytest.raises(ExportedModelError, match=said):
        check_presets(manifest(**preset))


def test_elf_check_counts_them() -> None:
    crowd = manifest(settings={})
    crowd["presets"] *= 4
    with pytest.raises(ExportedModelError, match="8 presets, at most 6"):
        check_presets(crowd)


def test_elf_export_writes_them_and_refuses_settings_the_page_does_not_take(tmp_path: Path, capsys) -> None:
    save_trained_model(random_model(SMALL, encoder=False), tmp_path / "model")
    presets = tmp_path / "presets.yml"
    presets.write_text("- {name: Careful, note: Twice as long., settings: {steps: 2, gamma: 1e0, self_cond_cfg: 3}}\n")
    out = tmp_path / "out"
    words = ["export", str(tmp_path / "model"), "--out", str(out), "--steps", "1", "--parity-seeds", "16"]
    assert cli.main([*words, "--presets", str(presets)]) == 0
    written = json.loads((out / "manifest.json").read_text())
    assert written["schemaVersion"] == 3
    assert written["presets"] == [{"name": "Careful", "note": "Twice as long.", "settings": {"steps": 2, "gamma": 1.0}}]
    assert cli.main(["check", str(out)]) == 0

    before = (out / "manifest.json").read_bytes()
    capsys.readouterr()
    assert cli.main([*words, "--gamma", "9"]) == 2
    assert "gamma is 9" in capsys.readouterr().err
    presets.write_text("- {name: Careful, note: Twice as long., settings: {steps: 0}}\n")
    assert cli.main([*words, "--presets", str(presets)]) == 2
    assert "[0].settings: steps is 0" in capsys.readouterr().err
    assert (out / "manifest.json").read_bytes() == before

    # elf check reads them, too.
    written["presets"][0]["settings"]["steps"] = 2000
    (out / "manifest.json").write_text(json.dumps(written))
    assert cli.main(["check", str(out)]) == 2
    assert "presets.0: steps is 2000" in capsys.readouterr().err
