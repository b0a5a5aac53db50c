"""`elf train-judge` on a small corpus: it learns, resumes, and its folder judges by itself."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import stories
from flax import nnx

from elf.cli import main as cli
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.rows import Ragged, TokenDataset, batch_at, open_dataset
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError, DatasetError, EmptyCorpusError
from elf.evaluation.gpt2 import Gpt2
from elf.evaluation.judge import load_judge
from elf.evaluation.perplexity import gen_perplexity
from elf.network.modules import split
from elf.training.optimizer import OptimizerConfig
from elf.training.train_judge import Arguments, command, held_out_texts, main


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def arguments(prepared: Path, tokenizer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Arguments:
    return Arguments(
        data=prepared / "train",
        held_out=prepared / "held_out",
        tokenizer=tokenizer_file,
        out=tmp_path_factory.mktemp("judge"),
        layers=1,
        heads=2,
        width=16,
        steps=30,
        batch_size=8,
        compute_dtype="float32",
        log_every=1,
        corpus="stories of the tests",
        licence="MIT",
        optimizer=OptimizerConfig(optimizer="adamw", blr=1.0, warmup_steps=2),
    )


@pytest.fixture(scope="module")
def trained(arguments: Arguments) -> Path:
    main(arguments)
    return arguments.out


def test_it_learns_and_tells_the_perplexity_of_held_out_text(trained: Path, arguments: Arguments) -> None:
    losses = [row["loss"] for row in rows(trained)]
    assert losses[0] == pytest.approx(math.log(60), abs=0.1) and losses[-1] < losses[0] - 0.5
    judge = load_judge(trained)
    held_out = judge.facts["held_out"]
    dataset = open_dataset(arguments.held_out)
    texts = [judge.tokenizer.decode(dataset.input_ids[i].tolist()) for i in range(len(dataset))]
    measured = gen_perplexity(judge, texts)
    assert held_out["texts"] == len(texts) and held_out["perplexity"] == pytest.approx(measured.perplexity, rel=1e-4)
    assert held_out["perplexity"] < 40 and held_out["bits_per_byte"] == pytest.approx(measured.bits_per_byte, rel=1e-4)
    # It has learnt this corpus, not letters: the same words in disorder surprise it more.
    rng = np.random.default_rng(0)
    disorder = gen_perplexity(judge, [" ".join(rng.permutation(text.split())) for text in texts])
    assert disorder.perplexity > 1.1 * measured.perplexity


def test_the_loss_is_the_mean_nll_by_which_texts_are_judged(trained: Path, arguments: Arguments) -> None:
    judge = load_judge(trained)
    _, first = split(nnx.jit(lambda: Gpt2(judge.config, rngs=nnx.Rngs(arguments.seed)))())
    dataset = open_dataset(arguments.data)
    batch = batch_at(dataset, 0, batch_size=8, length=judge.config.n_positions, pad_token=1, seed=0)
    ids = [row[real].tolist() for row, real in zip(batch.ids, batch.real, strict=True)]
    texts = [judge.tokenizer.decode(row) for row in ids]
    assert [judge.tokenizer.encode(text).ids for text in texts] == ids
    untrained = replace(judge, params={name: np.asarray(value) for name, value in first.items()})
    assert gen_perplexity(untrained, texts).mean_nll == pytest.approx(rows(trained)[0]["loss"], rel=1e-4)


def test_its_window_takes_the_longest_text_with_its_end(trained: Path, arguments: Arguments) -> None:
    dataset = open_dataset(arguments.data)
    longest = max(len(dataset.input_ids[i]) for i in range(len(dataset)))
    assert load_judge(trained).config.n_positions == longest + 1
    with pytest.raises(ConfigError, match=f"has {longest + 1} tokens"):
        main(replace(arguments, length=longest + 2))


def test_a_stopped_run_goes_on_with_the_same_losses(trained: Path, arguments: Arguments, tmp_path: Path) -> None:
    # Constant rate, so the number of steps does not enter the numbers.
    main(replace(arguments, out=tmp_path, steps=4))
    main(replace(arguments, out=tmp_path, steps=7))
    assert [row["loss"] for row in rows(tmp_path)] == [row["loss"] for row in rows(trained)[:7]]


def test_judge_json_says_how_it_was_made_and_no_path(trained: Path, arguments: Arguments) -> None:
    facts = load_judge(trained).facts
    assert facts["corpus"] == "stories of the tests" and facts["licence"] == "MIT" and facts["steps"] == 30
    assert facts["training_texts"] == len(open_dataset(arguments.data))
    # Embeddings of 60 ids and of the positions; 12 H² + 13 H in the block, 2 H in the last norm.
    positions = load_judge(trained).config.n_positions
    assert facts["parameters"] == (60 + positions) * 16 + 12 * 16**2 + 13 * 16 + 2 * 16
    said = command(arguments)
    assert said.startswith("elf train-judge --layers 1 ") and "--optimizer.blr 1.0" in said
    assert str(arguments.out) not in json.dumps(facts) and str(arguments.data.parent) not in json.dumps(facts)


def test_pairs_and_foreign_tokens_are_refused(arguments: Arguments, tokenizer_file: Path, tmp_path: Path) -> None:
    corpus = tmp_path / "pairs.tsv"
    corpus.write_text("\n".join(f"{text}\t{text}" for text in stories()[:9]))
    prepare(PrepareArguments(corpus=corpus, tokenizer=tokenizer_file, out=tmp_path / "pairs", held_out=0.2))
    with pytest.raises(DatasetError, match="pairs"):
        main(replace(arguments, data=tmp_path / "pairs" / "train", out=tmp_path / "out"))
    with pytest.raises(ConfigError, match="3 heads"):
        main(replace(arguments, heads=3, out=tmp_path / "out"))
    with pytest.raises(ConfigError, match="at least 1"):
        replace(arguments, steps=0)
    with pytest.raises(EmptyCorpusError, match="no text"):
        held_out_texts(TokenDataset(Ragged.from_rows([[], []])), load_tokenizer(tokenizer_file), 10)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"log_every": 0}, "log-every must be at least 1"),
        ({"checkpoint_minutes": -1.0}, r"checkpoint_minutes is -1\.0"),
        ({"checkpoint_minutes": math.nan}, "checkpoint_minutes is nan"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_silly_options_are_refused_by_name(arguments: Arguments, changes: dict, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        replace(arguments, **changes)


def test_the_command_line_names_a_missing_dataset(arguments: Arguments, tmp_path: Path, capsys) -> None:
    words = ["train-judge", "--data", str(tmp_path / "no"), "--held-out", str(arguments.held_out)]
    assert cli([*words, "--tokenizer", str(arguments.tokenizer), "--out", str(tmp_path / "out")]) == 2
    assert "DatasetError" in capsys.readouterr().err
