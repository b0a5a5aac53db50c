"""Evaluation while training: what `elf evaluate` would say of the averaged weights, and the training as without."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import NAMES, THINGS
from simulated_devices import simulated
from test_perplexity import make_judge
from test_run_record import scalars
from tiny_training import PLAIN, rows, write_experiment

from elf.config import SamplerSettings
from elf.config_file import load_config
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.rows import open_dataset
from elf.devices import make_mesh
from elf.errors import CheckpointError, ConfigError
from elf.evaluation.judge import save_judge
from elf.models.trained_model import load_trained_model
from elf.sampling import batch_sampler
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.options import text_reader
from elf.training.run_record import RunLog
from elf.training.train import FOLDER, Arguments, fingerprint_on_devices, main
from elf.training.train_config import TrainConfig

pytestmark = pytest.mark.usefixtures("few_resamples")

NAME = "00_sde_2_gamma1.5_w3_seed42"


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> tuple[str, ...]:
    """Settings of a training that evaluates ten texts after every fourth of its twelve steps."""
    folder = tmp_path_factory.mktemp("evaluated")
    save_judge(folder / "judge", make_judge(tokenizer_file), tokenizer_file)
    (folder / "sampling.yml").write_text("{steps: 2, seed: 42}\n")
    return (
        *PLAIN,
        "evaluation.every_steps=4",
        "evaluation.samples=10",
        "evaluation.batch_size=4",
        f"evaluation.sampling={folder / 'sampling.yml'}",
        f"evaluation.judge={folder / 'judge'}",
    )


def training_lines(out: Path) -> list[dict[str, Any]]:
    times = {"tokens_per_second", "seconds"}
    lines = [row for row in rows(out) if "evaluation" not in row]
    return [{name: value for name, value in line.items() if name not in times} for line in lines]


def evaluations(out: Path) -> list[dict[str, Any]]:
    return [row for row in rows(out) if "evaluation" in row]


def texts_of(out: Path, step: int, epoch: int) -> list[str]:
    file = out / FOLDER / NAME / f"all_generated_{epoch}_{step}.jsonl"
    return [json.loads(line)["generated"] for line in file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def whole(
    tmp_path_factory: pytest.TempPathFactory,
    prepared: Path,
    tokenizer_file: Path,
    encoder: Path,
    evaluated: tuple[str, ...],
) -> tuple[Path, list[int]]:
    """The output of such a training that nothing interrupts, and how many functions of the sampler were compiled after
    each of its batches."""
    folder = tmp_path_factory.mktemp("whole")
    experiment = write_experiment(folder / "test.yml", prepared, tokenizer_file, encoder)
    compiled: list[int] = []
    write = BatchSampler.write

    def counting(self: BatchSampler, *words: Any, **named: Any) -> np.ndarray:
        tokens = write(self, *words, **named)
        compiled.append(batch_sampler._write._cache_size())
        return tokens

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(BatchSampler, "write", counting)
        main(Arguments(experiment, evaluated))
    return folder / "out", compiled


def test_the_averaged_weights_write_and_the_training_is_as_without(
    experiment: Path, tmp_path: Path, whole: tuple[Path, list[int]]
) -> None:
    alone, (out, compiled) = tmp_path / "alone", whole
    main(Arguments(experiment, (*PLAIN, f"out={alone}")))
    # Three evaluations of three batches each, and one compiled function for all of them.
    assert len(compiled) == 9 and len({*compiled}) == 1, compiled
    # To the last digit: no random number, no batch and no state is touched.
    assert training_lines(out) == training_lines(alone) and len(training_lines(out)) == 12
    ours, theirs = (load_trained_model(folder / "model") for folder in (out, alone))
    for name in ours.params:
        np.testing.assert_array_equal(ours.params[name], theirs.params[name], err_msg=name)

    lines = evaluations(out)
    assert [(line["step"], line["evaluation"]) for line in lines] == [(step, NAME) for step in (4, 8, 12)]
    assert all({"gen_ppl", "entropy", "blank", "distinct1", "gen_ppl_ci", "seconds"} <= {*line} for line in lines)
    # The weights of the last step are the model's: its texts, and what `elf evaluate` measures.
    sampler = BatchSampler(ours, make_mesh(), 4, ours.elf.max_length)
    tokens = [sampler.write(SamplerSettings(steps=2, seed=42), batch=batch) for batch in range(3)]
    epoch = int(ours.training["epoch"])
    assert texts_of(out, 12, epoch) == [*map(text_reader(ours), np.concatenate(tokens))][:10]
    assert len({*texts_of(out, 12, epoch)} - {*texts_of(out, 4, 0)}) > 0
    own = [json.loads(line) for line in (out / FOLDER / "metrics.jsonl").read_text().splitlines()]
    assert [(row["step"], row["gen_ppl"]) for row in own] == [(line["step"], line["gen_ppl"]) for line in lines]
    # The losses that the card tells are not lost among the figures.
    assert {"loss", "decode_loss"} & {*ours.training["losses"]}
    found = {(step, tag) for step, tag, _ in scalars(out / "tensorboard")}
    assert {(step, f"evaluation/{NAME}/gen_ppl") for step in (4, 8, 12)} <= found
    assert {(step, f"evaluation/{NAME}/texts/text_summary") for step in (4, 8, 12)} <= found
    # Where the machine keeps its files is not on the card.
    assert ours.training["config"]["evaluation"]["judge"] == "judge"


@pytest.mark.slow("three trainings that evaluate")
def test_an_interrupted_evaluation_goes_on_and_none_is_doubled(
    experiment: Path,
    tmp_path: Path,
    evaluated: tuple[str, ...],
    whole: tuple[Path, list[int]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (whole_out, _), out = whole, tmp_path / "out"
    write, written = BatchSampler.write, 0

    def dying(self: BatchSampler, *words: Any, **named: Any) -> np.ndarray:
        nonlocal written
        written += 1
        if written == 5:  # in the second evaluation, after its first batch
            raise KeyboardInterrupt
        return write(self, *words, **named)

    with monkeypatch.context() as patch:
        patch.setattr(BatchSampler, "write", dying)
        with pytest.raises(KeyboardInterrupt):
            main(Arguments(experiment, evaluated))
    assert [line["step"] for line in evaluations(out)] == [4]
    batches: list[tuple[int, int]] = []

    def counting(self: BatchSampler, *words: Any, **named: Any) -> np.ndarray:
        batches.append((named["config"], named["batch"]))
        return write(self, *words, **named)

    monkeypatch.setattr(BatchSampler, "write", counting)
    main(Arguments(experiment, evaluated))
    # Of the second evaluation the texts that were missing, then the third.
    assert batches == [(0, 1), (0, 2), (0, 0), (0, 1), (0, 2)]
    assert training_lines(out) == training_lines(whole_out)
    measured = [name for name in evaluations(whole_out)[0] if "seconds" not in name and "per_second" not in name]
    for ours, theirs in zip(evaluations(out), evaluations(whole_out), strict=True):
        assert {name: ours[name] for name in measured} == {name: theirs[name] for name in measured}
    before = (out / "metrics.jsonl").read_bytes()
    main(Arguments(experiment, evaluated))
    assert (out / "metrics.jsonl").read_bytes() == before, "a finished run says nothing twice"


@pytest.mark.slow("two trainings that evaluate")
def test_steps_that_are_lost_and_made_again_are_evaluated_again(
    experiment: Path, tmp_path: Path, evaluated: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    main(Arguments(experiment, (*evaluated, "steps=8")))
    texts = texts_of(out, 8, 0)
    # As if the newest checkpoint were lost: another training comes to the same step with other weights.
    shutil.rmtree(out / "checkpoints" / "checkpoint_8")
    main(Arguments(experiment, (*evaluated, "steps=8", "flow.noise_scale=2.0")))
    assert [line["step"] for line in evaluations(out)] == [4, 8]
    assert texts_of(out, 8, 0) != texts and len(texts_of(out, 8, 0)) == 10


@pytest.mark.slow("a process trains and evaluates, another training goes on")
def test_a_signal_ends_an_evaluation_and_the_run_goes_on_with_it(
    experiment: Path, tmp_path: Path, evaluated: tuple[str, ...]
) -> None:
    out = tmp_path / "out"
    words = [*evaluated, "evaluation.samples=100000", "steps=4"]
    command = [sys.executable, "-m", "elf.cli", "train", "--config", str(experiment), *words]
    file = out / FOLDER / NAME / "all_generated_0_4.jsonl"
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "JAX_PLATFORMS": "cpu"}
    ) as run:
        give_up = time.monotonic() + 240
        while run.poll() is None and time.monotonic() < give_up and not (file.is_file() and file.stat().st_size):
            time.sleep(0.1)
        run.send_signal(signal.SIGTERM)
        _, said = run.communicate(timeout=600)
    assert run.returncode == 143 and "stopped by a signal after step 4" in said, said
    there = len(texts_of(out, 4, 0))
    assert 0 < there < 100000
    main(Arguments(experiment, (*evaluated, "evaluation.samples=" + str(there + 3), "steps=4")))
    assert len(texts_of(out, 4, 0)) == there + 3 and [line["n"] for line in evaluations(out)] == [there + 3]


@pytest.mark.slow("compiles a training and a sampler of other shapes")
def test_conditional_models_are_evaluated_on_their_data(
    experiment: Path, tmp_path: Path, tokenizer_file: Path, evaluated: tuple[str, ...]
) -> None:
    pairs = tmp_path / "pairs.jsonl"
    lines = [{"input": f"{name} {thing}", "output": f"{thing} {name}"} for name in NAMES for thing in THINGS]
    pairs.write_text("".join(json.dumps(line) + "\n" for line in lines))
    lengths = {"max_length": 16, "max_input_length": 16}
    prepare(PrepareArguments(pairs, tokenizer_file, tmp_path / "pairs", **lengths, held_out=0.2))
    conditional = (f"data={tmp_path / 'pairs/train'}", "elf.max_input_length=16", "steps=4")
    data = f"evaluation.data={tmp_path / 'pairs/held_out'}"
    main(Arguments(experiment, (*evaluated, *conditional, data)))
    [line] = evaluations(tmp_path / "out")
    held_out = open_dataset(tmp_path / "pairs/held_out")
    assert {"bleu", "rouge1", "gen_ppl"} <= {*line} and line["n"] == min(10, len(held_out)) > 2
    with pytest.raises(ConfigError, match="evaluation while training: this model writes to sources"):
        main(Arguments(experiment, (*evaluated, *conditional, f"out={tmp_path / 'none'}")))
    assert not (tmp_path / "none" / "checkpoints").exists(), "refused before anything is trained"


@pytest.mark.parametrize(
    ("words", "error", "match"),
    [
        (("evaluation.judge=nowhere/at/all",), CheckpointError, "there is no folder nowhere/at/all"),
        (("evaluation.metrics=bleu",), ConfigError, "bleu needs references"),
        (("evaluation.sampling=none.yml",), ConfigError, r"none\.yml cannot be read"),
        (("evaluation.continuation=true",), ConfigError, "no sources to go on from"),
        (("evaluation.every_epochs=1",), ConfigError, "both every_epochs and every_steps"),
    ],
)
def test_what_cannot_be_evaluated_is_refused_before_the_training(
    words: tuple[str, ...], error: type[Exception], match: str, experiment: Path, tmp_path: Path
) -> None:
    with pytest.raises(error, match=match):
        main(Arguments(experiment, (*PLAIN, "evaluation.every_steps=4", *words)))
    assert not (tmp_path / "out" / "checkpoints").exists()


def test_epochs_are_counted_in_steps(experiment: Path) -> None:
    config = load_config(TrainConfig, experiment, ("evaluation.every_epochs=0.25",))
    assert config.evaluation.steps_between(100.0) == 25 and config.evaluation.steps_between(1.0) == 1
    assert load_config(TrainConfig, experiment).evaluation.steps_between(100.0) is None


def test_the_log_tells_of_an_evaluation_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    run = types.SimpleNamespace(log=lambda values, step: calls.append((step, values)), finish=lambda exit_code: None)
    table = types.SimpleNamespace
    fake = types.SimpleNamespace(
        init=lambda **facts: run, Table=lambda columns, data: table(columns=columns, data=data)
    )
    monkeypatch.setitem(sys.modules, "wandb", fake)
    texts = [(id, f"text {id}") for id in range(30)]
    figures = {"gen_ppl": 12.5, "n": 30, "gen_ppl_ci": [12.0, 13.0], "entropy": None, "longest_copy_text": "a b"}
    for first in (0, 4):  # the second session knows what the first has told
        with RunLog(tmp_path, first, 8, wandb_project="elf") as log:
            log.write_evaluation(4, NAME, figures, texts)
            log.write_evaluation(4, NAME, figures, texts)
    [(step, values)] = calls
    shown = values.pop(f"evaluation/{NAME}/texts")
    assert step == 4 and values == {f"evaluation/{NAME}/gen_ppl": 12.5, f"evaluation/{NAME}/n": 30}
    assert shown.columns == ["id", "generated"] and shown.data == [[str(id), text] for id, text in texts[:20]]
    assert rows(tmp_path) == [{"step": 4, "evaluation": NAME, **figures}]
    # Lost with the steps after it, and told again.
    with RunLog(tmp_path, 2, 8, wandb_project="elf") as log:
        log.write_evaluation(4, NAME, figures, texts)
    assert len(calls) == 2 and len(rows(tmp_path)) == 1


def test_a_fingerprint_is_the_same_on_any_devices_and_of_any_change_another(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    params = {"a": rng.standard_normal((64, 96)), "b": rng.standard_normal(7), "c": np.zeros(())}

    def fingerprint(params: dict[str, np.ndarray]) -> str:
        return fingerprint_on_devices({name: jnp.asarray(value, jnp.float32) for name, value in params.items()})

    found = {fingerprint(params)}
    for name in params:
        for change in (lambda x: x + 1, lambda x: -x - 1e-30, lambda x: np.flip(x) + 0.5):
            found.add(fingerprint({**params, name: change(params[name])}))
    found.add(fingerprint({**params, "a": params["a"].T.reshape(64, 96)}))
    found.add(fingerprint({**params, "d": params["c"]}))
    assert len(found) == 1 + 9 + 2
    program = (
        "import jax, numpy as np, sys; from elf.devices import make_mesh, parameter_sharding\n"
        "from elf.training.train import fingerprint_on_devices\n"
        "mesh, rng = make_mesh(4), np.random.default_rng(0)\n"
        "params = {'a': rng.standard_normal((64, 96)), 'b': rng.standard_normal(7), 'c': np.zeros(())}\n"
        "import elf.devices; elf.devices.SMALLEST_SPLIT = 1\n"
        "put = lambda x: jax.device_put(np.float32(x), parameter_sharding(mesh, x.shape))\n"
        "print(fingerprint_on_devices({name: put(value) for name, value in params.items()}))"
    )
    said = subprocess.run([sys.executable, "-c", program], env=simulated(8), capture_output=True, text=True, check=True)
    assert said.stdout.strip() == fingerprint(params)
