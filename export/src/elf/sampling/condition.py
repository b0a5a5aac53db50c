"""The condition of a run, the sources held in place at the front of each row, and guidance by it (spec section 3)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from elf.config import ElfConfig, SamplerSettings, SelfCondStart
from elf.errors import UsageError

Array = np.ndarray
A = TypeVar("A", np.ndarray, jax.Array)
Source = Sequence[int]
"""The tokens of one source text."""


class Encoder(Protocol):
    """What makes latents of tokens. The JAX encoder and the exported graph both fit."""

    def encode(self, ids: Array, mask: Array) -> Array:
        """ids, mask (B, S) integers, mask 0 where there is no token → normalised latents (B, S, D)."""


class Condition(NamedTuple):
    """What the front of each row holds throughout a run, as arrays of NumPy or, in compiled code, of JAX."""

    latents: Any
    """cond_seq (B, L, D) float32: the latents of the source; anything behind them."""
    held: Any
    """(B, L, 1) bool: the positions of the source."""

    def hold(self, array: A) -> A:
        """`array` (B, L, D) with the source in its place."""
        return _chosen(self.held, self.latents, array)

    def hide(self, array: A) -> A:
        """`array` (B, L, D) with zeros there."""
        return _chosen(self.held, np.float32(0), array)

    @property
    def lengths(self) -> Array:
        """Source tokens of each row, (B,)."""
        return self.held[..., 0].sum(-1)


def _chosen(held: Any, inside: Any, outside: Any) -> Any:
    return (jnp if isinstance(outside, jax.Array) else np).where(held, inside, outside)


def spread_sources(sources: Sequence[Source], batch: int) -> list[Source]:
    """One source a row: given ones as they are, a single one for all. Raises UsageError for another number of them."""
    if len(sources) not in (1, batch):
        raise UsageError(f"there are {len(sources)} prompts for a batch of {batch}", f"Give 1 or {batch} of them.")
    return [*sources] * (batch // len(sources))


def check_sources(sources: Sequence[Source] | None, elf: ElfConfig, length: int) -> None:
    """Raises UsageError for sources that a model cannot have in a run of `length` positions, or none where it must."""
    if not elf.max_input_length:
        if sources:
            raise UsageError("this model takes no prompt", "Leave it out: the model was trained to write freely.")
        return
    if not sources:
        if elf.source_optional:
            return
        raise UsageError("this model needs a prompt", "Give its text or its tokens: --prompt or --prompt-ids.")
    for number, source in enumerate(sources, start=1):
        if not 1 <= len(source) <= elf.max_input_length:
            raise UsageError(
                f"prompt {number} has {len(source)} tokens", f"This model takes 1 to {elf.max_input_length} of them."
            )
        if len(source) >= length:
            raise UsageError(
                f"prompt {number} fills all {length} positions",
                f"Give a greater --length: it counts the prompt, and may be up to {elf.max_length}.",
            )
        wrong = next((token for token in source if not 0 <= token < elf.vocabulary_size), None)
        if wrong is not None:
            raise UsageError(
                f"prompt {number} holds the token {wrong}", f"Tokens are integers from 0 to {elf.vocabulary_size - 1}."
            )


def encode_sources(encoder: Encoder, sources: Sequence[Source], length: int) -> Condition:
    """The condition of a run of `length` positions from one source a row, each of at least one token."""
    lengths = np.asarray([len(source) for source in sources])
    longest = int(lengths.max())
    ids = np.zeros((len(sources), longest), np.int64)
    for row, source in zip(ids, sources, strict=True):
        row[: len(source)] = source
    mask = np.arange(longest) < lengths[:, None]
    encoded = np.where(mask[..., None], encoder.encode(ids, mask.astype(np.int64)), np.float32(0))
    latents = np.pad(encoded, ((0, 0), (0, length - longest), (0, 0)))
    held = np.arange(length) < lengths[:, None]
    return Condition(latents.astype(np.float32), held[..., None])


Denoise = Callable[[Array, Array, Array, Array], Array]
"""(z (B, L, D), x̂_prev (B, L, D), t (B,), self-cond scale w (B,)) → x̂ (B, L, D), all float32."""


@dataclass(frozen=True)
class Guided:
    """The network as the solvers see it: (z, x̂_prev, t) → x̂, on the positions of the source the condition.

    At one z the velocity is linear in x̂, so guiding x̂ guides the velocity by the same formula (spec section 3, *CFG*).
    """

    denoise: Denoise
    settings: SamplerSettings
    condition: Condition | None = None
    takes_self_cond_scale: bool = True
    """Whether w is an input of the network. If not, it weighs a pass with x̂_prev against one without."""
    self_cond_start: SelfCondStart = "condition"
    """What a pass without x̂_prev is given in its place on the positions of the source, as in training."""

    def hold(self, array: Array) -> Array:
        """`array` (B, L, D) with the condition at the positions of the source."""
        return self.condition.hold(array) if self.condition else array

    def nothing(self, shape: tuple[int, ...]) -> Array:
        """What stands for x̂_prev (B, L, D) where there is none: at the start of a run, and in passes without it."""
        zeros = np.zeros(shape, np.float32)
        return self.hold(zeros) if self.self_cond_start == "condition" else zeros

    def predict(self, z: Array, x_hat_prev: Array, t: np.float32) -> Array:
        """x̂ (B, L, D) at time `t`, which holds the condition, as z does; x̂_prev is the last x̂, or `nothing`."""
        nothing = self.nothing(z.shape)
        x_hat = self._self_guided(z, x_hat_prev, nothing, t)
        if self.condition and self.settings.cfg_scale != 1:
            hide = self.condition.hide
            without = self._self_guided(hide(z), hide(x_hat_prev), hide(nothing), t)
            x_hat = without + np.float32(self.settings.cfg_scale) * (x_hat - without)
        return self.hold(x_hat)

    def _self_guided(self, z: Array, x_hat_prev: Array, nothing: Array, t: np.float32) -> Array:
        times = np.full(len(z), t, np.float32)
        scale = np.full(len(z), self.settings.self_cond_scale, np.float32)
        x_hat = self.denoise(z, x_hat_prev, times, scale)
        if self.takes_self_cond_scale or self.settings.self_cond_scale == 1:
            return x_hat
        without = self.denoise(z, nothing, times, scale)
        return without + np.float32(self.settings.self_cond_scale) * (x_hat - without)
