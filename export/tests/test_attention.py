"""The attention of a library and the blocks under `scan`, held to what they stand for, written out."""

from dataclasses import replace
from unittest.mock import patch

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elf.config import ElfConfig
from elf.dev.make_random import random_params
from elf.network.model import ELF
from elf.network.modules import Dropout, abstract, attend, attend_written_out, bind, has_flash_kernel
from elf.network.parameters import parameter_shapes


@pytest.mark.parametrize(("dtype", "tolerance"), [(jnp.float32, 1e-6), (jnp.bfloat16, 8e-3)])
def test_attention_is_the_written_out_one(dtype: jnp.dtype, tolerance: float) -> None:
    q, k, v = (3 * jax.random.normal(jax.random.key(i), (2, 7, 3, 8)).astype(dtype) for i in range(3))
    value, pull = jax.vjp(attend, q, k, v)
    wanted, pull_wanted = jax.vjp(attend_written_out, q, k, v)
    assert value.shape == wanted.shape and value.dtype == dtype
    np.testing.assert_allclose(value.astype(np.float32), wanted, atol=3 * tolerance)
    for ours, theirs in zip(pull(jnp.ones_like(value)), pull_wanted(jnp.ones_like(wanted)), strict=True):
        np.testing.assert_allclose(*(np.asarray(a, np.float32) for a in (ours, theirs)), atol=30 * tolerance)


def test_weights_are_left_out_by_the_written_out_one() -> None:
    q, k, v = (jax.random.normal(jax.random.key(i), (2, 7, 3, 8)) for i in range(3))
    dropout = Dropout(jax.random.key(3), attention=0.5)
    np.testing.assert_array_equal(attend(q, k, v, dropout), attend_written_out(q, k, v, dropout))
    assert np.abs(attend(q, k, v, dropout) - attend(q, k, v)).max() > 0.1
    # Dropout of projections alone leaves the weights to the kernel.
    projections = Dropout(jax.random.key(3), projection=0.5)
    np.testing.assert_array_equal(attend(q, k, v, projections), attend(q, k, v))


def test_the_kernel_of_gpus_is_asked_for_where_it_is() -> None:
    narrow, wide, odd = (jnp.zeros((1, 2, 1, size), jnp.bfloat16) for size in (64, 160, 12))
    assert not has_flash_kernel(narrow)  # here
    with patch("jax.default_backend", lambda: "gpu"):
        assert has_flash_kernel(narrow)
        assert not has_flash_kernel(narrow.astype(jnp.float32))
        assert not has_flash_kernel(wide) and not has_flash_kernel(odd)


SMALL = ElfConfig(depth=3, hidden_size=16, heads=2, latent_size=6, bottleneck_size=4, vocabulary_size=11, max_length=5)


COMPILED = "compiles the network twice more"


@pytest.mark.parametrize(
    ("remat", "dropped"),
    [
        ("none", False),
        ("blocks", True),
        pytest.param("none", True, marks=pytest.mark.slow(COMPILED)),
        pytest.param("blocks", False, marks=pytest.mark.slow(COMPILED)),
    ],
)
def test_blocks_under_scan_compute_what_they_do_one_by_one(remat: str, dropped: bool) -> None:
    params = random_params(parameter_shapes(SMALL), seed=1)
    z, t = jax.random.normal(jax.random.key(1), (2, 5, 6)), jnp.array([0.2, 0.7])
    dropout = Dropout(jax.random.key(2), 0.2, 0.2) if dropped else None

    def loss(params, scan):
        graph, _ = abstract(ELF, SMALL, remat=remat, scan=scan)
        return jnp.square(bind(graph, params).denoise(z, z, t, jnp.ones(2), dropout)).mean()

    results = [jax.jit(jax.value_and_grad(loss), static_argnums=1)(params, scan) for scan in (False, True)]
    (value, gradient), (scanned, scanned_gradient) = results
    np.testing.assert_allclose(scanned, value, rtol=1e-6)
    largest = max(float(np.abs(leaf).max()) for leaf in gradient.values())
    for name, leaf in gradient.items():
        np.testing.assert_allclose(scanned_gradient[name], leaf, atol=1e-5 * largest, err_msg=name)


def test_programs_of_scanned_blocks_do_not_grow_with_them() -> None:
    def length(depth: int, scan: bool) -> int:
        graph, params = abstract(ELF, replace(SMALL, depth=depth), scan=scan)
        row, z = jax.ShapeDtypeStruct((2,), jnp.float32), jax.ShapeDtypeStruct((2, 5, 6), jnp.float32)
        lowered = jax.jit(lambda params, *inputs: bind(graph, params).denoise(*inputs)).lower(params, z, z, row, row)
        return lowered.as_text().count("stablehlo.dot_general")

    assert length(12, scan=True) == length(2, scan=True) < length(2, scan=False) < length(12, scan=False)
