"""Updates worked out in NumPy: clip, Muon and AdamW, learning rates, EMA."""

import jax
import numpy as np
import pytest
from numpy_elf import orthogonalise

from elf.training.optimizer import OptimizerConfig, ema_decay, learning_rate, make_optimizer

MATRICES = {"blocks_0/attn/qkv/kernel": (4, 12), "blocks_0/mlp/w3/kernel": (7, 3)}
OTHERS = {
    "unembed_kernel": (3, 5),
    "t_emb_tokens": (1, 2, 3),
    "blocks_0/norm1/weight": (4,),
    "text_proj/proj2/bias": (3,),
}
RATES = [0.0, 0.001, 0.002, 0.002]
"""blr 0.001 at batch 512 after two steps of warm-up."""


def draws(seed: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in (MATRICES | OTHERS).items()}


def gradients(step: int) -> dict[str, np.ndarray]:
    """Steps 0, 2 with a global norm far above the clip of 1, steps 1, 3 far below."""
    return {name: value * (1.0 if step % 2 == 0 else 0.01) for name, value in draws(10 + step).items()}


def clipped(gradient: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    norm = np.sqrt(sum((value.astype(np.float64) ** 2).sum() for value in gradient.values()))
    return {name: value.astype(np.float64) / max(norm, 1.0) for name, value in gradient.items()}


def nesterov(moment: np.ndarray, gradient: np.ndarray, beta: float, update: int) -> np.ndarray:
    """The bias-corrected moment one step ahead; `update` counts from 1."""
    return beta * moment / (1 - beta ** (update + 1)) + (1 - beta) * gradient / (1 - beta**update)


def four_updates(optimizer: str, weight_decay: float = 0.0) -> dict[str, np.ndarray]:
    config = OptimizerConfig(optimizer=optimizer, blr=1e-3, warmup_steps=2, weight_decay=weight_decay)
    rule = make_optimizer(config, batch_size=512, steps=100)

    @jax.jit
    def update(params, state, gradient):
        changes, state = rule.update(gradient, state, params)
        return jax.tree.map(lambda old, change: old + change, params, changes), state

    params = draws(0)
    state = rule.init(params)
    for step in range(4):
        params, state = update(params, state, gradients(step))
    return params


def test_muon_turns_hidden_matrices_and_leaves_the_rest_to_nesterov_adamw() -> None:
    expected = {name: value.astype(np.float64) for name, value in draws(0).items()}
    first = {name: 0.0 for name in expected}
    second = dict(first)
    for step, rate in enumerate(RATES):
        for name, g in clipped(gradients(step)).items():
            beta = 0.95 if name in MATRICES else 0.9
            first[name] = beta * first[name] + (1 - beta) * g
            ahead = nesterov(first[name], g, beta, step + 1)
            if name in MATRICES:
                fan_in, fan_out = g.shape
                # Wide matrices write more outputs than they read inputs, and take larger steps (Jordan's Muon).
                change = np.sqrt(max(1, fan_out / fan_in)) * orthogonalise(ahead)
            else:
                second[name] = 0.95 * second[name] + 0.05 * g**2
                change = ahead / (np.sqrt(second[name] / (1 - 0.95 ** (step + 1))) + 1e-8)
            expected[name] = expected[name] - rate * change
    start, actual = draws(0), four_updates("muon")
    for name in expected:
        # The change is compared, not the weight: it is a thousandth of it.
        np.testing.assert_allclose(
            actual[name] - start[name], expected[name] - start[name], rtol=2e-3, atol=1e-6, err_msg=name
        )


def test_newton_schulz_makes_singular_values_nearly_one() -> None:
    values = np.linalg.svd(orthogonalise(np.random.default_rng(0).normal(size=(5, 9))), compute_uv=False)
    assert (values > 0.6).all() and (values < 1.3).all()


def test_adamw_is_the_textbooks() -> None:
    expected = {name: value.astype(np.float64) for name, value in draws(0).items()}
    first = {name: 0.0 for name in expected}
    second = dict(first)
    for step, rate in enumerate(RATES):
        for name, g in clipped(gradients(step)).items():
            first[name] = 0.9 * first[name] + 0.1 * g
            second[name] = 0.95 * second[name] + 0.05 * g**2
            mean, spread = first[name] / (1 - 0.9 ** (step + 1)), second[name] / (1 - 0.95 ** (step + 1))
            expected[name] = expected[name] - rate * (mean / (np.sqrt(spread) + 1e-8) + 0.1 * expected[name])
    start, actual = draws(0), four_updates("adamw", weight_decay=0.1)
    for name in expected:
        np.testing.assert_allclose(
            actual[name] - start[name], expected[name] - start[name], rtol=2e-3, atol=1e-6, err_msg=name
        )


def test_learning_rates() -> None:
    # blr 0.001 at batch 512 is 0.002; four steps of warm-up.
    constant = learning_rate(OptimizerConfig(blr=1e-3, warmup_steps=4), 512, 12)
    assert [float(constant(step)) for step in (0, 1, 3, 4, 400)] == pytest.approx([0, 5e-4, 1.5e-3, 2e-3, 2e-3])
    cosine = learning_rate(OptimizerConfig(blr=1e-3, warmup_steps=4, schedule="cosine", final_fraction=0.1), 512, 12)
    # Half-way down the cosine, and at its end: 0.1 + 0.9 · (1 + cos) / 2.
    assert [float(cosine(step)) for step in (2, 4, 8, 10, 12, 20)] == pytest.approx(
        [1e-3, 2e-3, 1.1e-3, 2e-3 * (0.1 + 0.45 * (1 - np.sqrt(0.5))), 2e-4, 2e-4]
    )


def test_ema_forgets_its_start_in_short_runs() -> None:
    assert [float(ema_decay(step, 0.9999)) for step in (0, 8, 90)] == pytest.approx([0.1, 0.5, 0.91])
    assert float(ema_decay(89_990, 0.9999)) == pytest.approx(0.9999) == float(ema_decay(10**6, 0.9999))
    assert float(ema_decay(90, 0.9)) == pytest.approx(0.9)
