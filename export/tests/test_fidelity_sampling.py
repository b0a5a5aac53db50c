"""Steps of the samplers by hand, and three steps of the real network in NumPy, with a condition and guidance."""

import jax
import jax.numpy as jnp
import numpy as np
import numpy_elf
import pytest

from elf.config import ElfConfig, FlowConfig, SamplerSettings
from elf.dev.make_random import random_params
from elf.network.model import ELF
from elf.network.modules import abstract, bind
from elf.network.parameters import parameter_shapes
from elf.sampling.batch_sampler import Draws, Scales, follow_flow
from elf.sampling.condition import Condition, Guided
from elf.sampling.sampler import Step, euler, sde

CONFIG = ElfConfig(depth=1, hidden_size=8, heads=2, latent_size=6, bottleneck_size=4, vocabulary_size=11, max_length=5)


def guided(denoise, self_cond_scale: float) -> Guided:
    return Guided(denoise, SamplerSettings(self_cond_scale=self_cond_scale))


def numbers(*values: float) -> np.ndarray:
    return np.array(values, np.float32).reshape(1, 1, -1)


def test_an_ode_step_by_hand() -> None:
    # x̂ = 2z + x̂_prev + t + w with t 0.5, w 3. For z (1, −1), x̂_prev (0.25, 0): x̂ = (5.75, 1.5),
    # v = (x̂ − z) / 0.5 = (9.5, 5), and a quarter of it is added.
    def denoise(z, x_hat_prev, t, w):
        return 2 * z + x_hat_prev + t[0] + w[0]

    step = Step(np.float32(0.5), np.float32(0.75), t_eps=0.05)
    z, x_hat = euler(guided(denoise, 3), numbers(1, -1), numbers(0.25, 0), step)
    assert x_hat.ravel().tolist() == [5.75, 1.5] and z.ravel().tolist() == [3.375, 0.25]
    # Past 1 − t_eps the distance left counts as t_eps: x̂ = 2.98 + 2.02, v = (5 − 1) / 0.05, of which a hundredth.
    step = Step(np.float32(0.98), np.float32(0.99), t_eps=0.05)
    z, _ = euler(guided(denoise, 2.02), numbers(1), numbers(0), step)
    assert z.item() == pytest.approx(1 + 0.01 * 4 / 0.05, rel=1e-5)


def test_an_sde_step_by_hand() -> None:
    # From t 0.5 to 0.75 with γ 2: α = 1 − 2 · 0.25 = 0.5, t_b = 0.25, z_b = 0.5 · 1 + 0.5 · 4 = 2.5.
    # x̂ = z_b + t_b = 2.75, v = 0.25 / 0.75, and z = z_b + 0.5 · v.
    def denoise(z, x_hat_prev, t, w):
        return z + t[0]

    step = Step(np.float32(0.5), np.float32(0.75), t_eps=0.05)
    z, x_hat = sde(guided(denoise, 1), numbers(1), numbers(0), step, gamma=2.0, fresh_noise=numbers(4))
    assert x_hat.item() == 2.75 and z.item() == pytest.approx(2.5 + 0.5 / 3)


def test_three_guided_steps_of_a_conditional_network() -> None:
    """Two SDE steps and one ODE step: γ 1.2, w 2, ω 1.5, s 1.7, two rows with sources of 2 and 1 positions."""
    params = random_params(parameter_shapes(CONFIG), seed=6)
    rng = np.random.default_rng(2)
    cond = rng.normal(size=(2, 5, 6)).astype(np.float32)
    held = (np.arange(5) < np.array([[2], [1]]))[..., None]
    times = np.array([0.0, 0.25, 0.6, 1.0])
    key = jax.random.key(11, impl="threefry2x32")

    @jax.jit
    def ours(params, cond):
        network = bind(abstract(ELF, CONFIG)[0], params)
        draws = Draws(jax.random.key_data(key)[None], jnp.float32(times)[None])
        scales = Scales(jnp.full((1, 3), 1.2, jnp.float32), jnp.float32(2.0), jnp.float32(1.5))
        flow = FlowConfig(noise_scale=1.7)
        return follow_flow(
            network.denoise, flow, draws, scales, cond.shape, Condition(cond, held), sde=True, guided=True
        )

    w64 = {name: value.astype(np.float64) for name, value in params.items()}
    start = np.asarray(jax.random.normal(key, (2, 5, 6)), np.float64)
    fresh = [np.asarray(jax.random.normal(jax.random.fold_in(key, k), (2, 5, 6)), np.float64) for k in (0, 1)]

    def hold(array: np.ndarray) -> np.ndarray:
        return np.where(held, cond, array)

    def guided_step(z, x_hat_prev, t, t_next):
        def passed(z, x_hat_prev):
            return numpy_elf.denoise(w64, CONFIG.heads, z, x_hat_prev, np.full(2, t), np.full(2, 2.0))

        with_source, without = passed(z, x_hat_prev), passed(np.where(held, 0, z), np.where(held, 0, x_hat_prev))
        v, u = ((x_hat - z) / max(1 - t, 0.05) for x_hat in (with_source, without))
        v = np.where(held, 0, u + 1.5 * (v - u))
        return hold(z + (t_next - t) * v), hold(without + 1.5 * (with_source - without))

    z, x_hat = hold(1.7 * start), hold(np.zeros((2, 5, 6)))
    for k, alpha in enumerate([1 - 1.2 * 0.25, 1 - 1.2 * 0.35]):
        z = hold(alpha * z + (1 - alpha) * 1.7 * fresh[k])
        z, x_hat = guided_step(z, x_hat, alpha * times[k], times[k + 1])
    z, _ = guided_step(z, x_hat, times[2], times[3])
    np.testing.assert_allclose(ours(params, cond), z, rtol=1e-3, atol=1e-4)
