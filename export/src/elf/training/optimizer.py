"""Muon or AdamW with a learning-rate schedule and a global-norm clip (spec section 4, *Optimiser*)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from optax.contrib import MuonDimensionNumbers

from elf.errors import ConfigError
from elf.network.modules import Params
from elf.training.shared_newton_schulz import shared_muon


@dataclass(frozen=True)
class OptimizerConfig:
    optimizer: Literal["muon", "adamw"] = "muon"
    blr: float = 1e-3
    """Base learning rate: the rate is blr · batch size / 256."""
    schedule: Literal["constant", "cosine"] = "constant"
    """After the linear warm-up."""
    warmup_steps: int = 100
    warmup_epochs: float | None = None
    """Instead of `warmup_steps`."""
    final_fraction: float = 0.0
    """Cosine: the last rate as a fraction of the highest."""
    clip: float = 1.0
    """Largest global norm of the gradient."""
    weight_decay: float = 0.0
    b1: float = 0.9
    b2: float = 0.95
    """Of AdamW, where it takes all weights."""
    muon: Literal["matrices", "kernels"] | None = None
    """What Muon takes: every weight of two dimensions, as official runs have it, or the kernels of Dense layers only,
    as it is unless given."""
    muon_adam_b2: float | None = None
    """b2 of the Adam beside Muon: official 0.999, unless given 0.95."""

    def __post_init__(self) -> None:
        if self.optimizer not in ("muon", "adamw"):
            raise ConfigError(f"optimizer is {self.optimizer!r}", "Choose muon or adamw.")
        if self.schedule not in ("constant", "cosine"):
            raise ConfigError(f"schedule is {self.schedule!r}", "Choose constant or cosine.")
        if not self.blr > 0 or not self.clip > 0 or self.warmup_steps < 0 or (self.warmup_epochs or 0) < 0:
            raise ConfigError("blr and clip must be above 0 and the warm-up at least 0", "Correct the value.")
        for name in ("b1", "b2", "muon_adam_b2"):
            value = getattr(self, name)
            if value is not None and not 0 <= value < 1:
                raise ConfigError(f"optimizer.{name} is {value}", "Give a number from 0 to below 1.")
        if self.weight_decay < 0 or not 0 <= self.final_fraction <= 1:
            raise ConfigError("weight_decay must be at least 0 and final_fraction in [0, 1]", "Correct the value.")


def learning_rate(config: OptimizerConfig, batch_size: int, steps: int, warmup_steps: int | None = None) -> Callable:
    """step → rate: linear from 0 over the warm-up, then constant or cosine to `final_fraction` at `steps`.

    `warmup_steps`: the configuration's own unless given.
    """
    peak = config.blr * batch_size / 256
    warmup = config.warmup_steps if warmup_steps is None else warmup_steps
    if config.schedule == "cosine":
        return optax.warmup_cosine_decay_schedule(
            0.0, peak, warmup, max(steps, warmup + 1), peak * config.final_fraction
        )
    return optax.join_schedules([optax.linear_schedule(0.0, peak, warmup), optax.constant_schedule(peak)], [warmup])


def takes_muon(name: str, dimensions: int, matrices: Literal["matrices", "kernels"] = "kernels") -> bool:
    """Whether Muon takes the weight `name` of so many dimensions."""
    return dimensions == 2 if matrices == "matrices" else name.endswith("/kernel")


def make_optimizer(
    config: OptimizerConfig, batch_size: int, steps: int, warmup_steps: int | None = None, mesh: Mesh | None = None
) -> optax.GradientTransformation:
    """The gradient transformation for flat params. With Muon, whatever it does not take goes to an Adam with Nesterov
    momentum, at the same rate; AdamW has none. Muon's work is shared out over the devices of a `mesh`."""
    rate = learning_rate(config, batch_size, steps, warmup_steps)
    matrices = config.muon or "kernels"

    def dimensions(params: Params) -> dict[str, MuonDimensionNumbers | None]:
        return {
            # Where only Adam's weights are asked about, the others are no arrays.
            name: MuonDimensionNumbers() if takes_muon(name, getattr(value, "ndim", 0), matrices) else None
            for name, value in params.items()
        }

    if config.optimizer == "muon":
        rule = shared_muon(
            mesh,
            rate,
            weight_decay=config.weight_decay,
            adam_b2=0.95 if config.muon_adam_b2 is None else config.muon_adam_b2,
            muon_weight_dimension_numbers=dimensions,
        )
    else:
        rule = optax.adamw(rate, b1=config.b1, b2=config.b2, weight_decay=config.weight_decay)
    return optax.chain(optax.clip_by_global_norm(config.clip), rule)


def ema_decay(step, longest: float):
    """EMA decay at update `step` (from 0) under `ema_warm_up`: min(longest, (1 + step) / (10 + step))."""
    return jnp.minimum(longest, (1.0 + step) / (10.0 + step))
