"""What `elf sample` and `elf export` ask about a run of the sampler, and how they read what it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from elf.config import Layout, Method, SamplerSettings, Schedule, Solver, read_curve
from elf.data.tokenizer import EOS, load_tokenizer
from elf.errors import ElfError
from elf.models.trained_model import TrainedModel
from elf.sampling.sampler import cut_at_eos


@dataclass(frozen=True, kw_only=True)
class LengthOption:
    """How long a run is."""

    length: int | None = None
    """Tokens of a text; all the model can write unless given."""

    def length_for(self, model: TrainedModel, error: type[ElfError], *, prompted: bool = True) -> int:
        """Tokens of a text of `model`, behind a source unless it takes or, not `prompted`, is given none. Raises
        `error` for more, or fewer, than it can write."""
        longest = model.elf.longest_text(prompted)
        length = longest if self.length is None else self.length
        if not 1 <= length <= longest:
            raise error(f"the length is {length}", f"This model writes 1 to {longest} tokens.")
        return length

    def positions_for(self, model: TrainedModel, error: type[ElfError]) -> int:
        """L, the positions of a run of `model` that --length counts, its source's included. Raises `error` as above."""
        longest = model.elf.max_length
        length = longest if self.length is None else self.length
        least = 2 if model.elf.needs_source else 1
        if not least <= length <= longest:
            raise error(
                f"the length is {length}", f"This model has {least} to {longest} positions, a prompt's included."
            )
        return length


@dataclass(frozen=True, kw_only=True)
class SettingsOptions:
    """How a run goes, of whatever length."""

    steps: int = 32
    """Steps from noise to text."""
    method: Method = "sde"
    gamma: float = 1.5
    """How much of the state each SDE step replaces by fresh noise; 0 makes it the ODE."""
    self_cond_cfg: float = 3.0
    """Self-conditioning guidance scale: larger is more fluent and less varied."""
    cfg: float = 1.0
    """Guidance by the source of conditional models: 1 for none; any other costs a second pass at every step."""
    schedule: Schedule = "logit_normal"
    """Times of the steps: evenly spaced, drawn from the seed, or the quantiles of what would be drawn."""
    solver: Solver = "euler"
    """How the ODE is followed: multistep carries predictions on from earlier ones; the SDE has only euler."""
    rng: Layout = "original"
    """Layout of the random bits: of jax up to 0.4, like the official sampler, or of jax from 0.5 on."""
    seed: int = 7

    def settings(self) -> SamplerSettings:
        """Raises UsageError for a value that cannot be."""
        return SamplerSettings(
            steps=self.steps,
            method=self.method,
            gamma=self.gamma,
            self_cond_scale=self.self_cond_cfg,
            schedule=self.schedule,
            rng=self.rng,
            seed=self.seed,
            cfg_scale=self.cfg,
            solver=self.solver,
        )


@dataclass(frozen=True, kw_only=True)
class SamplerOptions(SettingsOptions, LengthOption):
    """Base of the arguments of commands that run the sampler."""


@dataclass(frozen=True, kw_only=True)
class ModelSamplerOptions(LengthOption):
    """As SamplerOptions, for commands about one model, whose own settings hold for what is left out."""

    steps: int | None = None
    """Steps from noise to text. Of all these settings: the model's own unless given; 32 where it has none."""
    method: Method | None = None
    """The model's own, or sde."""
    gamma: float | None = None
    """How much of the state each SDE step replaces by fresh noise; 0 makes it the ODE. The model's own, or 1.5."""
    gamma_curve: str | None = None
    """γ over t in its place, at most 8 knots with straight lines between: 0=0.5+0.4=3+1=0."""
    self_cond_cfg: float | None = None
    """Self-conditioning guidance scale: larger is more fluent and less varied. The model's own, or 3."""
    cfg: float | None = None
    """Guidance by the source of conditional models: 1 for none; any other costs a second pass at every step. The
    model's own, or 1."""
    schedule: Schedule | None = None
    """Times of the steps: evenly spaced, drawn from the seed, or the quantiles of what would be drawn. The model's
    own, or logit_normal."""
    solver: Solver | None = None
    """How the ODE is followed: multistep carries predictions on from earlier ones; the SDE has only euler. The model's
    own, or euler."""
    rng: Layout | None = None
    """Layout of the random bits: of jax up to 0.4, like the official sampler, or of jax from 0.5 on. The model's own,
    or original."""
    seed: int | None = None
    """The model's own, or 7."""

    def given(self) -> dict[str, Any]:
        """The fields of SamplerSettings that were given."""
        values = {field: getattr(self, name) for name, field in SETTING_NAMES.items()}
        curve = {} if self.gamma_curve is None else {"gamma_curve": read_curve(self.gamma_curve)}
        return {field: value for field, value in values.items() if value is not None} | curve

    def refuse_early(self) -> None:
        """Raises UsageError for a value that no model could be sampled with, before one is loaded."""
        replace(SamplerSettings(method="ode"), **self.given())

    def settings_for(self, model: TrainedModel, *, prompted: bool = True) -> SamplerSettings:
        """Raises UsageError for a value that cannot be. Without a prompt the model's own cfg is of no effect."""
        given = self.given()
        if not prompted:
            given.setdefault("cfg_scale", 1.0)
        if given.get("method") == "sde":
            # A solver of the model's own belongs to its ODE.
            given.setdefault("solver", "euler")
        return replace(model.sampling, **given)


SETTING_NAMES = {name: name for name in ("steps", "method", "gamma", "schedule", "rng", "seed", "solver")} | {
    "self_cond_cfg": "self_cond_scale",
    "cfg": "cfg_scale",
}
"""Options and the fields of SamplerSettings that they set."""


def text_reader(model: TrainedModel) -> Callable[[Sequence[int] | np.ndarray], str]:
    """Tokens → text up to the first eos; their numbers where the model has no tokenizer."""
    tokenizer = load_tokenizer(model.tokenizer) if model.tokenizer else None

    def read(tokens: Sequence[int] | np.ndarray) -> str:
        ids = cut_at_eos(np.asarray(tokens), EOS)
        return tokenizer.decode(ids) if tokenizer else " ".join(map(str, ids))

    return read
