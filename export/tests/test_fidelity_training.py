"""Losses, their gradients, and whole updates against NumPy: from token ids on, in both branches and padding modes.

Only the random draws come from JAX, by the keys that the step derives; all that is made of them is made again here.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import numpy_elf
import pytest
from numpy_elf import sigmoid, velocity

from elf.config import ElfConfig, FlowConfig, T5Config
from elf.data.rows import Batch
from elf.dev.make_random import random_params
from elf.devices import make_mesh
from elf.network.parameters import encoder_parameter_shapes, parameter_shapes
from elf.training.objective import flow_objective
from elf.training.optimizer import OptimizerConfig
from elf.training.step import make_train_step
from elf.training.step_inputs import FrozenEncoder
from elf.training.train_config import Resolved, TrainConfig

B, L, D = 4, 7, 6
ELF = ElfConfig(depth=1, hidden_size=8, heads=2, latent_size=D, bottleneck_size=4, vocabulary_size=11, max_length=L)
T5 = T5Config(vocabulary_size=11, d_model=D, d_kv=4, d_ff=9, layers=1, heads=2)
MEAN, STD = np.linspace(-0.3, 0.5, D), np.linspace(0.7, 1.4, D)
STEP = 8
"""Number of the step taken: there the average of the weights keeps 9 / 18 of itself."""

SOURCE = np.array([3, 2, 0, 4])
LENGTH = np.array([6, 7, 3, 5])
BATCH = Batch(
    ids=np.random.default_rng(5).integers(3, 11, (B, L)).astype(np.int32),
    real=np.arange(L) < LENGTH[:, None],
    source_length=SOURCE.astype(np.int32),
)


@dataclass(frozen=True)
class Case:
    decode: bool
    pad_token: str = "eos"
    conditional: bool = False
    objective: str = "shared"

    @property
    def config(self) -> TrainConfig:
        return TrainConfig(
            name="", data="", encoder="", tokenizer="", out=Path(), steps=100, batch_size=B, elf=ELF,
            flow=FlowConfig(noise_scale=1.7, decoder_noise_scale=2.2, decoder_prob=float(self.decode)),
            optimizer=OptimizerConfig(optimizer="adamw", blr=0.1, warmup_steps=0), pad_token=self.pad_token,
            label_drop=0.5, compute_dtype="float32", seed=3, objective=self.objective, ema_decay=0.99,
            self_conditioned_rows="coin" if self.objective == "literal" else "share",
        )  # fmt: skip


CASES = [
    Case(decode=False, pad_token="eos", conditional=True),
    Case(decode=False, pad_token="pad", conditional=True, objective="literal"),
    Case(decode=True, pad_token="pad", conditional=True),
]


def weights() -> dict[str, np.ndarray]:
    return random_params(parameter_shapes(ELF), seed=1)


@cache
def draws(decode: bool) -> dict[str, np.ndarray]:
    """The random numbers of step STEP of seed 3, standard normal or uniform in [0, 1)."""

    @jax.jit
    def drawn(key: jax.Array) -> dict[str, jax.Array]:
        drop, draw = jax.random.split(jax.random.fold_in(key, STEP))
        first, noise, scale, *coin = jax.random.split(draw, 3 if decode else 4)
        return {
            "drop": jax.random.uniform(drop, (B,)),
            "first": jax.random.normal(first, (B, L) if decode else (B,)),
            "noise": jax.random.normal(noise, (B, L, D)),
            # 1 + w is log-uniform on [1.5, 6].
            "log_w": jax.random.uniform(scale, (B,), minval=jnp.log(1.5), maxval=jnp.log(6.0)),
            "coin": jax.random.uniform(coin[0], (B,)) if coin else jnp.zeros(B),
        }

    return {name: np.asarray(value, np.float64) for name, value in drawn(jax.random.key(3)).items()}


@cache
def latents(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """x and which positions hold the source. Who sees whom is written out pair by pair."""
    held = (np.arange(L) < SOURCE[:, None]) & case.conditional
    dropped = (draws(case.decode)["drop"] < 0.5) & case.conditional
    visible = np.zeros((B, L, L), bool)
    for b, query, key in np.ndindex(B, L, L):
        from_source, to_source = held[b, query], held[b, key]
        visible[b, query, key] = (
            (case.pad_token == "eos" or key < LENGTH[b])
            and not (from_source and not to_source)
            and not (dropped[b] and to_source and not from_source)
        )
    params = {name: value.astype(np.float64) for name, value in random_params(encoder_parameter_shapes(T5), 2).items()}
    x = (numpy_elf.t5_encode(params, T5.heads, BATCH.ids, visible) - MEAN) / STD
    x[dropped[:, None] & held] = 0
    return x, held


def denoise_target(w64: numpy_elf.Weights, case: Case) -> tuple[np.ndarray, ...]:
    """z, x̂_prev and the velocity to learn: the network enters it, but no gradient comes from there."""
    x, held = latents(case)
    drawn = draws(False)
    t, w = sigmoid(-1.5 + 0.8 * drawn["first"]), np.exp(drawn["log_w"]) - 1
    t3 = t[:, None, None]
    z = np.where(held[..., None], x, t3 * x + (1 - t3) * 1.7 * drawn["noise"])
    chosen = drawn["coin"] < 0.5 if case.objective == "literal" else np.arange(B) % 2 == 0
    # Where there is no x̂ yet, the source's places hold the source, as they do when sampling starts.
    empty = np.where(held[..., None], x, 0)
    first = np.where(held[..., None], x, numpy_elf.denoise(w64, ELF.heads, z, empty, t, w))
    v0 = velocity(first, z, t)
    v1 = velocity(numpy_elf.denoise(w64, ELF.heads, z, first, t, w), z, t)
    target = velocity(x, z, t) + np.where(chosen[:, None, None], (1 - 1 / w)[:, None, None] * (v1 - v0), 0)
    return z, np.where(chosen[:, None, None], first, empty), t, w, target


def loss_with(w64: numpy_elf.Weights, case: Case, target: tuple[np.ndarray, ...]) -> float:
    """The loss of weights `w64` towards a target that may come from other weights."""
    x, held = latents(case)
    counts = ~held & (BATCH.real | (case.pad_token == "eos"))
    if case.decode:
        drawn = draws(True)
        share = sigmoid(0.8 + 0.8 * drawn["first"])[..., None]
        latent = share * x + (1 - share) * 2.2 * drawn["noise"]
        chances = numpy_elf.softmax(numpy_elf.decode(w64, ELF.heads, latent, np.exp(drawn["log_w"]) - 1))
        errors = -np.log(np.take_along_axis(chances, BATCH.ids[..., None], -1)[..., 0])
    else:
        z, x_hat_prev, t, w, wanted = target
        v = velocity(numpy_elf.denoise(w64, ELF.heads, z, x_hat_prev, t, w), z, t)
        errors = ((v - wanted) ** 2).mean(-1)
    return errors[counts].mean()


def weights64() -> numpy_elf.Weights:
    return {name: value.astype(np.float64) for name, value in weights().items()}


def target(case: Case) -> tuple[np.ndarray, ...]:
    return () if case.decode else denoise_target(weights64(), case)


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_step_has_the_loss_of_the_specification_and_averages_its_weights(case: Case) -> None:
    encoder = FrozenEncoder(T5, random_params(encoder_parameter_shapes(T5), 2), np.float32(MEAN), np.float32(STD))
    resolved = Resolved(100, 0, None, 1.0, case.conditional)
    step = make_train_step(case.config, resolved, encoder, make_mesh(devices=jax.devices()[:1]), start=weights())
    state, metrics = step.update(step.init(), BATCH, STEP)
    loss = metrics["decode_loss" if case.decode else "loss"]
    assert float(loss) == pytest.approx(loss_with(weights64(), case, target(case)), rel=2e-5)
    for name, start in weights().items():
        # At this step the average is half of what it was and half the new weights.
        average = (start + np.asarray(state.params[name])) / 2
        np.testing.assert_allclose(state.ema_params1[name], average, rtol=1e-5, atol=1e-7, err_msg=name)
    moved = {name for name, start in weights().items() if np.any(np.asarray(state.params[name]) != start)}
    heads = {name for name in weights() if name.startswith(("final_layer/", "proj_", "unembed_", "mode_tokens"))}
    # Each branch teaches its own head; the mode tokens are silent where x̂ is predicted.
    expected = {name for name in heads if name.startswith("final_layer/") != case.decode}
    assert moved == (weights().keys() - heads) | expected


@pytest.mark.parametrize("objective", ["shared", "literal"])
def test_gradients_are_the_slopes_of_the_numpy_loss(objective: str) -> None:
    case = Case(decode=False, objective=objective)
    x, held = latents(case)
    loss = flow_objective(case.config)
    _, draw = jax.random.split(jax.random.fold_in(jax.random.key(3), STEP))

    @jax.jit
    def gradient(params):
        drawn = loss.draw(draw, (B, L, D), False)
        even = jnp.full((B, L), 1 / (B * L))
        of = jax.grad(lambda p: loss.loss(p, None, jnp.float32(x), held, BATCH.ids, drawn, even, False)[0])
        return of(params)

    found, fixed = jax.tree.map(np.asarray, gradient(weights())), target(case)
    for name, slope in found.items():
        direction = np.random.default_rng(0).normal(size=slope.shape)
        ends = (weights64() | {name: weights64()[name] + side * 1e-5 * direction} for side in (1, -1))
        # The target stays where it was: nothing is learnt through it.
        up, down = (loss_with(end, case, fixed) for end in ends)
        assert float((slope * direction).sum()) == pytest.approx((up - down) / 2e-5, rel=2e-3, abs=2e-6), name
