"""What a command that takes an official checkpoint may be told beside it."""

from dataclasses import dataclass, fields

from elf.checkpoints.official import Task


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """Base of the arguments of such commands. Models of this project bring all of it with them."""

    encoder: str | None = None
    """Official checkpoints: the T5 that reads text, t5_small_encoder_jax.pkl or a T5's weights; needed for sources."""
    tokenizer: str | None = None
    """Official checkpoints: tokenizer.json or spiece.model, or their folder. Without one the model works on ids."""
    task: Task | None = None
    """Official checkpoints: what it was trained on, which decides lengths and sampler; owt where nothing says."""
    max_length: int | None = None
    """Official checkpoints: positions, a source's included; the task's unless given."""
    max_input_length: int | None = None
    """Official checkpoints: of them at most for a source; the task's unless given."""
    latent_mean: float | None = None
    """Official checkpoints: subtracted from the encoder's output; 0 unless given."""
    latent_std: float | None = None
    """Official checkpoints: the encoder's output is divided by it; 0.2 unless given."""
    raw: bool = False
    """Take the weights of a checkpoint's last step instead of their moving average."""

    def given_for_official(self) -> list[str]:
        """The options that only make sense with an official checkpoint and were given."""
        names = [field.name for field in fields(CheckpointOptions) if field.name != "raw"]
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]
