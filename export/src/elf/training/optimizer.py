"""Muon or AdamW with a learning-rate schedule and a global-norm clip (spec section 4, *Optimiser*)."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import jax.numpy as jnp
import optax
from optax.contrib import MuonDimensionNumbers, muon

from elf.errors import ConfigError
from elf.network.modules import Params


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

    def __post_init__(self) -> None:
        if self.optimizer not in ("muon", "adamw"):
            raise ConfigError(f"optimizer is {self.optimizer!r}", "Choose muon or adamw.")
        if self.schedule not in ("constant", "cosine"):
            raise ConfigError(f"schedule is {self.schedule!r}", "Choose constant or cosine.")
        if not self.blr > 0 or not self.clip > 0 or self.warmup_steps < 0 or (self.warmup_epochs or 0) < 0:
            raise ConfigError("blr and clip must be above 0 and the warm-up at least 0", "Correct the value.")
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


def takes_muon(name: str) -> bool:
    """Muon takes the kernels of Dense layers only: no embedding or bias table, no learned token, no vocabulary head."""
    return name.endswith("/kernel")


def make_optimizer(
    config: OptimizerConfig, batch_size: int, steps: int, warmup_steps: int | None = None
) -> optax.GradientTransformation:
    """The gradient transformation for flat params; parameters outside `takes_muon` get AdamW(0.9, 0.95) either way."""
    rate = learning_rate(config, batch_size, steps, warmup_steps)

    def dimensions(params: Params) -> dict[str, MuonDimensionNumbers | None]:
        return {name: MuonDimensionNumbers() if takes_muon(name) else None for name in params}

    if config.optimizer == "muon":
        rule = muon(
            rate,
            weight_decay=config.weight_decay,
            adam_b2=0.95,
            muon_weight_dimension_numbers=dimensions,
        )
    else:
        rule = optax.adamw(rate, b1=0.9, b2=0.95, weight_decay=config.weight_decay)
    return optax.chain(optax.clip_by_global_norm(config.clip), rule)


def ema_decay(step, longest: float):
    """EMA decay at update `step` (from 0): min(longest, (1 + step) / (10 + step)); short runs forget their start."""
    return jnp.minimum(longest, (1.0 + step) / (10.0 + step))
