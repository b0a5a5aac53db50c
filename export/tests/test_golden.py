"""The training step held to numbers that the official code computed, and `elf golden` itself.

The numbers are not shipped: they lie in ../shared/golden. Where ../shared is but they are not, that is a failure.
"""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from simulated_devices import simulated

import elf.golden.cases
from elf.config import T5Config
from elf.errors import GoldenError, UsageError
from elf.golden.cases import LARGEST, Arguments, distill_deviations, largest, main, training_deviations
from elf.golden.folder import Case, GoldenFolder, open_golden

SHARED = Path(__file__).parents[2].parent / "shared"
GOLDEN = SHARED / "golden"
needs_golden = pytest.mark.skipif(not SHARED.is_dir(), reason="golden numbers are not shipped; put them in ../shared")

TIGHT = 1e-5
LOOSE = {
    "cond-adamw-accum2": {"params_step2", "params_step4"},
    "distill-cond": {"gradients", "params_step1", "params_step2"},
}
"""Quantities that get three times as much: AdamW divides gradients by their own size, nearly 0 or not; the official
distillation is torch's, whose sums run in another order."""


def check(case: Case, deviations: dict[str, float], quantities: set[str]) -> None:
    assert deviations.keys() == quantities
    for quantity, deviation in deviations.items():
        allowed = 3 * TIGHT if quantity in LOOSE.get(case.name, ()) else TIGHT
        assert deviation <= allowed, (case.name, quantity)


STEP = {"latents", "loss", "gradient_norm", "gradients", "ema"}


@needs_golden
@pytest.mark.parametrize(
    "name",
    [
        pytest.param("uncond-muon", marks=pytest.mark.slow("compiles Muon, in steps that do and do not decode")),
        pytest.param("cond-adamw-accum2", marks=pytest.mark.slow("compiles steps in parts, that do and do not decode")),
    ],
)
def test_a_training_step_is_the_official_one(name: str) -> None:
    folder = open_golden(GOLDEN)
    (case,) = (each for each in folder.cases if each.name == name)
    steps = {f"params_step{done}" for done in (2 if case.config["grad_accum_steps"] == 2 else 1, 4)}
    check(case, training_deviations(folder, case), STEP | {"losses_per_device"} | steps)


@needs_golden
@pytest.mark.parametrize(
    "name",
    ["distill-cond", pytest.param("distill-uncond", marks=pytest.mark.slow("compiles a second kind of distillation"))],
)
def test_a_distillation_step_is_the_official_one(name: str) -> None:
    folder = open_golden(GOLDEN)
    (case,) = (each for each in folder.cases if each.name == name)
    quantities = STEP | {"distill_first", "distill_target", "params_step1", "params_step2"}
    check(case, distill_deviations(folder, case), quantities)


@needs_golden
@pytest.mark.slow("a process compiles both branches for two devices")
def test_two_devices_take_the_official_step() -> None:
    """The coins differ between them, so each runs a branch of its own."""
    program = (
        "import json, sys, jax\n"
        "from pathlib import Path\n"
        "from elf.devices import make_mesh\n"
        "from elf.golden.folder import open_golden\n"
        "from elf.golden.cases import training_deviations\n"
        "folder = open_golden(Path(sys.argv[1]))\n"
        "case, = (each for each in folder.cases if each.name == 'cond-muon')\n"
        "print(json.dumps(training_deviations(folder, case, make_mesh(devices=jax.devices()))))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(GOLDEN)], env=simulated(2), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    deviations = json.loads(done.stdout.splitlines()[-1])
    (case,) = (each for each in open_golden(GOLDEN).cases if each.name == "cond-muon")
    check(case, deviations, STEP | {"losses_per_device", "params_step1", "params_step4"})


@pytest.mark.parametrize(
    ("files", "words"), [((), "parameters.json cannot be read"), (("parameters",), "holds no case")]
)
def test_an_incomplete_folder_is_named(tmp_path: Path, files: tuple[str, ...], words: str) -> None:
    for name in files:
        (tmp_path / f"{name}.json").write_text("{}")
    with pytest.raises(GoldenError, match=words):
        open_golden(tmp_path)
    with pytest.raises(GoldenError, match="there is no folder"):
        open_golden(tmp_path / "nowhere")


def test_an_array_that_a_case_lacks_is_named() -> None:
    with pytest.raises(GoldenError, match="part has no array loss"):
        Case("part", {"micro_steps": 1}, {}, {})["loss"]


def test_a_tree_is_compared_by_its_elements_and_by_the_whole() -> None:
    whole = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
    arrays = {
        "names": np.array(["a"]),
        "tree.norm": np.array([np.linalg.norm(whole)]),
        "tree.dot": np.array([(whole.reshape(-1) * np.cos(np.arange(12) + 1.0)).sum()]),
        "tree/a": whole.reshape(-1)[::5],
    }
    case = Case("part", {"micro_steps": 1}, arrays, {"a": 5})
    assert case.tree_deviation("tree", {"a": whole}) < 1e-7
    seen, unseen = whole.copy(), whole.copy()
    seen[1, 1] += 0.01  # element 5, which the sample holds
    unseen[0, 1] += 0.01  # element 1, which it does not
    assert np.isnan(case.tree_deviation("tree", {"a": np.nan * whole}))
    assert case.tree_deviation("tree", {"a": seen}) > 1e-3 and case.tree_deviation("tree", {"a": unseen}) > 1e-4


@pytest.mark.parametrize(("deviation", "fails"), [(0.5 * LARGEST, False), (2 * LARGEST, True), (float("nan"), True)])
def test_the_command_fails_above_what_is_allowed(deviation: float, fails: bool, monkeypatch, capsys) -> None:
    cases = (Case("one", {"micro_steps": 1}, {}, {}), Case("two", {}, {}, {}))
    folder = GoldenFolder(Path(), cases, {}, None, T5Config(), {})
    monkeypatch.setattr(elf.golden.cases, "open_golden", lambda path: folder)
    monkeypatch.setattr(elf.golden.cases, "training_deviations", lambda folder, case: {"loss": deviation})
    monkeypatch.setattr(elf.golden.cases, "distill_deviations", lambda folder, case: {"loss": 0.0})
    if fails:
        with pytest.raises(SystemExit) as stopped:
            main(Arguments(Path(), json=True))
        assert stopped.value.code == 1
    else:
        main(Arguments(Path(), json=True))
    told = json.loads(capsys.readouterr().out)
    assert list(told["cases"]) == ["one", "two"] and told["largest_allowed"] == LARGEST
    assert told["worst"] == pytest.approx(deviation, nan_ok=True)


def test_what_is_no_number_at_a_later_step_is_the_worst() -> None:
    assert np.isnan(largest({"loss": [1e-7, float("nan"), 1e-7]})["loss"])
    assert largest({"loss": [1e-7, 2e-7]}) == {"loss": 2e-7}


def test_nothing_measured_is_no_proof(monkeypatch) -> None:
    """A mistyped name passed with a worst deviation of 0."""
    folder = GoldenFolder(Path(), (Case("one", {}, {}, {}),), {}, None, T5Config(), {})
    monkeypatch.setattr(elf.golden.cases, "open_golden", lambda path: folder)
    with pytest.raises(UsageError, match=r"has no case onne"):
        main(Arguments(Path(), cases=("onne",)))
    monkeypatch.setattr(elf.golden.cases, "open_golden", lambda path: dataclasses.replace(folder, cases=()))
    with pytest.raises(GoldenError, match="holds no case"):
        main(Arguments(Path()))


def test_archives_that_are_none(tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.zeros(3))
    for content in (b"PK\x03\x04", b"x", b"", (tmp_path / "one.npy").read_bytes()):
        (tmp_path / "parameters.json").write_text("{}")
        (tmp_path / "a.json").write_text('{"micro_steps": 1}')
        (tmp_path / "a.npz").write_bytes(content)
        with pytest.raises(GoldenError, match=r"a\.npz cannot be read"):
            open_golden(tmp_path)
