"""Mean and spread of an encoder's outputs, to normalise latents, and how many directions they really use."""

from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import T5Config
from elf.data.pipeline import batch_at
from elf.data.rows import TokenDataset
from elf.data.tokenizer import EOS
from elf.network.encoder import conditional_visibility, encoder_from_params
from elf.network.modules import Params

Normalisation = Literal["measured", "official"]
"""Where a model's statistics come from: the encoder's outputs on its training texts, or T5-small's, 0.0 and 0.2."""


def encode_sample(
    config: T5Config,
    params: Params | dict[str, np.ndarray],
    dataset: TokenDataset,
    length: int,
    max_input_length: int | None = None,
    see_padding: bool = True,
    rows: int = 2048,
) -> np.ndarray:
    """Encoder outputs of a fixed sample of the dataset, (n, D), one row a token, encoded as in training.

    Filling is among them if `see_padding`, and neither seen nor counted otherwise.
    """
    encoder = encoder_from_params(config, {name: np.asarray(value) for name, value in params.items()})
    encode = jax.jit(lambda ids, visible: encoder(ids, visible))
    size = min(128, len(dataset))
    outputs = []
    for step in range(max(1, min(rows, len(dataset)) // size)):
        batch = batch_at(
            dataset, step, batch_size=size, length=length, max_input_length=max_input_length, pad_token=EOS, seed=0
        )
        visible = conditional_visibility(jnp.asarray(batch.source_length), length)
        if not see_padding:
            visible &= batch.real[:, None, :]
        latents = np.asarray(encode(jnp.asarray(batch.ids), visible))
        outputs.append(latents.reshape(-1, config.d_model) if see_padding else latents[batch.real])
    return np.concatenate(outputs)


def latent_statistics(
    config: T5Config,
    params: Params | dict[str, np.ndarray],
    dataset: TokenDataset,
    length: int,
    max_input_length: int | None = None,
    see_padding: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Per-dimension mean (D,) and the common standard deviation about it, repeated to (D,).

    A vector mean because a small encoder's dimensions have offsets as large as their spread; a common std because
    directions of little variance are mostly unpredictable context, and stretching them makes the flow pay for it.
    """
    sample = encode_sample(config, params, dataset, length, max_input_length, see_padding)
    mean = sample.mean(axis=0)
    std = np.sqrt(((sample - mean) ** 2).mean())
    return mean.astype(np.float32), np.full(config.d_model, std, np.float32)


def spectrum(
    config: T5Config, params: Params | dict[str, np.ndarray], dataset: TokenDataset, length: int
) -> dict[str, float]:
    """Offsets, spread, and effective rank exp(entropy of the normalised eigenvalues) of the outputs."""
    sample = encode_sample(config, params, dataset, length).astype(np.float64)
    mean = sample.mean(axis=0)
    values = np.linalg.eigvalsh(np.cov((sample - mean).T)).clip(1e-12)
    share = values / values.sum()
    return {
        "offset_rms": round(float(np.sqrt((mean**2).mean())), 4),
        "std": round(float(np.sqrt(values.sum() / len(values))), 4),
        "effective_rank": round(float(np.exp(-(share * np.log(share)).sum())), 1),
        "largest_direction": round(float(share[-1]), 4),
    }
