"""When a training writes texts with its averaged weights, and what they are measured by."""

from dataclasses import dataclass

from elf.errors import ConfigError
from elf.evaluation.evaluate import EvaluationOptions


@dataclass(frozen=True, kw_only=True)
class EvaluationConfig(EvaluationOptions):
    """The fields of `elf evaluate`, by the names of its options, and how often. Never unless one of the two is set."""

    every_epochs: float | None = None
    """Also a fraction: 0.25 evaluates four times an epoch. The end of the run is evaluated too."""
    every_steps: int | None = None

    def __post_init__(self) -> None:
        for name in ("every_epochs", "every_steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"evaluation.{name} is {value!r}", "Give a number above 0, or null for never.")
        if self.every_epochs is not None and self.every_steps is not None:
            raise ConfigError("evaluation has both every_epochs and every_steps", "Give either.")
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"evaluation.samples is {self.samples}", "Give at least 1.")

    def steps_between(self, steps_per_epoch: float) -> int | None:
        """Updates from one evaluation to the next; None for never."""
        if self.every_epochs is not None:
            return max(1, round(self.every_epochs * steps_per_epoch))
        return self.every_steps
