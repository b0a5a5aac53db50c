"""Whole runs of a toy network in every way the sampler has: batches, conditions, guidance, solvers, schedules.

Its positions see the one before them, cyclically (z⁻, x̂⁻_prev), so that a condition shows in what stands behind it:

    x̂ = ((0.5·z + 0.2·x̂_prev) + (0.2·z⁻ + 0.1·x̂⁻_prev)) + (0.1·t + 0.01·w)      (element by element, float32)

and a toy that does not take the scale w has 0 for it.
"""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np

from elf.config import FlowConfig, SelfCondStart
from elf.sampler_settings import SamplerSettings, named_settings
from elf.sampling.condition import Condition, Denoise
from elf.sampling.sampler import run_flow

Array = np.ndarray

LENGTH, WIDTH, STEPS = 5, 2, 5
SOURCE_LENGTHS = (1, 3, 2)
NETWORK = (
    "xHat = ((0.5 z + 0.2 xHatPrev) + (0.2 zBefore + 0.1 xHatPrevBefore)) + (0.1 t + 0.01 w); before: the position "
    "before, of the first the last; w is 0 where takesSelfCondScale is false"
)
WAYS: tuple[dict[str, Any], ...] = (
    {"method": "ode", "gamma": 0.0, "solver": "euler"},
    {"method": "ode", "gamma": 0.0, "solver": "multistep"},
    {"method": "sde", "gamma": 1.2, "solver": "euler"},
)


def toy_with_neighbours(takes_self_cond_scale: bool = True) -> Denoise:
    """The toy network of the module's text."""

    def denoise(z: Array, x_hat_prev: Array, t: Array, self_cond_scale: Array) -> Array:
        own = np.float32(0.5) * z + np.float32(0.2) * x_hat_prev
        before = np.float32(0.2) * np.roll(z, 1, axis=1) + np.float32(0.1) * np.roll(x_hat_prev, 1, axis=1)
        scale = self_cond_scale if takes_self_cond_scale else np.zeros_like(self_cond_scale)
        number = np.float32(0.1) * t + np.float32(0.01) * scale
        return (own + before) + number[:, None, None]

    return denoise


def toy_condition(batch: int) -> Condition:
    """Sources of different lengths, their latents any numbers."""
    latents = np.random.default_rng(4).normal(size=(batch, LENGTH, WIDTH)).astype(np.float32)
    held = np.arange(LENGTH) < np.asarray(SOURCE_LENGTHS[:batch])[:, None]
    return Condition(np.where(held[..., None], latents, np.float32(0)), held[..., None])


def toy_runs(flow: FlowConfig) -> dict[str, Any]:
    """Runs with a condition, with either start, and without, each way of WAYS with every guidance; schedules and bit
    layouts in turn."""
    schedules = itertools.cycle(("logit_normal", "quantile", "uniform"))
    layouts = itertools.cycle(("original", "partitionable"))
    seeds = itertools.count(20)
    # A start at zero is another run only where there is a condition. These come last: seeds are taken in turn.
    starts: tuple[SelfCondStart, ...] = ("condition", "zero")
    runs = []
    for start, takes, batch, way in itertools.product(starts, (True, False), (3, 1), WAYS):
        for cfg_scale in (None, 1.0, 2.0):
            conditional = cfg_scale is not None
            if (batch == 1 and cfg_scale == 1) or (start == "zero" and not conditional):
                continue
            # With w = 1 a network that does not take it needs one pass only.
            scale = 1.0 if not takes and cfg_scale == 1 and way["method"] == "sde" else 2.5
            settings = SamplerSettings(
                steps=STEPS,
                self_cond_scale=scale,
                schedule=next(schedules),  # type: ignore[arg-type]
                rng=next(layouts),  # type: ignore[arg-type]
                seed=next(seeds),
                cfg_scale=cfg_scale if cfg_scale is not None else 1.0,
                **way,
            )
            runs.append(toy_run(settings, replace(flow, self_cond_start=start), batch, conditional, takes))
    latents = toy_condition(len(SOURCE_LENGTHS)).latents
    return {
        "network": NETWORK,
        "length": LENGTH,
        "width": WIDTH,
        "condition": {"lengths": SOURCE_LENGTHS, "latents": [numbers(row) for row in latents]},
        "runs": runs,
    }


def toy_run(
    settings: SamplerSettings, flow: FlowConfig, batch: int, conditional: bool, takes_self_cond_scale: bool
) -> dict[str, Any]:
    """One run; `calls` is how often the network was asked, states z (N + 1) and predictions x̂ (N + 1) are B·L·D."""
    toy, calls = toy_with_neighbours(takes_self_cond_scale), 0

    def denoise(*inputs: Array) -> Array:
        nonlocal calls
        calls += 1
        return toy(*inputs)

    condition = toy_condition(batch) if conditional else None
    shape = (batch, LENGTH, WIDTH)
    states = [*run_flow(denoise, settings, flow, shape, condition, takes_self_cond_scale=takes_self_cond_scale)]
    return {
        "settings": named_settings(settings, LENGTH),
        "batch": batch,
        "conditional": conditional,
        "takesSelfCondScale": takes_self_cond_scale,
        "selfCondStart": flow.self_cond_start,
        "calls": calls,
        "t": numbers(np.asarray([state.t for state in states])),
        "z": [numbers(state.z) for state in states],
        "xHat": [numbers(state.x_hat) for state in states],
    }


def numbers(array: Array) -> list[float]:
    """Row-major. Nine significant digits give every float32 back exactly."""
    return [float(f"{value:.9g}") for value in array.reshape(-1).tolist()]
