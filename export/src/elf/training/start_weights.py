"""The weights that a training goes on from: another model's, a narrower bottleneck widened to this one's."""

import numpy as np

from elf.config import ElfConfig
from elf.models.open_model import open_model
from elf.models.trained_model import FlatParams
from elf.network.parameters import check_parameters, parameter_shapes

PROJECTION = "text_proj"


def start_weights(name: str, elf: ElfConfig, seed: int = 0) -> FlatParams:
    """`name` as in TrainConfig. `seed` is of the directions that a wider bottleneck begins with.

    Raises CheckpointError where there is no model, and CheckpointMismatchError where its shapes are not those of `elf`;
    a bottleneck narrower than `elf`'s is no mismatch.
    """
    model = open_model(name, weights_only=True)
    params = dict(model.params)
    if model.elf.bottleneck_size < elf.bottleneck_size and params.keys() == parameter_shapes(elf).keys():
        params = widened(params, elf.bottleneck_size, seed)
    action = f"Give elf the shapes of {name}, or start from another model."
    check_parameters(params, parameter_shapes(elf), "this training", action)
    return params


def widened(params: FlatParams, bottleneck_size: int, seed: int) -> FlatParams:
    """The same function through a wider bottleneck: what the added directions hold, nothing reads yet.

    They are random, as long as the present ones on average; what reads them starts at zero, and its gradient doesn't.
    """
    down, up = params[f"{PROJECTION}/proj1/kernel"], params[f"{PROJECTION}/proj2/kernel"]
    added = bottleneck_size - down.shape[1]
    directions = np.random.default_rng(seed).standard_normal((down.shape[0], added)).astype(np.float32)
    directions *= np.sqrt((down**2).sum() / down.shape[1]) / np.linalg.norm(directions, axis=0)
    nothing = np.zeros((added, up.shape[1]), np.float32)
    return params | {
        f"{PROJECTION}/proj1/kernel": np.concatenate([down, directions], axis=1),
        f"{PROJECTION}/proj2/kernel": np.concatenate([up, nothing], axis=0),
    }
