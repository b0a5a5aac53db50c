"""The settings of one run of the sampler, and what they may be."""

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np

from elf.errors import UsageError

Method = Literal["ode", "sde"]
Schedule = Literal["uniform", "logit_normal", "quantile"]
Layout = Literal["original", "partitionable"]
Solver = Literal["euler", "multistep"]

MAX_CFG_SCALE = 20


@dataclass(frozen=True)
class SamplerSettings:
    """One run's settings. Raises UsageError for a value that cannot be."""

    steps: int = 32
    """N, steps from noise to text; at least 1."""
    method: Method = "sde"
    gamma: float = 1.5
    """γ ≥ 0, how much of the state the SDE replaces by fresh noise; 0 makes it the ODE. Unused by the ODE."""
    self_cond_scale: float = 3.0
    """w > 0, self-conditioning guidance: larger is more fluent and less varied. An input of networks that take it,
    the weight between two passes of those that do not."""
    schedule: Schedule = "logit_normal"
    rng: Layout = "original"
    """Layout of the random bits: of jax ≤ 0.4 (the official sampler) or of jax ≥ 0.5."""
    seed: int = 7
    cfg_scale: float = 1.0
    """ω from 0 to 20, guidance by the condition: 1 is none, any other costs a second pass at every step."""
    solver: Solver = "euler"
    """How the ODE is followed; the SDE has only `euler`."""

    def __post_init__(self) -> None:
        for name, choices in (("method", Method), ("schedule", Schedule), ("rng", Layout), ("solver", Solver)):
            if getattr(self, name) not in get_args(choices):
                raise UsageError(f"{name} is {getattr(self, name)!r}", f"Choose one of {', '.join(get_args(choices))}.")
        if self.steps < 1:
            raise UsageError(f"steps is {self.steps}", "Give at least 1.")
        if not 0 <= self.gamma < np.inf:
            raise UsageError(f"gamma is {self.gamma}", "Give a number from 0 up; 1 to 2 is usual.")
        if not 0 < self.self_cond_scale < np.inf:
            raise UsageError(f"the self-cond CFG scale is {self.self_cond_scale}", "Give a number above 0.")
        if not 0 <= self.cfg_scale <= MAX_CFG_SCALE:
            raise UsageError(
                f"cfg is {self.cfg_scale}", f"Give a number from 0 to {MAX_CFG_SCALE}; 1 for no guidance, 2 is usual."
            )
        if not 0 <= self.seed < 2**32:
            # Beyond 32 bits JAX's answer depends on its x64 switch.
            raise UsageError(f"the seed is {self.seed}", "Give an integer from 0 to 4294967295.")
        if self.method == "sde" and self.solver != "euler":
            raise UsageError(f"the solver is {self.solver} and the method sde", "Only the ODE has other solvers.")


def named_settings(settings: SamplerSettings, length: int) -> dict[str, Any]:
    """Settings under the names of the manifest; `length` is L, the positions of a run, those of a source included."""
    return {
        "steps": settings.steps,
        "method": settings.method,
        "gamma": settings.gamma,
        "selfCondScale": settings.self_cond_scale,
        "cfgScale": settings.cfg_scale,
        "schedule": settings.schedule,
        "solver": settings.solver,
        "rng": settings.rng,
        "seed": settings.seed,
        "length": length,
    }


def settings_of(names: dict[str, Any]) -> SamplerSettings:
    """The settings of a manifest or a fixture; what an older one does not have is off. `length` is not among them.

    Raises UsageError for a value that cannot be.
    """
    return SamplerSettings(
        steps=names["steps"],
        method=names["method"],
        gamma=names["gamma"],
        self_cond_scale=names["selfCondScale"],
        schedule=names["schedule"],
        rng=names["rng"],
        seed=names["seed"],
        cfg_scale=names.get("cfgScale", 1.0),
        solver=names.get("solver", "euler"),
    )
