"""The shapes of a model, the constants of its flow, and the settings of one run of its sampler."""

import math
from dataclasses import dataclass
from itertools import pairwise
from numbers import Integral, Real
from typing import Any, Literal, get_args

import numpy as np

from elf.errors import ConfigError, ElfError, UsageError

MOST_LAYERS, MOST_SIZE = 1000, 2**20
"""Of any network, and of anything else that a configuration counts: beyond them only naming the weights fills the
memory."""


def check_size(field: str, value: object, least: int = 1) -> None:
    """Raises ConfigError unless a field of a network's configuration is an integer that such a field may have."""
    most = MOST_LAYERS if field == "depth" or "layer" in field else MOST_SIZE
    if not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{field} is {value!r}", f"Give an integer from {least} to {most:,}.")


def check_count(option: str, value: int | None, error: type[ElfError] = UsageError) -> None:
    """Raises `error` for a number of things that is given and less than one."""
    if value is not None and value < 1:
        raise error(f"{option} is {value}", "Give at least 1.")


def check_number(field: str, value: object) -> None:
    """Raises ConfigError unless a field is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not is_finite(value):
        raise ConfigError(f"{field} is {value!r}", "Give a finite number.")


def check_seed(seed: int) -> None:
    """Raises ConfigError for one that NumPy or JAX does not take."""
    if not 0 <= seed < 2**32:
        raise ConfigError(f"seed is {seed}", "Give a whole number from 0 to 4294967295.")


def is_finite(value: Real) -> bool:
    """Whether a number is one that can be computed with: an integer may be larger than any float."""
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def check_heads(hidden_size: int, heads: int) -> None:
    """Raises ConfigError unless `hidden_size` splits into heads that rotary positions can turn."""
    if hidden_size % heads or hidden_size // heads % 2:
        raise ConfigError(
            f"hidden_size {hidden_size} does not split into {heads} heads of even width",
            "Choose hidden_size as an even multiple of heads; rotary turns pairs of dimensions.",
        )


SWITCHES = ("source_optional", "self_conditioning")
"""Fields of an architecture that are true or false."""


@dataclass(frozen=True)
class ElfConfig:
    """Architecture of the ELF network."""

    depth: int = 12
    hidden_size: int = 768
    heads: int = 12
    latent_size: int = 512
    """D, width of the text encoder's embeddings."""
    bottleneck_size: int = 128
    vocabulary_size: int = 32100
    max_length: int = 1024
    """Most text tokens the model was trained on, the condition included."""
    max_input_length: int = 0
    """Most tokens of the condition; 0 for an unconditional model."""
    source_optional: bool = False
    """Whether a conditional model also writes without a condition, as some of the rows it was trained on had none."""
    self_conditioning: bool = True
    """Whether the network reads an x̂ beside z. Official ones trained with self_cond_prob 0 have no self_cond_proj."""
    time_tokens: int = 4
    self_cond_cfg_tokens: int = 4
    mode_tokens: int = 4

    def __post_init__(self) -> None:
        for field in SWITCHES:
            if not isinstance(getattr(self, field), bool):
                raise ConfigError(f"{field} is {getattr(self, field)!r}", "Give true or false.")
        if self.source_optional and not self.max_input_length:
            raise ConfigError(
                "source_optional is true, but max_input_length is 0",
                "Leave source_optional out: a model that takes no source always writes without one.",
            )
        for field, value in vars(self).items():
            if field in SWITCHES:
                continue
            check_size(field, value, least=0 if field in ("max_input_length", "self_cond_cfg_tokens") else 1)
        check_heads(self.hidden_size, self.heads)

    @property
    def head_dim(self) -> int:
        return self.hidden_size // self.heads

    @property
    def needs_source(self) -> bool:
        return self.max_input_length > 0 and not self.source_optional

    def longest_text(self, prompted: bool) -> int:
        """Most tokens of a text behind a source, or of one written freely."""
        return self.max_length - self.max_input_length if prompted else self.max_length

    @property
    def swiglu_size(self) -> int:
        """Inner width of the feed-forward: two thirds of 4H, rounded down."""
        return int(int(4 * self.hidden_size) * 2 / 3)

    @property
    def prefix_length(self) -> int:
        return self.time_tokens + self.self_cond_cfg_tokens + self.mode_tokens


# Those of the paper (spec section 2).
PRESETS = {
    "ELF-B": ElfConfig(depth=12, hidden_size=768, heads=12),
    "ELF-M": ElfConfig(depth=24, hidden_size=1056, heads=16),
    "ELF-L": ElfConfig(depth=32, hidden_size=1280, heads=16),
}


@dataclass(frozen=True)
class T5Config:
    """Architecture of a T5 v1.0 encoder; the defaults are T5-small."""

    vocabulary_size: int = 32128
    d_model: int = 512
    d_kv: int = 64
    d_ff: int = 2048
    layers: int = 6
    heads: int = 8
    relative_buckets: int = 32
    relative_max_distance: int = 128

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            check_size(field, value)


SelfCondStart = Literal["condition", "zero"]
"""What the x̂ half of the input holds at the source's places where there is no x̂ yet."""


@dataclass(frozen=True)
class FlowConfig:
    """Constants of the path from noise to text and of its training (spec sections 1, 3 and 4)."""

    noise_scale: float = 2.0
    """s, standard deviation of the noise at t = 0 in units of the normalised latents."""
    decoder_noise_scale: float = 5.0
    """σ, the noise the decode branch learns to read through."""
    t_eps: float = 0.05
    p_mean: float = -1.5
    p_std: float = 0.8
    time_schedule: Literal["logit_normal", "uniform"] = "logit_normal"
    """How training draws its times; sampling has a schedule of its own."""
    decoder_p_mean: float = 0.8
    decoder_p_std: float = 0.8
    decoder_prob: float = 0.2
    decoder_condition: Literal["noised", "clean"] = "noised"
    """The source in the decode branch: `noised` like the text, as official runs have it, or `clean`, as it is when
    texts are sampled; then a text that noise has made unreadable is learnt from its source."""
    self_cond_prob: float = 0.5
    self_cond_start: SelfCondStart = "condition"
    """The `condition`, as official runs have it in every denoise row and as their sampler starts, or `zero`, as this
    project's models had it up to schema version 2 of their manifests. Sampling starts as the model was trained."""
    self_cond_cfg_min: float = 0.5
    self_cond_cfg_max: float = 5.0

    def __post_init__(self) -> None:
        for field, value in vars(self).items():
            # What is chosen by a name is looked at below.
            if not isinstance(value, str):
                check_number(field, value)
        positive = ("noise_scale", "decoder_noise_scale", "t_eps", "p_std", "decoder_p_std", "self_cond_cfg_min")
        for field in positive:
            if not getattr(self, field) > 0:
                raise ConfigError(f"{field} is {getattr(self, field)!r}", "Give a number above 0.")
        for field in ("decoder_prob", "self_cond_prob"):
            if not 0 <= getattr(self, field) <= 1:
                raise ConfigError(f"{field} is {getattr(self, field)!r}", "Give a probability from 0 to 1.")
        if self.decoder_condition not in ("noised", "clean"):
            raise ConfigError(f"decoder_condition is {self.decoder_condition!r}", "Choose noised or clean.")
        if self.time_schedule not in ("logit_normal", "uniform"):
            raise ConfigError(f"time_schedule is {self.time_schedule!r}", "Choose logit_normal or uniform.")
        if self.self_cond_start not in get_args(SelfCondStart):
            raise ConfigError(f"self_cond_start is {self.self_cond_start!r}", "Choose condition or zero.")
        if self.self_cond_cfg_max < self.self_cond_cfg_min:
            raise ConfigError("self_cond_cfg_max is below self_cond_cfg_min", "Swap the two.")


# --- The settings of one run of the sampler, and what they may be ---------------------------------------------------

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
