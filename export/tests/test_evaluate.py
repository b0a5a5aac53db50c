"""`elf evaluate`: the texts are the sampler's, killing it changes nothing, and the figures are those of other code."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import sacrebleu
from conftest import stories
from simulated_devices import simulated
from test_perplexity import make_judge

from elf.checkpoints.fetch import hub_name
from elf.cli import main
from elf.config import SamplerSettings
from elf.data.tokenizer import load_tokenizer
from elf.dev.make_random import TINY, random_model
from elf.devices import make_mesh
from elf.evaluation import evaluate
from elf.evaluation.generator import surest
from elf.evaluation.judge import save_judge
from elf.evaluation.perplexity import gen_perplexity
from elf.evaluation.texts import FileTexts
from elf.models.trained_model import TrainedModel, load_trained_model, save_trained_model
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.options import text_reader

pytestmark = pytest.mark.usefixtures("few_resamples")

SMALL = replace(TINY, depth=1, max_length=8, vocabulary_size=60)
CONDITIONAL = replace(SMALL, max_input_length=4)
FEW = ("--samples", "10", "--batch-size", "4", "steps=2", "seed=3")
NAME = "00_sde_2_gamma1.5_w3_seed3"


def written(folder: Path, model: TrainedModel) -> Path:
    model.training = {"steps": 40, "epoch": 2.5}
    save_trained_model(model, folder)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    return written(tmp_path_factory.mktemp("run") / "model", random_model(SMALL, tokenizer=tokenizer_file))


@pytest.fixture(scope="module")
def conditional(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    return written(tmp_path_factory.mktemp("run") / "model", random_model(CONDITIONAL, tokenizer=tokenizer_file))


def texts_of(out: Path, name: str = NAME) -> Path:
    return out / name / "all_generated_2_40.jsonl"


@pytest.fixture(scope="module")
def whole(plain: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An evaluation that nothing interrupted."""
    out = tmp_path_factory.mktemp("whole")
    assert main(["evaluate", str(plain), *FEW, "--out", str(out)]) == 0
    return out


def rows_of(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_texts_are_those_of_the_sampler_in_the_official_shape(plain: Path, whole: Path) -> None:
    model = load_trained_model(plain)
    sampler = BatchSampler(model, make_mesh(), 4, 8)
    batches = [sampler.write(SamplerSettings(steps=2, seed=3), batch=batch) for batch in range(3)]
    expected = [*map(text_reader(model), np.concatenate(batches))][:10]
    assert rows_of(texts_of(whole)) == [{"id": id, "generated": text} for id, text in enumerate(expected)]
    assert len({*expected}) == 10

    [row] = rows_of(whole / "metrics.jsonl")
    assert (row["n"], row["epoch"], row["step"], row["steps"], row["seed"]) == (10, 2, 40, 2, 3)
    assert row["seconds"] > 0 and row["samples_per_second"] == pytest.approx(10 / row["seconds"], rel=0.01)
    tokens = [load_tokenizer(model.tokenizer).encode(text, add_special_tokens=False).ids for text in expected]
    entropies = [-sum(n / len(ids) * math.log(n / len(ids)) for n in map(ids.count, {*ids})) for ids in tokens]
    assert row["entropy"] == pytest.approx(np.mean(entropies)) and row["entropy_tokens"] == "model"
    assert "gen_ppl" not in row and "bleu" not in row


def test_of_several_texts_the_surest_is_kept(plain: Path, tmp_path: Path) -> None:
    model = load_trained_model(plain)
    sampler = BatchSampler(model, make_mesh(), 4, 8)
    expected = []
    for batch in range(2):
        tokens, entropies = sampler.write_with_entropies(SamplerSettings(steps=2, seed=3), batch=batch)
        assert np.array_equal(tokens, sampler.write(SamplerSettings(steps=2, seed=3), batch=batch))
        assert entropies.min() > 0 and entropies.max() < math.log(60)
        ends = [[*row, 1].index(1) for row in tokens.tolist()]
        means = [row[:end].mean() if end else math.inf for row, end in zip(entropies, ends, strict=True)]
        expected += [tokens[first + int(means[first + 1] < means[first])] for first in (0, 2)]
    words = ["--samples", "4", "--batch-size", "4", "steps=2", "seed=3", "best_of=2"]
    assert main(["evaluate", str(plain), *words, "--out", str(tmp_path)]) == 0
    written = texts_of(tmp_path, "00_sde_2_gamma1.5_w3_best2_seed3")
    assert [row["generated"] for row in rows_of(written)] == [*map(text_reader(model), np.stack(expected))]
    assert rows_of(tmp_path / "metrics.jsonl")[0]["best_of"] == 2


def test_a_source_has_as_many_tries_as_are_asked_for(conditional: Path, tmp_path: Path) -> None:
    data, sources = tmp_path / "rows.jsonl", ("the cat", "a dog")
    data.write_text("".join(json.dumps({"input": word, "output": word}) + "\n" for word in sources))
    words = ["--batch-size", "4", "--data", str(data), "steps=1", "best_of=4", "--out", str(tmp_path / "out")]
    assert main(["evaluate", str(conditional), *words]) == 0
    [written] = (tmp_path / "out").glob("*best4*/all_generated*.jsonl")
    model = load_trained_model(conditional)
    sampler = BatchSampler(model, make_mesh(), 4, 4)
    read = load_tokenizer(model.tokenizer)
    for number, (word, row) in enumerate(zip(sources, rows_of(written), strict=True)):
        ids = read.encode(word, add_special_tokens=False).ids[:4]
        tokens, entropies = sampler.write_with_entropies(
            SamplerSettings(steps=1, seed=7), batch=number, sources=[ids] * 4
        )
        assert row["generated"] == text_reader(model)(surest(tokens, entropies, 4)[0])


def test_the_surest_text_is_the_one_of_least_entropy_up_to_its_end() -> None:
    tokens = np.asarray([[5, 1, 7], [6, 6, 6], [1, 5, 5], [8, 1, 1]])
    entropies = np.asarray([[0.3, 9, 9], [0.1, 0.2, 0.9], [0, 0, 0], [2, 0, 0]])
    assert surest(tokens, entropies, 2).tolist() == [[5, 1, 7], [8, 1, 1]]
    assert surest(tokens, entropies, 4).tolist() == [[5, 1, 7]]


def test_what_is_finished_is_not_done_again(plain: Path, whole: Path, monkeypatch, capsys) -> None:
    before = (whole / "metrics.jsonl").read_bytes()
    monkeypatch.setattr(BatchSampler, "write", lambda *_, **__: pytest.fail("sampled again"))
    assert main(["evaluate", str(plain), *FEW, "--out", str(whole)]) == 0
    assert "already done" in capsys.readouterr().err
    # Other figures of the same texts, and figures of fewer of them, need no sampling either.
    assert main(["evaluate", str(plain), *FEW, "--out", str(whole), "--metrics", "distinct"]) == 0
    [row] = rows_of(whole / "metrics.jsonl")
    assert "distinct1" in row and "entropy" not in row
    assert main(["evaluate", str(plain), *FEW, "--out", str(whole), "--samples", "3"]) == 0
    assert rows_of(whole / "metrics.jsonl")[0]["n"] == 3 and len(rows_of(texts_of(whole))) == 10
    (whole / "metrics.jsonl").write_bytes(before)


def test_more_samples_go_on_after_the_ones_that_are_there(plain: Path, whole: Path, tmp_path: Path) -> None:
    assert main(["evaluate", str(plain), *FEW, "--samples", "6", "--out", str(tmp_path)]) == 0
    assert main(["evaluate", str(plain), *FEW, "--out", str(tmp_path)]) == 0
    assert texts_of(tmp_path).read_bytes() == texts_of(whole).read_bytes()
    # Rows that are lost after all are written again too.
    os.truncate(texts_of(tmp_path), 100)
    assert main(["evaluate", str(plain), *FEW, "--out", str(tmp_path)]) == 0
    assert texts_of(tmp_path).read_bytes() == texts_of(whole).read_bytes()
    [row] = rows_of(tmp_path / "metrics.jsonl")
    assert row["n"] == 10 and row["entropy"] == rows_of(whole / "metrics.jsonl")[0]["entropy"]


def test_the_second_way_to_sample_has_the_random_numbers_of_the_second(plain: Path, tmp_path: Path) -> None:
    words = ["--samples", "4", "--batch-size", "4", "steps=2", "seed=3", "self_cond_cfg=[3,2]"]
    assert main(["evaluate", str(plain), *words, "--out", str(tmp_path)]) == 0
    model = load_trained_model(plain)
    settings = SamplerSettings(steps=2, seed=3, self_cond_scale=2.0)
    tokens = BatchSampler(model, make_mesh(), 4, 8).write(settings, config=1)
    rows = rows_of(texts_of(tmp_path, "01_sde_2_gamma1.5_w2_seed3"))
    assert [row["generated"] for row in rows] == [*map(text_reader(model), tokens)]
    combinations = [row["combination"] for row in rows_of(tmp_path / "metrics.jsonl")]
    assert combinations == [NAME, "01_sde_2_gamma1.5_w2_seed3"]


def test_other_settings_in_the_same_folder_are_refused_by_name(
    plain: Path, whole: Path, tmp_path: Path, capsys
) -> None:
    evaluate_whole = ["evaluate", str(plain), *FEW, "--out", str(whole)]
    for words, name in [
        (("schedule=uniform",), "schedule logit_normal, not uniform"),
        (("--batch-size", "5"), "batch_size 4, not 5"),
        (("--rng-devices", "2"), "rng_devices 1, not 2"),
    ]:
        assert main([*evaluate_whole, *words]) == 2
        said = capsys.readouterr().err
        assert "OutputExistsError" in said and name in said
    other = written(tmp_path / "other", random_model(SMALL, seed=1, tokenizer=plain / "tokenizer.json"))
    assert main(["evaluate", str(other), *evaluate_whole[2:]]) == 2
    assert "weights" in capsys.readouterr().err


@pytest.mark.slow("a process compiles for four devices, and two evaluations more")
def test_killed_on_four_devices_it_goes_on_on_one(plain: Path, tmp_path: Path) -> None:
    """The same file as without being killed: the random numbers are those of the devices asked for."""
    derived = ["--rng-processes", "1", "--rng-devices", "4"]
    out = tmp_path / "killed"
    command = ["evaluate", str(plain), *FEW, *derived]
    # Far more texts than it gets to write.
    command_line = [sys.executable, "-m", "elf.cli", *command, "--samples", "100000", "--out", str(out)]
    with subprocess.Popen(command_line, env=simulated(4), stderr=subprocess.PIPE) as process:
        give_up = time.monotonic() + 600
        while process.poll() is None and time.monotonic() < give_up:
            if texts_of(out).is_file() and texts_of(out).stat().st_size:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        assert texts_of(out).is_file(), process.stderr and process.stderr.read()
    # As if the write had been cut: the last row of the second batch lacks its end.
    lines = texts_of(out).read_bytes().splitlines(keepends=True)
    texts_of(out).write_bytes(b"".join(lines[:7])[:-5])
    assert main([*command, "--out", str(out)]) == 0
    assert main([*command, "--out", str(tmp_path / "whole")]) == 0
    assert texts_of(out).read_bytes() == texts_of(tmp_path / "whole").read_bytes()
    assert len(rows_of(texts_of(out))) == 10


def test_sources_are_translated_row_by_row(conditional: Path, tmp_path: Path) -> None:
    pairs = [(stories()[i], stories()[-i - 1]) for i in range(6)]
    data = tmp_path / "data.jsonl"
    data.write_text(
        "".join(json.dumps({"id": f"r{i}", "input": a, "output": b}) + "\n" for i, (a, b) in enumerate(pairs))
    )
    arguments = ["evaluate", str(conditional), "--data", str(data), "--batch-size", "4", "--out", str(tmp_path / "out")]
    settings = ["method=ode", "steps=2", "cfg=2", "self_cond_cfg=1", "seed=3"]
    assert main([*arguments, *settings]) == 0

    model = load_trained_model(conditional)
    tokenizer = load_tokenizer(model.tokenizer)
    sources = [tokenizer.encode(source).ids[:4] for source, _ in pairs]
    sampler = BatchSampler(model, make_mesh(), 4, 4)
    ode = SamplerSettings(steps=2, method="ode", self_cond_scale=1.0, seed=3, cfg_scale=2.0)
    tokens = [
        *sampler.write(ode, batch=0, sources=sources[:4]),
        # The last batch is filled with the first rows.
        *sampler.write(ode, batch=1, sources=[*sources[4:], *sources[:2]])[:2],
    ]
    texts = [*map(text_reader(model), tokens)]
    rows = rows_of(texts_of(tmp_path / "out", "00_ode_2_w1_cfg2_seed3"))
    assert rows == [{"id": f"r{i}", "generated": text} for i, text in enumerate(texts)]
    [row] = rows_of(tmp_path / "out" / "metrics.jsonl")
    bleu = sacrebleu.corpus_bleu(texts, [[target for _, target in pairs]], lowercase=True, use_effective_order=True)
    assert row["bleu"] == pytest.approx(bleu.score) and row["n"] == 6
    assert {"rouge1", "rouge2", "rougeL", "entropy", "cfg"} <= row.keys()


def test_texts_of_another_start_are_not_gone_on_with(
    conditional: Path, tmp_path: Path, tokenizer_file: Path, capsys
) -> None:
    """The same weights, but x̂ starts otherwise at the source's places: what is there is neither kept nor mixed."""
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"input": text, "output": text}) + "\n" for text in stories()[:4]))
    words = ["--data", str(data), "--batch-size", "4", "--out", str(tmp_path / "out"), "steps=2", "seed=3"]
    assert main(["evaluate", str(conditional), *words]) == 0
    zero = random_model(CONDITIONAL, tokenizer=tokenizer_file, self_cond_start="zero")
    assert main(["evaluate", str(written(tmp_path / "zero", zero)), *words]) == 2
    assert "self_cond_start condition, not zero" in capsys.readouterr().err


def test_figures_are_of_the_files_as_they_are_now(conditional: Path, tmp_path: Path, tokenizer_file, capsys) -> None:
    """References and judge at the same paths, with the same ids: what was measured with others is not told again."""
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    words = ["--data", str(data), "--batch-size", "4", "--judge", str(tmp_path / "judge"), "--out", str(out)]
    command = ["evaluate", str(conditional), *words, "steps=2", "seed=3"]

    def evaluated(answers: list[str], judge: int) -> dict:
        rows = ({"input": story, "output": answer} for story, answer in zip(stories(), answers, strict=False))
        data.write_text("".join(json.dumps(row) + "\n" for row in rows))
        save_judge(tmp_path / "judge", make_judge(tokenizer_file, scale=judge), tokenizer_file)
        assert main(command) == 0
        return rows_of(out / "metrics.jsonl")[0]

    first = evaluated(stories()[:4], 1)
    texts = [row["generated"] for row in rows_of(next(out.glob("*/all_generated*")))]
    other = evaluated(texts, 1)
    assert (other["bleu"], other["gen_ppl"]) == (pytest.approx(100), first["gen_ppl"]) and first["bleu"] < 50
    assert "already done" not in capsys.readouterr().err
    assert evaluated(texts, 0)["gen_ppl"] == pytest.approx(60) != first["gen_ppl"]
    evaluated(texts, 0)
    assert "already done" in capsys.readouterr().err
    # A row of before knows nothing of its files: the texts are kept, and measured.
    row = rows_of(out / "metrics.jsonl")[0]
    del row["inputs"]
    (out / "metrics.jsonl").write_text(json.dumps({**row, "bleu": 1.0}) + "\n")
    assert evaluated(texts, 0)["bleu"] == pytest.approx(100)


def test_texts_of_another_tokenizer_are_not_gone_on_with(plain: Path, tmp_path: Path, capsys) -> None:
    model, out = tmp_path / "model", tmp_path / "out"
    shutil.copytree(plain, model)
    command = ["evaluate", str(model), *FEW, "--samples", "4", "--out", str(out)]
    assert main(command) == 0
    # Its ids become other text.
    (model / "tokenizer_config.json").write_text(json.dumps({"clean_up_tokenization_spaces": False}))
    assert main(command) == 2
    assert "was made with tokenizer" in capsys.readouterr().err
    # Those of before are kept, whose record says nothing of it.
    record = out / NAME / "settings_2_40.json"
    settings = json.loads(record.read_text())["settings"]
    del settings["tokenizer"]
    record.write_text(json.dumps({"settings": settings, "seconds": 1.0}))
    assert main(command) == 0 and "tokenizer" not in json.loads(record.read_text())["settings"]
    # Nor does their row claim what is not known, and it is found again.
    (out / "metrics.jsonl").unlink()
    capsys.readouterr()
    assert main(command) == main(command) == 0
    [row] = rows_of(out / "metrics.jsonl")
    assert "tokenizer" not in row and "flow" in row and capsys.readouterr().err.count("already done") == 1


def test_of_more_texts_and_fewer_those_that_both_have_compare(conditional: Path, tmp_path: Path, capsys) -> None:
    data = tmp_path / "data.jsonl"
    data.write_text("".join(json.dumps({"input": text, "output": text}) + "\n" for text in stories()[:6]))
    ways = []
    for samples in ("6", "4"):
        out = tmp_path / samples
        words = ["--data", str(data), "--samples", samples, "--batch-size", "4", "--out", str(out), "steps=1"]
        assert main(["evaluate", str(conditional), *words]) == 0
        ways.append(str(next(out.glob("00_*"))))
    capsys.readouterr()
    assert main(["compare-metrics", *ways, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["n"] == 4 and report["figures"]["bleu"]["difference"] == 0


def test_nothing_is_read_for_what_is_not_measured(plain: Path, tmp_path: Path, monkeypatch) -> None:
    real = tmp_path / "real.txt"
    real.write_text("\n".join(stories()))
    monkeypatch.setattr(FileTexts, "digest", lambda self: pytest.fail("read for its digest"))
    options = ["--metrics", "distinct", "--training", str(real), "--out", str(tmp_path / "out")]
    assert main(["evaluate", str(plain), *FEW, "--samples", "4", *options]) == 0
    assert rows_of(tmp_path / "out/metrics.jsonl")[0]["inputs"] == {}
    monkeypatch.setattr(FileTexts, "digest", lambda self: "abc")
    options[1] = "unknown"
    assert main(["evaluate", str(plain), *FEW, "--samples", "4", *options]) == 0
    assert rows_of(tmp_path / "out/metrics.jsonl")[0]["inputs"] == {"training": "abc"}
    # Where that is done already, its bytes tell: nothing is read as texts.
    monkeypatch.setattr(FileTexts, "__len__", lambda self: pytest.fail("counted"))
    assert main(["evaluate", str(plain), *FEW, "--samples", "4", *options]) == 0


def test_texts_that_go_on_from_their_sources(conditional: Path, tmp_path: Path, tokenizer_file: Path, capsys) -> None:
    judge = make_judge(tokenizer_file)
    save_judge(tmp_path / "judge", judge, tokenizer_file)
    training = tmp_path / "training.json"
    training.write_text(json.dumps([f"Then {story}" for story in stories()]))
    data = tmp_path / "data.jsonl"
    pairs = [("Mia", f"Mia found a pear {i}.") for i in range(3)] + [(None, "No source."), ("Ben sang", "Tom.")]
    data.write_text("".join(json.dumps({"input": a, "output": b}) + "\n" for a, b in pairs))
    out = tmp_path / "out"
    options = ["--data", str(data), "--judge", str(tmp_path / "judge"), "--training", str(training), "--continuation"]
    command = ["evaluate", str(conditional), *options, "--batch-size", "4", "--out", str(out), "steps=2", "seed=3"]
    assert main([*command, "cfg=[1,2]"]) == 0
    assert "1 of 5 rows have no source" in capsys.readouterr().err

    ways = [NAME, "01_sde_2_gamma1.5_w3_cfg2_seed3"]
    rows = rows_of(out / "metrics.jsonl")
    tokenizer = load_tokenizer(tokenizer_file)
    sources = [tokenizer.decode(tokenizer.encode(source).ids[:4]) for source, _ in pairs if source]
    real = [tokenizer.decode(tokenizer.encode(text).ids[:4]) for source, text in pairs if source]
    for way, row in zip(ways, rows, strict=True):
        texts = [each["generated"] for each in rows_of(texts_of(out, way))]
        assert row["n"] == len(texts) == 4 and row["continuation"]
        expected = gen_perplexity(judge, texts, sources=sources)
        assert row["gen_ppl"] == pytest.approx(expected.perplexity, rel=1e-5)
        assert row["gen_ppl"] != pytest.approx(gen_perplexity(judge, texts).perplexity, rel=1e-5)
        # "Mia" is the name of the first three sources, "Ben" of the last, as far as four tokens reach.
        names = [name for source in sources for name in ("Mia", "Ben") if name in source.split()]
        kept = [name in text.split() for name, text in zip(names, texts, strict=False)]
        assert row["kept_names"] == sum(kept) / len(names)
        # The references are the real text beside: after the same sources, cut to the four tokens of a text.
        assert row["held_out_n"] == 4
        assert row["held_out_gen_ppl"] == pytest.approx(
            gen_perplexity(judge, real, sources=sources).perplexity, rel=1e-5
        )
        per_text = rows_of(out / way / "per_text_2_40.jsonl")
        assert [each["id"] for each in per_text] == [0, 1, 2, 4]
        nats, tokens = np.sum([each["gen_ppl"] for each in per_text], axis=0)
        assert math.exp(nats / tokens) == pytest.approx(row["gen_ppl"])

    assert main(["compare-metrics", *(str(out / way) for way in ways), "--metrics", "gen_ppl,entropy", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out.splitlines()[-1])["figures"]
    for name in ("gen_ppl", "entropy"):
        assert figures[name]["difference"] == pytest.approx(rows[1][name] - rows[0][name])


def test_a_judge_and_held_out_text_beside(plain: Path, whole: Path, tmp_path: Path, tokenizer_file: Path) -> None:
    judge = make_judge(tokenizer_file, scale=0.0)
    judge.facts["held_out"] = {"perplexity": 12.5}
    save_judge(tmp_path / "judge", judge, tokenizer_file)
    real = tmp_path / "real.json"
    real.write_text(json.dumps(stories()))
    options = ["--judge", str(tmp_path / "judge"), "--held-out", str(real), "--training", str(real)]
    assert main(["evaluate", str(plain), *FEW, *options, "--out", str(whole)]) == 0
    [row] = rows_of(whole / "metrics.jsonl")
    # A judge that knows nothing finds every token as likely as any other of the 60.
    assert row["gen_ppl"] == pytest.approx(60) and row["held_out_gen_ppl"] == pytest.approx(60)
    assert row["judge_held_out_ppl"] == 12.5 and row["entropy_tokens"] == "judge"
    # Real text is cut to the eight tokens that this model may write, and is all copied from itself.
    assert row["held_out_n"] == 10 and row["held_out_tokens_mean"] <= 8
    assert row["held_out_nearest_overlap"] > 0.2 > row["nearest_overlap"]


def blanked(out: Path, rows: dict[int, str]) -> list[str]:
    """Texts of an evaluation, some of them replaced in its file, which is measured anew."""
    texts = rows_of(texts_of(out))
    for number, text in rows.items():
        texts[number]["generated"] = text
    texts_of(out).write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in texts), encoding="utf-8")
    (out / "metrics.jsonl").unlink()
    return [row["generated"] for row in texts]


def test_blank_texts_are_counted_and_in_no_perplexity(
    plain: Path, tmp_path: Path, tokenizer_file: Path, capsys
) -> None:
    judge = make_judge(tokenizer_file)
    save_judge(tmp_path / "judge", judge, tokenizer_file)
    out = tmp_path / "out"
    command = ["evaluate", str(plain), *FEW, "--judge", str(tmp_path / "judge"), "--out", str(out)]
    assert main(command) == 0
    texts = blanked(out, {2: "", 5: "    ", 9: "\n"})
    capsys.readouterr()
    assert main(command) == 0
    assert "3 of 10 texts are blank, and in no perplexity or entropy" in capsys.readouterr().err
    [row] = rows_of(out / "metrics.jsonl")
    expected = gen_perplexity(judge, [text for text in texts if text.strip()])
    assert row["blank"] == 3 and row["n"] == 10
    assert row["gen_ppl"] == pytest.approx(expected.perplexity, rel=1e-6)
    assert row["entropy"] == pytest.approx(expected.entropy) and row["gen_ppl_tokens"] == expected.tokens
    # What each text adds to a figure: the blank ones nothing.
    per_text = rows_of(out / NAME / "per_text_2_40.jsonl")
    assert [each["entropy"] == [0, 0] and each["gen_ppl"] == [0, 0] for each in per_text] == [
        number in (2, 5, 9) for number in range(10)
    ]
    # `elf score` says the same of the same file, to the last digit.
    assert main(["score", str(texts_of(out)), "--judge", str(tmp_path / "judge"), "--confidence", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out)
    for name in ("gen_ppl", "gen_ppl_ci", "gen_ppl_tokens", "bits_per_byte", "entropy", "entropy_ci", "blank", "n"):
        assert scored[name] == row[name], name
    # Nothing but blank texts has no figures, and compares with nothing.
    blanked(out, dict.fromkeys(range(10), " "))
    assert main(command) == 0
    [row] = rows_of(out / "metrics.jsonl")
    assert (row["blank"], row["gen_ppl"], row["entropy"]) == (10, None, None)
    assert "gen_ppl" not in rows_of(out / NAME / "per_text_2_40.jsonl")[0]


def test_a_blank_answer_is_an_answer(conditional: Path, tmp_path: Path, tokenizer_file: Path, capsys) -> None:
    judge = make_judge(tokenizer_file)
    save_judge(tmp_path / "judge", judge, tokenizer_file)
    data, out = tmp_path / "data.jsonl", tmp_path / "out"
    data.write_text("".join(json.dumps({"input": text, "output": text}) + "\n" for text in stories()[:4]))
    command = ["evaluate", str(conditional), "--data", str(data), "--batch-size", "4", "--out", str(out)]
    command += ["--judge", str(tmp_path / "judge"), "steps=2", "seed=3"]
    assert main(command) == 0
    texts = blanked(out, {1: "", 3: " "})
    assert main(command) == 0
    assert "2 of 4 texts are blank\n" in capsys.readouterr().err
    [row] = rows_of(out / "metrics.jsonl")
    expected = gen_perplexity(judge, texts)
    assert row["gen_ppl"] == pytest.approx(expected.perplexity, rel=1e-6) and row["blank"] == 2
    assert row["entropy"] == pytest.approx(expected.entropy)


def test_the_metrics_of_a_training_are_not_touched(tmp_path: Path, plain: Path, capsys) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 20, "loss": 0.5}\n')
    assert main(["evaluate", str(plain), *FEW, "--out", str(tmp_path)]) == 2
    assert "no evaluation wrote it" in capsys.readouterr().err
    assert (tmp_path / "metrics.jsonl").read_text() == '{"step": 20, "loss": 0.5}\n'


@pytest.mark.parametrize(
    ("kind", "words", "said"),
    [
        ("plain", ["cfg=2"], "no source to guide by"),
        ("plain", ["--data", "x.jsonl"], "without a source"),
        ("plain", ["--metrics", "gen_ppl"], "needs a --judge"),
        ("plain", ["--metrics", "beauty"], "no metric 'beauty'"),
        ("plain", ["--samples", "0"], "--samples is 0"),
        ("plain", ["--batch-size", "0"], "--batch-size is 0"),
        ("plain", ["--rng-devices", "0"], "--rng-devices is 0"),
        ("plain", ["--rng-processes", "-1"], "--rng-processes is -1"),
        ("plain", ["--training", "x.jsonl", "--training-texts", "0"], "--training-texts is 0"),
        ("plain", ["--batch-size", "6", "--rng-devices", "4"], "6 rows does not split into 1 × 4"),
        ("plain", ["--batch-size", "4", "best_of=3"], "does not split into groups of 3"),
        ("plain", ["length=9"], "writes 1 to 8 tokens"),
        ("plain", ["stepz=4"], "no field stepz"),
        ("plain", ["--continuation"], "no sources to go on from"),
        ("conditional", [], "none are given"),
    ],
)
def test_bad_input_is_named_before_anything_is_written(request, tmp_path, capsys, kind, words, said) -> None:
    model = request.getfixturevalue(kind)
    assert main(["evaluate", str(model), "--out", str(tmp_path / "out"), "steps=2", *words]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_how_many_texts_are_written() -> None:
    asked_and_rows = [(None, 0), (None, 6), (4, 0), (4, 6), (1000, 6)]
    assert [evaluate.sample_count(*each) for each in asked_and_rows] == [1000, 6, 4, 4, 6]


def test_output_goes_beside_the_model_of_a_training(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    places = {"runs/a": "runs/a", "runs/a/model": "runs/a", "runs/a/checkpoints/checkpoint_5": "runs/a", "my": "my"}
    for checkpoint, folder in places.items():
        # What is not there may be a name on the hub.
        Path(checkpoint).mkdir(parents=True, exist_ok=True)
        assert evaluate.default_out(Path(checkpoint)) == Path(folder) / "evaluation"
    monkeypatch.chdir("runs/a/checkpoints")
    assert evaluate.default_out(Path("checkpoint_5")) == tmp_path / "runs/a/evaluation"
    monkeypatch.chdir(tmp_path)
    # In an exported folder it would be a file that its manifest does not list.
    (tmp_path / "my/manifest.json").write_text("{}")
    assert evaluate.default_out(Path("my")) == tmp_path / "my-evaluation"


def test_output_of_a_model_on_the_hub_is_not_taken_for_that_model(monkeypatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name, folder in {"a/run": "a--run", "a/run/model@v1": "a--run--model--v1", "ELF-B-owt": "ELF-B-owt"}.items():
        out = evaluate.default_out(Path(name))
        assert out == Path("evaluation") / folder
        out.mkdir(parents=True)
        assert hub_name(name), "the same command finds the same model"
        assert evaluate.default_out(Path(name)) == out
