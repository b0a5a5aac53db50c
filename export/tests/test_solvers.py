"""The multistep solver: its order on an ODE with a known solution, steps by hand; settings; quantile times."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest

from elf import cli
from elf.config import FlowConfig, SamplerSettings, named_settings, settings_of
from elf.dev.make_random import TINY, random_model
from elf.errors import UsageError
from elf.models.trained_model import save_trained_model
from elf.sampling.condition import Guided
from elf.sampling.sampler import Prediction, Step, multistep, normal_quantiles, run_flow, time_schedule

FLOW = FlowConfig(noise_scale=1.0)
SHAPE = (2, 3, 4)


def drifting(z, x_hat_prev, t, scale):
    """A prediction that grows with time: x̂ = 3t − 1, whatever the state."""
    return np.broadcast_to((3 * t - 1)[:, None, None], z.shape).astype(np.float32)


def exact(z0, t):
    """dz/dt = (x̂ − z)/(1 − t) for that x̂: with z = (1 − t)·u, u' = (3t − 1)/(1 − t)², integrated by hand."""
    return (1 - t) * (z0 + 2 / (1 - t) - 2 + 3 * math.log(1 - t))


def error(solver, steps, **more):
    """Largest error at t = 0.75, a state of every uniform schedule of 4n steps."""
    settings = SamplerSettings(steps, "ode", schedule="uniform", solver=solver, **more)
    states = list(run_flow(drifting, settings, FLOW, SHAPE))
    z0, z = (states[k].z.astype(np.float64) for k in (0, 3 * steps // 4))
    return np.abs(z - exact(z0, 0.75)).max()


def test_euler_is_of_first_order_and_multistep_of_second():
    ratios = {solver: error(solver, 16) / error(solver, 32) for solver in ("euler", "multistep")}
    assert 1.8 < ratios["euler"] < 2.2 and ratios["multistep"] > 3
    assert error("multistep", 32) < error("euler", 32) / 4


def numbers(*values):
    return np.array(values, np.float32).reshape(1, 1, -1)


def recording(network_calls, answers):
    """A network that gives these numbers, one a call, and keeps the x̂_prev it was shown."""

    def denoise(z, x_hat_prev, t, w):
        network_calls.append(x_hat_prev.item())
        return numbers(answers[len(network_calls) - 1])

    return Guided(denoise, SamplerSettings())


def test_a_multistep_step_by_hand():
    # x̂ was 2 at t 0.125 and 3 at t 0.25. At t 0.5, twice as far on, twice the change is added: the network is shown 5.
    # It says 5; half of the step to 0.75 is half of the step before: aim 5 + 0.5·(5 − 3) = 6. v = (6 − 1)/0.5 = 10 and
    # z' = 1 + 0.25·10 = 3.5.
    shown = []
    history = [Prediction(np.float32(0.125), numbers(2)), Prediction(np.float32(0.25), numbers(3))]
    step = Step(np.float32(0.5), np.float32(0.75), 0.05)
    z, x_hat = multistep(recording(shown, [5]), numbers(1), numbers(3), step, history)
    assert (z.item(), x_hat.item(), shown) == (3.5, 5, [5])
    # To t' = 1 the network is shown the same, but the step goes to what it says.
    z, x_hat = multistep(recording(shown, [0, 5]), numbers(1), numbers(3), step._replace(t_next=np.float32(1)), history)
    assert (z.item(), x_hat.item(), shown[-1]) == (5, 5, 5)


def test_after_a_very_short_step_a_change_counts_twice_at_most():
    # From 0.25 after 0.1875: four times as far, so 3 + 2·(3 − 2); then 0.0625 behind and 0.5 ahead: 5 + 0.5·2·(5 − 3).
    shown = []
    history = [Prediction(np.float32(0.1875), numbers(2)), Prediction(np.float32(0.25), numbers(3))]
    z, _ = multistep(
        recording(shown, [5]), numbers(1), numbers(3), Step(np.float32(0.5), np.float32(0.75), 0.05), history
    )
    assert shown == [5] and z.item() == 3.5
    step = Step(np.float32(0.3125), np.float32(0.8125), 0.05)
    z, _ = multistep(recording(shown, [0, 5]), numbers(1), numbers(3), step, history)
    assert z.item() == pytest.approx(1 + 0.5 * (7 - 1) / 0.6875, rel=1e-6)


def test_multistep_is_euler_without_a_history_and_where_times_coincide():
    step, shown = Step(np.float32(0.5), np.float32(0.75), 0.05), []
    same = [Prediction(np.float32(0.5), numbers(2)), Prediction(np.float32(0.5), numbers(3))]
    for history in ([], same):
        z, _ = multistep(recording(shown, [5, 5]), numbers(1), numbers(3), step, history)
        assert z.item() == 3 and shown[-1] == 3


def test_both_solvers_make_one_pass_a_step_and_start_and_end_alike():
    runs, calls = {}, []

    def denoise(*inputs):
        calls.append(inputs)
        return drifting(*inputs)

    for solver in ("euler", "multistep"):
        settings = SamplerSettings(2, "ode", schedule="uniform", solver=solver)
        runs[solver] = [state.z for state in run_flow(denoise, settings, FLOW, SHAPE)]
    np.testing.assert_array_equal(runs["euler"], runs["multistep"])
    assert len(calls) == 4


def test_multistep_is_the_odes_alone():
    with pytest.raises(UsageError, match="the solver is multistep and the method sde"):
        SamplerSettings(method="sde", solver="multistep")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"cfg_scale": -0.1}, "cfg is -0.1"),
        ({"cfg_scale": 20.1}, "cfg is 20.1"),
        ({"cfg_scale": float("nan")}, "cfg is nan"),
        ({"solver": "rk4", "method": "ode"}, "solver is 'rk4'"),
        ({"schedule": "cosine"}, "schedule is 'cosine'"),
        ({"method": "pde"}, "method is 'pde'"),
        ({"rng": "mersenne"}, "rng is 'mersenne'"),
    ],
)
def test_impossible_values_are_refused_by_name(wrong, said):
    with pytest.raises(UsageError, match=said):
        SamplerSettings(**wrong)


def test_settings_survive_the_manifest_and_old_ones_are_read():
    settings = SamplerSettings(5, "ode", 0.0, 2.0, "quantile", "partitionable", 3, 1.5, "multistep")
    names = named_settings(settings, 9)
    assert names.pop("length") == 9 and settings_of(names) == settings
    old = {name: value for name, value in names.items() if name not in ("cfgScale", "solver")}
    assert settings_of(old) == SamplerSettings(5, "ode", 0.0, 2.0, "quantile", "partitionable", 3)


def test_quantile_times_split_the_logit_normal_into_equal_parts():
    times = time_schedule(SamplerSettings(steps=9, schedule="quantile"), FLOW, None)
    assert times.dtype == np.float32 and len(times) == 10 and times[0] == 0 and times[-1] == 1
    # Φ((logit t − mean)/std) = (k − ½)/8, with Φ from the standard library.
    standard = (np.log(times[1:-1] / (1 - times[1:-1])) + 1.5) / 0.8
    shares = [0.5 * (1 + math.erf(x / math.sqrt(2))) for x in standard]
    np.testing.assert_allclose(shares, (np.arange(1, 9) - 0.5) / 8, atol=1e-5)
    # No draw: the key is not even looked at, and a single step has no inner time.
    assert time_schedule(SamplerSettings(steps=1, schedule="quantile"), FLOW, None).tolist() == [0, 1]
    odd = normal_quantiles(7)
    np.testing.assert_array_equal(odd, -odd[::-1])


def test_bench_compares_every_way_with_very_many_steps(tmp_path, capsys):
    save_trained_model(random_model(replace(TINY, depth=1, max_length=6), encoder=False), tmp_path)
    few = ["--passes", "1", "4", "--reference-steps", "4", "--seeds", "1", "--batch", "2"]
    assert cli.main(["bench", "solvers", str(tmp_path), *few, "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["texts"] == 2 and len(report["rows"]) == 6
    [same] = [row for row in report["rows"] if (row["schedule"], row["solver"]) == ("uniform", "euler")]
    assert same["agreement"]["4"] == 1
    assert cli.main(["bench", "solvers", str(tmp_path), *few]) == 0
    assert "| uniform | euler |" in capsys.readouterr().out
