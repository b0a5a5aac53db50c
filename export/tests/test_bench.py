"""The benchmark: FLOPs by hand against numbers worked out here and against XLA; reports; refusals. No test is timed."""

import json
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from elf.bench import peers, sample, train_step
from elf.bench.cost_model import Arguments as CostArguments
from elf.bench.cost_model import cost_model, decode_flops, denoise_flops, encoder_flops, muon_flops
from elf.bench.machine import interleaved, median_ratio
from elf.bench.train_step import Arguments as StepArguments
from elf.bench.train_step import (
    Compiled,
    bench_config,
    compile_encoder,
    compile_forward,
    compile_gradient,
    compile_step,
    encoder_for,
    settled,
)
from elf.cli import main
from elf.config import PRESETS, ElfConfig, T5Config
from elf.errors import ConfigError, UsageError
from elf.models.open_model import open_model
from elf.training.optimizer import OptimizerConfig

# Wide for its depth and length, so that matrix products outweigh what the counts leave out.
SMALL = ElfConfig(
    depth=2, hidden_size=96, heads=2, latent_size=32, bottleneck_size=16, vocabulary_size=50, max_length=24
)


def test_flops_by_hand() -> None:
    # One block of width 4 with inner size 10, two latent dimensions, five text tokens behind twelve of prefix.
    tiny = ElfConfig(depth=1, hidden_size=4, heads=1, latent_size=2, bottleneck_size=3, vocabulary_size=7, max_length=5)
    text = 5 * 2 * (4 * 2 + 2 * 3 + 3 * 4)
    numbers = 2 * 2 * (256 * 4 + 4 * 4)
    attention = 17 * 2 * (4 * 12 + 4 * 4) + 2 * 2 * (17 * 17 * 4)
    feed_forward = 17 * 2 * (4 * 20 + 10 * 4)
    trunk = text + numbers + attention + feed_forward
    assert denoise_flops(tiny, 3, 5) == 3 * (trunk + 5 * 2 * 4 * 2)
    assert decode_flops(tiny, 3, 5) == 3 * (trunk + 5 * 2 * (4 * 2 + 2 * 7))
    t5 = T5Config(vocabulary_size=9, d_model=6, d_kv=4, d_ff=11, layers=2, heads=3)
    assert encoder_flops(t5, 3, 5) == 3 * 2 * (5 * 2 * (4 * 6 * 12 + 2 * 6 * 11) + 2 * 2 * 5 * 5 * 12)
    # Muon: both embedders' (256, 4) and (4, 4), the projections, the block's four kernels and the head's; of each the
    # short side m and the long side n: five times A = XXᵀ, A², and their product with X.
    sides = [(4, 256), (4, 4)] * 2 + [(2, 4), (2, 3), (3, 4), (4, 12), (4, 4), (4, 20), (4, 10), (2, 4)]

    def turning(sides: list[tuple[int, int]]) -> int:
        return sum(5 * (2 * m * n * m + 2 * m * m * m + 2 * m * m * n) for m, n in sides)

    assert muon_flops(tiny, "kernels") == turning(sides)
    # Officially the two matrices of the vocabulary head too.
    assert muon_flops(tiny) == turning([*sides, (2, 4), (2, 7)])


def test_xla_counts_what_is_counted_by_hand() -> None:
    config = bench_config(SMALL, batch_size=4)
    assert compile_forward(config).flops == pytest.approx(denoise_flops(SMALL, 4, 24), rel=0.08)
    assert compile_encoder(config)[0].flops == pytest.approx(encoder_flops(encoder_for(SMALL), 4, 24), rel=0.08)


def test_what_runs_on_one_device_is_counted_on_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jax, "device_count", lambda: 8)
    forward = compile_forward(bench_config(SMALL, batch_size=4))
    assert forward.flops == pytest.approx(denoise_flops(SMALL, 4, 24), rel=0.08)


def test_the_shared_formulation_saves_the_passes_it_makes_once() -> None:
    config = bench_config(replace(SMALL, depth=1), batch_size=4)
    forward = compile_forward(config).flops
    literal, shared = (compile_gradient(config, name).flops for name in ("literal", "shared"))
    assert literal / forward == pytest.approx(5.0, abs=0.15)
    assert shared / forward == pytest.approx(3.5, abs=0.15)
    assert literal / shared >= 1.38


def test_flops_and_memory_are_those_of_the_compiled_program() -> None:
    square = jax.ShapeDtypeStruct((64, 64), jnp.float32)
    compiled = Compiled.of(jax.jit(lambda a: a @ a).lower(square))
    assert compiled.flops == pytest.approx(2 * 64**3, rel=0.01)
    assert compiled.bytes >= 2 * 64 * 64 * 4


def test_runs_are_timed_in_turns() -> None:
    calls: list[str] = []
    timings = interleaved({name: lambda name=name: calls.append(name) for name in "ab"}, 3)
    assert "".join(calls) == "ab" + "ab" + "ba" + "ab"
    assert [len(of.wall) for of in timings.values()] == [len(of.processor) for of in timings.values()] == [3, 3]
    # A slow moment that hits both at once does not move the ratio.
    assert median_ratio([2.0, 20.0, 2.2], [1.0, 10.0, 1.0]) == 2.0


def test_cost_model_of_elf_b_on_a_v5p_64() -> None:
    cost = cost_model(CostArguments())
    # About twice the block parameters and 4·S·H a layer for attention, for each of 512 · 1036 positions.
    blocks = 12 * (4 * 768 * 768 + 3 * 768 * 2048)
    assert cost["forward_tflop"] == pytest.approx(512 * 1036 * (2 * blocks + 12 * 4 * 1036 * 768) / 1e12, rel=0.03)
    assert cost["machine"]["peak_tflops"] == 32 * 459
    denoise = 5 * cost["forward_tflop"] + cost["encoder_tflop"]
    decode = 3 * cost["decode_forward_tflop"] + cost["encoder_tflop"]
    mean = 0.8 * denoise + 0.2 * decode
    assert cost["literal"]["mean_step_tflop"] == pytest.approx(mean)
    assert cost["literal"]["mfu_of_published_hours"] == pytest.approx(19_000 * mean / (32 * 459) / 5400)
    assert 0.1 < cost["literal"]["mfu_of_published_hours"] < 0.16
    assert cost["literal"]["epoch_hours_at_mfu"]["0.5"] == pytest.approx(
        2 * cost["literal"]["epoch_hours_at_full_peak"]
    )
    assert cost["shared_epoch_hours_at_published_mfu"] == pytest.approx(1.5 / cost["flops_ratio"])
    # Of the other sizes no time was published.
    assert cost_model(CostArguments(preset="ELF-M"))["literal"]["mfu_of_published_hours"] is None


@pytest.mark.slow("two steps are compiled")
def test_the_whole_step_is_the_one_that_trains() -> None:
    config = replace(bench_config(SMALL, batch_size=4), optimizer=OptimizerConfig("adamw"))
    step = compile_step(config, "shared")
    start = step.init()
    before = {name: np.asarray(value) for name, value in start.params.items()}
    after = step(start)
    # At step 0 of a warm-up the rate is 0; what the optimizer remembers has changed.
    np.testing.assert_array_equal(after.params["proj_kernel"], before["proj_kernel"])
    assert np.abs(optax.tree.get(after.opt_state, "mu")["final_layer/linear/kernel"]).max() > 0
    gradient = compile_gradient(config, "shared").flops + encoder_flops(encoder_for(SMALL), 4, 24)
    assert step.compiled.flops == pytest.approx(gradient, rel=0.05)
    # Weights, average and two moments are written where they were.
    weights = sum(4 * value.size for value in before.values())
    assert step.compiled.donated_bytes == pytest.approx(4 * weights, rel=0.01)


@pytest.fixture
def known_peak(monkeypatch: pytest.MonkeyPatch) -> float:
    """Measuring it takes seconds."""
    for module in (train_step, sample):
        monkeypatch.setattr(module, "matmul_peak", lambda dtype: {"flops_per_second": 1e9, "size": 512})
    return 1e9


def test_train_step_reports_both_formulations(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known_peak: float
) -> None:
    # An experiment's file as it is; the folders it names are not there, and need not be.
    experiment = tmp_path / "test.yml"
    experiment.write_text("""
name: test
data: nowhere
encoder: nowhere
tokenizer: nowhere
out: nowhere
steps: 10
batch_size: 4
elf: {depth: 1, hidden_size: 16, heads: 2, latent_size: 8, bottleneck_size: 4, vocabulary_size: 20, max_length: 9}
""")
    words = ["bench", "train-step", "--config", str(experiment), "--length", "5", "--repeats", "1", "--json"]
    assert main([*words, "--no-whole-step", "optimizer.optimizer=adamw"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["model"]["length"] == 5 and report["model"]["batch_size"] == 4
    assert report["flops_ratio"] == report["loss_and_gradient"]["flops_ratio"] > 1.2
    part = report["loss_and_gradient"]
    literal, shared = part["literal"], part["shared"]
    assert part["flops_ratio"] == pytest.approx(literal["flops"] / shared["flops"])
    assert shared["tokens_per_second"] == pytest.approx(4 * 5 / shared["seconds"])
    assert shared["share_of_matmul_peak"] == pytest.approx(shared["flops"] / shared["seconds"] / known_peak)
    assert "whole_step" not in report
    assert report["time_ratio"] > 0 and report["flops_by_hand"]["muon"] == 0
    assert not (tmp_path / "nowhere").exists()


def test_sample_reports_throughput_and_an_evaluation(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], known_peak: float
) -> None:
    model = tmp_path / "model"
    assert main(["make-random", "--out", str(model), "--no-encoder"]) == 0
    capsys.readouterr()
    words = ["bench", "sample", "--checkpoint", str(model), "--steps", "2", "--batch-sizes", "2", "--repeats", "1"]
    assert main([*words, "--length", "4", "--samples", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    [row] = report["batches"]
    assert row["tokens_per_second"] == pytest.approx(2 * 4 / row["seconds"])
    tiny = ElfConfig(**{name: value for name, value in report["model"].items() if name != "name"})
    assert row["flops"] == 2 * denoise_flops(tiny, 2, 4) + decode_flops(tiny, 2, 4)
    assert row["share_of_matmul_peak"] == pytest.approx(row["flops"] / row["seconds"] / known_peak)
    evaluation = report["evaluation"]
    assert evaluation["seconds"] == pytest.approx(3 * row["seconds"]) and not evaluation["measured"]
    assert evaluation["process_peak_bytes"] > evaluation["device_bytes"] > 0


def test_what_cannot_be_measured_is_refused() -> None:
    assert settled(StepArguments(preset="ELF-M")).elf == PRESETS["ELF-M"]
    with pytest.raises(UsageError, match="no preset 'huge'"):
        settled(StepArguments(preset="huge"))
    with pytest.raises(UsageError, match="repeats"):
        settled(StepArguments(repeats=0))
    with pytest.raises(UsageError, match="overrides"):
        settled(StepArguments(overrides=("steps=3",)))
    with pytest.raises(ConfigError, match="batch_size"):
        settled(StepArguments(batch_size=1))
    with pytest.raises(UsageError, match="chips"):
        cost_model(CostArguments(chips=0))
    with pytest.raises(UsageError, match="no preset"):
        cost_model(CostArguments(preset="stories-mini"))


FIXTURES = Path(__file__).parents[2] / "test/fixtures"


@pytest.mark.parametrize("name", [name for name in peers.PEERS if name != "torch" or find_spec("torch")])
def test_each_peer_writes_the_same_tokens(name: str) -> None:
    found = peers._measure(name, peers.Arguments(model=FIXTURES / "tiny-model", steps=3, repeats=1))
    # By the page's own sampler and settings: src/bench/measure.test.ts.
    assert found["tokens"] == PEER_TOKENS
    assert min(found["loadSeconds"], found["firstTextSeconds"], found["stepSeconds"], found["peakBytes"]) > 0


PEER_TOKENS = [49, 120, 11, 49, 49, 53, 30, 49, 49, 99, 24, 115, 49, 24, 113, 87]


@pytest.mark.slow("a process of its own for each peer")
def test_peers_are_laid_side_by_side(capsys) -> None:
    command = ["bench", "peers", str(FIXTURES / "tiny-model"), "--steps", "2", "--repeats", "1"]
    assert main([*command, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["sameTokens"] and len(report["peers"]) >= 2
    report["peers"][1]["tokens"][0] += 1
    said = peers.table(report | {"sameTokens": False, "growth": {"steps": peers.fitted([(1, 0.5), (4, 2.0)])}})
    assert "not all write the same tokens" in said and "against steps: exponent 1.00 (1: 500 ms, 4: 2,000 ms)" in said


def test_an_exponent_is_that_of_a_power() -> None:
    assert peers.fitted([(x, 3 * x**1.5) for x in (1, 2, 8, 64)])["exponent"] == pytest.approx(1.5)


def test_growth_is_measured_of_all_that_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, few in {"LENGTHS": (8, 16), "BATCHES": (1, 2), "STEPS": (1, 2), "PRESETS": ("tiny",)}.items():
        monkeypatch.setattr(peers, f"GROWTH_{name}", few)
    monkeypatch.setattr(peers, "PRESETS", {"tiny": replace(SMALL, max_length=128)})
    found = peers.growth(open_model(FIXTURES / "tiny-conditional"))
    assert [[x for x, _ in grown["points"]] for grown in found.values()][:3] == [[8, 16], [1, 2], [1, 2]]
    assert all(seconds > 0 for grown in found.values() for _, seconds in grown["points"])


def test_peers_of_what_has_none_are_refused(tmp_path: Path, capsys) -> None:
    for folder, options, message in (
        (tmp_path, [], "no exported model"),
        (FIXTURES / "tiny-conditional", [], "writes to a source"),
        (FIXTURES / "tiny-model", ["--steps", "1"], "too few steps"),
    ):
        assert main(["bench", "peers", str(folder), *options]) == 2
        assert message in capsys.readouterr().err
