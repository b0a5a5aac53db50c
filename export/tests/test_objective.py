"""The training objective against the literal formulation of spec section 4."""

import dataclasses
from functools import cache
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import nnx

from elf.config import ElfConfig, FlowConfig, SamplerSettings, SelfCondStart
from elf.dev.make_random import random_params
from elf.errors import ConfigError
from elf.network.model import ELF
from elf.network.modules import abstract, bind, split
from elf.network.parameters import parameter_shapes
from elf.sampling.condition import Condition, Guided
from elf.training.objective import (
    decode_errors,
    denoise_errors,
    flow_objective,
    guessed,
    literal_denoising,
    noised,
    put_rows,
    self_cond_rows,
    shared_denoising,
    take_rows,
)
from elf.training.step_inputs import DecodeDraws, DenoiseDraws, draw_decode, draw_denoise, draw_self_cond_scale
from elf.training.train_config import GuessConfig, TrainConfig

CONFIG = ElfConfig(depth=1, hidden_size=16, heads=2, latent_size=6, bottleneck_size=4, vocabulary_size=11, max_length=5)
FLOW = FlowConfig(noise_scale=1.3)


def shared_errors(network: ELF, *arguments) -> jax.Array:
    return denoise_errors(shared_denoising(network, *arguments), network)


def literal_errors(network: ELF, *arguments) -> jax.Array:
    return denoise_errors(literal_denoising(network, *arguments), network)


@cache
def network() -> ELF:
    graphdef, _ = abstract(ELF, CONFIG)
    params = random_params(parameter_shapes(CONFIG), seed=1)
    return bind(graphdef, {name: jnp.asarray(value) for name, value in params.items()})


@cache
def draws() -> DenoiseDraws:
    return jax.jit(lambda key: draw_denoise(key, (4, 5, 6), FLOW))(jax.random.key(7))


def even_rows(draws: DenoiseDraws) -> DenoiseDraws:
    """Coins that choose the rows that the shared formulation chooses."""
    return draws._replace(coin=jnp.arange(len(draws.t)) % 2 * 1.0)


def test_free_velocities_equal_the_separate_passes_of_the_literal_formulation() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held = jnp.zeros((4, 5), bool).at[:, :2].set(True)
    mask = 1.0 - held

    def loss(errors):
        return lambda params, d: (errors(bind(graphdef, params), x, held, d, FLOW) * mask).mean()

    ours, gradient = jax.jit(jax.value_and_grad(loss(shared_errors)))(params, draws())
    expected, literal = jax.jit(jax.value_and_grad(loss(literal_errors)))(params, even_rows(draws()))
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)
    for name in params:
        np.testing.assert_allclose(gradient[name], literal[name], rtol=2e-3, atol=1e-5, err_msg=name)


def test_with_coins_both_formulations_are_the_same_numbers() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held = jnp.zeros((4, 5), bool).at[:, :2].set(True)
    coins = draws()._replace(coin=jnp.array([0.1, 0.9, 0.2, 0.3]))

    def loss(denoising):
        return lambda params: denoise_errors(
            denoising(bind(graphdef, params), x, held, coins, FLOW, "coin"), bind(graphdef, params)
        ).mean()

    ours, gradient = jax.jit(jax.value_and_grad(loss(shared_denoising)))(params)
    expected, literal = jax.jit(jax.value_and_grad(loss(literal_denoising)))(params)
    assert float(ours) == pytest.approx(float(expected), rel=1e-5)
    for name in params:
        np.testing.assert_allclose(gradient[name], literal[name], rtol=2e-3, atol=1e-5, err_msg=name)


@pytest.mark.parametrize("denoising", [literal_denoising, shared_denoising])
def test_the_half_without_a_guess_holds_the_source(denoising) -> None:
    x, held = jax.random.normal(jax.random.key(2), (4, 5, 6)), jnp.zeros((4, 5), bool).at[:, :2].set(True)
    never = draws()._replace(coin=jnp.ones(4))
    for start, expected in (("condition", x[:, :2]), ("zero", jnp.zeros((4, 2, 6)))):
        flow = dataclasses.replace(FLOW, self_cond_start=start)
        half = jax.jit(lambda x, flow=flow: denoising(network(), x, held, never, flow, "coin").inputs[1])(x)
        np.testing.assert_array_equal(half[:, :2], expected)
        np.testing.assert_array_equal(half[:, 2:], 0)


def test_the_literal_formulation_throws_a_coin_for_every_example() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    errors = jax.jit(
        lambda coin: literal_errors(
            bind(graphdef, params), x, jnp.zeros((4, 5), bool), draws()._replace(coin=coin), FLOW
        )
    )
    none, third = errors(jnp.ones(4)), errors(jnp.ones(4).at[2].set(0.49))
    np.testing.assert_allclose(none[jnp.array([0, 1, 3])], third[jnp.array([0, 1, 3])], rtol=1e-6)
    assert np.abs(none[2] - third[2]).min() > 1e-4


@pytest.mark.parametrize(("probability", "batch", "expected"), [(0.5, 8, (1, 2)), (0.25, 8, (1, 4)), (0.5, 5, (2, 5))])
def test_a_fixed_share_of_rows_self_conditions(probability: float, batch: int, expected: tuple[int, int]) -> None:
    a, b = self_cond_rows(probability, batch)
    assert (a, b) == expected
    rows = jnp.arange(1.0, batch + 1)[:, None]
    back = put_rows(take_rows(rows, a, b), a, b)
    chosen = np.arange(batch) % b < a
    np.testing.assert_array_equal(back[:, 0], np.where(chosen, np.arange(1, batch + 1), 0))


def test_without_self_conditioning_there_is_one_pass() -> None:
    flow = FlowConfig(noise_scale=1.3, self_cond_prob=0.0)
    graphdef, params = split(network())
    x, held = jax.random.normal(jax.random.key(2), (4, 5, 6)), jnp.zeros((4, 5), bool)
    ours = jax.jit(lambda p: shared_errors(bind(graphdef, p), x, held, draws(), flow))(params)
    literal = jax.jit(lambda p: literal_errors(bind(graphdef, p), x, held, draws(), flow))(params)
    np.testing.assert_allclose(ours, literal, rtol=1e-5)


def test_held_positions_stay_clean_and_are_heard() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held = jnp.zeros((4, 5), bool).at[:, :2].set(True)
    np.testing.assert_array_equal(noised(x, held, draws(), FLOW)[:, :2], x[:, :2])
    errors = jax.jit(lambda x: shared_errors(bind(graphdef, params), x, held, draws(), FLOW)[:, 2:])
    assert np.abs(errors(x.at[:, 0].add(1.0)) - errors(x)).max() > 1e-4


def test_self_conditioning_scale_stays_within_its_bounds_and_is_log_uniform() -> None:
    w = np.asarray(draw_self_cond_scale(jax.random.key(0), 20000, FLOW))
    assert w.min() >= 0.5 - 1e-5 and w.max() <= 5 + 1e-4
    assert np.median(np.log1p(w)) == pytest.approx((np.log(1.5) + np.log(6)) / 2, abs=0.02)


def test_decode_errors_start_near_chance_and_fall_with_the_right_bias() -> None:
    graphdef, params = split(nnx.jit(lambda: ELF(CONFIG, rngs=nnx.Rngs(0)))())
    x, held = jax.random.normal(jax.random.key(2), (4, 5, 6)), jnp.zeros((4, 5), bool)
    ids = jnp.full((4, 5), 3)
    mixed = draw_decode(jax.random.key(0), x.shape, FLOW)
    decode = jax.jit(lambda p: decode_errors(bind(graphdef, p), x, held, ids, mixed, FLOW).mean())
    assert float(decode(params)) == pytest.approx(np.log(11), abs=1.0)
    assert float(decode(params | {"unembed_bias": params["unembed_bias"].at[3].add(20.0)})) < 0.01


def test_a_guess_is_what_the_sampler_makes_of_a_text_at_that_time() -> None:
    net = network()
    denoise = jax.jit(net.denoise)
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held, t, w = jnp.zeros((4, 5), bool).at[:, :2].set(True).at[3].set(False), 0.3, 1.5
    drawn = draw_decode(jax.random.key(3), x.shape, FLOW)
    drawn = drawn._replace(clean=drawn.clean.at[:, 0].set(t), w=jnp.full(4, w))
    starts: tuple[tuple[SelfCondStart, float], ...] = (("condition", 2.5), ("zero", 1.0))
    for start, cfg in starts:
        settings = SamplerSettings(cfg_scale=cfg, self_cond_scale=w)
        condition = Condition(np.asarray(x), np.asarray(held)[..., None])
        sampler = Guided(denoise, settings, condition, True, start)
        unguided = Guided(denoise, dataclasses.replace(settings, cfg_scale=1.0), condition, True, start)
        z = sampler.hold(np.asarray(t * x + (1 - t) * 1.3 * drawn.noise))
        first = unguided.predict(z, sampler.nothing(x.shape), np.float32(t))
        flow = dataclasses.replace(FLOW, self_cond_start=start)
        wanted = sampler.predict(z, first, np.float32(t))
        found = jax.jit(lambda x, flow=flow, cfg=cfg: guessed(net, x, held, drawn, flow, cfg))(x)
        np.testing.assert_allclose(found, wanted, atol=2e-5)


def test_rows_read_from_a_guess_take_their_share_and_send_no_gradient_through_it() -> None:
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held, ids = jnp.zeros((4, 5), bool).at[:, :2].set(True), jnp.full((4, 5), 3)
    mixed, guesses = draw_decode(jax.random.key(0), x.shape, FLOW), GuessConfig(share=0.5, cfg=3.0)

    rows = np.arange(0, 4, 2)

    def errors(params, guesses: GuessConfig | None) -> jax.Array:
        return decode_errors(bind(graphdef, params), x, held, ids, mixed, FLOW, None, guesses)

    def of_guesses(params) -> tuple[jax.Array, jax.Array]:
        found = errors(params, guesses)
        return found[rows].sum(), found

    (_, found), got = jax.jit(jax.value_and_grad(of_guesses, has_aux=True))(params)
    plain, of_none = jax.jit(lambda params: (errors(params, None), errors(params, GuessConfig())))(params)
    change = np.abs(found - plain).max(axis=1)
    assert (change > 1e-4).tolist() == [True, False, True, False]
    assert not np.any(of_none - plain)

    of_rows = DecodeDraws(*(of[rows] for of in mixed))
    latent = jax.jit(lambda params: guessed(bind(graphdef, params), x[rows], held[rows], of_rows, FLOW, guesses.cfg))(
        params
    )

    def read(params) -> jax.Array:
        logits = bind(graphdef, params).decode(latent, mixed.w[rows])
        return optax.softmax_cross_entropy_with_integer_labels(logits, ids[rows]).sum()

    for name, wanted in jax.jit(jax.grad(read))(params).items():
        np.testing.assert_allclose(got[name], wanted, atol=1e-4, err_msg=name)


@pytest.mark.parametrize("condition", ["noised", "clean"])
def test_the_condition_is_decoded_from_noised_as_the_text_or_clean(condition: str) -> None:
    flow = dataclasses.replace(FLOW, decoder_condition=condition)
    graphdef, params = split(network())
    x = jax.random.normal(jax.random.key(2), (4, 5, 6))
    held, ids = jnp.zeros((4, 5), bool).at[:, :2].set(True), jnp.full((4, 5), 3)
    mixed = draw_decode(jax.random.key(0), x.shape, flow)
    errors = jax.jit(lambda mixed: decode_errors(bind(graphdef, params), x, held, ids, mixed, flow))
    of_text = jax.random.normal(jax.random.key(4), x.shape).at[:, 2:].set(0)
    change = np.abs(errors(mixed._replace(noise=mixed.noise + of_text)) - errors(mixed)).max()
    assert (change == 0) if condition == "clean" else (change > 1e-4)
    # The text is noised either way.
    assert np.abs(errors(mixed._replace(noise=mixed.noise.at[:, 3].add(1.0))) - errors(mixed)).max() > 1e-4


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        # A part of one row rounded its share to none, and nothing told that no row self-conditioned any more.
        ({"accumulation": 8}, r"self_cond_prob is 0\.5, which is no whole number of the 1 row\(s\) of each of 8 parts"),
        ({"batch_size": 6, "accumulation": 2}, "self_cond_prob is 0.5"),
        ({"batch_size": 6, "coin": "device", "loss_mean": "device"}, "self_cond_prob is 0.5"),
        ({"accumulation": 2, "guesses": GuessConfig(share=0.3)}, "guesses.share is 0.3"),
        ({"accumulation": 8, "recipe": "official", "guesses": GuessConfig(share=0.5)}, "guesses.share is 0.5"),
    ],
)
def test_parts_that_do_not_hold_their_share_whole_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=words):
        flow_objective(training(**settings), groups=2 if "loss_mean" in settings else 1)


@pytest.mark.parametrize(
    ("settings", "groups"),
    [
        ({"accumulation": 4}, 1),
        ({"batch_size": 7}, 1),
        ({"accumulation": 8, "self_conditioned_rows": "coin"}, 1),
        ({"accumulation": 8, "flow": FlowConfig(self_cond_prob=1.0)}, 1),
        ({"recipe": "official"}, 8),
    ],
)
def test_shares_that_are_whole_and_a_batch_that_is_are_taken(settings: dict[str, Any], groups: int) -> None:
    flow_objective(training(**settings), groups)


def training(**settings: Any) -> TrainConfig:
    fields = {"elf": CONFIG, "steps": 1, "batch_size": 8} | settings
    return TrainConfig(name="a", data="a", encoder="a", tokenizer="a", out=Path("a"), **fields)
