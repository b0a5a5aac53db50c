"""A training that goes on from a checkpoint elsewhere: this project's, the official code's in Flax, and torch's."""

import itertools
import pickle
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import flax.serialization
import jax
import numpy as np
import optax
import pytest
from flax.traverse_util import unflatten_dict
from optax.contrib import muon
from test_weight_sets import as_torch
from tiny_training import ONE_BRANCH, losses, rows

from elf.checkpoints.elf_in_file import read_elf_weights, read_optimizer
from elf.config import ElfConfig
from elf.config_file import load_config
from elf.dev.make_random import random_params
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError
from elf.models.run_folder import RunFolder, checkpoint_at
from elf.models.trained_model import load_trained_model
from elf.network.parameters import parameter_shapes
from elf.training.checkpoint import resumed_state
from elf.training.optimizer import OptimizerConfig, make_optimizer
from elf.training.step import TrainState, TrainStep
from elf.training.train import Arguments, main
from elf.training.train_config import TrainConfig

SMALL = ElfConfig(depth=1, hidden_size=16, heads=2, latent_size=8, bottleneck_size=4, vocabulary_size=20, max_length=8)
RAW, EMA = (random_params(parameter_shapes(SMALL), seed) for seed in (1, 2))
OFFICIAL = OptimizerConfig(muon="matrices", muon_adam_b2=0.999)


def training(optimizer: OptimizerConfig = OFFICIAL) -> tuple[TrainConfig, TrainStep]:
    """A configuration, and as much of a step as resuming needs: its first state."""
    config = TrainConfig("n", "d", "e", "t", Path("out"), steps=100, elf=SMALL, optimizer=optimizer)

    def first() -> TrainState:
        params = jax.device_put(random_params(parameter_shapes(SMALL), 9))
        return TrainState(params, params, make_optimizer(optimizer, 8, 100, 10).init(params))

    return config, cast(TrainStep, SimpleNamespace(init=first))


def nested(params: dict[str, Any]) -> dict[str, Any]:
    return unflatten_dict({tuple(name.split("/")): value for name, value in params.items()})


def with_moments(state: Any, at: int = 7) -> Any:
    """An optimizer's state after so many updates, each moment with numbers of its own."""
    seeds = itertools.count()

    def filled(leaf: Any) -> Any:
        if not np.ndim(leaf):
            return np.asarray(at, leaf.dtype)
        return np.random.default_rng(next(seeds)).standard_normal(leaf.shape).astype(leaf.dtype)

    return jax.tree.map(filled, state)


def by_place(tree: Any) -> dict[tuple[str, ...], np.ndarray]:
    """Moments and counts by kind and name, the names of nested trees joined."""
    found = {}
    for path, leaf in jax.tree_util.tree_flatten_with_path(tree)[0]:
        names = [str(getattr(key, "name", getattr(key, "key", getattr(key, "idx", "")))) for key in path]
        kind = next((name for name in names if name in ("mu", "nu")), None)
        if kind is not None:
            found[kind, "/".join(names[names.index(kind) + 1 :]).removeprefix("params/")] = np.asarray(leaf)
    return found


def counts(tree: Any) -> list[int]:
    flat = jax.tree_util.tree_flatten_with_path(tree)[0]
    return [int(leaf) for path, leaf in flat if getattr(path[-1], "name", None) == "count"]


def assert_all_taken(state: TrainState, expected: dict[tuple[str, ...], np.ndarray]) -> None:
    for name, value in RAW.items():
        np.testing.assert_array_equal(state.params[name], value)
        np.testing.assert_array_equal(state.ema_params1[name], EMA[name])
    found = by_place(state.opt_state)
    assert found.keys() == expected.keys() and len(found) > len(RAW)
    for place, value in expected.items():
        np.testing.assert_array_equal(found[place], value, err_msg=str(place))


def official_optimizer(wrap: Callable[[Any], Any] = lambda each: each) -> Any:
    """As the official code makes it: a clip, then Muon over a nested tree of weights."""
    return wrap(optax.chain(optax.clip_by_global_norm(1.0), muon(1e-3)))


def official_file(folder: Path, optimizer: Any, **more: Any) -> tuple[Path, Any]:
    state = with_moments(optimizer.init(nested(RAW)))
    tree = {"params": nested(RAW), "ema_params1": nested(EMA), "opt_state": state, "step": 7, "epoch": 0.5, **more}
    file = folder / "checkpoint_7"
    file.write_bytes(flax.serialization.to_bytes(tree))
    return file, state


def test_an_official_flax_checkpoint(tmp_path: Path) -> None:
    file, theirs = official_file(tmp_path, official_optimizer(), dropout_rng=np.zeros(2, np.uint32))
    state, updates, seconds, told = resumed_state(file, *training())
    assert_all_taken(state, by_place(theirs))
    assert (updates, seconds, set(counts(state.opt_state))) == (7, 0.0, {7})
    assert told == [
        "weights from params (raw weights)",
        "averages from ema_params1",
        f"the optimizer's state of all {len(RAW)} weights",
        "7 updates",
    ]


def test_with_accumulation_a_step_is_no_update(tmp_path: Path) -> None:
    several = official_optimizer(lambda each: optax.MultiSteps(each, 2).gradient_transformation())
    file, theirs = official_file(tmp_path, several)
    tree = flax.serialization.msgpack_restore(file.read_bytes())
    tree["step"], tree["opt_state"]["gradient_step"] = 15, 7
    file.write_bytes(flax.serialization.msgpack_serialize(tree))
    state, updates, _, told = resumed_state(file, *training())
    assert_all_taken(state, by_place(theirs.inner_opt_state))
    assert updates == 7 and told[-1] == "7 updates (step 15)"


def test_of_another_optimizer_what_agrees_is_taken_and_the_rest_is_said(tmp_path: Path) -> None:
    file, theirs = official_file(tmp_path, official_optimizer())
    # Kernels alone go to Muon, so the two matrices of the head are Adam's here.
    state, updates, _, told = resumed_state(file, *training(OptimizerConfig()))
    found, expected = by_place(state.opt_state), by_place(theirs)
    for (kind, name), value in found.items():
        anew = name in ("proj_kernel", "unembed_kernel")
        np.testing.assert_array_equal(value, np.zeros_like(value) if anew else expected[kind, name])
    assert updates == 7 and set(counts(state.opt_state)) == {7}
    assert told[2] == (
        f"the optimizer's state of {len(RAW) - 2} of {len(RAW)} weights; it begins anew for proj_kernel and others"
    )
    # Of AdamW, Muon's half has nothing; what corrects the bias of its moments begins anew as well.
    state, _, _, told = resumed_state(file, *training(OptimizerConfig(optimizer="adamw")))
    assert "it begins anew for" in told[2]
    tree = flax.serialization.msgpack_restore(file.read_bytes())
    del tree["opt_state"]
    file.write_bytes(flax.serialization.msgpack_serialize(tree))
    state, updates, _, told = resumed_state(file, *training())
    assert not any(value.any() for value in by_place(state.opt_state).values()) and updates == 7
    assert sorted(set(counts(state.opt_state))) == [0, 7]  # the moments' own, and that of the learning rate
    assert told[2] == "it has no optimizer's state, so the optimizer begins anew"


def test_what_a_checkpoint_lacks_is_said_or_refused(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(pickle.dumps({"params": RAW, "step": 3}))
    state, updates, _, told = resumed_state(file, *training())
    np.testing.assert_array_equal(state.ema_params1["proj_bias"], RAW["proj_bias"])
    assert updates == 3 and "it has no averages: they begin with its weights" in told
    file.write_bytes(pickle.dumps({"ema": RAW, "step": 3}))
    assert "it has averages alone, so they are the weights too" in resumed_state(file, *training())[3]
    file.write_bytes(pickle.dumps({"params": RAW}))
    with pytest.raises(CheckpointMismatchError, match="does not say how many updates"):
        resumed_state(file, *training())
    other = random_params(parameter_shapes(ElfConfig(**{**vars(SMALL), "depth": 2})), 0)
    file.write_bytes(pickle.dumps({"params": other, "step": 3}))
    with pytest.raises(CheckpointMismatchError, match=r"blocks_1.*unknown to this training"):
        resumed_state(file, *training())


def in_torch(*groups: list[str], by: str = "momentum_buffer") -> tuple[dict[str, Any], dict[tuple[str, str], Any]]:
    """A checkpoint of torch whose optimizer has these groups, all of Adam but for a first one of Muon; and the moments
    as they are here."""
    raw, ema = as_torch(RAW), as_torch(EMA)
    back = dict(zip(raw, RAW, strict=True))
    state, param_groups, expected = {}, [], {}
    for number, names in enumerate(groups):
        first = len(state)
        for index, name in enumerate(names, first):
            roles = (by,) if len(groups) > 1 and number == 0 else ("exp_avg", "exp_avg_sq")
            draws = np.random.default_rng(index)
            state[index] = {role: draws.standard_normal(raw[name].shape).astype(np.float32) for role in roles}
            for role, kind in zip(roles, ("mu", "nu"), strict=False):
                value = state[index][role]
                expected[kind, back[name]] = value.T if name.endswith(".weight") and value.ndim == 2 else value
            if len(roles) == 2:
                state[index]["step"] = np.float32(7)
        param_groups.append({"lr": 0.1, "params": [*range(first, len(state))]})
    optimizer = {"state": state, "param_groups": param_groups}
    return {"params": raw, "ema_params1": ema, "opt_state": optimizer, "step": 7, "epoch": 1}, expected


def test_official_torch_checkpoints(tmp_path: Path) -> None:
    raw = as_torch(RAW)
    matrices, rest = ([name for name in raw if (raw[name].ndim == 2) == two] for two in (True, False))
    largest_first = sorted(matrices, key=lambda name: raw[name].shape, reverse=True)
    file = tmp_path / "checkpoint_7"
    for groups, optimizer in (
        ((matrices, rest), OFFICIAL),
        ((largest_first, rest), OFFICIAL),
        (([*raw],), OptimizerConfig(optimizer="adamw")),
    ):
        tree, expected = in_torch(*groups)
        file.write_bytes(pickle.dumps(tree))
        state, updates, _, told = resumed_state(file, *training(optimizer))
        assert_all_taken(state, expected)
        assert updates == 7 and set(counts(state.opt_state)) == {7} and "of all" in told[2]
    # Two optimizers, each of which counts its weights from 0.
    tree, expected = in_torch(matrices, rest)
    one, other = tree["opt_state"]["param_groups"]
    first, state = len(one["params"]), tree["opt_state"]["state"]
    parts = ({i: state[i] for i in one["params"]}, {i - first: state[i] for i in other["params"]})
    groups = (one, other | {"params": [*parts[1]]})
    tree["opt_state"] = [{"state": of, "param_groups": [group]} for of, group in zip(parts, groups, strict=True)]
    file.write_bytes(pickle.dumps(tree))
    assert_all_taken(resumed_state(file, *training())[0], expected)
    # Groups that hold something else are not guessed at.
    tree, _ = in_torch(matrices[1:], rest)
    file.write_bytes(pickle.dumps(tree))
    assert "no optimizer's state" in resumed_state(file, *training())[3][2]


def test_moments_are_found_under_any_container(tmp_path: Path) -> None:
    moments = {"mu": {"params": nested(RAW)}, "nu": {"params": nested(EMA)}}
    for container in ({"opt_state": {"inner": [{}, moments]}}, {"state": {"optimizer": {"0": moments}}}):
        file = tmp_path / "weights"
        file.write_bytes(pickle.dumps({"model": as_torch(RAW), **container}))
        found = read_elf_weights(file)
        state = read_optimizer(found, found.set_for(True))
        np.testing.assert_array_equal(state.moments["proj_kernel"]["nu"].read(), EMA["proj_kernel"])
        assert state.moments.keys() == RAW.keys()


@pytest.mark.slow("four trainings")
def test_a_run_goes_on_elsewhere_as_if_it_had_not_stopped(
    experiment: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole, before, after = (tmp_path / name for name in ("whole", "before", "after"))
    main(Arguments(experiment, (ONE_BRANCH, f"out={whole}", "steps=6")))
    main(Arguments(experiment, (ONE_BRANCH, f"out={before}", "steps=3")))
    capsys.readouterr()
    main(Arguments(experiment, (ONE_BRANCH, f"out={after}", "steps=6", f"resume={before}")))
    said = capsys.readouterr().err
    assert "the optimizer's state of all" in said and "resuming after step 3" in said
    assert losses(after) == losses(whole)[3:] and [row["step"] for row in rows(after)] == [4, 5, 6]
    found, expected = (load_trained_model(out / "model").params for out in (after, whole))
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)
    # The same command again: the run has a checkpoint of its own by now.
    main(
        Arguments(
            experiment, (ONE_BRANCH, f"out={after}", "steps=6", f"resume={before / 'checkpoints' / 'checkpoint_3'}")
        )
    )
    assert "it goes on from its own checkpoint_6" in capsys.readouterr().err
    with pytest.raises(ConfigError, match="has 3 updates behind it, and the training ends at 3"):
        main(Arguments(experiment, (ONE_BRANCH, f"out={tmp_path / 'short'}", "steps=3", f"resume={before}")))
    assert not RunFolder(tmp_path / "short").checkpoints()
    # Where a run has begun, `start` is not needed any more, and that is said.
    main(Arguments(experiment, (ONE_BRANCH, f"out={after}", "steps=6", "start=gone")))
    assert "start=gone was where this run began" in capsys.readouterr().err


def test_weights_of_no_update_are_begun_with(experiment: Path, tmp_path: Path) -> None:
    elf = load_config(TrainConfig, experiment).elf
    given = random_params(parameter_shapes(elf), 3)
    (tmp_path / "given").write_bytes(pickle.dumps({"params": nested(given), "step": 0}))
    words = ("optimizer.optimizer=adamw", "optimizer.blr=1e-30", f"out={tmp_path / 'out'}", "steps=1")
    main(Arguments(experiment, (ONE_BRANCH, *words, f"resume={tmp_path / 'given'}")))
    found = load_trained_model(tmp_path / "out" / "model").params
    for name, value in given.items():
        np.testing.assert_allclose(found[name], value, rtol=1e-5, atol=1e-7, err_msg=name)


def test_start_and_resume_exclude_each_other(experiment: Path) -> None:
    with pytest.raises(ConfigError, match="start and resume are both set"):
        load_config(TrainConfig, experiment, ("start=a", "resume=b"))


def test_which_checkpoint_a_path_stands_for(tmp_path: Path) -> None:
    for name in ("checkpoint_5", "checkpoint_40"):
        (tmp_path / name).write_bytes(b"x")
    assert checkpoint_at(str(tmp_path)) == tmp_path / "checkpoint_40"
    assert checkpoint_at(str(tmp_path / "checkpoint_5")) == tmp_path / "checkpoint_5"
    with pytest.raises(CheckpointError, match="there is no"):
        checkpoint_at(str(tmp_path / "nothing"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="no checkpoint"):
        checkpoint_at(str(tmp_path / "empty"))
