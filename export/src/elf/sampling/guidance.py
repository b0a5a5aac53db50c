"""What the network predicts, guided by the condition (CFG) and, where it takes no scale, by its own last word."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from elf.config import SelfCondStart
from elf.sampler_settings import SamplerSettings
from elf.sampling.condition import Condition

Array = np.ndarray

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
