"""The settings of one run of the sampler, and what they may be."""

from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral
from typing import Any, Literal, get_args

import numpy as np

from elf.errors import UsageError

Method = Literal["ode", "sde"]
Schedule = Literal["uniform", "logit_normal", "quantile"]
Layout = Literal["original", "partitionable"]
Solver = Literal["euler", "multistep"]

MAX_CFG_SCALE = 20

GammaCurve = tuple[tuple[float, float], ...]
"""Knots (t, γ): straight lines between them, level before the first and after the last."""
MOST_KNOTS = 8
MAX_CURVE_GAMMA = 8


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
    gamma_curve: GammaCurve | None = None
    """γ over t in place of `gamma`: 1 to 8 knots, ascending in t from 0 to 1, γ from 0 to 8. None: γ is the same at
    every t."""

    def __post_init__(self) -> None:
        for name, choices in (("method", Method), ("schedule", Schedule), ("rng", Layout), ("solver", Solver)):
            if getattr(self, name) not in get_args(choices):
                raise UsageError(f"{name} is {getattr(self, name)!r}", f"Choose one of {', '.join(get_args(choices))}.")
        for name in ("steps", "seed"):
            if not isinstance(getattr(self, name), Integral):
                raise UsageError(f"{name} is {getattr(self, name)!r}", "Give a whole number.")
        if self.steps < 1:
            raise UsageError(f"steps is {self.steps}", "Give at least 1.")
        if not 0 <= self.gamma < np.inf:
            raise UsageError(f"gamma is {self.gamma}", "Give a number from 0 up; 1 to 2 is usual.")
        if self.gamma_curve is not None and not _is_curve(self.gamma_curve):
            raise UsageError(
                f"the curve of gamma is {curve_text(self.gamma_curve)}",
                f"Give 1 to {MOST_KNOTS} knots t=γ that ascend in t from 0 to 1, γ from 0 to {MAX_CURVE_GAMMA}.",
            )
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

    def gamma_at(self, t: float) -> float:
        """γ at the time t at which a step begins."""
        if self.gamma_curve is None:
            return self.gamma
        after = next((i for i, (at, _) in enumerate(self.gamma_curve) if at > t), len(self.gamma_curve))
        if after in (0, len(self.gamma_curve)):
            return self.gamma_curve[min(after, len(self.gamma_curve) - 1)][1]
        (t0, gamma0), (t1, gamma1) = self.gamma_curve[after - 1 : after + 1]
        return gamma0 + (gamma1 - gamma0) * ((t - t0) / (t1 - t0))


def _is_curve(curve: GammaCurve) -> bool:
    times = [t for t, _ in curve]
    ascends = all(before < t for before, t in pairwise(times))
    fits = all(0 <= t <= 1 and 0 <= gamma <= MAX_CURVE_GAMMA for t, gamma in curve)
    return 1 <= len(curve) <= MOST_KNOTS and ascends and fits


def curve_text(curve: GammaCurve) -> str:
    """As links and command lines have it: `0=0.5+0.4=3+1=0`."""
    return "+".join(f"{t:g}={gamma:g}" for t, gamma in curve)


def read_curve(text: str) -> GammaCurve:
    """The curve of such a text. Raises UsageError where it is none."""
    try:
        knots = [tuple(float(number) for number in knot.split("=")) for knot in text.split("+")]
        return tuple((t, gamma) for t, gamma in knots)
    except ValueError as cause:
        raise UsageError(
            f"the curve of gamma is {text!r}", "Give knots t=γ joined by plus signs: 0=0.5+0.4=3"
        ) from cause


def named_settings(settings: SamplerSettings, length: int) -> dict[str, Any]:
    """Settings under the names of the manifest; `length` is L, the positions of a run, those of a source included."""
    curve = settings.gamma_curve
    return {
        "steps": settings.steps,
        "method": settings.method,
        "gamma": settings.gamma,
        **({} if curve is None else {"gammaCurve": [list(knot) for knot in curve]}),
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
        gamma_curve=tuple((t, gamma) for t, gamma in names["gammaCurve"]) if "gammaCurve" in names else None,
    )
