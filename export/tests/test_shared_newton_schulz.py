"""Muon shared out over devices: updates, state and work of `optax.contrib.muon`, on eight simulated CPUs."""

import json
import os
import subprocess
import sys

import jax
import numpy as np
import optax
import pytest
from optax.contrib import MuonDimensionNumbers, muon
from simulated_devices import simulated

from elf.config import PRESETS
from elf.devices import make_mesh, state_shardings
from elf.network.parameters import parameter_shapes
from elf.training.memory_estimate import paper_mesh
from elf.training.shared_newton_schulz import (
    FLOPS_PER_BYTE,
    apart,
    best_shares,
    deal,
    flops_of_a_device,
    grouped,
    joined,
    shared_muon,
    turning_flops,
)

# Four kinds of matrices three times over, which eight devices cannot share evenly, and others of which there is one:
# wide, of a shape that nothing divides, and too small to be split.
SHAPES = {
    f"blocks_{i}/{name}/kernel": shape
    for i in range(3)
    for name, shape in {"qkv": (128, 384), "proj": (128, 128), "w12": (128, 680), "w3": (340, 128)}.items()
} | {"unembed/kernel": (64, 700), "odd/kernel": (129, 131), "small/kernel": (8, 16), "bias": (128,), "token": (1, 2, 4)}
MATRICES = [shape for shape in SHAPES.values() if len(shape) == 2]


def dimensions(params):
    return {name: MuonDimensionNumbers() if name.endswith("/kernel") else None for name in params}


def three_updates(rule, mesh):
    """(params, optimizer state, FLOPs of an update on one device), weights laid out over `mesh`."""
    generator = np.random.default_rng(0)
    params, gradient = ({n: generator.normal(size=shape).astype("f") for n, shape in SHAPES.items()} for _ in range(2))
    params, state = (jax.device_put(tree, state_shardings(mesh, tree)) for tree in (params, rule.init(params)))

    def update(gradient, state, params):
        changes, state = rule.update(gradient, state, params)
        return optax.apply_updates(params, changes), state

    step = None
    for size in (1, 1e-3, 1e-6):  # at last hardly more than what the norm is kept from zero by
        scaled = {name: np.float32(size) * value for name, value in gradient.items()}
        scaled = jax.device_put(scaled, state_shardings(mesh, scaled))
        if step is None:
            layouts = jax.tree.map(lambda array: array.sharding, (params, state))
            step = jax.jit(update, out_shardings=layouts).lower(scaled, state, params).compile()
        params, state = step(scaled, state, params)
    return params, state, step.cost_analysis()["flops"]


WAYS = {"weight_decay": 0.1, "adam_b2": 0.97, "muon_weight_dimension_numbers": dimensions}


def compared_on_all_devices():
    """FLOPs of `muon` on a device; for each fsdp the largest difference to it, whether states are alike, and FLOPs,
    where all matrices are shared out and, "alone", where none is."""
    params, state, alone = three_updates(muon(1e-2, **WAYS), make_mesh())
    rows = {}
    for name, fsdp, flops_per_byte in (("1", 1, 0), ("4", 4, 0), ("4 alone", 4, 1e30)):
        mesh = make_mesh(fsdp)
        rule = shared_muon(mesh, 1e-2, **WAYS, flops_per_byte=flops_per_byte)
        ours, our_state, flops = three_updates(rule, mesh)
        pairs = zip(jax.tree.leaves((params, state)), jax.tree.leaves((ours, our_state)), strict=True)
        rows[name] = {
            "difference": max(float(np.abs(np.asarray(a) - np.asarray(b)).max()) for a, b in pairs),
            "alike": jax.tree.structure(state) == jax.tree.structure(our_state),
            "flops": flops,
        }
    return {"alone": alone, "shared": rows}


@pytest.fixture(scope="module")
def compared():
    script = "import json, test_shared_newton_schulz as t; print(json.dumps(t.compared_on_all_devices()))"
    path = os.pathsep.join([os.path.dirname(__file__), os.environ.get("PYTHONPATH", "")])
    environment = simulated(8, PYTHONPATH=path)
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


@pytest.mark.slow("a process of its own compiles for eight devices")
@pytest.mark.parametrize("name", ["1", "4", "4 alone"])
def test_updates_and_state_are_those_of_muon(compared, name):
    row = compared["shared"][name]
    assert row["difference"] < 2e-6 and row["alike"]  # of weights around 1, changed by up to 0.04


@pytest.mark.slow("of the same process")
def test_each_device_turns_an_eighth(compared):
    whole = sum(map(turning_flops, MATRICES))
    assert compared["alone"] > whole
    for row in (compared["shared"]["1"], compared["shared"]["4"]):
        # An eighth, the unevenness of whole matrices, and the sums of everything else.
        assert row["flops"] < 0.2 * whole


def test_one_device_has_optaxs_muon():
    one = make_mesh(devices=jax.devices()[:1])
    params = {"a/kernel": np.eye(3, 4, dtype=np.float32), "bias": np.ones(3, np.float32)}
    wanted, _ = muon(1e-2, **WAYS).update(params, muon(1e-2, **WAYS).init(params), params)
    for mesh in (None, one):
        rule = shared_muon(mesh, 1e-2, **WAYS)
        ours, _ = rule.update(params, rule.init(params), params)
        for name, value in wanted.items():
            np.testing.assert_array_equal(ours[name], value)


def test_work_is_dealt_to_whoever_has_least():
    assert deal([5, 1, 4, 2, 3], 2) == [[0, 3, 1], [2, 4]]  # 8 and 7
    assert deal([1, 1], 3) == [[0], [1], []]
    # ELF-L on 64 chips: 32 times w12, qkv, w3 and proj; a chip has w12 with proj, or qkv with w3.
    block = [(1280, 6826), (1280, 3840), (3413, 1280), (1280, 1280)]
    costs = [turning_flops(shape) for shape in block for _ in range(32)]
    loads = [sum(costs[number] for number in hand) for hand in deal(costs, 64)]
    assert max(loads) < 1.05 * sum(costs) / 64


def test_what_is_not_worth_the_journey_is_turned_everywhere():
    matrices = [shape for shape in parameter_shapes(PRESETS["ELF-B"]).values() if len(shape) == 2]
    mesh = paper_mesh(32, 1)
    shares = best_shares(grouped(matrices, mesh), mesh, FLOPS_PER_BYTE)
    shared = {group.shape for group in shares.groups}
    # The vocabulary's 16 million weights would make every journey as long as theirs, five times that of a block's.
    assert (512, 32100) not in shared and {(768, 2304), (768, 4096), (2048, 768), (768, 768)} <= shared
    assert shares.longest() == 768 * 4096
    alone = turning_flops((512, 32100))
    assert (
        alone + turning_flops((768, 4096))
        <= flops_of_a_device(matrices, mesh)
        < 0.15 * sum(map(turning_flops, matrices))
    )
    # Of narrow matrices the products cost less than sending them would.
    assert not best_shares(grouped([(64, 64)] * 32, mesh), mesh, FLOPS_PER_BYTE).groups


@pytest.mark.parametrize("split", [0, 1])
def test_parts_make_the_whole(split):
    whole = np.arange(3 * 8 * 12.0).reshape(3, 8, 12)
    parts = np.stack(np.split(whole, 4, axis=1 + split))
    np.testing.assert_array_equal(joined(parts, split), whole)
    np.testing.assert_array_equal(apart(whole, split, 4), parts.reshape(4, -1))
    np.testing.assert_array_equal(joined(whole[None], None), whole)
    np.testing.assert_array_equal(apart(whole, None, 1), whole.reshape(1, -1))
