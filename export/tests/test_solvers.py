"""Heun's method and the multistep solver: their order on an ODE with a known solution, single steps by hand."""

import math

import numpy as np
import pytest

from elf.config import FlowConfig
from elf.errors import UsageError
from elf.sampling.guidance import Guided
from elf.sampling.sampler import run_flow
from elf.sampling.schedule import normal_quantiles, time_schedule
from elf.sampling.settings import SamplerSettings, named_settings, settings_of
from elf.sampling.solvers import Earlier, Step, extrapolation, heun, multistep

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


def test_euler_is_of_first_order_and_the_others_of_second():
    ratios = {solver: error(solver, 16) / error(solver, 32) for solver in ("euler", "heun", "multistep")}
    assert 1.8 < ratios["euler"] < 2.2
    assert 3.3 < ratios["heun"] < 4.7
    assert ratios["multistep"] > 3
    assert error("multistep", 32) < error("euler", 32) / 4


def numbers(*values):
    return np.array(values, np.float32).reshape(1, 1, -1)


def test_a_heun_step_by_hand():
    # x̂ = z + x̂_prev + t. From z 1, x̂_prev 0.5, t 0.5 to t' 0.75: x̂₁ = 2, v₁ = (2 − 1)/0.5 = 2, z* = 1.5;
    # x̂₂ = 1.5 + 2 + 0.75 = 4.25, v₂ = (4.25 − 1.5)/0.25 = 11, z' = 1 + 0.25·(2 + 11)/2 = 2.625.
    network = Guided(lambda z, x_hat_prev, t, w: z + x_hat_prev + t[:, None, None], SamplerSettings())
    z, x_hat = heun(network, numbers(1), numbers(0.5), Step(np.float32(0.5), np.float32(0.75), 0.05))
    assert (z.item(), x_hat.item()) == (2.625, 4.25)


def test_a_multistep_step_by_hand():
    # λ = log(t/(1 − t)): times 0.2, 0.5, 0.8 are equally far apart, so x̂ is carried on by half its last change:
    # x̂ = 4 after 3 gives 4.5. z' = (σ'/σ)·z + (t' − t·σ'/σ)·4.5 with σ'/σ = 0.2/0.5: 0.4·1 + 0.6·4.5 = 3.1.
    network = Guided(lambda z, x_hat_prev, t, w: 4 * z, SamplerSettings())
    step = Step(np.float32(0.5), np.float32(0.8), 0.05)
    z, x_hat = multistep(network, numbers(1), numbers(3), step, Earlier(np.float32(0.2), numbers(3)))
    assert z.item() == pytest.approx(3.1, rel=1e-6) and x_hat.item() == 4


@pytest.mark.parametrize("times", [(0.0, 0.2, 0.5), (0.3, 0.3, 0.5), (0.3, 0.5, 1.0)])
def test_multistep_is_euler_where_the_extrapolation_has_no_meaning(times):
    assert extrapolation(*np.asarray(times, np.float32)) == 0


def test_the_first_and_the_last_step_of_multistep_are_eulers():
    runs = {}
    for solver in ("euler", "multistep"):
        settings = SamplerSettings(2, "ode", schedule="uniform", solver=solver)
        runs[solver] = [state.z for state in run_flow(drifting, settings, FLOW, SHAPE)]
    np.testing.assert_array_equal(runs["euler"], runs["multistep"])


def test_network_passes():
    """Heun makes two a step but for the last, multistep one."""
    calls = []

    def denoise(*inputs):
        calls.append(inputs)
        return drifting(*inputs)

    counts = {}
    for solver in ("euler", "heun", "multistep"):
        calls.clear()
        list(run_flow(denoise, SamplerSettings(4, "ode", solver=solver), FLOW, SHAPE))
        counts[solver] = len(calls)
    assert counts == {"euler": 4, "heun": 7, "multistep": 4}


def test_other_solvers_are_the_odes_alone():
    for solver in ("heun", "multistep"):
        with pytest.raises(UsageError, match=f"the solver is {solver} and the method sde"):
            SamplerSettings(method="sde", solver=solver)


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
