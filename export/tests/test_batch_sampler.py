"""The compiled batch sampler: against the reference sampler, and against spec section 3 written out in NumPy."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from simulated_devices import simulated

from elf.config import FlowConfig, SamplerSettings
from elf.dev.make_random import TINY, random_model
from elf.devices import make_mesh
from elf.errors import CheckpointMismatchError, ConfigError, UsageError
from elf.sampling.batch_sampler import BatchSampler, Draws, Scales, follow_flow
from elf.sampling.condition import Condition
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.sampler import bit_layout, run_flow, run_keys, sample, time_schedule

LAYOUTS = ("original", "partitionable")
FLOW = FlowConfig(noise_scale=2.0)
SMALL = replace(TINY, depth=1, max_length=8)
CONDITIONAL = replace(SMALL, max_input_length=4)
GUIDED = SamplerSettings(steps=3, method="ode", schedule="uniform", seed=1, self_cond_scale=1.0, cfg_scale=2.0)
SOURCES = [[5], [6, 7, 8], [9], [10, 11, 12]]


def explicit_keys(seed, config, number, devices):
    """Spec section 3, "Random numbers of the official JAX sampler", line by line: n noise keys and n schedule keys."""
    key = jax.random.PRNGKey(seed)
    for _ in range(config + 1):
        key, sample_key = jax.random.split(key)
    noise, t = jax.random.split(jax.random.fold_in(sample_key, number))
    return jax.random.split(noise, devices), jax.random.split(t, devices)


def toy(z, x_hat_prev, t, scale):
    """A network whose positions see each other, so that a condition shows in every prediction."""
    number = 0.1 * t + 0.01 * scale
    return 0.5 * z + 0.3 * x_hat_prev + 0.2 * z.mean(1, keepdims=True) ** 2 + number[:, None, None]


def scales_of(gamma, self_cond_scale, cfg, groups=1, steps=1):
    """One γ at every step."""
    return Scales(jnp.full((groups, steps), gamma, jnp.float32), jnp.float32(self_cond_scale), jnp.float32(cfg))


def numpy_run(cond, source_length, noise, fresh, times, gamma, scale, omega, t_eps):
    """Sampling in spec section 3 in float64: `noise` (B, L, D) and `fresh` (N − 1, B, L, D) are ε, times (B, N + 1)."""
    s, steps = FLOW.noise_scale, times.shape[1] - 1
    L = noise.shape[1]
    source = np.arange(L)[None, :] < source_length[:, None]
    z, x_hat = s * noise, np.zeros_like(noise)
    z[source], x_hat[source] = cond[source], cond[source]
    for k in range(steps):
        t, after = times[:, k], times[:, k + 1]
        if gamma and k < steps - 1:
            alpha = np.clip(1 - gamma * (after - t), 0, 1)
            z = alpha[:, None, None] * z + (1 - alpha)[:, None, None] * s * fresh[k]
            t = alpha * t
            z[source] = cond[source]
        rest = np.maximum(1 - t, t_eps)[:, None, None]
        x_cond = toy(z, x_hat, t, scale)
        v = (x_cond - z) / rest
        if omega != 1:
            z_u, prev_u = z.copy(), x_hat.copy()
            z_u[source], prev_u[source] = 0, 0
            x_u = toy(z_u, prev_u, t, scale)
            v_u = (x_u - z_u) / rest
            v = v_u + omega * (v - v_u)
            x_cond = x_u + omega * (x_cond - x_u)
        v[source] = 0
        x_hat = x_cond
        z = z + (after - t)[:, None, None] * v
        z[source], x_hat[source] = cond[source], cond[source]
    return z


@pytest.mark.parametrize(
    ("gamma", "omega", "rng"),
    [(0.0, 2.5, "original"), (1.5, 1.0, "original"), (1.5, 2.5, "partitionable")],
)
def test_condition_and_guidance_are_those_of_the_spec(gamma, omega, rng):
    B, L, D, steps, devices = 4, 6, 3, 5, 2
    cond = np.random.default_rng(0).normal(size=(B, L, D))
    source_length = np.asarray([1, 3, 0, 5])
    with jax.threefry_partitionable(rng == "partitionable"):
        noise_keys, _ = explicit_keys(3, config=2, number=4, devices=devices)
        draw = lambda keys: np.concatenate([jax.random.normal(key, (B // devices, L, D)) for key in keys])  # noqa: E731
        noise = draw(noise_keys)
        fresh = np.stack([draw([jax.random.fold_in(key, k) for key in noise_keys]) for k in range(steps - 1)])
        times = np.asarray([[0, 0.1, 0.3, 0.6, 0.97, 1], [0, 0.05, 0.4, 0.5, 0.99, 1]])
        held = (np.arange(L)[None, :] < source_length[:, None])[..., None]
        scales = scales_of(gamma, 2.0, omega, groups=devices, steps=steps)
        run = partial(follow_flow, toy, FLOW, shape=(B, L, D), sde=gamma > 0, guided=omega != 1)
        z = jax.jit(run)(
            draws=Draws(noise_keys, jnp.asarray(times, jnp.float32)),
            scales=scales,
            condition=Condition(jnp.asarray(cond, jnp.float32), jnp.asarray(held)),
        )
    wanted = numpy_run(
        cond, source_length, noise, fresh, np.repeat(times, B // devices, axis=0), gamma, np.full(B, 2.0), omega, 0.05
    )
    np.testing.assert_allclose(z, wanted, rtol=2e-4, atol=2e-4)


@pytest.mark.parametrize("schedule", ["uniform", "logit_normal", "quantile"])
@pytest.mark.parametrize("omega", [1.0, 2.5])
def test_multistep_is_the_reference_samplers(schedule, omega):
    """The latents of a run with a condition; the first step has no past, the second no line, the last no aim ahead."""
    B, L, D = 4, 6, 3
    latents = np.random.default_rng(0).normal(size=(B, L, D)).astype(np.float32)
    held = (np.arange(L) < np.asarray([1, 3, 0, 5])[:, None])[..., None]
    settings = SamplerSettings(7, "ode", 0.0, 2.0, schedule, seed=4, cfg_scale=omega, solver="multistep")
    wanted = [*run_flow(toy, settings, FLOW, (B, L, D), Condition(latents, held))][-1].z
    keys = run_keys(settings.seed, settings.rng)
    draws = Draws(jax.random.key_data(keys.noise)[None], time_schedule(settings, FLOW, keys.times)[None])
    scales = scales_of(0.0, 2.0, omega)

    def run(multistep):
        follow = partial(follow_flow, toy, FLOW, shape=(B, L, D), sde=False, guided=omega != 1, multistep=multistep)
        with bit_layout(settings.rng):
            condition = Condition(jnp.asarray(latents), jnp.asarray(held))
            return jax.jit(follow)(draws=draws, scales=scales, condition=condition)

    np.testing.assert_allclose(run(multistep=True), wanted, rtol=2e-5, atol=2e-5)
    assert np.abs(run(multistep=False) - wanted).max() > 1e-2


def test_multistep_is_eulers_where_times_coincide():
    times = jnp.asarray([[0, 0.3, 0.3, 0.3, 0.3, 1]], jnp.float32)
    draws = Draws(jax.random.key_data(run_keys(1, "original").noise)[None], times)
    scales = scales_of(0.0, 2.0, 1.0)
    run = partial(follow_flow, toy, FLOW, draws, scales, (1, 4, 2), sde=False)
    np.testing.assert_allclose(run(multistep=True), run(multistep=False), rtol=1e-6)


@pytest.mark.parametrize("rng", LAYOUTS)
@pytest.mark.parametrize("method", ["ode", "sde", "multistep", "curve"])
def test_the_first_batch_is_the_reference_samplers(rng, method):
    model = random_model(SMALL)
    more = {
        "multistep": {"method": "ode", "solver": "multistep"},
        "curve": {"method": "sde", "gamma_curve": ((0.1, 0.0), (0.3, 3.0), (0.9, 0.5))},
    }.get(method, {"method": method})
    settings = SamplerSettings(steps=6, rng=rng, seed=5, **more)
    reference = sample(JaxNetwork(model), settings, model.flow, (4, 8, 32))
    tokens = BatchSampler(model, make_mesh(), 4, 8).write(settings)
    np.testing.assert_array_equal(tokens, reference.tokens)
    assert len(np.unique(tokens)) > 3


def test_processes_and_devices_draw_apart_as_official_ones_do():
    """Batch 3 of process 1 of 2, device 1 of 2: the last four rows of 16."""
    model = random_model(SMALL)
    settings = SamplerSettings(steps=1, rng="partitionable", seed=11)
    sampler = BatchSampler(model, make_mesh(), 16, 8, processes=2, devices=2)
    tokens = sampler.write(settings, config=1, batch=3)
    with jax.threefry_partitionable(True):
        noise_keys, _ = explicit_keys(11, config=1, number=3 * 2 + 1, devices=2)
        noise = np.asarray(jax.random.normal(noise_keys[1], (4, 8, 32)))
    network, w = JaxNetwork(model), np.full(4, 3.0, np.float32)
    # One step of the ODE from t = 0 to 1 ends at the prediction.
    x_hat = network.denoise(noise * model.flow.noise_scale, np.zeros_like(noise), np.zeros(4, np.float32), w)
    np.testing.assert_array_equal(tokens[12:], network.decode(x_hat, w).argmax(-1))
    assert len({row.tobytes() for row in tokens}) == 16


def test_every_device_has_a_schedule_of_its_own():
    sampler = BatchSampler(random_model(SMALL), make_mesh(), 4, 8, devices=2)
    (_, draws, _, _), _ = sampler.call(SamplerSettings(steps=4, seed=2), config=0, batch=1)
    with jax.threefry_partitionable(False):
        _, t_keys = explicit_keys(2, config=0, number=1, devices=2)
        normals = np.stack([jax.random.normal(key, (3,)) for key in t_keys])
    inner = np.sort(1 / (1 + np.exp(-(normals * 0.8 - 1.5))))
    np.testing.assert_allclose(draws.times[:, 1:-1], inner, rtol=1e-6)
    assert draws.times[:, 0].tolist() == [0, 0] and draws.times[:, -1].tolist() == [1, 1]


def test_conditional_text_is_what_stands_behind_each_source():
    """A whole conditional run written out: encoder, guided Euler steps, decode, shift, cut."""
    model = random_model(CONDITIONAL)
    tokens = BatchSampler(model, make_mesh(), 4, 4).write(GUIDED, sources=SOURCES)
    assert tokens.shape == (4, 4)

    network, encoder, one = JaxNetwork(model), JaxEncoder(model), np.ones(4, np.float32)
    cond = np.zeros((4, 8, 32), np.float32)
    source = np.zeros((4, 8, 1), bool)
    for row, ids in enumerate(SOURCES):
        cond[row, : len(ids)] = encoder.encode(np.asarray([ids]), np.ones((1, len(ids))))[0]
        source[row, : len(ids)] = True
    with jax.threefry_partitionable(False):
        noise_keys, _ = explicit_keys(1, config=0, number=0, devices=1)
        noise = np.asarray(jax.random.normal(noise_keys[0], (4, 8, 32)))
    z, x_hat = np.where(source, cond, noise * model.flow.noise_scale), np.where(source, cond, 0)
    for k in range(3):
        t = np.full(4, k / 3, np.float32)
        with_source = network.denoise(z, x_hat, t, one)
        without = network.denoise(np.where(source, 0, z), np.where(source, 0, x_hat), t, one)
        x_hat = np.where(source, cond, without + 2 * (with_source - without)).astype(np.float32)
        z = (z + (x_hat - z) / (1 - t)[:, None, None] / 3).astype(np.float32)
    whole = network.decode(z, one).argmax(-1)
    np.testing.assert_array_equal(
        tokens, [row[len(ids) : len(ids) + 4] for row, ids in zip(whole, SOURCES, strict=True)]
    )


def test_a_source_decides_its_own_row_only():
    sampler = BatchSampler(random_model(CONDITIONAL), make_mesh(), 4, 4)
    write = partial(sampler.write, GUIDED)
    tokens, changed = write(sources=SOURCES), write(sources=[*SOURCES[:3], [20, 21, 22, 23, 24]])
    np.testing.assert_array_equal(tokens[:3], changed[:3])
    assert (tokens[3] != changed[3]).any()
    # A source is cut to max_input_length.
    np.testing.assert_array_equal(changed, write(sources=[*SOURCES[:3], [20, 21, 22, 23]]))


def test_bfloat16_writes_nearly_the_same():
    model = random_model(SMALL)
    settings = SamplerSettings(steps=6, method="ode", seed=5)
    exact, rounded = (
        BatchSampler(model, make_mesh(), 4, 8, compute_dtype=dtype).write(settings) for dtype in ("float32", "bfloat16")
    )
    assert 0.7 < (exact == rounded).mean() <= 1


def test_what_cannot_be_is_refused():
    mesh = make_mesh()
    with pytest.raises(ConfigError, match="3 × 1"):
        BatchSampler(random_model(SMALL), mesh, 4, 8, processes=3)
    with pytest.raises(CheckpointMismatchError, match="encoder"):
        BatchSampler(random_model(CONDITIONAL, encoder=False), mesh, 4, 4)
    with pytest.raises(UsageError, match="cfg is 2"):
        BatchSampler(random_model(SMALL), mesh, 4, 8).write(SamplerSettings(cfg_scale=2.0))
    conditional = BatchSampler(random_model(CONDITIONAL), mesh, 4, 4)
    for sources in (None, SOURCES[:2]):
        with pytest.raises(UsageError, match="4 sources"):
            conditional.write(SamplerSettings(), sources=sources)


def written_by_all_devices():
    """What this machine's devices write together, weights split over pairs of them."""
    mesh = make_mesh(min(2, jax.device_count()))
    plain = BatchSampler(random_model(SMALL), mesh, 4, 8, devices=2)
    conditional = BatchSampler(random_model(CONDITIONAL), mesh, 4, 4)
    return [
        plain.write(SamplerSettings(steps=6, seed=5)).tolist(),
        conditional.write(GUIDED, sources=SOURCES).tolist(),
    ]


@pytest.mark.slow("a process of its own compiles for four devices")
def test_four_devices_write_what_one_does():
    """The derivation's `devices` decide the text, not the machine's."""
    script = (
        "import jax, json, test_batch_sampler as t; print(jax.device_count(), json.dumps(t.written_by_all_devices()))"
    )
    environment = simulated(4, PYTHONPATH=os.path.dirname(__file__))
    run = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    count, _, written = run.stdout.partition(" ")
    assert count == "4"
    assert json.loads(written) == written_by_all_devices()
