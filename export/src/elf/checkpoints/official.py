"""What is known of the official models besides their weights (spec sections 2, 3 and 5)."""

import re
from dataclasses import dataclass, replace
from typing import Literal

from elf.config import FlowConfig
from elf.sampler_settings import SamplerSettings

OWNER = "embedded-language-flows"

Task = Literal["owt", "de-en", "xsum"]


@dataclass(frozen=True)
class TaskFacts:
    """What a network was trained on decides its lengths and how it is sampled; no weight tells either."""

    max_length: int
    """Positions, a source's included."""
    max_input_length: int
    """Of them at most for the source; 0 where it writes freely."""
    sampling: SamplerSettings
    flow: FlowConfig


UNCONDITIONAL = SamplerSettings(steps=32, method="sde", gamma=1.5, self_cond_scale=3.0)
CONDITIONAL = SamplerSettings(steps=64, method="ode", self_cond_scale=1.0, cfg_scale=2.0)

TASKS: dict[Task, TaskFacts] = {
    "owt": TaskFacts(1024, 0, UNCONDITIONAL, FlowConfig(decoder_noise_scale=5.0)),
    "de-en": TaskFacts(128, 64, CONDITIONAL, FlowConfig(decoder_noise_scale=1.0)),
    "xsum": TaskFacts(1088, 1024, CONDITIONAL, FlowConfig(decoder_noise_scale=1.0)),
}

LATENT_MEAN, LATENT_STD = 0.0, 0.2
"""Of T5-small's embeddings, as all official models normalise them."""

SAMPLING = {
    "ELF-M-owt": replace(UNCONDITIONAL, steps=64, gamma=1.0),
    "ELF-L-owt": replace(UNCONDITIONAL, steps=64, gamma=1.0),
    "ELF-B-PD-owt": replace(UNCONDITIONAL, steps=8, self_cond_scale=2.5),
}
"""Where the published settings are others than the task's."""

CHECKPOINTS = (
    *("ELF-B-owt", "ELF-M-owt", "ELF-L-owt", "ELF-B-de-en", "ELF-B-xsum"),
    *("ELF-B-owt-torch", "ELF-M-owt-torch", "ELF-L-owt-torch", "ELF-B-de-en-torch", "ELF-B-xsum-torch"),
    "ELF-B-PD-owt-torch",
)
"""The repositories of OWNER that hold a model."""

ENCODER_REPOSITORY, ENCODER_FILE = f"{OWNER}/t5_small_encoder_jax", "t5_small_encoder_jax.pkl"
TOKENIZER_REPOSITORY, TOKENIZER_FILE = "google-t5/t5-small", "tokenizer.json"


def model_name(repository: str) -> str | None:
    """The official model in a repository, its name without `-torch`; None for other repositories."""
    owner, _, name = repository.partition("/")
    return name.removesuffix("-torch") if owner == OWNER and name in CHECKPOINTS else None


def task_of(name: str | None) -> Task:
    """What an official model was trained on; OpenWebText where nothing is known."""
    match = re.search(r"(owt|de-en|xsum)$", name or "")
    return match[1] if match else "owt"  # type: ignore[return-value]


def sampling_of(name: str | None, task: Task) -> SamplerSettings:
    """The published settings of a model, or of its task."""
    return SAMPLING.get(name or "", TASKS[task].sampling)
