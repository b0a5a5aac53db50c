"""The yardstick of translation: its network against what it must not see, its training, and its command lines."""

import json
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import sacrebleu
from flax import nnx

from elf.cli import main as cli
from elf.config_file import load_config
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import RowWriter
from elf.data.prepare import main as prepare
from elf.data.rows import Ragged, TokenDataset, open_dataset
from elf.data.tokenizer import EOS, PAD, load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, DatasetError
from elf.evaluation.texts import read_generations
from elf.network.modules import abstract, bind, split
from elf.yardstick.train import YardstickConfig, make_update, smoothed_loss
from elf.yardstick.translate import POOL, collate_pairs, greedy, mean_target_length, pair_batches, usable
from elf.yardstick.translator import (
    StoredTranslator,
    Translator,
    TranslatorConfig,
    dropout,
    load_translator,
    save_translator,
)

TINY = TranslatorConfig(
    hidden_size=16,
    heads=2,
    encoder_layers=1,
    decoder_layers=2,
    feed_forward_size=32,
    vocabulary_size=60,
    max_input_length=10,
    max_output_length=10,
)
EXPERIMENT = """
name: test
data: {pairs}/train
held_out: {pairs}/train
tokenizer: {tokenizer}
out: {out}
steps: 200
batch_size: 12
network: {{hidden_size: 32, heads: 2, encoder_layers: 1, decoder_layers: 1, feed_forward_size: 64, vocabulary_size: 60}}
optimizer: {{optimizer: adamw, blr: 0.6, warmup_steps: 5}}
dropout: 0.0
ema_decay: 0.9
compute_dtype: float32
evaluate_every: 100
log_every: 20
licence: MIT
"""
PAIRS = {
    "Mia found a kite by the mill.": "Was the kite lost?",
    "Ben found a boat by the gate.": "Ben sang a quiet song.",
    "Tom found a lamp.": "The lamp went home to sleep.",
    "Ada gave a drum to a friend.": "A friend sang a quiet song.",
    "Sam found a pear by the pond.": "Sam laughed all day.",
    "Lea found a bell by the old tree.": "Was it lost?",
}
"""All between 17 and 24 tokens on the longer side, so that one shape is compiled."""


@pytest.fixture(scope="module")
def tiny() -> Translator:
    return nnx.jit(lambda: Translator(TINY, rngs=nnx.Rngs(0)))()


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    # One pair more, which `elf prepare` may hold out.
    rows = [*PAIRS.items(), ("It was old.", "The lamp was by the mill.")]
    (folder / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    prepare(PrepareArguments(corpus=folder / "pairs.tsv", tokenizer=tokenizer_file, out=folder, held_out=0.1))
    return folder


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory, pairs: Path, tokenizer_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("yardstick")
    path = folder / "test.yml"
    path.write_text(EXPERIMENT.format(pairs=pairs, tokenizer=tokenizer_file, out=folder / "out"))
    return path


@pytest.fixture(scope="module")
def trained(experiment: Path) -> Path:
    assert cli(["yardstick", "train", "--config", str(experiment)]) == 0
    return experiment.parent / "out"


def rows_of(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def sample(rng: np.random.Generator, *lengths: int) -> list[np.ndarray]:
    return [rng.integers(3, TINY.vocabulary_size, length) for length in lengths]


@partial(jax.jit, static_argnums=0)
def compiled_logits(graphdef, params, source, real, target):
    return bind(graphdef, params).logits(source, real, target)


def logits_of(translator: Translator, source: np.ndarray, real: np.ndarray, target: np.ndarray) -> np.ndarray:
    return np.asarray(compiled_logits(*split(translator), source, real, target))


def test_a_token_depends_on_those_before_it_and_on_the_whole_source(tiny: Translator) -> None:
    rng = np.random.default_rng(0)
    source, target = rng.integers(3, 60, (1, 6)), rng.integers(3, 60, (1, 8))
    real = np.ones((1, 6), bool)
    base = logits_of(tiny, source, real, target)
    for at in range(8):
        other = target.copy()
        other[0, at] = 3 + (other[0, at] - 2) % 57
        changed = np.abs(logits_of(tiny, source, real, other) - base)[0].max(axis=-1)
        assert (changed[: at + 1] < 1e-6).all() and (changed[at + 1 :] > 1e-4).all()
    for at in range(6):
        other = source.copy()
        other[0, at] = 3 + (other[0, at] - 2) % 57
        assert (np.abs(logits_of(tiny, other, real, target) - base)[0].max(axis=-1) > 1e-4).all()


def test_filling_of_the_source_is_invisible(tiny: Translator) -> None:
    rng = np.random.default_rng(1)
    source, target = rng.integers(3, 60, (1, 6)), rng.integers(3, 60, (1, 8))
    alone = logits_of(tiny, source, np.ones((1, 6), bool), target)
    filled = np.concatenate([source, rng.integers(3, 60, (1, 4))], axis=1)
    real = np.arange(10)[None] < 6
    np.testing.assert_allclose(logits_of(tiny, filled, real, target), alone, atol=1e-5)
    nothing = logits_of(tiny, filled, np.zeros((1, 10), bool), target)
    assert np.isfinite(nothing).all() and np.abs(nothing - alone).max() > 1e-3


def test_word_order_of_both_sides_matters(tiny: Translator) -> None:
    source, target, real = np.arange(5, 11)[None], np.arange(20, 28)[None], np.ones((1, 6), bool)
    base = logits_of(tiny, source, real, target)[0, -1]
    assert np.abs(logits_of(tiny, source[:, ::-1], real, target)[0, -1] - base).max() > 1e-3
    swapped = np.array([[21, 20, *range(22, 28)]])
    assert np.abs(logits_of(tiny, source, real, swapped)[0, -1] - base).max() > 1e-3


def test_greedy_writes_the_likeliest_token_after_its_own(tiny: Translator) -> None:
    sources = sample(np.random.default_rng(2), 10, 3, 7, 1, 5, 9)
    batch = collate_pairs([(ids, ids[:0]) for ids in sources], TINY, filled_to=8)
    # The source is made to tell more, and the end likelier, so that rows differ and end at different places.
    graphdef, params = split(tiny)
    params = {name: value * (16 if "cross/out" in name else 1) for name, value in params.items()}
    params["embedding"] = params["embedding"].at[EOS].multiply(1.5)
    translator = bind(graphdef, params)
    ids = np.asarray(jax.jit(lambda a, b: greedy(translator, a, b))(batch.source, batch.source_length))
    assert ids.shape == (8, 11) and (ids[6:] == PAD).all(), "filling stays empty"
    real = np.arange(10) < batch.source_length[:, None]
    likeliest = logits_of(translator, batch.source, real, ids).argmax(axis=-1)
    lengths = []
    for written, best in zip(ids[:6], likeliest, strict=False):
        ends = np.flatnonzero(written == EOS)
        length = int(ends[0]) + 1 if len(ends) else 11
        lengths.append(length)
        np.testing.assert_array_equal(written[:length], best[:length])
        assert (written[length:] == PAD).all()
    assert {2, 3, 11} <= {*lengths} and len(np.unique(ids)) > 8


def test_loss_is_cross_entropy_with_the_smoothed_target() -> None:
    rng = np.random.default_rng(3)
    logits, target = rng.normal(size=(4, 7)), np.array([0, 6, 2, 2])
    log_p = logits - np.log(np.exp(logits).sum(-1, keepdims=True))
    wanted = np.full((4, 7), 0.1 / 7)
    wanted[np.arange(4), target] += 0.9
    smoothed, nll = smoothed_loss(jnp.asarray(logits), jnp.asarray(target), 0.1)
    np.testing.assert_allclose(smoothed, -(wanted * log_p).sum(-1), rtol=1e-5)
    np.testing.assert_allclose(nll, -log_p[np.arange(4), target], rtol=1e-5)


def test_dropout_drops_its_share_anew_at_every_call() -> None:
    drop = dropout(jax.random.key(0), 0.1)
    ones = jnp.ones((200, 500))
    first, second = np.asarray(drop(ones)), np.asarray(drop(ones))
    assert (first == 0).mean() == pytest.approx(26 / 256, abs=0.003) and first.mean() == pytest.approx(1, abs=0.005)
    assert ((first == 0) & (second == 0)).mean() == pytest.approx((26 / 256) ** 2, abs=0.002)
    assert dropout(jax.random.key(0), 0.0)(ones) is ones


def test_batches_hold_every_row_once_an_epoch_in_few_shapes() -> None:
    rng = np.random.default_rng(4)
    lengths = rng.integers(1, 12, (2, 6 * POOL))
    # The first token of a source is its row's own.
    sources = [[100 + i] + [5] * (n - 1) for i, n in enumerate(lengths[0])]
    dataset = TokenDataset(Ragged.from_rows([[7] * n for n in lengths[1]]), Ragged.from_rows(sources))
    config = replace(TINY, vocabulary_size=300)
    whole = list(islice(pair_batches(dataset, config, batch_size=3, seed=5), 2 * POOL))
    seen = np.concatenate([batch.source[:, 0] for batch in whole])
    assert sorted(seen) == list(range(100, 100 + 6 * POOL))
    assert {batch.source.shape[1] for batch in whole} == {8, 10}, "10 is the longest that this network takes"
    for batch in whole:
        i = batch.source[:, 0] - 100
        np.testing.assert_array_equal(batch.source_length, np.minimum(lengths[0][i], 10))
        # A target of 11 is cut, and so has no end.
        np.testing.assert_array_equal(batch.target_length, np.where(lengths[1][i] > 10, 10, lengths[1][i] + 1))
        np.testing.assert_array_equal((batch.target == EOS).sum(axis=1), lengths[1][i] <= 10)
    rest = list(islice(pair_batches(dataset, config, batch_size=3, seed=5, start=POOL + 3), 4))
    for a, b in zip(whole[POOL + 3 :], rest, strict=False):
        for x, y in zip(a.arrays(), b.arrays(), strict=True):
            np.testing.assert_array_equal(x, y)
    widths = [batch.source.shape[1] for batch in whole]
    assert widths != sorted(widths), "short rows do not all come first"
    exact = np.minimum(lengths[1], 10).mean() + 1
    assert mean_target_length(dataset, config) == pytest.approx(exact)


def test_ids_beyond_the_vocabulary_are_named() -> None:
    with pytest.raises(DatasetError, match="60"):
        collate_pairs([(np.array([5]), np.array([60]))], TINY)


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_it_learns_a_handful_of_pairs_by_heart(trained: Path, pairs: Path, capsys, tmp_path: Path) -> None:
    first, last = rows_of(trained)[0], rows_of(trained)[-1]
    assert first["loss"] > 2 and last["loss"] < 0.5 and "bleu" not in first
    measured = [row for row in rows_of(trained) if "bleu" in row]
    assert [row["step"] for row in measured] == [100, 200]
    # The loss is smallest where a token has 0.9 of the probability, and its share of the 0.1 that all 60 are given.
    assert measured[-1]["held_out_loss"] == pytest.approx(-np.log(0.9 + 0.1 / 60), abs=0.02)
    assert measured[-1]["bleu"] > 99.9 and 0 < measured[0]["update_seconds"] < measured[1]["update_seconds"]
    assert 0 < measured[0]["processor_seconds"] < measured[1]["processor_seconds"]

    capsys.readouterr()
    written = tmp_path / "translations.jsonl"
    words = ["yardstick", "evaluate", str(trained), "--data", str(pairs / "train"), "--generations", str(written)]
    assert cli([*words, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    dataset, tokenizer = open_dataset(pairs / "train"), load_tokenizer(trained / "model/tokenizer.json")
    references = [tokenizer.decode(dataset[i][1].tolist()) for i in range(len(dataset))]
    assert [*read_generations(written).values()] == references
    assert report["n"] == len(dataset) and report["bleu"] > 99.9 and report["bleu_ci"][0] > 99.9
    assert report["held_out_loss"] == pytest.approx(measured[-1]["held_out_loss"], rel=1e-3)
    assert report["steps"] == 200 and "case:lc" in report["bleu_signature"]


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_bleu_and_loss_are_those_of_other_pairs_too(trained: Path, tmp_path: Path, capsys) -> None:
    """Against sacreBLEU and the definition, on references that the model does not know."""
    sources = list(PAIRS)
    references = ["Was the boat lost?", "Ben sang a song all day.", *list(PAIRS.values())[2:]]
    data = tmp_path / "pairs.jsonl"
    data.write_text("".join(json.dumps({"input": s, "output": r}) + "\n" for s, r in zip(sources, references)))  # noqa: B905
    written = tmp_path / "translations.jsonl"
    words = ["yardstick", "evaluate", str(trained / "model"), "--data", str(data), "--samples", "4", "--json"]
    assert cli([*words, "--generations", str(written)]) == 0
    report = json.loads(capsys.readouterr().out)
    texts = [*read_generations(written).values()]
    bleu = sacrebleu.corpus_bleu(texts, [references[:4]], lowercase=True, use_effective_order=True, force=True)
    assert report["n"] == 4 and report["bleu"] == pytest.approx(bleu.score) and 5 < report["bleu"] < 95
    low, high = report["bleu_ci"]
    assert low < report["bleu"] < high

    model = load_translator(trained)
    tokenizer = load_tokenizer(model.tokenizer)
    translator = bind(split(Translator(model.config, rngs=nnx.Rngs(0)))[0], model.params)
    nll = []
    for source, reference in zip(sources[:4], references[:4], strict=True):
        ids, target = tokenizer.encode(source).ids, [*tokenizer.encode(reference).ids, EOS]
        logits = logits_of(translator, np.array([ids]), np.ones((1, len(ids)), bool), np.array([target]))[0]
        log_p = logits - np.log(np.exp(logits.astype(np.float64)).sum(-1, keepdims=True))
        nll += [-log_p[at, token] for at, token in enumerate(target)]
    assert report["held_out_loss"] == pytest.approx(np.mean(nll), rel=1e-4)


@pytest.mark.slow("three trainings more")
def test_a_stopped_run_goes_on_to_the_same_weights(experiment: Path, tmp_path: Path) -> None:
    for name, stops in (("whole", (9,)), ("parts", (5, 9))):
        for steps in stops:
            words = [f"out={tmp_path / name}", f"steps={steps}", "dropout=0.2", "log_every=1", "evaluate_every=50"]
            assert cli(["yardstick", "train", "--config", str(experiment), *words]) == 0
    losses = [[row["loss"] for row in rows_of(tmp_path / name)] for name in ("whole", "parts")]
    assert losses[0] == losses[1] and len(losses[0]) == 9
    whole, parts = (load_translator(tmp_path / name) for name in ("whole", "parts"))
    for name, value in whole.params.items():
        np.testing.assert_array_equal(value, parts.params[name])
    assert parts.training["update_seconds"] > 0 and parts.training["steps"] == 9


def test_the_saved_weights_are_the_averaged_ones(experiment: Path) -> None:
    config = load_config(YardstickConfig, experiment, ("steps=3",))
    dataset = open_dataset(config.data)
    state, update = make_update(config, mean_target_length(dataset, config.network))
    mean = {name: np.array(value) for name, value in state.learnt.params.items()}
    for step, batch in zip(range(3), pair_batches(dataset, config.network, batch_size=12, seed=0), strict=False):
        state, _ = update(state, batch)
        decay = min(0.9, (1 + step) / (10 + step))
        mean = {name: decay * mean[name] + (1 - decay) * np.array(state.learnt.params[name]) for name in mean}
    for name, value in mean.items():
        np.testing.assert_allclose(state.learnt.ema[name], value, atol=1e-5)


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_the_model_says_how_it_came_to_be_and_no_path(trained: Path, experiment: Path) -> None:
    facts = load_translator(trained).training
    assert facts["command"] == "elf yardstick train --config test.yml" and facts["licence"] == "MIT"
    # Table, q, kv, out and SwiGLU of three attentions and two feed-forwards, norms.
    attention, feed_forward = 4 * 32**2 + 2 * 16, 3 * 32 * 64
    assert facts["parameters"] == 60 * 32 + 3 * attention + 2 * feed_forward + (2 + 3 + 2) * 32
    assert str(experiment.parent) not in json.dumps(facts)


def test_the_shipped_experiment_is_as_large_as_it_says() -> None:
    config = load_config(YardstickConfig, Path(__file__).parents[1] / "configs/translate-yardstick.yml")
    _, params = abstract(Translator, config.network)
    assert sum(value.size for value in params.values()) == 5_772_672


@pytest.mark.parametrize(
    ("override", "error", "said"),
    [
        ("network.heads=3", ConfigError, "3 heads"),
        ("network.encoder_layers=-1", ConfigError, "encoder_layers"),
        ("network.vocabulary_size=59", ConfigError, "60 ids"),
        ("label_smoothing=1.0", ConfigError, "label_smoothing"),
        ("evaluate_every=30", ConfigError, "no multiple"),
        ("steps=0", ConfigError, "steps"),
        ("data={prepared}/train", DatasetError, "not pairs"),
        ("held_out={prepared}/train", DatasetError, "no source"),
        ("tokenizer={prepared}", CheckpointError, "tokenizer"),
    ],
)
def test_what_cannot_be_trained_is_named(
    override: str, error: type, said: str, experiment: Path, prepared: Path, tmp_path: Path, capsys
) -> None:
    words = [override.format(prepared=prepared), f"out={tmp_path / 'out'}"]
    assert cli(["yardstick", "train", "--config", str(experiment), *words]) == 2
    printed = capsys.readouterr().err
    assert error.__name__ in printed and said in printed
    assert not (tmp_path / "out").exists(), "nothing is left behind"


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_a_folder_without_a_yardstick_is_named(trained: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no yardstick"):
        load_translator(tmp_path)
    model = load_translator(trained)
    save_translator(replace(model, config=replace(model.config, heads=1)), tmp_path)
    with pytest.raises(CheckpointMismatchError, match="attn/k_norm"):
        load_translator(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"no weights")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        load_translator(tmp_path)
    (tmp_path / "config.json").write_text('{"elf": {}}')
    with pytest.raises(CheckpointError, match="another kind"):
        load_translator(tmp_path)
    assert cli(["yardstick", "evaluate", str(trained), "--data", "x", "--samples", "0"]) == 2


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_its_translations_become_the_targets_of_a_dataset(trained: Path, pairs: Path, tmp_path: Path, capsys) -> None:
    """It has learnt its pairs by heart, so a corpus with other targets gets the learnt ones back."""
    learnt = open_dataset(pairs / "train")
    other = tmp_path / "other"
    with RowWriter(other, ("input_ids", "condition_input_ids")) as writer:
        writer.write([([7, 8], learnt[row][0].tolist()) for row in range(len(learnt))])
        writer.save()
    apart = tmp_path / "apart"
    with RowWriter(apart, ("input_ids", "condition_input_ids")) as writer:
        writer.write([(learnt[1][1].tolist(), [5])])
        writer.save()
    capsys.readouterr()
    words = ["yardstick", "translate", str(trained), "--data", str(other), "--out", str(tmp_path / "out")]
    assert cli([*words, "--apart", str(apart), "--at-once", "4"]) == 0
    report = json.loads(capsys.readouterr().out)
    left = [row for row in range(len(learnt)) if row != 1]
    assert report["examples"] == len(left) and report["as_before"] == 0
    assert [report[reason] for reason in ("reserved", "unended", "empty", "too_long")] == [1, 0, 0, 0]
    told = open_dataset(tmp_path / "out")
    for at, row in enumerate(left):
        for mine, wanted in zip(told[at], learnt[row], strict=True):
            np.testing.assert_array_equal(mine, wanted)


def test_what_is_no_translation_is_left_out() -> None:
    written = [[5, 6, EOS], [5, 6, 7], [EOS], [8, EOS], []]
    source = np.array([4, 4])
    rows, left_out = usable(zip([source] * 5, map(np.array, written), strict=True), {(8,)})
    assert rows == [([5, 6], [4, 4])] and left_out == {"unended": 2, "empty": 1, "too_long": 0, "reserved": 1}
    # Source, translation and its end: 5 and 4 tokens.
    assert usable(zip([source] * 5, map(np.array, written), strict=True), set(), 4) == (
        [([8], [4, 4])],
        {"unended": 2, "empty": 1, "too_long": 1, "reserved": 0},
    )


def test_a_source_that_is_read_in_part_is_not_translated(
    tiny: Translator, tokenizer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    """Whole sources stood beside translations of their first `max_input_length` tokens."""
    params = {name: np.asarray(value) for name, value in split(tiny)[1].items()}
    save_translator(StoredTranslator(TINY, params, tokenizer_file), tmp_path / "model")
    with RowWriter(tmp_path / "data", ("input_ids", "condition_input_ids")) as writer:
        writer.write([([7], [8] * length) for length in (9, 10, 11, 40)])
        writer.save()
    # What it writes is no matter.
    monkeypatch.setattr(
        "elf.yardstick.translate.compile_greedy",
        lambda *_: lambda params, sources, tell: [np.array([5, EOS]) for _ in sources],
    )
    capsys.readouterr()
    words = ["yardstick", "translate", str(tmp_path / "model"), "--data", str(tmp_path / "data")]
    assert cli([*words, "--out", str(tmp_path / "out")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["examples"], report["too_long"]) == (2, 2)
    told = open_dataset(tmp_path / "out")
    assert [len(told[at][0]) for at in range(len(told))] == [9, 10]


@pytest.mark.slow("of a yardstick that is trained until it knows its pairs")
def test_numbers_that_cannot_be_are_named(trained: Path, pairs: Path, tmp_path: Path, capsys) -> None:
    words = ["yardstick", "translate", str(trained), "--data", str(pairs / "train"), "--out", str(tmp_path / "out")]
    for wrong in (("--at-once", "0"), ("--max-length", "2")):
        assert cli([*words, *wrong]) == 2 and wrong[0] in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
