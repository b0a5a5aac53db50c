"""Two directions to draw a model's latents in, the same for all of its runs (export/FORMAT.md, `latent.basis`)."""

from typing import Any

import numpy as np

from elf.sampling.sampler import Array

DIRECTIONS = 2
NOISE_REACH = 3.5
"""Standard deviations of the noise that a picture has room for: one number in 2,000 lies further out."""
DIGITS = 4


def latent_basis(ends: Array, noise_scale: float) -> dict[str, Any]:
    """The principal components of the latents (n, D) that texts ended in, and how far a picture has to reach.

    `reach` is half the side of a square around the mean, in normalised latents, that holds these latents and the noise
    that they came from. Directions that there are none of, as of fewer latents, are zeros.
    """
    mean = ends.mean(0, dtype=np.float64)
    _, _, components = np.linalg.svd(ends - mean, full_matrices=False)
    directions = np.zeros((DIRECTIONS, ends.shape[1]))
    found = components[:DIRECTIONS]
    # A component is one as well turned round. The same latents must always give the same one.
    greatest = np.take_along_axis(found, np.abs(found).argmax(1, keepdims=True), 1)
    directions[: len(found)] = found * np.sign(greatest)
    of_texts = np.abs((ends - mean) @ directions.T).max()
    of_noise = np.abs(mean @ directions.T).max() + NOISE_REACH * noise_scale
    return {
        "mean": rounded(mean),
        "directions": [rounded(direction) for direction in directions],
        "reach": rounded(np.asarray([max(of_texts, of_noise)]))[0],
    }


def rounded(numbers: Array) -> list[float]:
    return [round(number, DIGITS) + 0.0 for number in numbers.tolist()]
