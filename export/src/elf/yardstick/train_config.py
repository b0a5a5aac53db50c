"""Everything that decides the training of a yardstick; the fields mean what they mean in `training/train_config.py`."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from elf.errors import ConfigError
from elf.training.optimizer import OptimizerConfig
from elf.training.train_config import CheckpointConfig
from elf.yardstick.translator import TranslatorConfig


@dataclass(frozen=True)
class YardstickConfig:
    name: str
    data: str
    """A dataset of pairs: a folder, or its name on the hub."""
    held_out: str
    """Pairs that are not learnt: such a dataset, or JSONL of input and output."""
    tokenizer: str
    """The tokenizer.json that both were prepared with, or the name of a hub repository that holds one."""
    out: Path
    """Output folder: checkpoints/, metrics.jsonl, tensorboard/, model/."""
    steps: int
    batch_size: int = 256
    """Pairs an update sees."""
    network: TranslatorConfig = field(default_factory=TranslatorConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    label_smoothing: float = 0.1
    """Share of the probability that the loss wants spread over the whole vocabulary."""
    dropout: float = 0.1
    """Of embeddings and of what each layer adds."""
    ema_decay: float = 0.9999
    """Longest memory of the averaged weights; early updates use (1 + i) / (10 + i)."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of matrix products; sums, norms, softmax and weights are float32."""
    evaluate_every: int = 500
    """Updates between measurements of the averaged weights; one comes at the end too."""
    bleu_pairs: int = 200
    """Held-out pairs, evenly spread and always the same, that a measurement translates."""
    loss_pairs: int = 1000
    """Held-out pairs for the cross-entropy."""
    checkpoints: CheckpointConfig = field(default_factory=lambda: CheckpointConfig(minutes=3.0, keep=3))
    log_every: int = 20
    seed: int = 0
    corpus: str = ""
    """For the model's config.json: what the data are."""
    licence: str = ""

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "evaluate_every", "bleu_pairs", "loss_pairs", "log_every"):
            if getattr(self, name) < 1:
                raise ConfigError(f"{name} must be at least 1, not {getattr(self, name)}", "Raise it.")
        for name in ("label_smoothing", "dropout", "ema_decay"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} must lie in [0, 1), not {getattr(self, name)}", "Correct the value.")
        if self.evaluate_every % self.log_every:
            raise ConfigError(
                f"evaluate_every is {self.evaluate_every}, which is no multiple of log_every, {self.log_every}",
                "Make it one: a measurement goes into the line of metrics.jsonl of its very step.",
            )
        if self.checkpoints.epochs is not None:
            raise ConfigError("checkpoints.epochs is set", "Set checkpoints.steps or checkpoints.minutes instead.")
