"""What `elf sample` and `elf export` ask about a run of the sampler, and how they read what it wrote."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from elf.data.tokenizer import EOS, load_tokenizer
from elf.errors import ElfError
from elf.network.trained_model import TrainedModel
from elf.sampling.sampler import SamplerSettings, cut_at_eos


@dataclass(frozen=True, kw_only=True)
class SamplerOptions:
    """Base of the arguments of commands that run the sampler."""

    steps: int = 32
    """Network passes before the decode pass."""
    method: Literal["ode", "sde"] = "sde"
    gamma: float = 1.5
    """How much of the state each SDE step replaces by fresh noise; 0 makes it the ODE."""
    self_cond_cfg: float = 3.0
    """Self-conditioning guidance scale: larger is more fluent and less varied."""
    schedule: Literal["uniform", "logit_normal"] = "logit_normal"
    rng: Literal["original", "partitionable"] = "original"
    """Layout of the random bits: of jax up to 0.4, like the official sampler, or of jax from 0.5 on."""
    seed: int = 7
    length: int | None = None
    """Tokens of a text; all the model can write unless given."""

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
        )

    def length_for(self, model: TrainedModel, error: type[ElfError]) -> int:
        """Tokens of a text of `model`. Raises `error` for more, or fewer, than it can write."""
        longest = model.elf.max_length - model.elf.max_input_length
        length = longest if self.length is None else self.length
        if not 1 <= length <= longest:
            raise error(f"the length is {length}", f"This model writes 1 to {longest} tokens.")
        return length


def text_reader(model: TrainedModel) -> Callable[[Sequence[int] | np.ndarray], str]:
    """Tokens → text up to the first eos; their numbers where the model has no tokenizer."""
    tokenizer = load_tokenizer(model.tokenizer) if model.tokenizer else None

    def read(tokens: Sequence[int] | np.ndarray) -> str:
        ids = cut_at_eos(np.asarray(tokens), EOS)
        return tokenizer.decode(ids) if tokenizer else " ".join(map(str, ids))

    return read
