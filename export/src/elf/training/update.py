"""What every training does with a gradient, and the whole update of those that need no more: on a mesh of devices."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.sharding import Mesh

from elf.devices import check_batch, global_rows, on_mesh, replicated
from elf.network.modules import Params

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
