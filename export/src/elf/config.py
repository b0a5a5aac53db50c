"""The shapes of a model and the constants of its flow."""

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal, get_args

from elf.errors import ConfigError

# Presets are those of the paper (spec section 2).

MOST_LAYERS, MOST_SIZE = 1000, 2**20
"""Of any network, and of anything else that a configuration counts: beyond them only naming the weights fills the
memory."""


def check_size(field: str, value: object, least: int = 1) -> None:
    """Raises ConfigError unless a field of a network's configuration is an integer that such a field may have."""
    most = MOST_LAYERS if field == "depth" or "layer" in field else MOST_SIZE
    if not isinstance(value, int) or not least <= value <= most:
        raise ConfigError(f"{field} is {value!r}", f"Give an integer from {least} to {most:,}.")


def check_number(field: str, value: object) -> None:
    """Raises ConfigError unless a field is a finite number."""
    if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
        raise ConfigError(f"{field} is {value!r}", "Give a finite number.")


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
