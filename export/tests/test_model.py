"""The network against its specification: counts, rotary, prefix tokens, heads, shapes."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from elf.config import PRESETS, ElfConfig
from elf.dev.make_random import random_params
from elf.errors import CheckpointMismatchError, ConfigError
from elf.network.model import ELF, rotary_tables, rotate
from elf.network.modules import abstract, bind, compiled_for, matmul, split
from elf.network.parameters import check_parameters, parameter_shapes

SMALL = ElfConfig(depth=2, hidden_size=24, heads=2, latent_size=10, bottleneck_size=6, vocabulary_size=17, max_length=9)


# Compiled whole: operation by operation every one would be compiled apart.
denoise = nnx.jit(ELF.denoise)
decode = nnx.jit(ELF.decode)


@functools.cache
def small_network(seed: int = 0) -> ELF:
    """A small network none of whose parts is silent: every weight is random, the zero head too."""
    graphdef, _ = abstract(ELF, SMALL)
    params = random_params(parameter_shapes(SMALL), seed)
    return bind(graphdef, {name: jnp.asarray(value) for name, value in params.items()})


def inputs(B: int = 2, L: int = 9) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    a, b = jax.random.split(jax.random.key(5))
    D = SMALL.latent_size
    return jax.random.normal(a, (B, L, D)), jax.random.normal(b, (B, L, D)), jnp.full(B, 0.3), jnp.full(B, 2.0)


@pytest.mark.parametrize(("preset", "millions"), [("ELF-B", 105), ("ELF-M", 342), ("ELF-L", 652)])
def test_parameter_counts_are_the_papers(preset: str, millions: int) -> None:
    _, params = abstract(ELF, PRESETS[preset])
    assert round(sum(math.prod(p.shape) for p in params.values()) / 1e6 - 0.1) == pytest.approx(millions, abs=1)


def test_head_and_feed_forward_widths() -> None:
    assert [PRESETS[p].head_dim for p in ("ELF-B", "ELF-M", "ELF-L")] == [64, 66, 80]
    assert [PRESETS[p].swiglu_size for p in ("ELF-B", "ELF-M", "ELF-L")] == [2048, 2816, 3413]


def test_names_are_those_of_the_official_checkpoint() -> None:
    _, params = abstract(ELF, SMALL)
    expected = """self_cond_proj/kernel text_proj/proj1/kernel t_embedder/mlp_0/bias mode_tokens unembed_bias
        blocks_1/attn/q_norm/weight blocks_0/mlp/w12/kernel blocks_0/norm2/weight final_layer/linear/bias"""
    assert set(expected.split()) <= set(params)
    assert "text_proj/proj1/bias" not in params


def test_shapes() -> None:
    network = small_network()
    z, previous, t, w = inputs()
    assert denoise(network, z, previous, t, w).shape == (2, 9, 10)
    assert decode(network, z, w).shape == (2, 9, 17)


def test_denoise_head_starts_at_zero() -> None:
    network = nnx.jit(lambda: ELF(SMALL, rngs=nnx.Rngs(1)))()
    assert not np.any(denoise(network, *inputs()))


def test_prefix_tokens_do_not_turn_and_text_counts_from_zero() -> None:
    cos, sin = rotary_tables(prefix=12, length=5, head_dim=8)
    assert np.all(cos[:13] == 1) and np.all(sin[:13] == 0), "prefix and the text token at position 0"
    assert sin[13, 0] == pytest.approx(math.sin(1))
    assert cos[16, 3] == pytest.approx(math.cos(4 * 10000 ** (-6 / 8)))


def test_rotary_turns_interleaved_pairs_and_depends_on_distance_only() -> None:
    cos, sin = rotary_tables(prefix=0, length=6, head_dim=4)
    x = jnp.zeros((1, 6, 1, 4)).at[..., 2].set(1.0)
    turned = rotate(x, cos, sin)[0, 3, 0]
    angle = 3 * 10000**-0.5
    np.testing.assert_allclose(turned, [0, 0, math.cos(angle), math.sin(angle)], atol=1e-6)
    q, k = jax.random.normal(jax.random.key(0), (2, 1, 1, 1, 4))
    q, k = (rotate(jnp.broadcast_to(a, (1, 6, 1, 4)), cos, sin)[0, :, 0] for a in (q, k))
    np.testing.assert_allclose(q[5] @ k[3], q[2] @ k[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["t_emb_tokens", "self_cond_cfg_tokens", "t_embedder/mlp_2/bias", "mode_tokens"])
def test_every_prefix_token_is_attended_to(name: str) -> None:
    graphdef, params = split(small_network())
    changed = bind(graphdef, params | {name: params[name] + 0.5})
    z, _, _, w = inputs()
    assert np.abs(decode(changed, z, w) - decode(small_network(), z, w)).max() > 1e-3


def test_mode_tokens_are_silent_when_denoising() -> None:
    graphdef, params = split(small_network())
    changed = bind(graphdef, params | {"mode_tokens": params["mode_tokens"] + 0.5})
    np.testing.assert_array_equal(denoise(changed, *inputs()), denoise(small_network(), *inputs()))


def test_time_and_guidance_are_heard() -> None:
    network = small_network()
    z, previous, t, w = inputs()
    x_hat = denoise(network, z, previous, t, w)
    assert np.abs(denoise(network, z, previous, t + 0.2, w) - x_hat).max() > 1e-4
    assert np.abs(denoise(network, z, previous, t, w + 1) - x_hat).max() > 1e-4


def test_attention_sees_both_ways() -> None:
    network = small_network()
    z, previous, t, w = inputs()
    change = jnp.abs(denoise(network, z.at[:, 4].add(1.0), previous, t, w) - denoise(network, z, previous, t, w))
    assert np.all(change.max(axis=(0, 2)) > 1e-5)


def test_weights_of_another_shape_are_refused_by_name() -> None:
    _, params = split(small_network())
    flat = {name: np.asarray(value) for name, value in params.items()}
    flat["proj_bias"] = np.zeros(3, np.float32)
    with pytest.raises(CheckpointMismatchError, match=r"proj_bias.*\(10,\).*\(3,\)"):
        check_parameters(flat, parameter_shapes(SMALL), "the network")
    del flat["proj_bias"]
    with pytest.raises(CheckpointMismatchError, match="proj_bias"):
        check_parameters(flat, parameter_shapes(SMALL), "the network")


@pytest.mark.parametrize("config", [SMALL, *PRESETS.values()])
def test_the_list_of_parameters_is_the_networks_own(config: ElfConfig) -> None:
    _, params = abstract(ELF, config)
    assert parameter_shapes(config) == {name: tuple(value.shape) for name, value in params.items()}


def test_impossible_shapes_are_refused() -> None:
    with pytest.raises(ConfigError, match="hidden_size 10"):
        ElfConfig(hidden_size=10, heads=3)
    with pytest.raises(ConfigError, match="depth"):
        ElfConfig(depth=0)


def test_a_product_has_the_shape_that_suits_the_platform() -> None:
    x, kernel = jnp.ones((2, 3, 4)), jnp.ones((4, 5))

    def rank() -> int:
        jaxpr = jax.make_jaxpr(lambda x, kernel: matmul(x, kernel, jnp.dtype("float32")))(x, kernel)
        [product] = (equation for equation in jaxpr.eqns if equation.primitive.name == "dot_general")
        assert jaxpr.out_avals[0].shape == (2, 3, 5)
        return product.outvars[0].aval.ndim

    assert rank() == 2  # tests run on a CPU
    with compiled_for("tpu"):
        assert rank() == 3
    assert rank() == 2
