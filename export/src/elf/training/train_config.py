"""Everything that decides a training: a dataclass of defaults, a YAML per experiment over it, overrides over that."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, cast

from elf.config import MAX_CFG_SCALE, ElfConfig, FlowConfig, check_number, check_seed
from elf.errors import ConfigError
from elf.evaluation.evaluate import EvaluationOptions
from elf.models.text_encoder import Normalisation
from elf.network.modules import Remat
from elf.paths import AnyPath
from elf.training.optimizer import OptimizerConfig
from elf.training.recipe import (
    CHOICES,
    Choice,
    Choices,
    Coin,
    Deviation,
    Filling,
    LossMean,
    Objective,
    Recipe,
    RowsBy,
    completed,
    deviations,
)


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
        if self.every_epochs is not None:
            check_number("evaluation.every_epochs", self.every_epochs)
        if self.every_epochs is not None and self.every_steps is not None:
            raise ConfigError("evaluation has both every_epochs and every_steps", "Give either.")
        if self.samples is not None and self.samples < 1:
            raise ConfigError(f"evaluation.samples is {self.samples}", "Give at least 1.")

    def steps_between(self, steps_per_epoch: float) -> int | None:
        """Updates from one evaluation to the next; None for never."""
        if self.every_epochs is not None:
            return max(1, round(self.every_epochs * steps_per_epoch))
        return self.every_steps


@dataclass(frozen=True)
class CheckpointConfig:
    """When the state is saved. Whichever comes first; a signal and the end of the run save too."""

    minutes: float | None = 5.0
    epochs: float | None = None
    """Also a fraction: 0.25 saves four times an epoch."""
    steps: int | None = None
    keep: int = 10
    """The newest so many stay."""

    def __post_init__(self) -> None:
        for name in ("minutes", "epochs", "steps"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ConfigError(f"checkpoints.{name} is {value!r}", "Give a number above 0, or null to go without.")
        if self.epochs is not None:
            check_number("checkpoints.epochs", self.epochs)
        if self.keep < 1:
            raise ConfigError(f"checkpoints.keep is {self.keep}", "Give at least 1.")


@dataclass(frozen=True)
class GuessConfig:
    """Decode rows that read, in place of a noised text, the x̂ that the network itself has of it at some time: what they
    are given at the end of sampling."""

    share: float = 0.0
    """Of the rows of a decode step."""
    cfg: float = 3.0
    """ω of that x̂, best the one that texts are sampled with; 1 for none."""

    def __post_init__(self) -> None:
        for name in ("share", "cfg"):
            check_number(f"guesses.{name}", getattr(self, name))
        if not 0 <= self.share <= 1:
            raise ConfigError(f"guesses.share is {self.share}", "Give a share from 0 to 1.")
        if not 0 <= self.cfg <= MAX_CFG_SCALE:
            raise ConfigError(f"guesses.cfg is {self.cfg}", f"Give a scale from 0 to {MAX_CFG_SCALE}.")


@dataclass(frozen=True)
class TrainConfig:
    name: str
    data: str
    """A dataset of token ids: a folder, or its name on the hub."""
    encoder: str
    """The frozen encoder: the output folder of `elf pretrain-encoder`, an exported model's, or a T5 in the layout of
    Hugging Face, as a folder or by its name on the hub."""
    tokenizer: str
    """A tokenizer.json, or the name of a hub repository that holds one."""
    out: AnyPath
    """Output folder: checkpoints/, metrics.jsonl, tensorboard/, model/."""
    start: str | None = None
    """A trained model whose averaged weights the first step starts from: its `model` folder, the output folder of its
    training, or an exported folder. Of the same architecture but for the lengths; a narrower bottleneck is widened, and
    to fewer blocks others are added. Random weights unless given."""
    resume: str | None = None
    """A checkpoint that the training goes on from, weights, averages, optimizer and number of updates: a file or a
    folder of any form that is read, the output folder of another training, or a name on the hub. Once the run has a
    checkpoint of its own, it goes on from that."""
    split: str | None = None
    """Of `data`, where it has several."""
    revision: str | None = None
    """Of `data`, where it comes from the hub."""
    steps: int | None = None
    """Updates in all; or give `epochs`."""
    epochs: float | None = None
    batch_size: int = 512
    """Rows an update sees, over all devices and processes."""
    accumulation: int = 1
    """Parts the batch is taken in, one after the other, to save memory. The update, and with it the EMA, comes once."""
    elf: ElfConfig = field(default_factory=ElfConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    recipe: Recipe = "own"
    """Makes the choices below that are left out: as the `official` step makes them, or this project's `own`. What
    differs from the official step is told on the model's card, each with its reason (training/recipe.py)."""
    coin: Coin | None = None
    """Who throws the coin that decides between denoising and decoding: each `device` for its rows, each `example`, or
    one for the whole `batch`."""
    loss_mean: LossMean | None = None
    """Over the positions of each `device`'s rows, then over devices; or over those of the whole `batch`."""
    device_groups: int | None = None
    """With loss_mean `device`: so many groups of rows take the part of devices, whatever devices there are; as many as
    devices unless given."""
    objective: Objective | None = None
    """`literal`: every network pass of spec section 4; `shared`: passes that the loss needs twice are made once."""
    self_conditioned_rows: RowsBy | None = None
    """Rows self-condition by a `coin` each, or a fixed `share` of them by their place."""
    filling: Filling | None = None
    """Whether tokens see end tokens that fill a row behind its text; padding is never seen."""
    ema_warm_up: bool | None = None
    """Whether early updates average by (1 + i) / (10 + i), so that the first weights are forgotten."""
    clip_each_part: bool | None = None
    """With accumulation: whether each part's gradient is clipped, or that of the whole."""
    guesses: GuessConfig = field(default_factory=GuessConfig)
    attention_dropout: float = 0.0
    """Of attention weights, in the training pass of the middle half of the blocks, as in the official code."""
    projection_dropout: float = 0.0
    """The same of what attention projects and of SwiGLU's hidden values."""
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema_decay: float = 0.9999
    """Memory of the averaged weights."""
    pad_token: Literal["pad", "eos"] = "pad"
    """`pad`: filling is unseen and does not count. `eos`: rows are filled with the end token and all positions count,
    so the model learns to end."""
    label_drop: float | None = None
    """Conditional data: share of examples whose source is hidden, so that CFG has something to guide from."""
    latent_normalisation: Normalisation = "measured"
    """`measured`: per-dimension mean and common std of this encoder; `official`: 0.0 and 0.2, T5-small's."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of matrix products; sums, norms, softmax and weights are float32."""
    gradient: Literal["xla", "torch"] = "xla"
    """What computes loss and gradient. `torch`, installed beside this package, takes less than half of XLA's time on a
    CPU with matrix units for bfloat16 (AMX); it knows the `shared` objective with one coin for the batch."""
    remat: Remat = "none"
    """What the backward pass computes again instead of keeping: nothing, all but the matrix products, or whole
    blocks."""
    scan_blocks: bool = False
    """One program for all blocks, run for each: it does not grow with their number, and takes more memory, since their
    weights are laid together first."""
    fsdp: int = 1
    """Devices that share one copy of weights and optimizer state."""
    checkpoints: CheckpointConfig = field(default_factory=CheckpointConfig)
    log_every: int = 20
    profile: tuple[int, int] | None = None
    """First and last of the steps that JAX's profiler records into `profile/` of the output folder, such as [101,105];
    the very first steps hold compiling."""
    seed: int = 0
    evaluation: EvaluationConfig = field(default_factory=EvaluationConfig)
    """Texts and their metrics while it trains: `evaluation.every_epochs: 1` and what `elf evaluate` takes."""
    wandb_project: str | None = None
    """Reports to Weights & Biases too, where it is installed."""
    wandb_entity: str | None = None
    """User or team that the project belongs to; your own unless given."""
    wandb_run_name: str | None = None
    """What the run is called there; as its output folder unless given."""
    wandb_tags: tuple[str, ...] = ()
    hub_repo: str | None = None
    """Uploads the output folder to this repository of the hub after every checkpoint."""
    corpus: str = ""
    """For the model card: what the data are."""
    licence: str = ""

    CHOICES: ClassVar[tuple[Choice, ...]] = CHOICES
    """Those that a recipe makes for this kind of training."""

    def __post_init__(self) -> None:
        for name, value in completed(self, self.CHOICES).items():
            object.__setattr__(self, name, value)
        if self.start is not None and self.resume is not None:
            raise ConfigError(
                "start and resume are both set",
                "Set start for a training that begins with weights, resume for one that goes on.",
            )
        if (self.steps is None) == (self.epochs is None):
            raise ConfigError("either steps or epochs must be set, and not both", "Set one, and the other to null.")
        for name, least in (("steps", 1), ("batch_size", 2), ("accumulation", 1), ("fsdp", 1), ("log_every", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ConfigError(f"{name} must be at least {least}, not {value}", "Raise it.")
        if self.profile is not None and not (len(self.profile) == 2 and 1 <= self.profile[0] <= self.profile[1]):
            raise ConfigError(f"profile is {[*self.profile]}", "Give the first and the last step: profile=[101,105].")
        check_seed(self.seed)
        if self.epochs is not None:
            check_number("epochs", self.epochs)
        if self.epochs is not None and not self.epochs > 0:
            raise ConfigError(f"epochs must be above 0, not {self.epochs}", "Raise it.")
        if not 0 <= self.ema_decay < 1 or not 0 <= self.choices.label_drop <= 1:
            raise ConfigError("ema_decay must lie in [0, 1) and label_drop in [0, 1]", "Correct the value.")
        for name in ("wandb_entity", "wandb_run_name", "wandb_tags"):
            if getattr(self, name) and not self.wandb_project:
                raise ConfigError(f"{name} is set, but no wandb_project", "Set wandb_project too, or leave it out.")
        for name in ("attention_dropout", "projection_dropout"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(f"{name} is {getattr(self, name)}", "Give a share from 0 to below 1.")
        if self.device_groups is not None and self.device_groups < 1:
            raise ConfigError(f"device_groups is {self.device_groups}", "Give at least 1, or leave it out.")
        if self.flow.self_cond_prob and not self.elf.self_conditioning:
            raise ConfigError(
                f"flow.self_cond_prob is {self.flow.self_cond_prob}, but elf.self_conditioning is false",
                "Set flow.self_cond_prob=0, or leave elf.self_conditioning out.",
            )
        self.check_choices()

    def check_choices(self) -> None:
        """Raises ConfigError for choices that do not go together."""
        coins, means = ("device", "example", "batch"), ("device", "batch")
        if self.coin not in coins or self.loss_mean not in means:
            raise ConfigError(
                f"coin is {self.coin}, loss_mean {self.loss_mean}: that is a distillation's",
                f"Choose one of {', '.join(coins)}, and one of {', '.join(means)}.",
            )
        if self.coin == "device" and self.loss_mean == "batch":
            raise ConfigError(
                "coin is device and loss_mean batch", "A device's branch has a mean of its own: set loss_mean=device."
            )
        if self.guesses.share and self.coin == "example":
            raise ConfigError(
                f"guesses.share is {self.guesses.share}, but every example has a coin of its own",
                "Set coin=batch or coin=device, or guesses.share=0.",
            )
        if self.device_groups is not None and self.loss_mean != "device":
            raise ConfigError("device_groups is set, but loss_mean is batch", "Set loss_mean=device, or leave it out.")

    @property
    def choices(self) -> Choices:
        """Those of the recipe where none were given."""
        return Choices(*(cast(Any, getattr(self, name)) for name in Choices._fields))

    @property
    def deviations(self) -> list[Deviation]:
        """From the official step."""
        return deviations(self, self.CHOICES)

    @property
    def sees_filling(self) -> bool:
        """Whether the encoder sees what fills a row; unlike the end tokens, padding is never seen."""
        return self.pad_token == "eos" and self.filling == "seen"


class Resolved(NamedTuple):
    """What a configuration comes to on its dataset."""

    steps: int
    warmup_steps: int
    save_steps: int | None
    steps_per_epoch: float
    conditional: bool


def resolve(config: TrainConfig, rows: int, conditional: bool) -> Resolved:
    """Epochs as steps, for a dataset of `rows` examples."""
    per_epoch = rows / config.batch_size

    def steps_in(epochs: float) -> int:
        return max(1, round(epochs * per_epoch))

    steps = config.steps if config.epochs is None else steps_in(config.epochs)
    assert steps is not None  # TrainConfig has seen to it
    warmup = config.optimizer.warmup_steps
    if config.optimizer.warmup_epochs is not None:
        warmup = steps_in(config.optimizer.warmup_epochs)
    saves = [config.checkpoints.steps] if config.checkpoints.steps else []
    if config.checkpoints.epochs:
        saves.append(steps_in(config.checkpoints.epochs))
    return Resolved(steps, warmup, min(saves, default=None), per_epoch, conditional)
