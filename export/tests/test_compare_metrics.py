"""`elf compare-metrics`: two ways to sample, text by text, against resamples written out here."""

import json
from pathlib import Path

import numpy as np
import pytest
import sacrebleu

from elf.cli import main
from elf.evaluation.output_files import per_text_file, write_per_text
from elf.evaluation.scores import bleu_statistics

REFERENCES = [
    f"the {animal} sat on the {place} all day" for animal in ("cat", "dog", "cow") for place in ("mat", "hill")
]
TEXTS = {
    "a": [
        "the cat ran up the hill",
        "a bird sat on the hill all day",
        "a dog",
        "the cow sat",
        "x",
        "the cow sat on the hill",
    ],
    "b": [*REFERENCES[:4], "the cow ran up", "the cow sat on a hill"],
}
KEPT = {"a": [[0, 1], [1, 2], [0, 0], [1, 1], [0, 2], [2, 2]], "b": [[1, 1], [1, 2], [0, 0], [1, 1], [1, 2], [2, 2]]}
NLL = {
    "a": [[10.0, 4], [20, 5], [3, 2], [9, 3], [4, 1], [30, 6]],
    "b": [[9.0, 4], [15, 6], [8, 5], [7, 3], [9, 4], [12, 6]],
}


def written(folder: Path, way: str, ids: list, sources: str | None = "abc", step: int = 40) -> Path:
    folder.mkdir(exist_ok=True)
    statistics = {
        "bleu": bleu_statistics(TEXTS[way], REFERENCES),
        "kept_names": np.array(KEPT[way]),
        "gen_ppl": np.array(NLL[way]),
    }
    write_per_text(per_text_file(folder, 2, step), ids, statistics)
    (folder / f"settings_2_{step}.json").write_text(json.dumps({"settings": {"sources": sources}, "seconds": 1}))
    return folder


@pytest.fixture
def ways(tmp_path: Path) -> tuple[str, str]:
    # The second file has its rows in another order: they are matched by id.
    a = written(tmp_path / "a", "a", [0, 1, 2, 3, "r4", 5])
    b = written(tmp_path / "b", "b", [0, 1, 2, 3, "r4", 5])
    rows = per_text_file(b, 2, 40).read_text().splitlines(keepends=True)
    per_text_file(b, 2, 40).write_text("".join(reversed(rows)))
    return str(a), str(b)


def compared(capsys: pytest.CaptureFixture[str], *argv: str) -> dict:
    assert main(["compare-metrics", *argv, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_differences_and_their_intervals(ways: tuple[str, str], capsys) -> None:
    report = compared(capsys, *ways)
    assert report["n"] == 6 and [*report["figures"]] == ["bleu", "kept_names", "gen_ppl"]
    bleu = report["figures"]["bleu"]
    for way in "ab":
        expected = sacrebleu.corpus_bleu(TEXTS[way], [REFERENCES], lowercase=True, use_effective_order=True, force=True)
        assert bleu[way] == pytest.approx(expected.score)
    assert bleu["difference"] == pytest.approx(bleu["b"] - bleu["a"])

    kept = report["figures"]["kept_names"]
    assert (kept["a"], kept["b"], kept["difference"]) == pytest.approx((4 / 8, 6 / 8, 2 / 8))
    ppl = report["figures"]["gen_ppl"]
    assert (ppl["a"], ppl["b"]) == pytest.approx((np.exp(76 / 21), np.exp(60 / 28)))
    # The same texts of both in every resampled set.
    a, b = (np.array(NLL[way]) for way in "ab")
    differences = []
    for drawn in np.random.default_rng(5).integers(6, size=(4000, 6)):
        (nats_a, tokens_a), (nats_b, tokens_b) = a[drawn].sum(0), b[drawn].sum(0)
        differences.append(np.exp(nats_b / tokens_b) - np.exp(nats_a / tokens_a))
    np.testing.assert_allclose(ppl["difference_ci"], np.percentile(differences, [2.5, 97.5]), rtol=0.1)


def test_a_constant_gain_is_certain_however_much_the_texts_differ(tmp_path: Path, capsys) -> None:
    """What pairing is for: each interval alone would be far wider than the gain."""
    rng = np.random.default_rng(0)
    nats = rng.uniform(10, 90, 50)
    for way, gain in (("a", 0.0), ("b", 1.0)):
        folder = tmp_path / way
        folder.mkdir()
        write_per_text(per_text_file(folder, 0, 0), [*range(50)], {"entropy": np.stack([nats + gain, np.ones(50)], 1)})
        (folder / "settings_0_0.json").write_text(json.dumps({"settings": {"sources": None}}))
    row = compared(capsys, str(tmp_path / "a"), str(tmp_path / "b"))["figures"]["entropy"]
    assert row["difference"] == pytest.approx(1) and row["difference_ci"] == pytest.approx([1, 1])


def test_only_texts_that_both_have_are_compared(ways: tuple[str, str], tmp_path: Path, capsys) -> None:
    c = written(tmp_path / "c", "b", [0, 1, 2, 3, 77, 78])
    report = compared(capsys, ways[0], str(c), "--metrics", "kept_names")
    assert report["n"] == 4 and [*report["figures"]] == ["kept_names"]
    assert report["figures"]["kept_names"]["a"] == 2 / 4


def test_the_table_shows_every_figure(ways: tuple[str, str], capsys) -> None:
    assert main(["compare-metrics", *ways]) == 0
    out = capsys.readouterr().out
    assert "6 texts of each" in out and "kept_names" in out and "+0.2500" in out


def test_figures_of_two_judges_are_not_compared(ways: tuple[str, str], capsys) -> None:
    for way, judge in zip(ways, ("one", "two"), strict=True):
        measured = {"judge": judge, "training": None, "references": "r", "continuation": False}
        (Path(way) / "measured_2_40.json").write_text(json.dumps(measured))
    assert main(["compare-metrics", *ways]) == 2
    assert "gen_ppl of A and B was measured with different judge: one and two" in capsys.readouterr().err
    assert [*compared(capsys, *ways, "--metrics", "bleu,kept_names")["figures"]] == ["bleu", "kept_names"]
    # What an older evaluation does not say is not held against it.
    (Path(ways[0]) / "measured_2_40.json").unlink()
    assert "gen_ppl" in compared(capsys, *ways)["figures"]


def test_what_cannot_be_compared_is_named(ways: tuple[str, str], tmp_path: Path, capsys) -> None:
    def refused(*argv: str) -> str:
        assert main(["compare-metrics", *argv]) == 2
        return capsys.readouterr().err

    assert "different sources" in refused(ways[0], str(written(tmp_path / "other", "b", [0, 1, 2, 3, 4, 5], "xyz")))
    assert "no text of the same id" in refused(ways[0], str(written(tmp_path / "ids", "b", [*"uvwxyz"])))
    assert "do not both have 'rouge1'" in refused(*ways, "--metrics", "rouge1")
    (tmp_path / "empty").mkdir()
    assert "no per_text_*.jsonl" in refused(ways[0], str(tmp_path / "empty"))
    written(Path(ways[1]), "b", [0, 1, 2, 3, "r4", 5], step=60)
    assert "per_text_2_40.jsonl, per_text_2_60.jsonl" in refused(*ways)
    broken = per_text_file(Path(ways[0]), 2, 40)
    broken.write_text(broken.read_text()[:-20])
    assert "cannot be read" in refused(*ways)
