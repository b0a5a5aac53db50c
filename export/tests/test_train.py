"""Training end to end on a small corpus: it learns, it resumes exactly, and it refuses what cannot work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from itertools import count
from pathlib import Path

import jax
import numpy as np
import pytest
from tiny_training import PLAIN, losses, rows, write_experiment

from elf.burst import pack as burst
from elf.burst.pack import PackArguments
from elf.config import ElfConfig
from elf.config_file import load_config
from elf.data.rows import Ragged, TokenDataset, open_dataset
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, DatasetError, DivergedError
from elf.models.text_encoder import latent_statistics, load_encoder, save_encoder
from elf.models.trained_model import TrainedModel, load_trained_model, save_trained_model
from elf.sampling.networks import JaxNetwork
from elf.training import train as train_module
from elf.training.checkpoint import start_weights
from elf.training.loop import LoopConfig, means, run_loop
from elf.training.optimizer import OptimizerConfig, ema_decay, learning_rate, make_optimizer, takes_muon
from elf.training.step_inputs import FrozenEncoder
from elf.training.train import Arguments, check_task, main
from elf.training.train_config import TrainConfig


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory, prepared: Path, tokenizer_file: Path, encoder: Path) -> Path:
    """The output of forty steps of `experiment` in one go; whoever writes into it takes a copy."""
    folder = tmp_path_factory.mktemp("trained")
    experiment = write_experiment(folder / "test.yml", prepared, tokenizer_file, encoder)
    main(Arguments(experiment, ("steps=40", "log_every=1")))
    return folder / "out"


@pytest.fixture(scope="module")
def started(trained: Path) -> Path:
    """The output of a step of next to nothing that starts from those weights; shorter, and its filling is unseen."""
    folder = trained.parent
    still = ("steps=1", *PLAIN, "optimizer.blr=1e-30", "elf.max_length=24", "pad_token=pad")
    main(Arguments(folder / "test.yml", (*still, f"start={trained}", f"out={folder / 'started'}")))
    return folder / "started"


def test_encoder_pretraining_learns(encoder: Path) -> None:
    history = [row["loss"] for row in rows(encoder)]
    assert history[-1] < history[0] - 0.3
    config, params = load_encoder(encoder)
    assert config.d_model == 16 and params["shared/embedding"].shape == (60, 16)


def test_both_branches_train_and_the_model_is_written(trained: Path) -> None:
    first, last = (means(rows(trained)[ten]) for ten in (slice(10), slice(-10, None)))
    assert last["decode_loss"] < first["decode_loss"]
    assert last["loss"] < first["loss"]
    model = load_trained_model(trained / "model")
    assert model.training["steps"] == 40 and model.training["epoch"] == round(40 * 8 / 346, 4)
    assert isinstance(model.latent_mean, np.ndarray)
    assert model.training["command"] == "elf train --config test.yml steps=40 log_every=1"
    assert model.training["encoder"]["steps"] == 60
    assert model.tokenizer is not None and model.params["unembed_kernel"].shape == (16, 60)


def test_a_training_starts_from_another_model(experiment: Path, trained: Path, started: Path, tmp_path: Path) -> None:
    first, second = (load_trained_model(out / "model") for out in (trained, started))
    for name in first.params:
        np.testing.assert_allclose(second.params[name], first.params[name], rtol=1e-6)
    assert second.training["config"]["start"] == "out" and str(trained.parent) not in second.training["command"]
    with pytest.raises(CheckpointMismatchError, match="needs text_proj"):
        main(Arguments(experiment, (f"start={trained}", f"out={tmp_path / 'third'}", "elf.hidden_size=24")))
    with pytest.raises(CheckpointError):
        main(Arguments(experiment, ("start=nowhere", f"out={tmp_path / 'third'}")))


def said(model: TrainedModel) -> tuple[np.ndarray, np.ndarray]:
    """Of two latents, what it denoises them to and what it reads in them."""
    rng = np.random.default_rng(0)
    z, x_sc = rng.standard_normal((2, 2, 32, 16)).astype(np.float32)
    half, network = np.full(2, 0.5, np.float32), JaxNetwork(model)
    return network.denoise(z, x_sc, half, half), network.decode(z, half)


def test_what_was_grown_says_nothing_yet_and_learns(experiment: Path, trained: Path, tmp_path: Path) -> None:
    small = load_trained_model(trained / "model")
    expected = said(small)
    # A wider bottleneck, more blocks, and both at once.
    shapes = [replace(small.elf, **more) for more in ({"bottleneck_size": 12}, {"depth": 3})]
    shapes.append(replace(small.elf, bottleneck_size=12, depth=3))
    for shape in shapes:
        grown = replace(small, elf=shape, params=start_weights(small, shape))
        for found, before in zip(said(grown), expected, strict=True):
            np.testing.assert_allclose(found, before, atol=1e-5)
    # The first update has rate 0; soon the new directions are read.
    both = ("elf.bottleneck_size=12", "elf.depth=3")
    main(Arguments(experiment, ("steps=4", *both, *PLAIN, f"start={trained}", f"out={tmp_path / 'grown'}")))
    learnt = load_trained_model(tmp_path / "grown/model").params
    wide = learnt["text_proj/proj2/kernel"]
    assert wide.shape == (12, 16) and np.abs(wide[8:]).sum(axis=1).min() > 0
    added = [block for block in range(3) if not np.any(grown.params[f"blocks_{block}/mlp/w3/kernel"])]
    assert len(added) == 3 - small.elf.depth
    for block in added:
        for name in ("attn/qkv", "attn/proj", "mlp/w12", "mlp/w3"):
            path = f"blocks_{block}/{name}/kernel"
            assert np.abs(learnt[path] - grown.params[path]).min(axis=1).max() > 0, path
    with pytest.raises(CheckpointMismatchError, match="proj1"):
        start_weights(small, replace(small.elf, bottleneck_size=4))


@pytest.fixture
def encoder_of(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., FrozenEncoder]:
    """The encoder that a training would have, as far as its first step."""
    made: list[FrozenEncoder] = []

    def stop_here(config: TrainConfig, resolved: object, encoder: FrozenEncoder, *_: object, **__: object) -> None:
        made.append(encoder)
        raise InterruptedError

    def encoder_of(*words: str) -> FrozenEncoder:
        with pytest.raises(InterruptedError):
            main(Arguments(experiment, words))
        return made[-1]

    monkeypatch.setattr("elf.training.train.make_train_step", stop_here)
    return encoder_of


def test_latents_are_measured_without_the_filling_that_does_not_count(experiment: Path, encoder_of) -> None:
    encoder = encoder_of("elf.max_length=24", "pad_token=pad")
    dataset = open_dataset(load_config(TrainConfig, experiment).data)
    mean, std = latent_statistics(encoder.config, encoder.params, dataset, 24, see_padding=False)
    np.testing.assert_allclose(encoder.mean, mean, atol=1e-5)
    np.testing.assert_allclose(encoder.std, std, rtol=1e-5)
    filled, _ = latent_statistics(encoder.config, encoder.params, dataset, 24)
    assert np.abs(filled - mean).max() > 1e-3


def test_weights_see_the_latents_that_they_were_trained_on(
    encoder_of, trained: Path, started: Path, prepared: Path, tmp_path: Path, capsys
) -> None:
    """Other texts have another mean: with it the weights would no longer be the same function."""
    first, second = (load_trained_model(out / "model") for out in (trained, started))
    np.testing.assert_array_equal(second.latent_mean, first.latent_mean)
    np.testing.assert_array_equal(second.latent_std, first.latent_std)
    other = f"data={prepared / 'held_out'}"
    measured = encoder_of(other).mean
    assert np.abs(measured - first.latent_mean).max() > 1e-4
    shutil.copytree(trained, tmp_path / "out")
    for words in ((f"start={trained}", f"out={tmp_path / 'a'}"), (f"resume={trained}", f"out={tmp_path / 'b'}"), ()):
        encoder = encoder_of(other, *words)
        np.testing.assert_array_equal(encoder.mean, first.latent_mean, err_msg=str(words))
        np.testing.assert_array_equal(encoder.std, first.latent_std, err_msg=str(words))
    # What is measured twice may differ: a run keeps what it measured, and its checkpoint opens with that.
    record = json.loads((tmp_path / "out/latents.json").read_text())
    (tmp_path / "out/latents.json").write_text(json.dumps({**record, "mean": [0.5] * 16}))
    assert (np.asarray(encoder_of(other).mean) == 0.5).all()
    # A training of before has them in its model alone.
    (tmp_path / "out/latents.json").unlink()
    np.testing.assert_array_equal(encoder_of(other).mean, first.latent_mean)
    # Of another encoder they say nothing.
    params = {name: value * 1.5 for name, value in first.encoder_params.items()}
    save_trained_model(replace(first, encoder_params=params), tmp_path / "model")
    capsys.readouterr()
    encoder = encoder_of(other, f"start={tmp_path / 'model'}", f"out={tmp_path / 'c'}")
    np.testing.assert_array_equal(encoder.mean, measured)
    assert "has another encoder: latents are measured anew" in capsys.readouterr().err


def test_what_says_nothing_of_its_latents_is_told_from_another_encoder(
    encoder_of, trained: Path, tmp_path: Path, capsys
) -> None:
    # A checkpoint of another code, or one that came alone.
    shutil.copytree(trained / "checkpoints", tmp_path / "checkpoints")
    for word in ("start", "resume"):
        newest = max((tmp_path / "checkpoints").iterdir(), key=lambda path: int(path.name.partition("_")[2]))
        encoder_of(f"{word}={newest}", f"out={tmp_path / word}")
        said = capsys.readouterr().err
        assert "says nothing of its latents: they are measured anew" in said
        assert "latent_normalisation=official" in said and "another encoder" not in said


def test_a_run_goes_on_with_no_other_encoder(experiment: Path, trained: Path, tmp_path: Path) -> None:
    """Its latents.json was written over with that encoder's, and the run went on."""
    encoder, params = load_encoder(load_config(TrainConfig, experiment).encoder)
    (tmp_path / "other").mkdir()
    save_encoder(tmp_path / "other", encoder, {name: value * 1.5 for name, value in params.items()}, {})
    out = shutil.copytree(trained, tmp_path / "out")
    before = (out / "latents.json").read_bytes()
    with pytest.raises(CheckpointMismatchError, match=r"is not the one that .* was trained with"):
        main(Arguments(experiment, (f"encoder={tmp_path / 'other'}", "steps=99")))
    assert (out / "latents.json").read_bytes() == before


@pytest.fixture
def moving_batches_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that moves anything else between host and devices is an error."""

    def guarded_loop(config, out, state, batches, update, *more, **named):
        def guarded(state, batch, step):
            # What a step brings along on purpose is allowed; whatever JAX would move by itself is not.
            with jax.transfer_guard("disallow"):
                return update(state, batch, step)

        return run_loop(config, out, state, batches, guarded, *more, **named)

    monkeypatch.setattr(train_module, "run_loop", guarded_loop)


@pytest.mark.usefixtures("moving_batches_alone")
def test_a_stopped_run_goes_on_with_the_same_losses(
    experiment: Path, trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, parts = trained, tmp_path / "parts"
    # Constant rate, so the number of steps does not enter the numbers.
    main(Arguments(experiment, (f"out={parts}", "steps=6")))
    with (parts / "metrics.jsonl").open("a") as file:
        file.write('{"step": 7, "loss": 9.0}\n{"step": 8, "lo')  # killed while writing, after the last checkpoint
    main(Arguments(experiment, (f"out={parts}", "steps=40")))
    assert "changed since this run began: steps was 6, is 40\n" in capsys.readouterr().err
    assert [row["step"] for row in rows(parts)] == [*range(1, 41)]
    assert losses(parts) == losses(whole)
    a, b = (load_trained_model(out / "model") for out in (whole, parts))
    assert b.training["steps"] == 40
    for name in a.params:
        np.testing.assert_array_equal(a.params[name], b.params[name], err_msg=name)


@pytest.mark.slow("two trainings in processes of their own, which compile")
def test_sigterm_saves_and_the_run_resumes(experiment: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, "-m", "elf.cli", "train", "--config", str(experiment), *PLAIN, "steps=100000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, env={**os.environ, "JAX_PLATFORMS": "cpu"})
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline and not ((out / "metrics.jsonl").is_file() and rows(out)):
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    done = int(rows(out)[-1]["step"])
    main(Arguments(experiment, (*PLAIN, f"steps={done + 2}")))
    assert [row["step"] for row in rows(out)] == list(range(1, done + 3))


@pytest.mark.slow("compiles another recipe")
@pytest.mark.usefixtures("moving_batches_alone")
def test_a_step_of_the_official_recipe_moves_its_batch_alone(experiment: Path) -> None:
    main(Arguments(experiment, ("steps=6", "recipe=official")))
    assert len(rows(experiment.parent / "out")) == 6


@pytest.mark.slow("the profiler writes down every operation")
def test_the_steps_asked_for_are_profiled(experiment: Path, tmp_path: Path) -> None:
    main(Arguments(experiment, ("steps=4", "profile=[3,4]", *PLAIN)))
    [record] = (tmp_path / "out" / "profile").rglob("*.xplane.pb")
    assert record.stat().st_size > 0
    with pytest.raises(ConfigError, match=r"profile is \[4, 3\]"):
        load_config(TrainConfig, experiment, ("profile=[4,3]",))
    with pytest.raises(ConfigError, match=r"profile is \[4\]"):
        load_config(TrainConfig, experiment, ("profile=[4]",))


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_diverging_run_stops_by_name_and_keeps_its_checkpoint(tmp_path: Path, bad: float) -> None:
    def step(state, batch, number):
        assert batch == number
        return state + 1, {"loss": np.float32(bad if number >= 5 else 1.0)}

    def run(steps, **settings):
        return run_loop(LoopConfig(steps, **settings), tmp_path, np.zeros(1), count, step, 1)

    run(4, log_every=1)
    # The step that went wrong is named, not the line of the log; and a save that falls due before that line comes does
    # not replace the last good checkpoint.
    with pytest.raises(DivergedError, match="step 6"):
        run(20, log_every=10, checkpoint_steps=7)
    state, _ = run(5, log_every=1)
    assert state == 5 and len(rows(tmp_path)) == 5


def test_every_loss_is_in_the_log_of_a_run_that_went_on_between_its_lines(tmp_path: Path) -> None:
    def step(state, batch, number):
        if number == 6 and failing:
            raise RuntimeError("the power is gone")
        return state, {"loss": np.float32(number + 1)}

    settings = LoopConfig(8, log_every=4, checkpoint_steps=6)
    for failing in (True, False):
        with pytest.raises(RuntimeError) if failing else nullcontext():
            run_loop(settings, tmp_path, np.zeros(1), count, step, 1)
    lines = [(row["step"], row["loss"]) for row in rows(tmp_path)]
    assert lines == [(4, 2.5), (6, 5.5), (8, 7.5)]


def test_a_checkpoint_of_another_shape_is_refused(experiment: Path, trained: Path, tmp_path: Path) -> None:
    shutil.copytree(trained, tmp_path / "out")
    with pytest.raises(CheckpointMismatchError):
        main(Arguments(experiment, ("elf.hidden_size=24",)))


def test_an_encoder_of_another_width_is_refused(experiment: Path) -> None:
    with pytest.raises(CheckpointMismatchError, match="16 wide"):
        main(Arguments(experiment, ("elf.latent_size=12",)))


def test_foreign_tokens_a_foreign_tokenizer_and_a_missing_encoder_are_refused(experiment: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    with pytest.raises(CheckpointMismatchError, match=r"tokenizer has 60 ids, elf\.vocabulary_size is 20"):
        main(Arguments(experiment, ("elf.vocabulary_size=20",)))
    Dataset.from_dict({"input_ids": [[1, 2, 3], [4, 99]]}).save_to_disk(str(tmp_path / "foreign"))
    with pytest.raises(DatasetError, match="token id 99"):
        main(Arguments(experiment, (f"data={tmp_path / 'foreign'}",)))
    with pytest.raises(CheckpointError, match="encoder"):
        main(Arguments(experiment, (f"encoder={tmp_path}",)))


def test_a_dataset_of_another_task_is_refused(experiment: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    texts = Ragged.from_rows([[3, 4]])
    free = ElfConfig()
    needy = replace(free, max_input_length=8)
    either = replace(needy, source_optional=True)
    check_task(TokenDataset(texts), free)
    check_task(TokenDataset(texts, texts), needy)
    for pairs in (None, texts):
        check_task(TokenDataset(texts, pairs), either)
    with pytest.raises(CheckpointMismatchError, match=r"has sources \(.*\), the model has no use"):
        check_task(TokenDataset(texts, texts), free)
    # A model was written that needs a prompt and had never seen one, or takes none and had learnt from one.
    with pytest.raises(CheckpointMismatchError, match=r"has no sources \(.*\), the model needs them"):
        main(Arguments(experiment, ("elf.max_input_length=8",)))
    pack = PackArguments(experiment, tmp_path / "packed", ("elf.max_input_length=8",))
    with pytest.raises(CheckpointMismatchError, match="has no sources"):
        burst.pack(pack)
    Dataset.from_dict({"input_ids": [[3, 4]], "condition_input_ids": [[3]]}).save_to_disk(str(tmp_path / "pairs"))
    given = (f"data={tmp_path / 'pairs'}",)
    with pytest.raises(CheckpointMismatchError, match="has sources"):
        main(Arguments(experiment, given))
    with pytest.raises(CheckpointMismatchError, match="has sources"):
        burst.pack(replace(pack, overrides=given))


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("stepz=3", "stepz"),
        ("flow.noise=3", r"flow\.noise"),
        ("steps=many", "steps is 'many'"),
        ("steps=0", "steps must be"),
        ("flow.noise_scale=-1", "noise_scale is -1"),
        ("optimizer.optimizer=sgd", "optimizer"),
        ("elf=3", "elf is 3"),
        ("evaluation.every_epochs=0", r"evaluation\.every_epochs is 0"),
        ("evaluation.samples=0", r"evaluation\.samples is 0"),
        ("evaluation.judges=a", r"evaluation\.judges"),
        ("seed=-1", "seed is -1"),
        ("seed=4294967296", "seed is 4294967296"),
        ("checkpoints.epochs=.inf", r"checkpoints\.epochs is inf"),
        ("evaluation.every_epochs=.inf", r"evaluation\.every_epochs is inf"),
        ("optimizer.warmup_epochs=.nan", r"optimizer\.warmup_epochs is nan"),
        ("wandb_tags=[a]", "wandb_tags is set, but no wandb_project"),
    ],
)
def test_silly_settings_are_refused_by_name(experiment: Path, override: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        load_config(TrainConfig, experiment, (override,))


def test_epochs_without_end_are_refused(experiment: Path) -> None:
    with pytest.raises(ConfigError, match="epochs is inf"):
        load_config(TrainConfig, experiment, ("steps=null", "epochs=.inf"))


@pytest.mark.parametrize("minutes", [0.0, -1.0, float("nan")])
def test_checkpoints_at_no_time_are_refused(minutes: float) -> None:
    with pytest.raises(ConfigError, match="checkpoint_minutes is"):
        LoopConfig(1, minutes)


@pytest.mark.parametrize("name", ["steps", "log_every", "keep"])
def test_a_loop_of_nothing_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        LoopConfig(**{"steps": 1, name: 0})


def test_overrides_reach_nested_fields(experiment: Path) -> None:
    config = load_config(TrainConfig, experiment, ("flow.noise_scale=1e-1", "optimizer.schedule=cosine"))
    assert config.flow.noise_scale == 0.1 and config.optimizer.schedule == "cosine" and config.elf.depth == 1


def test_learning_rate_and_ema() -> None:
    rate = learning_rate(OptimizerConfig(blr=1e-3, warmup_steps=10), batch_size=512, steps=100)
    assert float(rate(0)) == 0 and float(rate(5)) == pytest.approx(1e-3) and float(rate(90)) == pytest.approx(2e-3)
    cosine = learning_rate(OptimizerConfig(blr=1e-3, warmup_steps=10, schedule="cosine"), 256, 100)
    assert float(cosine(100)) == pytest.approx(0, abs=1e-9)
    assert float(ema_decay(0, 0.999)) == pytest.approx(0.1) and float(ema_decay(10**6, 0.999)) == pytest.approx(0.999)


def test_a_warm_up_in_epochs_is_refused_where_nobody_counts_them() -> None:
    config = OptimizerConfig(warmup_epochs=0.5)
    with pytest.raises(ConfigError, match=r"warmup_epochs is 0\.5, but") as refused:
        make_optimizer(config, batch_size=8, steps=100)
    assert "optimizer.warmup_steps" in refused.value.action
    # A training of an ELF has made steps of them.
    assert float(learning_rate(config, 256, 100, warmup_steps=10)(5)) == pytest.approx(0.5e-3)


def test_what_muon_takes() -> None:
    kernels, matrices = ("blocks_0/attn/qkv/kernel", "text_proj/proj1/kernel"), ("unembed_kernel", "proj_kernel")
    assert all(takes_muon(name, 2) for name in kernels) and not any(takes_muon(name, 2) for name in matrices)
    # As official runs have it, whatever has two dimensions.
    assert all(takes_muon(name, 2, "matrices") for name in (*kernels, *matrices))
    assert not takes_muon("t_emb_tokens", 3, "matrices") and not takes_muon("proj_bias", 1, "matrices")
