"""The reference sampler with a condition, guidance and batches, against spec section 3 written out in float64."""

import json
from dataclasses import replace

import jax
import numpy as np
import pytest

from elf import cli
from elf.config import FlowConfig, SamplerSettings
from elf.dev.make_random import TINY_CONDITIONAL, random_model
from elf.devices import make_mesh
from elf.errors import UsageError
from elf.models.trained_model import save_trained_model
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.condition import Condition, check_sources, encode_sources, spread_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.sampler import run_flow, sample, written

FLOW = FlowConfig(noise_scale=1.5)
B, L, D = 3, 5, 2
LENGTHS = np.asarray([2, 1, 4])
SMALL = replace(TINY_CONDITIONAL, depth=1, max_length=10, max_input_length=4)
SOURCES = [[5], [6, 7, 8], [9, 10, 11, 12]]


def toy(z, x_hat_prev, t, scale):
    """Positions see each other, so a condition shows in every prediction. Its dtype is that of what it is given."""
    number = t * np.asarray(0.1, z.dtype) + scale * np.asarray(0.01, z.dtype)
    return 0.5 * z + 0.3 * x_hat_prev + 0.2 * z.mean(1, keepdims=True) ** 2 + number[:, None, None]


def toy_without_scale(z, x_hat_prev, t, scale):
    return toy(z, x_hat_prev, t, np.zeros_like(scale))


def a_condition():
    latents = np.random.default_rng(1).normal(size=(B, L, D)).astype(np.float32)
    held = np.arange(L) < LENGTHS[:, None]
    return Condition(latents, held[..., None])


def spec_run(settings, condition, takes_self_cond_scale, start):
    """Every state z and prediction, by the spec's words: guided velocities, 0 on the source, which is then restored."""
    s, N, w, omega = FLOW.noise_scale, settings.steps, settings.self_cond_scale, settings.cfg_scale
    source, cond = condition.held[..., 0], condition.latents.astype(np.float64)
    key = jax.random.PRNGKey(settings.seed)
    _, sample_key = jax.random.split(key)
    noise_key, _ = jax.random.split(jax.random.fold_in(sample_key, 0))
    device = jax.random.split(noise_key, 1)[0]
    draw = lambda key: np.asarray(jax.random.normal(key, (B, L, D)), np.float64)  # noqa: E731
    times = np.linspace(0, 1, N + 1)

    def velocity(z, x_hat_prev, t):
        rest = max(1 - t, FLOW.t_eps)
        numbers = np.full(B, t), np.full(B, w)
        if takes_self_cond_scale:
            x = toy(z, x_hat_prev, *numbers)
            return (x - z) / rest, x
        without = np.zeros_like(z)
        # What is held is part of x̂_prev in both passes, unless the condition is dropped, which zeroes it in z too, or
        # the model was trained without.
        if z[source].any() and start == "condition":
            without[source] = cond[source]
        x0, x1 = (toy_without_scale(z, x_prev, *numbers) for x_prev in (without, x_hat_prev))
        v0, v1 = (x0 - z) / rest, (x1 - z) / rest
        return v0 + w * (v1 - v0), x0 + w * (x1 - x0)

    def restored(array):
        array = array.copy()
        array[source] = cond[source]
        return array

    def dropped(array):
        array = array.copy()
        array[source] = 0
        return array

    z, x_hat = restored(s * draw(device)), np.zeros((B, L, D))
    if start == "condition":
        x_hat = restored(x_hat)
    states = [(z, x_hat)]
    for k in range(N):
        t, after = times[k], times[k + 1]
        if settings.method == "sde" and k < N - 1:
            alpha = np.clip(1 - settings.gamma * (after - t), 0, 1)
            z = restored(alpha * z + (1 - alpha) * s * draw(jax.random.fold_in(device, k)))
            t = alpha * t
        v, x = velocity(z, x_hat, t)
        if omega != 1:
            v_u, x_u = velocity(dropped(z), dropped(x_hat), t)
            v, x = v_u + omega * (v - v_u), x_u + omega * (x - x_u)
        v[source] = 0
        z, x_hat = restored(z + (after - t) * v), restored(x)
        states.append((z, x_hat))
    return states


@pytest.mark.parametrize("start", ["condition", "zero"])
@pytest.mark.parametrize("takes_self_cond_scale", [True, False])
@pytest.mark.parametrize("omega", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("method", ["ode", "sde"])
def test_condition_and_both_guidances_are_those_of_the_spec(method, omega, takes_self_cond_scale, start):
    settings = SamplerSettings(5, method, 1.2, 2.0, "uniform", "partitionable", seed=9, cfg_scale=omega, solver="euler")
    denoise = toy if takes_self_cond_scale else toy_without_scale
    condition = a_condition()
    with jax.threefry_partitionable(True):
        wanted = spec_run(settings, condition, takes_self_cond_scale, start)
    flow = replace(FLOW, self_cond_start=start)
    run = [*run_flow(denoise, settings, flow, (B, L, D), condition, takes_self_cond_scale=takes_self_cond_scale)]
    assert len(run) == 6
    for state, (z, x_hat) in zip(run, wanted, strict=True):
        np.testing.assert_allclose(state.z, z, rtol=1e-4, atol=1e-4)
        np.testing.assert_allclose(state.x_hat, x_hat, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("solver", ["euler", "multistep"])
def test_the_condition_is_held_to_the_bit_in_every_pass_and_state(solver):
    condition, seen = a_condition(), []

    def denoise(z, x_hat_prev, t, scale):
        seen.append((z, x_hat_prev))
        return toy(z, x_hat_prev, t, scale)

    settings = SamplerSettings(4, "ode", solver=solver, schedule="quantile", cfg_scale=2.0)
    states = list(run_flow(denoise, settings, FLOW, (B, L, D), condition))
    held = condition.held[..., 0]
    for state in states:
        for array in (state.z, state.x_hat):
            np.testing.assert_array_equal(array[held], condition.latents[held])
    for with_source, without in zip(seen[::2], seen[1::2], strict=True):
        for ours, other in zip(with_source, without, strict=True):
            np.testing.assert_array_equal(ours[held], condition.latents[held])
            assert not other[held].any()
            np.testing.assert_array_equal(ours[~held], other[~held])


@pytest.mark.parametrize("solver", ["euler", "multistep"])
def test_a_start_at_zero_is_the_first_pass_and_no_other(solver):
    condition, seen = a_condition(), []

    def denoise(z, x_hat_prev, t, scale):
        seen.append(x_hat_prev)
        return toy(z, x_hat_prev, t, scale)

    settings = SamplerSettings(4, "ode", solver=solver, schedule="quantile")
    states = [*run_flow(denoise, settings, replace(FLOW, self_cond_start="zero"), (B, L, D), condition)]
    held = condition.held[..., 0]
    assert not seen[0].any() and not states[0].x_hat.any()
    for array in [*seen[1:], *(state.x_hat for state in states[1:])]:
        np.testing.assert_array_equal(array[held], condition.latents[held])
    for state in states:
        np.testing.assert_array_equal(state.z[held], condition.latents[held])


def test_without_a_source_the_start_changes_nothing():
    settings = SamplerSettings(4, "sde", self_cond_scale=2.0)
    for takes in (True, False):
        ends = []
        for start in ("condition", "zero"):
            flow = replace(FLOW, self_cond_start=start)
            *_, end = run_flow(toy, settings, flow, (B, L, D), takes_self_cond_scale=takes)
            ends.append(end)
        np.testing.assert_array_equal(ends[0].z, ends[1].z)


def test_guidance_of_one_is_no_second_pass():
    def passes(cfg, takes, w):
        calls = []

        def denoise(*inputs):
            calls.append(inputs)
            return toy(*inputs)

        settings = SamplerSettings(3, "ode", self_cond_scale=w, cfg_scale=cfg)
        list(run_flow(denoise, settings, FLOW, (B, L, D), a_condition(), takes_self_cond_scale=takes))
        return len(calls)

    assert [passes(1.0, True, 2.0), passes(2.0, True, 2.0)] == [3, 6]
    assert [passes(1.0, False, 1.0), passes(1.0, False, 2.0), passes(2.0, False, 2.0)] == [3, 6, 12]


def test_a_cfg_scale_without_a_condition_is_refused():
    with pytest.raises(UsageError, match="cfg is 2"):
        list(run_flow(toy, SamplerSettings(cfg_scale=2.0), FLOW, (B, L, D)))


def test_sources_of_different_lengths_are_encoded_as_if_alone():
    model = random_model(SMALL)
    together = encode_sources(JaxEncoder(model), SOURCES, 6)
    assert together.latents.shape == (3, 6, 16) and together.lengths.tolist() == [1, 3, 4]
    for row, source in enumerate(SOURCES):
        alone = JaxEncoder(model).encode(np.asarray([source]), np.ones((1, len(source)), int))[0]
        np.testing.assert_allclose(together.latents[row, : len(source)], alone, rtol=1e-4, atol=1e-5)
        assert not together.latents[row, len(source) :].any()


def test_what_was_written_starts_behind_the_source_and_is_cut():
    tokens = np.arange(20).reshape(2, 10)
    held = np.arange(10) < np.asarray([[1], [3]])
    condition = Condition(np.zeros((2, 10, 1), np.float32), held[..., None])
    # At most max_length − max_input_length = 6 tokens.
    assert written(tokens, SMALL, condition) == [[1, 2, 3, 4, 5, 6], [13, 14, 15, 16, 17, 18]]


@pytest.mark.parametrize(
    ("method", "self_cond_cfg_tokens", "start", "solver"),
    [
        *((method, tokens, "condition", "euler") for method in ("ode", "sde") for tokens in (4, 0)),
        ("sde", 4, "zero", "euler"),
        ("ode", 0, "zero", "euler"),
        ("ode", 4, "zero", "multistep"),
    ],
)
def test_the_compiled_sampler_writes_the_same(method, self_cond_cfg_tokens, start, solver):
    model = random_model(replace(SMALL, self_cond_cfg_tokens=self_cond_cfg_tokens), self_cond_start=start)
    settings = SamplerSettings(4, method, 1.0, 2.0, "quantile", seed=2, cfg_scale=1.5, solver=solver)
    condition = encode_sources(JaxEncoder(model), SOURCES, 10)
    reference = sample(JaxNetwork(model), settings, model.flow, (3, 10, 16), condition)
    tokens = BatchSampler(model, make_mesh(), 3, 6).write(settings, sources=SOURCES)
    np.testing.assert_array_equal(tokens, written(reference.tokens, model.elf, condition))
    assert len(np.unique(tokens)) > 3


@pytest.mark.parametrize(
    ("sources", "length", "said"),
    [
        ([], 10, "needs a prompt"),
        ([[]], 10, "prompt 1 has 0 tokens"),
        ([[5], [1, 2, 3, 4, 5]], 10, "prompt 2 has 5 tokens"),
        ([[5, 6]], 2, "fills all 2 positions"),
        ([[128]], 10, "holds the token 128"),
        ([[-1]], 10, "holds the token -1"),
    ],
)
def test_impossible_sources_are_refused_by_name(sources, length, said):
    with pytest.raises(UsageError, match=said):
        check_sources(sources, SMALL, length)


def test_prompts_of_a_model_without_and_too_few_of_them():
    with pytest.raises(UsageError, match="takes no prompt"):
        check_sources([[5]], replace(SMALL, max_input_length=0), 10)
    assert spread_sources([[5]], 3) == [[5]] * 3
    with pytest.raises(UsageError, match="2 prompts for a batch of 3"):
        spread_sources([[5], [6]], 3)


def test_command_writes_to_prompts(tmp_path, capsys):
    model = random_model(SMALL)
    save_trained_model(model, tmp_path / "model")
    arguments = ["sample", str(tmp_path / "model"), "--method", "ode", "--steps", "3", "--cfg", "2", "--seed", "5"]
    two = ["--prompt-ids", "5,6", "--prompt-ids", "7", "--batch", "2"]
    # As many texts as prompts, also where nobody says how many.
    assert cli.main([*arguments, *two[:-2], "--json", "--dump", str(tmp_path / "dump.npz")]) == 0
    report = json.loads(capsys.readouterr().out)
    settings = SamplerSettings(3, "ode", seed=5, cfg_scale=2.0)
    condition = encode_sources(JaxEncoder(model), [[5, 6], [7]], 10)
    run = sample(JaxNetwork(model), settings, model.flow, (2, 10, 16), condition)
    assert report["tokens"] == run.tokens.tolist() and report["promptIds"] == [[5, 6], [7]]
    assert report["settings"]["cfg_scale"] == 2
    # Without a tokenizer the text is the tokens; this model never writes eos.
    assert report["text"][1] == " ".join(map(str, run.tokens[1, 1:7]))
    with np.load(tmp_path / "dump.npz") as dump:
        np.testing.assert_array_equal(dump["z"], run.z)
        np.testing.assert_array_equal(dump["z0"][:, 0], condition.latents[:, 0])

    for wrong, said in (
        (["--prompt", "a text"], "no tokenizer"),
        (["--prompt-ids", "5,x"], "no list of tokens"),
        (["--prompt", "a", "--prompt-ids", "5"], "both"),
        ([*two[:-1], "3"], "2 prompts for a batch of 3"),
        ([*two, "--cfg", "21"], "cfg is 21"),
        ([*two, "--length", "11"], "the length is 11"),
    ):
        assert cli.main([*arguments, *wrong]) == 2
        assert said in capsys.readouterr().err
