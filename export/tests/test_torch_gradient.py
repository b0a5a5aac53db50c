"""The gradient by torch is that by XLA. Torch is no requirement: where it is missing, these tests are left out."""

import dataclasses
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from elf.config import ElfConfig, FlowConfig
from elf.errors import ConfigError
from elf.network.model import ELF
from elf.network.modules import split
from elf.training.objective import flow_objective
from elf.training.step import Examples
from elf.training.torch_gradient import make_torch_gradient
from elf.training.train_config import TrainConfig

torch = pytest.importorskip("torch", reason="torch is not installed; it is no requirement")

SMALL = ElfConfig(
    depth=2, hidden_size=32, heads=2, latent_size=16, bottleneck_size=8, vocabulary_size=64, max_length=12
)
CASES = {
    "as shipped": {},
    "source in x̂ zero": {"flow": FlowConfig(self_cond_start="zero", decoder_condition="clean")},
    "a third self-conditions": {"flow": FlowConfig(self_cond_prob=1 / 3)},
    "never self-conditions": {"flow": FlowConfig(self_cond_prob=0.0)},
    "no self-cond CFG": {"elf": dataclasses.replace(SMALL, self_cond_cfg_tokens=0)},
}


def config(**given) -> TrainConfig:
    named = {"name": "toy", "data": "-", "encoder": "-", "tokenizer": "-", "out": "-", "steps": 1, "batch_size": 6}
    return TrainConfig(**{**named, "elf": SMALL, "compute_dtype": "float32", "gradient": "torch", **given})


@cache
def examples(B: int = 6, L: int = 12, D: int = 16) -> Examples:
    random = np.random.default_rng(0)
    held = np.arange(L)[None] < random.integers(0, 4, (B, 1))
    return Examples(
        jnp.asarray(random.normal(size=(B, L, D)), jnp.float32),
        jnp.asarray(held),
        jnp.asarray(random.integers(0, 64, (B, L)), jnp.int32),
        jnp.asarray(~held & (random.random((B, L)) < 0.9), jnp.float32),
        None,
    )


def both(config: TrainConfig, decode: bool):
    """(metrics, gradient) by XLA and by torch, of a network whose every weight is random."""
    _, shaped = split(ELF(config.elf, rngs=nnx.Rngs(0)))
    keys = jax.random.split(jax.random.key(1), len(shaped))
    params = {
        name: 1.0 * name.endswith("/weight") + 0.1 * jax.random.normal(key, of.shape)
        for key, (name, of) in zip(keys, shaped.items(), strict=True)
    }
    objective, of = flow_objective(config), examples()
    of = of._replace(counts=objective.weigh(of.counts))
    of = of._replace(draws=objective.draw(jax.random.key(2), of.x.shape, decode))

    def loss(params):
        return objective.loss(params, None, of.x, of.held, of.ids, of.draws, of.counts, decode)

    (_, metrics), gradients = jax.jit(jax.value_and_grad(loss, has_aux=True))(params)
    return (metrics, gradients), make_torch_gradient(config)(params, of, decode)


def differences(one, other) -> dict[str, float]:
    """Of each gradient, the largest against the largest of it."""
    return {
        name: float(jnp.abs(value - other[name]).max() / jnp.maximum(jnp.abs(value).max(), 1e-12))
        for name, value in one.items()
    }


@pytest.fixture
def uncompiled(monkeypatch):
    """Compiling each case would take minutes."""
    monkeypatch.setattr(torch, "compile", lambda function: function)


@pytest.mark.usefixtures("uncompiled")
@pytest.mark.parametrize("decode", [False, True])
@pytest.mark.parametrize("case", CASES)
def test_loss_and_gradient_are_those_of_xla(case: str, decode: bool):
    (metrics, gradients), (by_torch, torch_gradients) = both(config(**CASES[case]), decode)
    assert metrics.keys() == by_torch.keys()
    for name, value in metrics.items():
        assert float(by_torch[name]) == pytest.approx(float(value), rel=1e-5)
    assert torch_gradients.keys() == gradients.keys()
    assert max(differences(gradients, torch_gradients).values()) < 2e-4
    unused = {name for name, value in gradients.items() if not np.any(value)}
    assert unused == {name for name, value in torch_gradients.items() if not np.any(value)}


@pytest.mark.parametrize("decode", [False, True])
def test_compiled_and_in_bfloat16_both_round_alike(decode: bool):
    (metrics, gradients), (by_torch, torch_gradients) = both(config(compute_dtype="bfloat16"), decode)
    (name,) = by_torch
    assert float(by_torch[name]) == pytest.approx(float(metrics[name]), rel=0.01)
    one, other = (np.concatenate([np.ravel(of[name]) for name in gradients]) for of in (gradients, torch_gradients))
    assert one @ other / np.linalg.norm(one) / np.linalg.norm(other) > 0.995


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"objective": "literal"}, "objective shared"),
        ({"accumulation": 2}, "accumulation 1"),
        ({"remat": "dots"}, "remat"),
    ],
)
def test_what_it_does_not_know_is_refused(given, named):
    with pytest.raises(ConfigError, match=named):
        make_torch_gradient(config(**given))
