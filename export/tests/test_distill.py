"""Distillation: targets and losses against NumPy written from spec section 4, and whole runs of two rounds."""

import dataclasses
import json
import operator
import shutil
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpy_elf
import pytest
from safetensors.numpy import save_file

import elf.training.train
from elf.config import ElfConfig, FlowConfig, T5Config
from elf.data.rows import training_batches
from elf.data.train_tokenizer import train_tokenizer
from elf.dev.make_random import random_model, random_params
from elf.dev.random_checkpoint import write_elf_checkpoint, write_t5
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, ElfError
from elf.models.trained_model import load_trained_model, save_trained_model
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes
from elf.sampling.batch_sampler import BatchSampler
from elf.training.distill import Arguments, distill_objective, main, recommended_sampler
from elf.training.distill_config import DistillConfig, Round, load_distill_config
from elf.training.distill_objective import (
    DistillDraws,
    draw_distill,
    kind_weights,
    row_kinds,
    student_errors,
    teacher_target,
)
from elf.training.objective import Objective
from elf.training.optimizer import OptimizerConfig
from elf.training.step_inputs import DenoiseDraws

FLOW = FlowConfig(noise_scale=1.3, decoder_noise_scale=2.2)
B, L, D = 8, 5, 6
ELF = ElfConfig(depth=1, hidden_size=16, heads=2, latent_size=D, bottleneck_size=4, vocabulary_size=11, max_length=L)
T5 = T5Config(vocabulary_size=11, d_model=D, d_kv=4, d_ff=9, layers=1, heads=2)


class Toy:
    """A network of one line, which works on NumPy and JAX arrays alike and notes how many rows each pass had."""

    def __init__(self, bend: float):
        self.bend, self.rows = bend, []

    def denoise(self, z, x_hat_prev, t, w):
        self.rows.append(len(z))
        t, w = t[:, None, None], w[:, None, None]
        sine = np.sin if isinstance(z, np.ndarray) else jnp.sin
        return sine(self.bend * z + 0.4 * x_hat_prev + 2 * t) + 0.1 * w * z[..., ::-1]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape)


def held_positions(rows: int) -> np.ndarray:
    """Of row i the first i % 3."""
    return np.arange(L) < (np.arange(rows) % 3)[:, None]


def rising_times(rows: int, sub_steps: int) -> np.ndarray:
    times = np.sort(np.random.default_rng(3).uniform(0.05, 0.99, (rows, sub_steps + 1)), axis=1)
    times[1] = times[1, 0]  # a span of nothing
    return times


def numpy_target(denoise: Callable, x, held, z_s, first_prev, times, w) -> np.ndarray:
    """x̃ as the specification tells it, one example after the other."""
    targets = []
    for b in range(len(x)):
        z, x_hat = z_s[b].copy(), first_prev[b]
        for t, t_next in zip(times[b], times[b, 1:], strict=False):
            x_hat = denoise(z[None], x_hat[None], np.array([t]), w[b : b + 1])[0]
            x_hat[held[b]] = x[b, held[b]]
            z = z + (t_next - t) * (x_hat - z) / max(1 - t, 0.05)
        t_s, t_e = times[b, 0], times[b, -1]
        targets.append(x_hat if t_e == t_s else z_s[b] + (1 - t_s) / (t_e - t_s) * (z - z_s[b]))
    return np.stack(targets)


@pytest.mark.parametrize("sub_steps", [1, 4])
def test_the_target_is_where_the_teachers_small_steps_lead(sub_steps: int) -> None:
    x, held = normal(0, 4, L, D), held_positions(4)
    z_s = np.where(held[..., None], x, normal(1, 4, L, D))
    first, times, w = normal(2, 4, L, D), rising_times(4, sub_steps), np.array([0.5, 1.0, 2.0, 4.0])
    arrays = np.float32(x), held, *map(np.float32, (z_s, first, times, w))
    found = jax.jit(lambda *arrays: teacher_target(Toy(0.9), *arrays, FLOW))(*arrays)
    expected = numpy_target(Toy(0.9).denoise, x, held, z_s, first, times, w)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-4)
    np.testing.assert_allclose(np.asarray(found)[held], x[held], atol=1e-5)


def test_a_straight_teacher_is_its_own_target() -> None:
    """Where x̂ is the same all along the way, small steps and one large one end at the same place."""

    class Straight:
        def denoise(self, z, x_hat_prev, t, w):
            return jnp.full_like(z, 0.7)

    times = np.float32([[0.0, 0.1, 0.4, 0.9], [0.2, 0.3, 0.31, 0.32]])
    z_s = np.float32(normal(1, 2, L, D))
    found = teacher_target(Straight(), z_s, np.zeros((2, L), bool), z_s, 0 * z_s, times, np.ones(2), FLOW)
    np.testing.assert_allclose(found, 0.7, atol=2e-5)


def test_student_and_teacher_start_from_the_same_half_and_only_its_rows_pay_for_it() -> None:
    kinds = row_kinds(FLOW, 10)
    rows = 2 * kinds.denoise
    x, held, noise = normal(0, rows, L, D), held_positions(rows), normal(1, rows, L, D)
    times, w = rising_times(rows, 3), np.linspace(0.5, 5, rows)
    student, teacher = Toy(0.5), Toy(0.9)
    start = DenoiseDraws(*map(np.float32, (times[:, 0], w, noise)), coin=np.zeros(rows, np.float32))
    arrays = np.float32(x), held, start, np.float32(times)
    found = jax.jit(lambda *arrays: student_errors(student, teacher, *arrays, kinds, FLOW))(*arrays)
    # One pass for the half of those that have one, one traced pass for all sub-steps, and the student's.
    assert (teacher.rows, student.rows) == ([4, 8], [8])

    t_s = times[:, :1, None]
    z_s = np.where(held[..., None], x, t_s * x + (1 - t_s) * 1.3 * noise)
    # Where there is no x̂ yet, the source's places hold the source.
    empty = np.where(held[..., None], x, 0)
    half = np.where(held[..., None], x, teacher.denoise(z_s, empty, times[:, 0], w))
    half = np.where((np.arange(rows) % 4 >= 2)[:, None, None], empty, half)
    target = numpy_target(teacher.denoise, x, held, z_s, half, times, w)
    errors = (student.denoise(z_s, half, times[:, 0], w) - target) ** 2
    np.testing.assert_allclose(found, errors.mean(-1), rtol=2e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("batch", "expected"),
    [(10, (2, 2, 1)), (512, (6, 7, 3)), (8, (3, 3, 2)), (17, (7, 7, 3)), (3, (1, 1, 1))],
)
def test_a_fixed_share_of_rows_is_of_each_kind(batch: int, expected: tuple[int, int, int]) -> None:
    assert tuple(row_kinds(FLOW, batch)) == expected


@pytest.mark.parametrize(
    ("batch", "devices", "expected"),
    [(512, 32, (6, 7, 3)), (512, 64, (3, 3, 2)), (96, 8, (5, 5, 2)), (80, 16, (2, 2, 1)), (32, 16, (6, 7, 3))],
)
def test_groups_of_rows_follow_the_rows_of_a_device(batch: int, devices: int, expected: tuple[int, int, int]) -> None:
    """In the last case a device's two rows cannot be of all kinds."""
    kinds = row_kinds(FLOW, batch, devices)
    assert tuple(kinds) == expected
    rows = batch // devices
    if rows > 2:
        of_kind = np.tile(np.repeat(np.arange(3), kinds), batch // kinds.group).reshape(devices, rows)
        assert (np.sort(of_kind) == np.sort(of_kind[0])).all()


def test_kinds_that_do_not_occur_have_no_rows() -> None:
    flow = dataclasses.replace(FLOW, decoder_prob=0.0, self_cond_prob=1.0)
    assert tuple(row_kinds(flow, 12)) == (1, 0, 0)
    with pytest.raises(ConfigError, match="2 rows"):
        row_kinds(FLOW, 2)


def test_each_kind_weighs_what_it_is_likely() -> None:
    kinds = row_kinds(FLOW, 16)
    counts = (np.random.default_rng(0).random((32, L)) < 0.6).astype(np.float32)
    weights = np.asarray(kind_weights(counts, kinds, FLOW))
    place = np.arange(32) % 16
    for rows, probability in ((place < 6, 0.4), ((place >= 6) & (place < 13), 0.4), (place >= 13, 0.2)):
        of_kind = weights[rows][counts[rows] > 0]
        np.testing.assert_allclose(of_kind, probability / len(of_kind), rtol=1e-5)
    assert (weights[counts == 0] == 0).all()


def test_times_of_student_and_teacher() -> None:
    draws = jax.jit(lambda key: draw_distill(key, (4000, 2, 3), 0.25, 16, FLOW))(jax.random.key(0))
    times = np.asarray(draws.times, np.float64)
    np.testing.assert_array_equal(draws.start.t, draws.times[:, 0])
    np.testing.assert_allclose(times[:, -1], times[:, 0] + 0.25, rtol=1e-6)
    assert times.shape == (4000, 17) and (np.diff(times) >= 0).all()
    # u = t_s / (1 − Δ) and the places of the sub-steps in their span are logit-normal, each example's its own.
    for u in (times[:, 0] / 0.75, ((times[:, 1:-1] - times[:, :1]) / 0.25).ravel()):
        logit = np.log(u / (1 - u))
        assert logit.mean() == pytest.approx(-1.5, abs=0.06) and logit.std() == pytest.approx(0.8, abs=0.04)
    whole = jax.jit(lambda key: draw_distill(key, (3, 2, 3), 1.0, 1, FLOW).times)(jax.random.key(0))
    assert np.asarray(whole).tolist() == [[0, 1]] * 3


def config(**settings) -> DistillConfig:
    fixed = {"name": "", "data": "", "encoder": "", "tokenizer": "", "out": Path(), "teacher": "", "seed": 3}
    optimizer = OptimizerConfig(optimizer="adamw", warmup_steps=0)
    return DistillConfig(
        **fixed, steps=100, batch_size=B, elf=ELF, flow=FLOW, optimizer=optimizer, compute_dtype="float32", **settings
    )


def drawn(objective: Objective, held: np.ndarray) -> tuple[DistillDraws, jax.Array]:
    """The random numbers of a batch, and what each of its positions weighs."""
    of = jax.jit(lambda key, count: (objective.draw(key, (B, L, D), False), objective.weigh(count)))
    return of(jax.random.key(5), np.float32(~held))


@pytest.mark.parametrize(("guidance", "until"), [(1.0, 1.0), (1.75, 1.0), (1.75, 0.25)])
def test_the_loss_of_a_batch_is_that_of_the_specification(guidance: float, until: float) -> None:
    """With a teacher as it is, with one carried away from what it says blind, and with one that is so only early on."""
    elf = dataclasses.replace(ELF, depth=2)
    blind_blocks = (1,) if guidance != 1 else ()
    guided = {"teacher_guidance": guidance, "teacher_guidance_until": until, "blind_blocks": blind_blocks}
    settings = dataclasses.replace(config(), elf=elf, **guided)
    teacher, student = (random_params(parameter_shapes(elf), seed) for seed in (1, 2))
    objective = distill_objective(settings, Round(1, 4, 3), teacher)
    x, held = normal(0, B, L, D), held_positions(B)
    ids = np.random.default_rng(1).integers(0, 11, (B, L))
    draws, weight = drawn(objective, held)
    loss = jax.jit(lambda *inputs: objective.loss(student, teacher, *inputs, False))
    found, means = loss(np.float32(x), held, ids, draws, weight)

    w64 = [{name: value.astype(np.float64) for name, value in params.items()} for params in (teacher, student)]
    start, times, clean, *_ = jax.tree.map(lambda array: np.asarray(array, np.float64), draws)
    t, w = start.t, start.w

    def predict(params, *inputs):
        return numpy_elf.denoise(params, ELF.heads, *inputs)

    # Of the teacher's sub-steps of rows that denoise some are guided and some not.
    assert until == 1 or 0 < (times[:6, :-1] < until).mean() < 1

    def teach(z, x_hat_prev, t, w):
        blind = numpy_elf.denoise(w64[0], ELF.heads, z, x_hat_prev, t, w, blind_blocks=(1,))
        scale = np.where(t < until, guidance, 1)[:, None, None]
        return blind + scale * (predict(w64[0], z, x_hat_prev, t, w) - blind)

    z_s = np.where(held[..., None], x, t[:, None, None] * x + (1 - t)[:, None, None] * 1.3 * start.noise)
    empty = np.where(held[..., None], x, 0)
    half = np.where(held[..., None], x, teach(z_s, empty, t, w))
    kind = np.array([0, 0, 0, 1, 1, 1, 2, 2])  # of 8 rows 3 self-condition, 3 do not, 2 decode
    half = np.where((kind != 0)[:, None, None], empty, half)
    target = numpy_target(teach, x, held, z_s, half, times, w)
    errors = ((predict(w64[1], z_s, half, t, w) - target) ** 2).mean(-1)
    mixed = clean[..., None] * x + (1 - clean)[..., None] * 2.2 * start.noise
    chances = numpy_elf.softmax(numpy_elf.decode(w64[1], ELF.heads, mixed, w))
    surprise = -np.log(np.take_along_axis(chances, ids[..., None], -1)[..., 0])
    self_conditioned, plain, decode = (
        table[kind == k][~held[kind == k]].mean() for k, table in enumerate((errors, errors, surprise))
    )
    assert float(found) == pytest.approx(0.4 * self_conditioned + 0.4 * plain + 0.2 * decode, rel=1e-4)
    assert float(means["loss"]) == pytest.approx((self_conditioned + plain) / 2, rel=1e-4)
    assert float(means["decode_loss"]) == pytest.approx(decode, rel=1e-4)


def test_the_losses_of_the_parts_of_a_batch_add_up_to_that_of_the_whole() -> None:
    teacher, student = (random_params(parameter_shapes(ELF), seed) for seed in (1, 2))
    # Exact shares of 4 rows, in the batch of 8 as in each half of it.
    flow = dataclasses.replace(FLOW, decoder_prob=0.25, self_cond_prob=1 / 3)
    objective = distill_objective(dataclasses.replace(config(accumulation=2), flow=flow), Round(1, 2, 2), teacher)
    assert objective.group == 4
    x, held, ids = np.float32(normal(0, B, L, D)), held_positions(B), np.arange(B * L).reshape(B, L) % 11
    draws, weight = drawn(objective, held)
    loss = jax.jit(lambda *inputs: objective.loss(student, teacher, *inputs, False))
    whole, halves = (x, held, ids, draws, weight), (slice(0, 4), slice(4, 8))
    first, second = (loss(*jax.tree.map(operator.itemgetter(half), whole)) for half in halves)
    expected, means = loss(*whole)
    assert float(first[0] + second[0]) == pytest.approx(float(expected), rel=1e-5)
    for name, mean in means.items():
        assert float(first[1][name] + second[1][name]) == pytest.approx(float(mean), rel=1e-5)


YAML = """
name: fast
teacher: {teacher}
data: {data}
out: {out}
rounds: [2, 1]
sub_steps: [2, 3]
steps: 4
batch_size: 8
optimizer: {{optimizer: adamw, blr: 0.03, warmup_steps: 0}}
ema_decay: 0.5
compute_dtype: float32
log_every: 1
checkpoints: {{minutes: null, steps: 2}}
"""


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    """The output folder of a training, as far as it is read."""
    shape = ElfConfig(
        depth=1, hidden_size=16, heads=2, latent_size=16, bottleneck_size=8, vocabulary_size=60, max_length=32
    )
    out = tmp_path_factory.mktemp("teacher")
    model = random_model(shape, name="slow", tokenizer=tokenizer_file)
    model.training = {"corpus": "tales", "licence": "CC0-1.0", "encoder": {"steps": 7}, "config": {"pad_token": "eos"}}
    save_trained_model(model, out / "model")
    return out


@pytest.fixture
def experiment(tmp_path: Path, teacher: Path, prepared: Path) -> Path:
    path = tmp_path / "fast.yml"
    path.write_text(YAML.format(teacher=teacher, data=prepared / "train", out=tmp_path / "out"))
    return path


def history(folder: Path) -> list[dict[str, float]]:
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{name: row[name] for name in ("step", "loss", "decode_loss")} for row in rows]


class Killed(BaseException):
    pass


@pytest.mark.slow("two distillations of two rounds, one of them killed")
def test_two_rounds_and_one_that_was_killed(experiment: Path, tmp_path: Path, teacher: Path, monkeypatch, capsys):
    rounds = ("round_1_2_steps", "round_2_1_steps")
    main(Arguments(experiment, (f"out={tmp_path / 'whole'}",)))
    first, second = (load_trained_model(tmp_path / "whole" / folder / "model") for folder in rounds)
    slow = load_trained_model(teacher / "model")
    assert second.training["student"] == {"steps": 1, "teacher": "slow", "teacher_steps": 3}
    assert second.training["sampler"] == {"steps": 1, "method": "sde", "gamma": 1.5, "self_cond_cfg": 2.5}
    assert second.training["steps"] == 4 and second.training["encoder"] == {"steps": 7}
    assert second.training["command"] == "elf distill --config fast.yml" and second.training["corpus"] == "tales"
    assert str(tmp_path) not in json.dumps(second.training)
    assert (second.name, second.elf, second.flow) == ("fast-1-steps", slow.elf, slow.flow)
    np.testing.assert_array_equal(second.latent_mean, slow.latent_mean)
    # Each student has moved on from where it started.
    kernel = "blocks_0/mlp/w3/kernel"
    moves = [np.abs(b.params[kernel] - a.params[kernel]).mean() for a, b in ((slow, first), (first, second))]
    assert min(moves) > 1e-5 and max(moves) < 0.5 * np.abs(slow.params[kernel]).mean()

    def dying(dataset, *, seed, start, **settings):
        for number, batch in enumerate(training_batches(dataset, seed=seed, start=start, **settings), start):
            if seed == 2 and number == 3:
                raise Killed
            yield batch

    out = tmp_path / "out"
    shutil.copytree(tmp_path / "whole" / rounds[0], out / rounds[0])
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(elf.training.train, "training_batches", dying)
        main(Arguments(experiment))
    # A killed run leaves a model of its last checkpoint, which is not taken for a finished one.
    assert load_trained_model(out / rounds[1] / "model").training["steps"] == 2
    capsys.readouterr()
    main(Arguments(experiment))
    said = capsys.readouterr().err
    assert "round_1_2_steps is finished" in said and "resuming after step 2" in said
    assert history(out / rounds[1]) == history(tmp_path / "whole" / rounds[1])
    resumed = load_trained_model(out / rounds[1] / "model")
    for name in second.params:
        np.testing.assert_array_equal(resumed.params[name], second.params[name], err_msg=name)


def test_a_round_stopped_in_its_evaluation_goes_on_with_it(experiment: Path, tmp_path: Path, monkeypatch, capsys):
    (tmp_path / "sampling.yml").write_text("[{steps: 2, seed: 1}, {steps: 2, seed: 2}]\n")
    evaluation = (
        "every_steps=1",
        "samples=3",
        "batch_size=2",
        "metrics=entropy",
        f"sampling={tmp_path}/sampling.yml",
    )
    words = ("rounds=[2]", "sub_steps=[2]", "steps=1", *(f"evaluation.{word}" for word in evaluation))
    out = tmp_path / "out" / "round_1_2_steps"
    write, written = BatchSampler.write, 0

    def dying(self: BatchSampler, *words, **named):
        nonlocal written
        written += 1
        if written == 4:  # in the last batch of the second way
            raise Killed
        return write(self, *words, **named)

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(BatchSampler, "write", dying)
        main(Arguments(experiment, words))
    assert load_trained_model(out / "model").training["steps"] == 1

    def evaluated() -> list[int]:
        rows = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
        return [row["n"] for row in rows if "evaluation" in row]

    assert evaluated() == [3]
    # As a machine that lost its power leaves a log.
    with (out / "metrics.jsonl").open("a") as log:
        log.write('{"step": 1, "eval')
    main(Arguments(experiment, words))
    assert evaluated() == [3, 3] and "is finished" not in capsys.readouterr().err
    main(Arguments(experiment, words))
    assert evaluated() == [3, 3] and "round_1_2_steps is finished" in capsys.readouterr().err
    # Without its checkpoint there is nothing to go on with: it would be trained anew.
    (out / "metrics.jsonl").unlink()
    shutil.rmtree(out / "checkpoints")
    main(Arguments(experiment, words))
    assert "round_1_2_steps is finished" in capsys.readouterr().err


def test_processes_are_joined_before_a_teacher_is_read(experiment: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Orbax asks which process this is, and after that none can be joined."""
    monkeypatch.setattr(Arguments, "join_processes", lambda self: (_ for _ in ()).throw(Killed))
    with pytest.raises(Killed):
        main(Arguments(experiment, ("teacher=nowhere",)))


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("elf.depth=2", CheckpointMismatchError, r"elf\.depth is 2, but the teacher's is 1"),
        ("elf.depht=1", ConfigError, r"no field elf\.depht"),
        ("flow.noise_scale=2.0", CheckpointMismatchError, r"flow\.noise_scale"),
        ("pad_token=pad", CheckpointMismatchError, "pad_token is 'pad'"),
        ("latent_normalisation=official", CheckpointMismatchError, "latent_normalisation"),
        ("tokenizer={other}/tokenizer.json", CheckpointMismatchError, "tokenizer"),
        ("encoder={other}", CheckpointMismatchError, "encoder"),
        ("teacher={other}/nowhere", CheckpointError, "nowhere"),
        ("teacher=null", ConfigError, "teacher is not set"),
        ("rounds=8", ConfigError, "rounds is 8, not a list"),
        ("rounds=[8, many]", ConfigError, r"rounds\[1\] is 'many'"),
        ("rounds=[8,0]", ConfigError, "rounds"),
        ("rounds=[8]", ConfigError, "1 rounds and 2 sub_steps"),
        ("epochs=1", ConfigError, "steps or epochs"),
        ("objective=literal", ConfigError, "objective"),
        ("flow.decoder_prob=1", ConfigError, "decoder_prob"),
        ("teacher_guidance=1.5", ConfigError, r"teacher_guidance is 1\.5 and blind_blocks are \[\]"),
        ("blind_blocks=[0]", ConfigError, r"teacher_guidance is 1 and blind_blocks are \[0\]"),
        ("guesses.share=0.5", ConfigError, "guesses.share is set"),
        ("teacher_guidance=0", ConfigError, "teacher_guidance is 0"),
        ("teacher_guidance_until=0", ConfigError, "teacher_guidance_until is 0"),
        ("teacher_guidance_until=0.5", ConfigError, "teacher_guidance_until is set and teacher_guidance is 1"),
    ],
)
def test_what_cannot_be_is_refused_by_name(experiment: Path, tmp_path: Path, override, error: type[ElfError], words):
    other = tmp_path / "other"
    other.mkdir()
    t5 = T5Config(vocabulary_size=60, d_model=16, d_kv=8, d_ff=64, layers=2, heads=4)
    (other / "encoder.json").write_text(json.dumps({"config": dataclasses.asdict(t5)}))
    save_file(random_params(encoder_parameter_shapes(t5), 9), other / "encoder.safetensors")
    train_tokenizer(["one two three four five six seven"] * 9, 22, 2).save(str(other / "tokenizer.json"))
    with pytest.raises(error, match=words):
        main(Arguments(experiment, (override.format(other=other),)))


def test_what_the_teacher_decides_may_be_said_again(experiment: Path, teacher: Path, tokenizer_file: Path) -> None:
    words = ("elf.depth=1", "pad_token=eos", f"tokenizer={tokenizer_file}", f"teacher={teacher}/model")
    settings, model = load_distill_config(experiment, words)
    assert model.name == "slow" and settings.elf == model.elf and settings.corpus == "tales"
    assert settings.flow == model.flow and (settings.steps, settings.epochs) == (4, None)


@pytest.fixture(scope="module")
def official(tmp_path_factory: pytest.TempPathFactory, teacher: Path, tokenizer_file: Path) -> Path:
    """A checkpoint as the official code writes it, and its encoder's pickle: weights alone."""
    folder, model = tmp_path_factory.mktemp("official"), load_trained_model(teacher / "model")
    write_elf_checkpoint(folder / "checkpoint_1", "msgpack", model.elf, 4)
    write_t5(folder / "encoder.pkl", "t5-pickle", model.encoder, 5)
    return folder


def of_official(official: Path, tokenizer: Path, *words: str) -> tuple[str, ...]:
    lengths = ("elf.max_length=32", "elf.max_input_length=0", "teacher_task=owt", "flow={}")
    files = (f"teacher={official / 'checkpoint_1'}", f"encoder={official / 'encoder.pkl'}", f"tokenizer={tokenizer}")
    return (*lengths, *files, *words)


def test_an_official_checkpoint_teaches(
    experiment: Path, tmp_path: Path, official: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = of_official(official, tokenizer_file)
    settings, model = load_distill_config(experiment, words)
    averaged, raw = (random_params(parameter_shapes(settings.elf), seed) for seed in (4, 5))
    np.testing.assert_array_equal(model.params["proj_kernel"], averaged["proj_kernel"])
    assert (settings.elf.max_length, settings.latent_normalisation, settings.pad_token) == (32, "official", "pad")
    assert settings.filling == "unseen" and settings.flow.self_cond_start == "condition"
    assert (model.latent_mean, model.latent_std, settings.flow.noise_scale) == (0.0, 0.2, 2.0)
    _, model = load_distill_config(experiment, (*words, "teacher_weights=raw"))
    np.testing.assert_array_equal(model.params["proj_kernel"], raw["proj_kernel"])
    # The first student may start from another model than the teacher: as the rounds before left it, for one.
    warm = tmp_path / "warm"
    write_elf_checkpoint(warm, "safetensors", settings.elf, 8)
    small = ("rounds=[2]", "sub_steps=[2]", "steps=1", f"start={warm}", "optimizer.blr=1e-9")
    main(Arguments(experiment, (*words, *small, "student_times=uniform", "teacher_times=uniform")))
    student = load_trained_model(tmp_path / "out" / "round_1_2_steps" / "model")
    for name, value in random_params(parameter_shapes(settings.elf), 8).items():
        np.testing.assert_allclose(student.params[name], value, atol=1e-5)
    assert student.training["student"]["teacher"] == "checkpoint_1"
    assert "taking ema_params1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("override", "error", "words"),
    [
        ("encoder=null", CheckpointError, "has no text encoder"),
        ("tokenizer=null", ConfigError, "tokenizer"),
        ("teacher_task=other", ConfigError, "teacher_task is 'other'"),
        ("elf.depth=2", CheckpointMismatchError, r"elf\.depth is 2, but the teacher's is 1"),
        ("filling=seen", CheckpointMismatchError, "filling is 'seen'"),
    ],
)
def test_what_an_official_teacher_leaves_open_must_be_said(
    experiment: Path, official: Path, tokenizer_file: Path, override: str, error: type[ElfError], words: str
) -> None:
    with pytest.raises(error, match=words):
        load_distill_config(experiment, of_official(official, tokenizer_file, override))


EXPORTED = Path(__file__).parents[2] / "test/fixtures/tiny-model"


def test_an_exported_teacher_is_taken_only_with_what_its_folder_does_not_say(experiment: Path) -> None:
    """Without it the student's rows would be filled, and its decode branch noised, as no training of the teacher's."""
    words = (f"teacher={EXPORTED}",)
    flow = tuple(f"flow.decoder_{name}" for name in ("noise_scale=2", "p_mean=0.5", "p_std=0.8", "prob=0.2"))
    lacks_flow = ", ".join(word.partition("=")[0] for word in flow)
    for told, lacking in (
        ((), f"pad_token, {lacks_flow}"),
        (("pad_token=eos", *flow), "filling"),
        (("pad_token=eos", *flow, "recipe=own"), "filling"),
        (("pad_token=pad",), lacks_flow),
    ):
        with pytest.raises(ConfigError, match=f"does not say {lacking}$"):
            load_distill_config(experiment, (*words, *told))
    for told in ("filling=unseen", "recipe=official"):
        settings, model = load_distill_config(experiment, (*words, "pad_token=eos", *flow, told))
        assert model.exported is not None and not settings.sees_filling
    assert (settings.flow.decoder_noise_scale, settings.flow.noise_scale) == (2, model.flow.noise_scale)


def test_the_published_rounds_are_the_default() -> None:
    plan = config().plan()
    assert [turn[1:] for turn in plan] == [(16, 4), (8, 8), (4, 16), (2, 32), (1, 64)]
    assert plan[0].folder == "round_1_16_steps"
    assert [turn.sub_steps for turn in config(rounds=(3, 100)).plan()] == [21, 1]
    assert recommended_sampler(16) == {"steps": 16, "method": "sde", "gamma": 2.0, "self_cond_cfg": 2.0}


def test_the_shipped_experiments_have_the_published_values(teacher: Path) -> None:
    configs = Path(__file__).parents[1] / "configs"
    with pytest.raises(ConfigError, match=r"blind_blocks are \[2, 3, 4, 5\]"):  # of seven; this teacher has one
        load_distill_config(configs / "stories-guided.yml", (f"teacher={teacher}",))
    for name in ("owt-elf-b-pd", "stories-fast"):
        settings, _ = load_distill_config(configs / f"{name}.yml", (f"teacher={teacher}",))
        assert settings.name == name
        assert settings.flow.decoder_prob == 0.2 and settings.optimizer.optimizer == "muon"
    assert [turn[1:] for turn in settings.plan()] == [(8, 8)]
    settings, _ = load_distill_config(configs / "owt-elf-b-pd.yml", (f"teacher={teacher}",))
    assert settings.plan() == config().plan()
    assert (settings.epochs, settings.batch_size, settings.ema_decay) == (1, 512, 0.9999)
    assert (settings.optimizer.blr, settings.optimizer.warmup_epochs) == (0.001, 0.1)


def test_a_dataset_of_another_task_is_refused(experiment: Path, tmp_path: Path) -> None:
    from datasets import Dataset

    Dataset.from_dict({"input_ids": [[3, 4]], "condition_input_ids": [[3]]}).save_to_disk(str(tmp_path / "pairs"))
    with pytest.raises(CheckpointMismatchError, match=r"has sources \(.*\), the teacher has no use") as refused:
        main(Arguments(experiment, (f"data={tmp_path / 'pairs'}",)))
    assert "a dataset of the teacher's task" in refused.value.action
