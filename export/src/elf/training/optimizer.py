"""Muon or AdamW with a learning rate and a clip (spec section 4, *Optimiser*), and an update by a gradient."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh
from optax.contrib import MuonDimensionNumbers

from elf.config import check_number
from elf.devices import check_batch, global_rows, on_mesh, replicated
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
        if self.warmup_epochs is not None:
            check_number("optimizer.warmup_epochs", self.warmup_epochs)
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

    `warmup_steps`: the configuration's own unless given. Raises ConfigError where it would be in epochs, of which only
    the trainings of an ELF know how many steps they have.
    """
    if warmup_steps is None and config.warmup_epochs is not None:
        raise ConfigError(
            f"optimizer.warmup_epochs is {config.warmup_epochs:g}, but this training does not count epochs",
            "Give optimizer.warmup_steps instead.",
        )
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


Fitted = tuple[Params, optax.OptState]
"""A network in training as its checkpoint keeps it: weights, and the optimizer's state."""

Figures = dict[str, jax.Array]


def descend(optimizer: optax.GradientTransformation, fitted: Fitted, gradients: Params) -> Fitted:
    """After an update by these gradients."""
    params, opt_state = fitted
    changes, opt_state = optimizer.update(gradients, opt_state, params)
    return optax.apply_updates(params, changes), opt_state


def averaged_weights(average: Params, params: Params, decay: Any) -> Params:
    """The moving average once these weights are in it."""
    return jax.tree.map(lambda mean, new: decay * mean + (1 - decay) * new, average, params)


class Update:
    """The update by a loss: every device of a mesh holds the weights, and has its rows of the batch.

    `loss` is (params, step, rows, fixed) → what is minimised, and what is logged of it; `rows` is a tree of arrays with
    the rows of the whole batch first, `fixed` one of weights that the training does not change.
    """

    def __init__(
        self,
        loss: Callable[[Params, jax.Array, Any, Any], tuple[jax.Array, Figures]],
        optimizer: optax.GradientTransformation,
        mesh: Mesh,
        *batch_sizes: int,
        fixed: Any = None,
        norm: bool = False,
    ):
        """`batch_sizes`: of all arrays among the rows. `norm`: whether the gradient's is logged, too.

        Raises ConfigError where a batch does not split over the devices.
        """
        for size in batch_sizes:
            check_batch(mesh, size)
        self.optimizer, self.mesh = optimizer, mesh
        self._fixed = jax.device_put(fixed, replicated(mesh))

        def learn(fitted: Fitted, step: jax.Array, rows: Any, fixed: Any) -> tuple[Fitted, Figures]:
            (_, figures), gradients = jax.value_and_grad(loss, has_aux=True)(fitted[0], step, rows, fixed)
            if norm:
                figures = figures | {"gradient_norm": optax.tree.norm(gradients)}
            return descend(optimizer, fitted, gradients), figures

        self._learn = jax.jit(learn, donate_argnums=0, out_shardings=replicated(mesh))

    def start(self, params: Params) -> Fitted:
        """The state before the first update, copies: an update takes the memory of what it replaces."""
        params = jax.tree.map(jnp.copy, params)
        return jax.device_put((params, self.optimizer.init(params)), replicated(self.mesh))

    def __call__(self, fitted: Fitted, rows: Any, step: int) -> tuple[Fitted, Figures]:
        """`rows` are this process's, as NumPy; `step` is the number of the update, from 0."""
        number = on_mesh(np.asarray(step, np.int32), replicated(self.mesh))
        return self._learn(fitted, number, global_rows(self.mesh, rows), self._fixed)
