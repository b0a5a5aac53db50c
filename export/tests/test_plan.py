"""`elf plan`: bytes per device against hand formulas, the compiled step on simulated devices, and what is refused."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
from safetensors.numpy import save_file

from elf.cli import main
from elf.config import PRESETS, ElfConfig, T5Config
from elf.devices import make_mesh
from elf.errors import UsageError
from elf.network.modules import Remat
from elf.network.parameters import encoder_parameter_shapes
from elf.training.memory_estimate import (
    device_bytes,
    estimate,
    kept_at_depth,
    kept_for_backward,
    paper_mesh,
    planned_step,
    sharded,
)
from elf.training.optimizer import OptimizerConfig
from elf.training.plan import Arguments, Collective, collectives, compile_branch, compile_branches, device_count
from elf.training.train_config import TrainConfig

CONFIGS = Path(__file__).parents[1] / "configs"

TINY = """
name: tiny
data: nowhere
encoder: nowhere
tokenizer: nowhere
out: nowhere
steps: 10
batch_size: 16
elf: {depth: 1, hidden_size: 32, heads: 2, latent_size: 32, bottleneck_size: 16, vocabulary_size: 600, max_length: 16}
optimizer: {optimizer: adamw}
compute_dtype: float32
"""


def training(elf: ElfConfig, **fields) -> TrainConfig:
    return TrainConfig("test", "data", "encoder", "tokenizer", Path("out"), steps=1, elf=elf, **fields)


def hand_count(L: int, H: int, inner: int, D: int, V: int) -> tuple[int, int]:
    """Weights of an ELF by arithmetic over spec section 2: (those in Dense kernels, all the others)."""
    embedder = 256 * H + H * H
    kernels = L * (3 * H * H + H * H + 2 * H * inner + inner * H) + 2 * D * D + D * 128 + 128 * H + 2 * embedder + H * D
    # Of a block: two gains, qkv's bias, gains of q and k (16 heads), and the biases of proj, w12 and w3.
    block = 2 * H + 3 * H + 2 * (H // 16) + H + 2 * inner + H
    rest = L * block + D + H + 4 * H + 3 * 4 * H + H + D + (H * D + D) + (D * V + V)
    return kernels, rest


def test_elf_l_state_is_the_hand_count_and_fits_a_v5p() -> None:
    kernels, rest = hand_count(L=32, H=1280, inner=3413, D=512, V=32100)
    assert kernels + rest == pytest.approx(652e6, rel=0.001)  # as the paper says
    whole = planned_step(training(PRESETS["ELF-L"]), paper_mesh(32, 1), T5Config()).abstract_state
    params = 4 * (kernels + rest)
    # Muon keeps one number for a weight of a Dense kernel, Adam two for any other; counters of steps beside them.
    optimizer = 4 * (kernels + 2 * rest)
    assert device_bytes(whole.params) == device_bytes(whole.ema_params1) == params
    assert device_bytes(whole.opt_state) == pytest.approx(optimizer, abs=64)

    shared = sharded(paper_mesh(32, 32), whole)
    # Matrices are split; what stays whole, biases, gains and learned tokens, is 3 MB at the most.
    assert params / 32 < device_bytes(shared.params) < params / 32 + 3e6
    assert device_bytes(shared.ema_params1) == device_bytes(shared.params)
    assert optimizer / 32 < device_bytes(shared.opt_state) < optimizer / 32 + 6e6


def test_what_lies_beside_the_weights() -> None:
    elf = ElfConfig(depth=1, hidden_size=32, heads=2, latent_size=512, vocabulary_size=600, max_length=16)
    config = training(elf, batch_size=8, optimizer=OptimizerConfig(optimizer="adamw"))
    found = estimate(config, 4, T5Config(layers=1))
    assert found.opt_state == pytest.approx(2 * found.params, abs=64)
    assert found.gradient == 2 * found.params
    # 2 rows of 16: ids and a mask, x and ε of 512 numbers each.
    assert found.batch == 2 * 16 * (4 + 1 + 2 * 512 * 4)
    # One layer of T5-small: table, q, k, v, o, two feed-forward matrices, three gains, the bias table.
    assert found.encoder_params == 4 * (32128 * 512 + 4 * 512**2 + 2 * 512 * 2048 + 3 * 512 + 32 * 8)
    assert found.total == sum(found)


def test_groups_of_rows_are_kept_one_after_another() -> None:
    elf = ElfConfig(depth=1, hidden_size=32, heads=2, latent_size=32, vocabulary_size=60, max_length=16)
    encoder = T5Config(d_model=32, layers=1)
    config = training(elf, batch_size=16, loss_mean="device", coin="device")
    kept = [
        estimate(dataclasses.replace(config, batch_size=rows, device_groups=groups), 1, encoder).kept
        for rows, groups in ((16, 8), (2, 1), (16, 1))
    ]
    assert kept[0] == kept[1] < kept[2]


@pytest.mark.slow("a training is traced for every way to keep less")
def test_remat_keeps_the_input_of_every_block() -> None:
    rows, S, H = 2, 52 + 12, 64
    elf = ElfConfig(depth=3, hidden_size=H, heads=2, latent_size=32, vocabulary_size=100, max_length=52)

    def kept(remat: Remat, rows: int = rows) -> tuple[int, int]:
        return kept_for_backward(training(elf, remat=remat), rows, decode=True)

    block = {remat: kept(remat)[1] for remat in ("none", "dots", "blocks")}
    assert block["blocks"] == rows * S * H * 4
    # Without, at least the weights of the attention, (heads, S, S) a row in bfloat16.
    assert block["none"] > rows * 2 * S * S * 2 + rows * S * H * 4
    assert block["blocks"] < block["dots"] < block["none"]
    assert sum(kept("none", 4)) == pytest.approx(2 * sum(kept("none", 2)), rel=0.01)

    encoder = T5Config(d_model=32)
    whole, again = (estimate(training(elf, batch_size=2, remat=r), 1, encoder) for r in ("none", "blocks"))
    assert whole.remade == 0 and again.remade == pytest.approx((whole.kept - again.kept) / 3, rel=0.02)
    # What two small networks tell is what the network itself keeps.
    assert whole.kept == max(kept_at_depth(training(elf), 3, 2, decode) for decode in (False, True))


@pytest.mark.parametrize(
    "name", ["owt-elf-b", "xsum", pytest.param("owt-elf-l", marks=pytest.mark.slow("32 blocks are traced"))]
)
def test_the_published_trainings_fit_a_v5p_64(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["plan", "--config", str(CONFIGS / f"{name}.yml"), "--devices", "32", "--hbm-gb", "95"]) == 0
    assert "\nfits in 95 GB" in capsys.readouterr().out


def test_a_training_too_large_is_refused_with_what_would_help(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "large.yml"
    config.write_text(TINY.replace("depth: 1", "depth: 4").replace("max_length: 16", "max_length: 256"))
    words = ["plan", "--config", str(config), "--devices", "4"]
    assert main([*words, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["estimate"]
    # Room for nine tenths of what the backward pass needs and no weight at all, so no sharing of weights is enough.
    limit = f"--hbm-gb={0.9e-9 * (found['kept'] + found['batch']):.9f}"
    assert main([*words, limit, "--json"]) == 2
    printed = capsys.readouterr()
    assert json.loads(printed.out)["fits"] is False
    assert "DoesNotFitError: tiny needs" in printed.err
    enough = printed.err.partition("Enough would be")[2]
    assert "remat=" in enough and "accumulation=" in enough and "fsdp" not in enough
    assert main([*words, limit, enough.split()[0]]) == 0
    assert "\nfits in" in capsys.readouterr().out


def test_a_training_beyond_all_help_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "tiny.yml"
    config.write_text(TINY)
    assert main(["plan", "--config", str(config), "--hbm-gb", "0.000001", "--devices", "16", "remat=blocks"]) == 2
    assert "alone is enough" in capsys.readouterr().err


@pytest.mark.slow("a process compiles both branches for four devices")
def test_the_step_is_compiled_for_simulated_devices(tmp_path: Path) -> None:
    encoder = T5Config(vocabulary_size=600, d_model=32, d_kv=8, d_ff=64, layers=1, heads=2)
    (tmp_path / "encoder.json").write_text(json.dumps({"config": vars(encoder)}))
    weights = {name: np.zeros(shape, np.float32) for name, shape in encoder_parameter_shapes(encoder).items()}
    save_file(weights, tmp_path / "encoder.safetensors")
    config = tmp_path / "tiny.yml"
    config.write_text(TINY.replace("encoder: nowhere", f"encoder: {tmp_path}"))
    command = [sys.executable, "-m", "elf.cli", "plan", "--config", str(config), "--devices", "4", "--fsdp", "2"]
    done = subprocess.run(
        [*command, "--compile", "--json"], capture_output=True, text=True, timeout=300, env={**os.environ}
    )
    assert done.returncode == 0, done.stderr
    assert "compiling the decode step" in done.stderr
    report = json.loads(done.stdout)
    state = sum(report["estimate"][name] for name in ("params", "ema_params1", "opt_state", "encoder_params"))
    for branch in report["compiled"].values():
        # Beside the state: the rows of this device, (4 rows, 16) ids and masks, the source lengths and the step.
        assert branch["arguments"] == pytest.approx(state + 4 * 16 * 5 + 4 * 4 + 4, rel=0.01)
        # State in, state out, in the same memory.
        assert branch["aliased"] == pytest.approx(branch["outputs"], rel=0.01)
        assert branch["flops"] > 0 and branch["temporaries"] > 0
        # Weights are gathered over fsdp, gradients summed over all.
        assert branch["collectives"]["all-gather"]["count"] > 0
        assert branch["collectives"]["all-reduce"]["bytes"] > report["estimate"]["params"] / 2


def test_a_step_whose_rows_have_each_their_branch_is_compiled_as_the_one_program_it_is() -> None:
    elf = ElfConfig(
        depth=1, hidden_size=32, heads=2, latent_size=32, bottleneck_size=16, vocabulary_size=600, max_length=16
    )
    encoder = T5Config(vocabulary_size=600, d_model=32, d_kv=8, d_ff=64, layers=1, heads=2)
    config = training(elf, batch_size=4, coin="example", compute_dtype="float32")
    mesh = make_mesh(1, jax.devices("cpu")[:1])
    compiled = compile_branches(config, encoder, mesh)
    assert list(compiled) == ["mixed"]
    # Its rows are noised for both.
    assert compiled["mixed"]["flops"] > compile_branch(config, encoder, mesh, False)["flops"]


def test_the_step_is_compiled_by_the_tpus_compiler_where_it_is_installed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = tmp_path / "tiny.yml"
    config.write_text(TINY)
    code = main(["plan", "--config", str(config), "--topology", "v5e:2x2", "--json"])
    printed = capsys.readouterr()
    if importlib.util.find_spec("libtpu") is None:
        assert code == 2 and "pip install 'jax[tpu]" in printed.err
        return
    report = json.loads(printed.out)
    assert code == 0 and report["devices"] == 4 and report["limit"] == 16e9
    assert all(branch["seconds"] > 0 for branch in report["compiled"].values())


def test_collectives_are_read_from_hlo() -> None:
    hlo = """
  %all-gather.5 = bf16[512,128]{1,0:T(8,128)(2,1)} all-gather(%convert.3), channel_id=6, dimensions={0}
  %all-reduce.1 = (f32[8,4]{1,0}, f32[]{:T(128)}, /*index=2*/pred[10]{0}) all-reduce(%a, %b, %c), to_apply=%region
  ROOT %reduce-scatter.2 = f32[16]{0} reduce-scatter(%p), dimensions={0}
  %collective-permute-start = (f32[40]{0}, f32[40]{0}, u32[]{:S(2)}, u32[]{:S(2)}) collective-permute-start(%y)
  %collective-permute-done = f32[40]{0} collective-permute-done(%collective-permute-start)
  %fusion.9 = f32[4]{0} fusion(%all-gather.5), kind=kLoop, calls=%fused_computation
"""
    assert collectives(hlo) == {
        "all-gather": Collective(1, 512 * 128 * 2),
        "all-reduce": Collective(1, 8 * 4 * 4 + 4 + 10),
        "reduce-scatter": Collective(1, 64),
        "collective-permute": Collective(1, 160),
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"devices": 0}, "devices is 0"),
        ({"hbm_gb": -1.0}, "hbm-gb is -1"),
        ({"topology": "v9:2x2"}, "v9:2x2"),
        ({"topology": "v5p"}, "v5p"),
        ({"topology": "v5p:4x4x2", "devices": 8}, "has 32 devices, not 8"),
    ],
)
def test_impossible_devices_are_refused(arguments: dict, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        device_count(Arguments(Path("none.yml"), **arguments))


def test_a_topology_counts_its_chips() -> None:
    assert device_count(Arguments(Path("none.yml"), topology="v5p:4x4x2")) == 32
    assert device_count(Arguments(Path("none.yml"))) == 32


@pytest.mark.parametrize(("change", "words"), [("fsdp=3", "fsdp is 3"), ("batch_size=20", "does not split")])
def test_what_does_not_split_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: str, words: str
) -> None:
    config = tmp_path / "tiny.yml"
    config.write_text(TINY)
    assert main(["plan", "--config", str(config), "--devices", "8", change]) == 2
    assert words in capsys.readouterr().err
