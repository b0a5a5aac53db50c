"""The frozen text encoder as training uses it: token ids in, normalised latents out (spec sections 1, 3 and 4)."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import T5Config
from elf.network.encoder import T5Encoder, conditional_visibility
from elf.network.modules import Params, abstract, bind
from elf.network.parameters import check_parameters, encoder_parameter_shapes

# A burst has neither files of data nor what reads them.
if TYPE_CHECKING:
    from elf.data.rows import TokenDataset
    from elf.models.text_encoder import Normalisation
    from elf.models.trained_model import FlatParams


@dataclass(frozen=True)
class FrozenEncoder:
    """x = (encoder(ids) − mean) / std."""

    config: T5Config
    params: "FlatParams"
    mean: float | np.ndarray
    std: float | np.ndarray

    @classmethod
    def make(
        cls,
        config: T5Config,
        params: "FlatParams",
        normalisation: "Normalisation",
        dataset: "TokenDataset",
        length: int,
        max_input_length: int | None = None,
        see_padding: bool = True,
    ) -> "FrozenEncoder":
        """`see_padding` and the lengths as in training, for the measured normalisation.

        Raises CheckpointMismatchError where the weights are not those of `config`."""
        from elf.models.text_encoder import latent_statistics

        check_parameters(params, encoder_parameter_shapes(config), "the encoder")
        if normalisation == "official":
            return cls(config, params, 0.0, 0.2)
        statistics = latent_statistics(config, params, dataset, length, max_input_length, see_padding)
        return cls(config, params, *statistics)

    def latents(
        self,
        params: Params,
        ids: jax.Array,
        real: jax.Array,
        source_length: jax.Array | None,
        dropped: jax.Array | None,
        *,
        see_padding: bool,
        compute_dtype: jnp.dtype,
    ) -> tuple[jax.Array, jax.Array]:
        """Latents x (B, L, D) and which positions hold the condition (B, L), inside `jax.jit`.

        ids (B, L), real (B, L) bool, source_length (B,) and dropped (B,) bool, both None for unconditional data. The
        weights come as the argument `params`: closed over, T5-small's 140 MB would be copied into each compiled branch.
        A `dropped` condition is zero and unseen by its target. Unless `see_padding`, filling is unseen too.
        """
        graphdef, _ = abstract(T5Encoder, self.config, compute_dtype)
        B, L = ids.shape
        visible = None if see_padding else jnp.broadcast_to(real[:, None, :], (B, L, L))
        held = jnp.zeros((B, L), bool)
        if source_length is not None:
            held = jnp.arange(L)[None, :] < source_length[:, None]
            ordered = training_visibility(source_length, dropped, L)
            visible = ordered if visible is None else visible & ordered
        x = (bind(graphdef, params)(ids, visible) - self.mean) / self.std
        if source_length is not None and dropped is not None:
            x = jnp.where((held & dropped[:, None])[..., None], 0.0, x)
        return x, held


def training_visibility(source_length: jax.Array, dropped: jax.Array | None, length: int) -> jax.Array:
    """`conditional_visibility`, (B, L, L); besides, where a condition is `dropped` (B,), its target does not see it."""
    visible = conditional_visibility(source_length, length)
    if dropped is None:
        return visible
    held = jnp.arange(length)[None, :] < source_length[:, None]
    return visible & ~(dropped[:, None, None] & ~held[:, :, None] & held[:, None, :])
