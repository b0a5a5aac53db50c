"""`elf plot-sweep`: which rows it names, and that its picture holds them, in both colour schemes."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from elf.cli import main
from elf.evaluation.generator import load_samplings
from elf.evaluation.sweep import pareto, points_of, reference_of

SWEEP = Path(__file__).parents[1] / "configs" / "sampling" / "stories-sweep.yml"


def row(method: str, steps: int, gen_ppl: float | None, entropy: float, **more) -> dict:
    usual = {"combination": "x", "epoch": 0, "step": 0, "model": "stories", "gamma": 0.5, "self_cond_cfg": 3.0}
    usual |= {"cfg": 1.0, "schedule": "logit_normal", "held_out_entropy": 3.8, "held_out_gen_ppl": 11.5}
    return {**usual, "method": method, "steps": steps, "gen_ppl": gen_ppl, "entropy": entropy, **more}


ROWS = [
    row("sde", 8, 60.0, 3.70),
    row("sde", 32, 26.0, 3.75),
    row("sde", 64, 24.0, 3.70),
    row("sde", 32, 20.0, 3.30, gamma=1.5),  # too little entropy: 0.95 · 3.8 = 3.61
    row("ode", 32, 40.0, 3.72),
    row("ode", 8, 55.0, 3.80, cfg=2.0),
    row("ode", 4, None, 3.0),
]


@pytest.fixture
def metrics(tmp_path: Path) -> Path:
    path = tmp_path / "metrics.jsonl"
    path.write_text("".join(json.dumps(each) + "\n" for each in ROWS))
    return path


def test_points_of_rows() -> None:
    reference = reference_of(ROWS, "gen_ppl")
    assert reference is not None and (reference.entropy, reference.quality) == (3.8, 11.5)
    points = points_of(ROWS, "gen_ppl", reference)
    assert [point.passes for point in points] == [9, 33, 65, 33, 33, 17]
    assert [point.varied for point in points] == [True, True, True, False, True, True]
    assert points[1].setting == "SDE 32, γ 0.5, w 3" and points[5].setting == "ODE 8, w 3, ω 2"
    assert points[0].series == points[1].series == "SDE, γ 0.5, w 3" != points[3].series
    assert [point.family for point in points] == ["SDE, γ 0.5"] * 3 + ["SDE, γ 1.5"] + ["ODE"] * 2


def test_the_surest_of_several_says_so_and_pays_for_all_of_them() -> None:
    one, four = points_of([row("sde", 8, 60.0, 3.7), row("sde", 8, 40.0, 3.7, best_of=4)], "gen_ppl", None)
    assert (one.setting, one.passes) == ("SDE 8, γ 0.5, w 3", 9)
    assert (four.setting, four.passes) == ("SDE 8, γ 0.5, w 3, best of 4", 36)


def test_the_best_are_those_that_none_beats() -> None:
    points = points_of(ROWS, "gen_ppl", None)
    both = pareto(points, lambda point: point.quality, lambda point: -point.entropy)
    assert [(point.quality, point.entropy) for point in both] == [(20, 3.3), (24, 3.7), (26, 3.75), (55, 3.8)]
    assert len(pareto(points + points, lambda point: point.quality)) == 2  # equals do not beat each other


def test_the_picture_names_the_best_and_has_both_schemes(metrics: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "pictures" / "sweep.svg"
    assert main(["plot-sweep", str(metrics.parent), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    by_entropy, by_passes = said.split("best by passes:")
    for setting in ("SDE 32, γ 1.5, w 3", "SDE 64, γ 0.5, w 3", "SDE 32, γ 0.5, w 3", "ODE 8, w 3, ω 2"):
        assert setting in by_entropy
    # On the right without those of little entropy: 8 steps, 16 passes, 32 and 64 steps.
    assert "γ 1.5" not in by_passes and "ODE 32" not in by_passes
    assert (
        by_passes.index("SDE 8,") < by_passes.index("ODE 8,") < by_passes.index("SDE 32,") < by_passes.index("SDE 64,")
    )

    svg = out.read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    texts = ["".join(text.itertext()) for text in root.iter("{http://www.w3.org/2000/svg}text")]
    assert {"1  SDE 32, γ 1.5, w 3", "3  SDE 32, γ 0.5, w 3"} <= {*texts}
    assert sum(text.endswith("SDE 32, γ 0.5, w 3") for text in texts) == 2
    assert sum(text.endswith("SDE 32, γ 1.5, w 3") for text in texts) == 1
    assert {"unigram entropy, nats", "passes of the network", "perplexity under the judge"} <= {*texts}
    assert texts.count("ODE") == 1 and texts.count("real text, held out") == 1
    assert root.attrib["role"] == "img"
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None and "6 ways to sample" in (title.text or "")
    assert "prefers-color-scheme: dark" in svg and 'style="fill: #ffffff' in svg
    # The same picture again to the byte.
    assert main(["plot-sweep", str(metrics), "--out", str(out)]) == 0
    assert out.read_text(encoding="utf-8") == svg


def test_figures_of_two_judges_are_not_drawn_as_one(metrics: Path, tmp_path: Path, capsys) -> None:
    other = tmp_path / "other.jsonl"
    for judges in (("one", "two"), (None, "two")):
        for path, judge in zip((metrics, other), judges, strict=True):
            said = {"judge": "runs/small"} | ({"inputs": {"judge": judge}, "continuation": False} if judge else {})
            path.write_text("".join(json.dumps({**each, **said}) + "\n" for each in ROWS))
        command = ["plot-sweep", str(metrics), str(other), "--out", str(tmp_path / "sweep.svg")]
        # Of an older row nothing but the judge's name is known.
        assert main(command) == (2 if judges[0] else 0)
    assert "gen_ppl of the rows was measured with different judge: one and two" in capsys.readouterr().err


def test_what_cannot_be_plotted_is_named(metrics: Path, tmp_path: Path, capsys) -> None:
    def refused(*argv: str) -> str:
        assert main(["plot-sweep", *argv]) == 2
        return capsys.readouterr().err

    out = str(tmp_path / "sweep.svg")
    assert "no row has both entropy and bleu" in refused(str(metrics), "--out", out, "--quality", "bleu")
    assert "Choose one of gen_ppl" in refused(str(metrics), "--out", out, "--quality", "beauty")
    assert "no name of an SVG" in refused(str(metrics), "--out", str(tmp_path / "sweep.gif"))
    training = tmp_path / "training.jsonl"
    training.write_text('{"step": 20, "loss": 0.5}\n')
    assert "cannot be read as an evaluation" in refused(str(training), "--out", out)
    assert not Path(out).exists()


def test_the_sweep_is_of_at_most_60_ways_each_once() -> None:
    ways = load_samplings(SWEEP)
    assert len(ways) == len({*ways}) == 52
    assert {way.steps for way in ways} == {4, 8, 16, 32, 64} and {way.self_cond_cfg for way in ways} == {1, 2, 3, 5}
    assert {way.gamma for way in ways if way.method == "sde"} == {0.25, 0.5, 1, 1.5}
    assert all(way.solver == "euler" for way in ways)
