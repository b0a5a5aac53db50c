"""Two recipes of a training by name, `official` and `own`: the choices in which they differ, and why one deviates."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple

from elf.errors import ConfigError

# A configuration names its recipe and may set any of these choices besides. What then differs from the official step
# (spec section 4) is a deviation: it has a name, a value and a reason, and the model's card lists it.

Recipe = Literal["official", "own"]
Coin = Literal["device", "example", "batch", "share"]
LossMean = Literal["device", "batch", "row"]
RowsBy = Literal["coin", "share"]
Filling = Literal["unseen", "seen"]
Objective = Literal["literal", "shared"]


@dataclass(frozen=True)
class Choice:
    """One setting of a training, by the path of its field."""

    field: str
    official: Any
    own: Any
    why: Mapping[Any, str]
    """Of values other than the official one: what speaks for them. `None` stands for all that are not listed."""

    def reason(self, value: Any) -> str:
        return self.why[value] if value in self.why else self.why[None]


CHOICES = (
    Choice("coin", "device", "batch", {
        "batch": "one branch for the whole batch: the other is not computed, and each has a program of its own",
        "example": "every example its own branch, as the official torch branch has it: an update always holds both",
    }),
    Choice("loss_mean", "device", "batch", {
        "batch": "the mean is over all positions of the batch, so a loss does not depend on how many devices share it",
    }),
    Choice("objective", "literal", "shared", {
        "shared": "v₀ and v₁ are by-products of passes made anyway: the same target for fewer passes of the network",
    }),
    Choice("self_conditioned_rows", "coin", "share", {
        "share": "a fixed share of the rows instead of a coin each: only those rows pay for the pass before",
    }),
    Choice("filling", "unseen", "seen", {
        "seen": "tokens of the text also see the end tokens behind it, as this project's first encoders were used",
    }),
    Choice("ema_warm_up", False, True, {
        True: "the average forgets its start, by min(ema_decay, (1 + i) / (10 + i)); a short run's never would",
    }),
    Choice("clip_each_part", True, False, {
        False: "the clip sees the gradient of the whole batch, not of the part that memory holds",
    }),
    Choice("label_drop", 0.1, 0.1, {None: "another share of the sources is hidden"}),
    Choice("guesses.share", 0.0, 0.0, {
        None: "so many decode rows read what the network itself makes of a noised text, as they do when it samples",
    }),
    Choice("optimizer.muon", "matrices", "kernels", {
        "kernels": "the vocabulary heads, whose rows are tokens of very different frequency, stay with Adam",
    }),
    Choice("optimizer.muon_adam_b2", 0.999, 0.95, {
        None: "Muon's Adam remembers squares for a shorter while, which suits short runs",
    }),
)  # fmt: skip
"""In which the recipes differ."""

DISTILL_CHOICES = (
    Choice("coin", "example", "share", {
        "share": "which row does what is fixed by its place: decode rows pay for no pass of the teacher",
    }),
    Choice("loss_mean", "row", "batch", {
        "batch": "the mean of a branch is over positions; branches are weighted by their probability",
    }),
    Choice("self_conditioned_rows", "coin", "share", {
        "share": "a fixed share of the rows instead of a coin each: only those rows pay for the pass before",
    }),
    Choice("decode_half", "source", "zero", {
        "zero": "as in training, the x̂ half of decode rows is zero everywhere",
    }),
    *(choice for choice in CHOICES if choice.field in ("filling", "ema_warm_up")),
    Choice("label_drop", 0.0, 0.1, {None: "sources are hidden as in training"}),
    Choice("clip_each_part", False, False, {True: "every part is clipped by itself, as in training"}),
    *(choice for choice in CHOICES if choice.field.startswith("optimizer.")),
)  # fmt: skip
"""The same of a distillation, whose official step is another."""

NAMED = (
    Choice("flow.self_cond_start", "condition", "condition", {
        "zero": "the x̂ half is zero at the source's places until there is an x̂; sampling then starts so too",
    }),
    Choice("flow.decoder_condition", "noised", "noised", {
        "clean": "the decode branch sees the source as sampling shows it, and learns unreadable text from it",
    }),
    Choice("flow.time_schedule", "logit_normal", "logit_normal", {
        "uniform": "times are drawn evenly; the official code has this switch too",
    }),
    Choice("latent_normalisation", "official", "official", {
        "measured": "mean and std of the encoder that is used; 0.0 and 0.2 are T5-small's",
    }),
    Choice("attention_dropout", 0.0, 0.0, {None: "against learning a small corpus by heart"}),
    Choice("projection_dropout", 0.0, 0.0, {None: "against learning a small corpus by heart"}),
    Choice("ema_decay", 0.9999, 0.9999, {None: "a run of few updates averages over fewer"}),
    Choice("optimizer.schedule", "constant", "constant", {"cosine": "a run of few updates ends at a low rate"}),
)  # fmt: skip
"""Choices that no recipe makes: every configuration has its own, and a deviation has its name."""


class Choices(NamedTuple):
    """A configuration's choices, all made."""

    coin: Coin
    loss_mean: LossMean
    objective: Objective | None
    """None in a distillation, which has one of its own."""
    self_conditioned_rows: RowsBy
    filling: Filling
    ema_warm_up: bool
    clip_each_part: bool
    label_drop: float


class Deviation(NamedTuple):
    field: str
    value: Any
    official: Any
    why: str


def completed(config: Any, choices: tuple[Choice, ...]) -> dict[str, Any]:
    """Fields of a configuration that are None, with what its recipe says of them; groups as whole dataclasses."""
    values: dict[str, Any] = {}
    for choice in choices:
        group, _, name = choice.field.rpartition(".")
        holder = values.get(group, getattr(config, group)) if group else config
        if getattr(holder, name) is not None:
            continue
        value = choice.official if config.recipe == "official" else choice.own
        if group:
            values[group] = replace(holder, **{name: value})
        else:
            values[name] = value
    return values


def deviations(config: Any, choices: tuple[Choice, ...]) -> list[Deviation]:
    """Where a configuration, completed, differs from the official step."""
    found = []
    for choice in (*choices, *NAMED):
        # What another optimizer has no part in is no deviation.
        if choice.field.startswith("optimizer.muon") and config.optimizer.optimizer != "muon":
            continue
        value = field_at(config, choice.field)
        if value != choice.official:
            found.append(Deviation(choice.field, value, choice.official, choice.reason(value)))
    return found


SHARED_OBJECTIVE: Mapping[str, Any] = {
    "objective": "shared",
    "coin": "batch",
    "loss_mean": "batch",
    "self_conditioned_rows": "share",
    "accumulation": 1,
    "guesses.share": 0.0,
    "attention_dropout": 0.0,
    "projection_dropout": 0.0,
}
"""What a step must be of which only this project's own form is there, whole and without dropout."""


def require(config: Any, known: Mapping[str, Any], who: str) -> None:
    """Raises ConfigError for a setting of which `who` knows another value alone."""
    for name, value in known.items():
        if (given := field_at(config, name)) != value:
            raise ConfigError(f"{who} knows {name} {value} alone, not {given}", f"Set {name}={value}.")


def field_at(config: Any, path: str) -> Any:
    for name in path.split("."):
        config = getattr(config, name)
    return config
