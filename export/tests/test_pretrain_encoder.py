"""`elf pretrain-encoder`: what its windows hold, what is hidden in them, and finding translations by embeddings."""

import json
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elf.cli import main as cli
from elf.config import T5Config
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.rows import Batch, Ragged, TokenDataset
from elf.dev.make_random import random_params
from elf.errors import ConfigError, DatasetError
from elf.network.encoder import encoder_from_params
from elf.network.parameters import encoder_parameter_shapes
from elf.training.optimizer import OptimizerConfig
from elf.training.pretrain_encoder import (
    Arguments,
    check_shares,
    encoder_batches,
    hide_tokens,
    main,
    nearest_is_own,
    sentence_embeddings,
)

EOS = 1


def texts(count: int) -> TokenDataset:
    """Row i is nine times 100 + i."""
    return TokenDataset(Ragged.from_rows([[100 + i] * 9 for i in range(count)]))


def pairs(count: int) -> TokenDataset:
    """Row i is source 200 + i and target 300 + i, 300 + i."""
    targets = Ragged.from_rows([[300 + i] * 2 for i in range(count)])
    return TokenDataset(targets, Ragged.from_rows([[200 + i] for i in range(count)]))


def batches(datasets: list[TokenDataset], shares: list[float], count: int, start: int = 0) -> list[Batch]:
    stream = encoder_batches(datasets, shares, batch_size=8, length=11, vocabulary_size=400, seed=3, start=start)
    return list(islice(stream, count))


def test_windows_come_in_the_shares_asked_for() -> None:
    ids = np.concatenate([batch.ids for batch in batches([texts(30), pairs(30)], [0.75, 0.25], 10)])
    assert (ids[:, 0] < 200).mean() == 0.75


def test_pairs_share_windows_whole_and_side_by_side() -> None:
    ids = np.concatenate([batch.ids for batch in batches([pairs(30)], [1.0], 10)])
    held = []
    for row in ids.tolist():
        words = [word.split() for word in " ".join(map(str, row)).split(f" {EOS}")]
        found = [word for word in words if word]
        assert all(word[1:] == [str(int(word[0]) + 100)] * 2 for word in found), "source, then its own target"
        held.append(len(found))
    assert sorted(set(held)) == [1, 3] and held.count(1) == 20, "three fit into 11; every fourth window holds one"


def test_a_resumed_run_reads_on() -> None:
    whole = batches([texts(30), pairs(30)], [0.5, 0.5], 6)
    rest = batches([texts(30), pairs(30)], [0.5, 0.5], 2, start=4)
    for a, b in zip(whole[4:], rest, strict=True):
        np.testing.assert_array_equal(a.ids, b.ids)


def test_ids_beyond_the_vocabulary_are_named() -> None:
    with pytest.raises(DatasetError, match="401"):
        batches([TokenDataset(Ragged.from_rows([[401, 5]]))], [1.0], 1)


@pytest.mark.parametrize("shares", [(0.5,), (0.5, 0.0), (0.5, -1.0), (1.0, 1.0, 1.0), (float("nan"), 1.0)])
def test_silly_shares_are_refused(shares: tuple[float, ...]) -> None:
    with pytest.raises(ConfigError, match="shares"):
        check_shares(2, shares)
    assert check_shares(2, ()) == (0.5, 0.5) and check_shares(2, (3, 1)) == (0.75, 0.25)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("steps", 0),
        ("steps", -5),
        ("batch-size", 0),
        ("length", 0),
        ("checkpoint-minutes", -1),
        ("checkpoint-minutes", "nan"),
        ("seed", -1),
    ],
)
def test_silly_options_are_refused_by_name(option: str, value: object, tmp_path: Path, capsys) -> None:
    files = ("--data", str(tmp_path), "--tokenizer", str(tmp_path / "x"), "--out", str(tmp_path / "out"))
    assert cli(["pretrain-encoder", *files, f"--{option}={value}"]) == 2
    assert option in capsys.readouterr().err.replace("_", "-") and not (tmp_path / "out").exists()


def test_a_dtype_that_is_none_is_no_choice(capsys) -> None:
    with pytest.raises(SystemExit, match="2"):
        cli(["pretrain-encoder", "--data", "x", "--tokenizer", "x", "--out", "x", "--compute-dtype", "bf16"])
    assert "invalid choice 'bf16'" in capsys.readouterr().err


def test_tokens_are_hidden_where_they_are_real_and_nowhere_else() -> None:
    ids = jnp.asarray(np.random.default_rng(0).integers(3, 50, (200, 20)))
    real = jnp.arange(20)[None, :] < jnp.where(jnp.arange(200) < 100, 20, 10)[:, None]
    hide = jax.jit(lambda key, ids, real: hide_tokens(key, ids, real, 0.4, 59, 50))
    hidden, positions, counts = (np.asarray(a) for a in hide(jax.random.key(0), ids, real))
    assert positions.shape == (200, 8)
    assert (counts[:100].sum(1) == 8).all() and (counts[100:].sum(1) == 4).all()
    assert (np.asarray(positions)[counts] < np.repeat(np.where(np.arange(200) < 100, 20, 10), counts.sum(1))).all()
    chosen = np.zeros((200, 20), bool)
    for row, at, which in zip(chosen, positions, counts, strict=True):
        row[at[which]] = True
    assert (hidden == np.asarray(ids))[~chosen].all()
    assert abs((hidden == 59)[chosen].mean() - 0.7) < 0.04
    assert abs((hidden == np.asarray(ids))[chosen].mean() - 0.15) < 0.04


def test_a_sentence_is_the_mean_of_its_own_tokens() -> None:
    config = T5Config(vocabulary_size=50, d_model=16, d_kv=8, d_ff=32, layers=1, heads=2)
    params = random_params(encoder_parameter_shapes(config), seed=0)
    sentences = [np.asarray([5, 6, 7]), np.asarray([8, 9, 10, 11, 12])]
    found = sentence_embeddings(config, params, sentences, 8)
    encoder = encoder_from_params(config, params)
    alone = jax.jit(lambda ids: encoder(ids[None])[0].mean(0))
    for row, ids in zip(found, sentences, strict=True):
        np.testing.assert_allclose(row, np.asarray(alone(jnp.asarray(ids))), atol=1e-5)


def test_own_translations_are_counted() -> None:
    sources = np.asarray([[1.0, 0], [0, 1], [-1, 0.1]])
    assert nearest_is_own(sources, 3 * sources) == 1
    assert nearest_is_own(sources, sources[[1, 0, 2]]) == pytest.approx(1 / 3)


def test_texts_and_pairs_train_one_encoder(
    prepared: Path, tokenizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each 'translation' names the thing of its source; the report tells both datasets and the retrieval."""
    corpus = tmp_path / "pairs.tsv"
    corpus.write_text(
        "".join(f"{name} found a {thing}.\t{name} gave a {thing}.\n" for name in NAMES for thing in THINGS)
    )
    prepare(PrepareArguments(corpus=corpus, tokenizer=tokenizer_file, out=tmp_path / "pairs", held_out=0.2))
    capsys.readouterr()
    arguments = Arguments(
        data=(prepared / "train", tmp_path / "pairs/train"),
        shares=(0.5, 0.5),
        pairs=tmp_path / "pairs/held_out",
        tokenizer=tokenizer_file,
        out=tmp_path / "encoder",
        steps=60,
        batch_size=16,
        length=32,
        d_model=16,
        d_kv=8,
        d_ff=32,
        layers=1,
        heads=2,
        compute_dtype="float32",
        optimizer=OptimizerConfig(blr=0.1, warmup_steps=2, schedule="cosine"),
    )
    main(arguments)
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {str(folder) for folder in arguments.data} < set(report) and 0 < report["retrieval"] <= 1
    facts = json.loads((tmp_path / "encoder/encoder.json").read_text())
    assert facts["shares"] == [0.5, 0.5] and facts["data"] == [str(folder) for folder in arguments.data]

    with pytest.raises(DatasetError, match="not pairs"):
        main(Arguments(data=arguments.data, pairs=prepared / "train", tokenizer=tokenizer_file, out=tmp_path / "x"))


NAMES = ("Mia", "Ben", "Tom", "Ada", "Sam", "Lea")
THINGS = ("kite", "boat", "lamp", "drum", "frog", "pear", "coat", "bell")
