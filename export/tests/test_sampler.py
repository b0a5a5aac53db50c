"""The reference sampler, against spec section 3 and explicit JAX calls."""

import json
from dataclasses import replace
from pathlib import Path

import jax
import numpy as np
import pytest

from elf.config import FlowConfig, SamplerSettings, named_settings, read_curve, settings_of
from elf.dev.fixtures import flow_fixture, toy_denoise
from elf.errors import UsageError
from elf.onnx_export.presets import refuse_beyond_page
from elf.sampling.sample import Arguments, towards_of
from elf.sampling.sampler import Towards, cut_at_eos, run_flow, run_keys, sample, slerp, start_noise, time_schedule

FLOW = FlowConfig(noise_scale=2.0)
SHAPE = (1, 3, 4)
FIXTURES = Path(__file__).parents[2] / "test" / "fixtures"
LAYOUTS = ("original", "partitionable")


class Recorder:
    """A toy network that keeps what it was asked."""

    takes_self_cond_scale = True

    def __init__(self):
        self.calls = []
        self.decoded = []

    def denoise(self, z, x_hat_prev, t, self_cond_scale):
        self.calls.append((z, x_hat_prev, t, self_cond_scale))
        return toy_denoise(z, x_hat_prev, t, self_cond_scale)

    def read(self, latent, self_cond_scale):
        self.decoded.append((latent, self_cond_scale))
        return latent.argmax(-1)


def explicit_run_keys(seed):
    """FORMAT.md, "Random numbers of a run", line by line."""
    key = jax.random.PRNGKey(seed)
    _, sample_key = jax.random.split(key)
    batch = jax.random.fold_in(sample_key, 0)
    noise, times = jax.random.split(batch)
    return jax.random.split(noise, 1)[0], jax.random.split(times, 1)[0]


def states(**settings):
    return list(run_flow(toy_denoise, SamplerSettings(**settings), FLOW, SHAPE))


@pytest.mark.parametrize("rng", LAYOUTS)
def test_random_numbers_are_those_of_the_explicit_jax_calls(rng):
    settings = SamplerSettings(steps=4, method="sde", gamma=0.7, rng=rng, seed=11)
    recorder = Recorder()
    run = list(run_flow(recorder.denoise, settings, FLOW, SHAPE))
    with jax.threefry_partitionable(rng == "partitionable"):
        device, t_key = explicit_run_keys(11)
        start = 2 * np.asarray(jax.random.normal(device, SHAPE))
        inner = np.sort(jax.nn.sigmoid(jax.random.normal(t_key, (3,)) * 0.8 - 1.5))
        noises = [2 * np.asarray(jax.random.normal(jax.random.fold_in(device, k), SHAPE)) for k in range(3)]
    t = np.asarray([state.t for state in run])
    np.testing.assert_array_equal(run[0].z, start)
    np.testing.assert_allclose(t, [0, *inner, 1], rtol=1e-6)
    for k in range(3):
        alpha = 1 - 0.7 * (t[k + 1] - t[k])
        z_back, _, t_back, _ = recorder.calls[k]
        np.testing.assert_allclose(z_back, alpha * run[k].z + (1 - alpha) * noises[k], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(t_back, alpha * t[k], rtol=1e-6)


def test_the_two_layouts_differ_and_a_key_is_pinned():
    original, partitionable = (states(rng=rng, steps=1, seed=7)[0].z for rng in LAYOUTS)
    assert not np.allclose(original, partitionable)
    assert jax.random.key_data(run_keys(0, "original").noise).tolist() == [116080880, 26958209]


def test_sde_without_noise_is_the_ode():
    for ode, sde in zip(states(method="ode"), states(method="sde", gamma=0.0), strict=True):
        np.testing.assert_array_equal(ode.z, sde.z)


def test_sde_differs_from_the_ode_but_its_last_step_is_ode():
    assert not np.allclose(states(method="ode")[1].z, states(method="sde")[1].z)
    recorder = Recorder()
    run = list(run_flow(recorder.denoise, SamplerSettings(steps=5, method="sde"), FLOW, SHAPE))
    z_seen, _, t_seen, _ = recorder.calls[-1]
    np.testing.assert_array_equal(z_seen, run[-2].z)
    assert t_seen[0] == np.float32(run[-2].t)
    for one_step in zip(states(steps=1, method="sde"), states(steps=1, method="ode"), strict=True):
        np.testing.assert_array_equal(one_step[0].z, one_step[1].z)


def test_a_run_ends_at_the_last_prediction():
    # v = (x̂ − z)/(1 − t) over the whole rest of the way leads exactly to x̂.
    end = states(schedule="uniform", steps=8)[-1]
    np.testing.assert_allclose(end.z, end.x_hat, rtol=1e-5, atol=1e-6)


def test_near_the_end_the_velocity_is_bounded_by_t_eps():
    before, end = states(schedule="uniform", steps=50, method="ode")[-2:]
    np.testing.assert_allclose(end.z, before.z + 0.02 * (end.x_hat - before.z) / 0.05, rtol=1e-4, atol=1e-6)


def test_large_gamma_replaces_the_state_by_noise_and_returns_to_t_0():
    recorder = Recorder()
    list(run_flow(recorder.denoise, SamplerSettings(steps=4, gamma=100.0, schedule="uniform"), FLOW, SHAPE))
    assert [call[2][0] for call in recorder.calls[:3]] == [0, 0, 0]


def test_each_pass_gets_the_prediction_before_it_and_the_runs_scale():
    recorder = Recorder()
    settings = SamplerSettings(steps=3, self_cond_scale=2.5)
    run = sample(recorder, settings, FLOW, (2, 3, 4))
    assert not recorder.calls[0][1].any()
    for before, call in zip(recorder.calls, recorder.calls[1:], strict=False):
        np.testing.assert_array_equal(call[1], toy_denoise(*before))
    assert all(call[3].tolist() == [2.5, 2.5] and call[2].shape == (2,) for call in recorder.calls)
    [(latent, scale)] = recorder.decoded
    np.testing.assert_array_equal(latent, run.z)
    assert scale.tolist() == [2.5, 2.5]
    np.testing.assert_array_equal(run.tokens, run.z.argmax(-1))
    assert run.t.shape == (4,) and run.z0.shape == run.z.shape == (2, 3, 4)


def test_everything_is_float32():
    for state in states(method="sde"):
        assert state.z.dtype == state.x_hat.dtype == np.float32


def test_schedules():
    uniform = time_schedule(SamplerSettings(steps=4, schedule="uniform"), FLOW, None)
    assert uniform.tolist() == [0, 0.25, 0.5, 0.75, 1]
    key = run_keys(3, "original").times
    drawn = time_schedule(SamplerSettings(steps=4001), FLOW, key)
    assert len(drawn) == 4002 and drawn[0] == 0 and drawn[-1] == 1 and (np.diff(drawn) >= 0).all()
    logits = np.log(drawn[1:-1] / (1 - drawn[1:-1]))
    assert abs(logits.mean() + 1.5) < 0.05 and abs(logits.std() - 0.8) < 0.05


@pytest.mark.parametrize(
    "wrong",
    [{"steps": 0}, {"gamma": -0.1}, {"gamma": float("nan")}, {"self_cond_scale": 0.0}, {"seed": -1}, {"seed": 2**32}],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(UsageError):
        SamplerSettings(**wrong)


def test_gamma_over_t_goes_straight_from_knot_to_knot():
    settings = SamplerSettings(gamma_curve=read_curve("0.25=1+0.5=3+1=0"))
    assert [settings.gamma_at(t) for t in (0, 0.25, 0.375, 0.5, 0.75, 1)] == [1, 1, 2, 3, 1.5, 0]
    assert SamplerSettings(gamma=1.5).gamma_at(0.3) == 1.5
    names = named_settings(settings, length=5)
    assert names["gammaCurve"] == [[0.25, 1], [0.5, 3], [1, 0]]
    assert settings_of(names) == settings
    assert "gammaCurve" not in named_settings(SamplerSettings(), length=5)


@pytest.mark.parametrize(
    "text", ["", "0.5", "0.5=1=2", "0.5=1+0.5=2", "0.5=9", "2=1", "+".join(f"0.{i}=1" for i in range(1, 10))]
)
def test_what_is_no_curve_is_refused(text):
    with pytest.raises(UsageError, match="the curve of gamma"):
        SamplerSettings(gamma_curve=read_curve(text))


def test_a_models_own_settings_have_no_curve():
    with pytest.raises(UsageError, match="drawn over t"):
        refuse_beyond_page(SamplerSettings(gamma_curve=((0.0, 1.0),)))


def test_cut_at_eos():
    assert cut_at_eos(np.asarray([5, 6, 1, 7, 1]), eos=1) == [5, 6]
    assert cut_at_eos(np.asarray([5, 6]), eos=1) == [5, 6]
    assert cut_at_eos(np.asarray([1, 6]), eos=1) == []


def test_the_committed_fixture_is_what_the_sampler_gives():
    committed = json.loads((FIXTURES / "flow.json").read_text())
    fresh = json.loads(json.dumps(flow_fixture()))
    for old, new in ((committed, fresh), (committed["batches"], fresh["batches"])):
        assert set(old) == set(new)
        for old_run, new_run in zip(old["runs"], new["runs"], strict=True):
            assert set(old_run) == set(new_run)
            for part, value in old_run.items():
                if part in ("t", "z", "xHat"):
                    np.testing.assert_allclose(value, new_run[part], rtol=1e-5, atol=1e-6)
                else:
                    assert value == new_run[part]
    for old, new in zip(committed["quantileTimes"], fresh["quantileTimes"], strict=True):
        np.testing.assert_allclose(old, new, rtol=1e-6)
    seen = {(run["settings"]["method"], run["settings"]["schedule"], run["settings"]["rng"]) for run in fresh["runs"]}
    assert len(seen) == 8


def test_a_run_starts_on_the_way_to_another_seeds_noise_and_goes_on_by_its_own():
    settings = SamplerSettings(steps=4, method="sde", gamma=0.7, seed=7)
    own, other = (start_noise(SamplerSettings(seed=seed), np.float32(2), SHAPE) for seed in (7, 8))
    ends = [start_noise(settings, np.float32(2), SHAPE, Towards(8, weight)) for weight in (0.0, 1.0)]
    np.testing.assert_allclose(ends, [own, other], rtol=1e-6)
    half = slerp(own, other, 0.5)
    between = (np.linalg.norm(own) + np.linalg.norm(other)) / 2
    assert np.linalg.norm((own + other) / 2) < np.linalg.norm(half) < 1.1 * between
    run = list(run_flow(toy_denoise, settings, FLOW, SHAPE, towards=Towards(8, 0.5)))
    np.testing.assert_array_equal(run[0].z, half)
    # From a start of its own the same: nothing else is the other seed's.
    np.testing.assert_array_equal(run[-1].z, list(run_flow(toy_denoise, settings, FLOW, SHAPE, start=half))[-1].z)


def test_between_two_that_are_one_there_is_nowhere_to_turn():
    x = np.asarray([3, 4], np.float32)
    np.testing.assert_array_equal(slerp(x, x, 0.5), x)
    np.testing.assert_array_equal(slerp(np.zeros(2, np.float32), x, 0.5), np.zeros(2))


@pytest.mark.parametrize(("seed", "weight"), [(-1, 0.5), (2**32, 0.5), (8, -0.1), (8, 1.1), (8, float("nan"))])
def test_a_way_that_cannot_be_is_refused(seed, weight):
    with pytest.raises(UsageError):
        Towards(seed, weight)


def test_both_options_of_the_way_to_another_seed_or_neither(tmp_path: Path) -> None:
    alone = Arguments(checkpoint=tmp_path, towards=8)
    with pytest.raises(UsageError, match="belong together"):
        towards_of(alone)
    with pytest.raises(UsageError, match="belong together"):
        towards_of(replace(alone, towards=None, weight=0.5))
    assert towards_of(replace(alone, weight=0.5)) == Towards(8, 0.5)
    assert towards_of(replace(alone, towards=None)) is None
