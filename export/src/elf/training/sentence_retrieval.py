"""How near an encoder puts a sentence and its translation: can each be found among many by its mean embedding?"""

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import T5Config
from elf.data.collation import collate_rows
from elf.data.dataset import NO_TOKENS, TokenDataset
from elf.data.tokenizer import PAD
from elf.network.encoder import encoder_from_params
from elf.network.modules import Params

ROWS = 1000
AT_ONCE = 100


def sentence_embeddings(
    config: T5Config, params: Params | dict[str, np.ndarray], sentences: list[np.ndarray], length: int
) -> np.ndarray:
    """Mean output over each sentence's tokens, encoded alone, (n, D)."""
    encoder = encoder_from_params(config, {name: np.asarray(value) for name, value in params.items()})

    @jax.jit
    def mean(ids: jax.Array, real: jax.Array) -> jax.Array:
        outputs = jnp.where(real[..., None], encoder(ids, real), 0.0)
        return outputs.sum(axis=1) / real.sum(axis=1)[:, None]

    embeddings = []
    for at in range(0, len(sentences), AT_ONCE):
        batch = collate_rows([(NO_TOKENS, ids) for ids in sentences[at : at + AT_ONCE]], length, PAD)
        embeddings.append(np.asarray(mean(jnp.asarray(batch.ids), jnp.asarray(batch.real))))
    return np.concatenate(embeddings)


def retrieval_accuracy(
    config: T5Config, params: Params | dict[str, np.ndarray], pairs: TokenDataset, length: int
) -> float:
    """Share of the first ROWS pairs with different sides whose target is the nearest, by cosine, to the source.

    Each language's mean embedding is subtracted first: it says which language it is and nothing else.
    """
    seen: set[bytes] = set()
    chosen: list[list[np.ndarray]] = []
    for i in range(len(pairs)):
        sides = [side.astype(np.int32) for side in pairs[i]]
        keys = {side.tobytes() for side in sides}
        if len(chosen) < ROWS and not keys & seen:
            seen |= keys
            chosen.append(sides)
    sources, targets = (sentence_embeddings(config, params, [pair[side] for pair in chosen], length) for side in (0, 1))
    return nearest_is_own(sources - sources.mean(axis=0), targets - targets.mean(axis=0))


def nearest_is_own(sources: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows i (n, D) whose nearest row of `targets` by cosine is row i."""
    normed = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (sources, targets)]
    return float(((normed[0] @ normed[1].T).argmax(axis=1) == np.arange(len(sources))).mean())
