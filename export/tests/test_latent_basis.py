import json

import numpy as np
import pytest

from elf.errors import ExportedModelError
from elf.onnx_export.manifest import check_basis, latent_basis


def cloud() -> np.ndarray:
    """Spread 3 along (0.6, 0.8, 0), 1 across it, 0.1 along the third axis, around (5, 5, 5)."""
    draws = np.random.default_rng(0).standard_normal((4000, 3)) * [3, 1, 0.1]
    axes = np.array([[0.6, 0.8, 0], [0.8, -0.6, 0], [0, 0, 1]])
    return (5 + draws @ axes).astype(np.float32)


def test_it_finds_the_widest_directions_and_turns_them_so_that_their_greatest_number_is_above_0():
    for latents in (cloud(), 10 - cloud()):
        basis = latent_basis(latents, 0.1)
        np.testing.assert_allclose(basis["mean"], [5, 5, 5], atol=0.2)
        np.testing.assert_allclose(basis["directions"], [[0.6, 0.8, 0], [0.8, -0.6, 0]], atol=0.03)


def test_it_reaches_as_far_as_the_texts_or_as_the_noise_around_zero():
    latents = cloud()
    basis = latent_basis(latents, 0.1)
    parts = (latents - np.array(basis["mean"])) @ np.array(basis["directions"]).T
    assert basis["reach"] == pytest.approx(np.abs(parts).max(), rel=1e-3)
    # Zero lies 7 from the mean along the first direction.
    assert latent_basis(latents, 4)["reach"] == pytest.approx(7 + 3.5 * 4, abs=0.3)


def test_directions_that_there_are_none_of_are_zeros_and_all_can_be_written_as_json():
    basis = latent_basis(np.ones((1, 4), np.float32), 1)
    first, second = json.loads(json.dumps(basis))["directions"]
    assert np.isfinite(first).all()
    assert second == [0.0] * 4


GOOD = {"mean": [0.5, 1], "directions": [[1, 0], [0, 1.0]], "reach": 2}


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"mean": [1, 2, 3]}, "2 numbers each"),
        ({"directions": [[1, 0]]}, "2 numbers each"),
        ({"directions": [[1, 0], [0, "1"]]}, "number of latent.basis"),
        ({"reach": 0}, "reach is not above 0"),
        ({"reach": None}, "latent.basis.reach"),
    ],
)
def test_a_basis_that_no_run_can_be_drawn_in_is_refused(change, field):
    manifest = {"architecture": {"latentSize": 2}, "latent": {"basis": GOOD}}
    check_basis(manifest)
    check_basis({**manifest, "latent": {}})
    with pytest.raises(ExportedModelError, match=field):
        check_basis({**manifest, "latent": {"basis": GOOD | change}})
