"""Everything that decides a distillation: a training configuration, of which the teacher has decided a part."""

import math
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, Literal, NamedTuple

import numpy as np

from elf.checkpoints.official import TASKS, Task
from elf.config import FlowConfig
from elf.config_file import build_config, read_fields
from elf.data.tokenizer import load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.text_encoder import load_encoder, tokenizer_file
from elf.models.trained_model import TrainedModel
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.paths import path_of
from elf.training.recipe import DISTILL_CHOICES, Choice
from elf.training.train_config import TrainConfig

GROUPS = ("elf", "flow")

LENGTHS = ("max_length", "max_input_length")
"""Of `elf`: what no weight tells."""

PATH_CONSTANTS = ("noise_scale", "t_eps")
"""Of the flow: what its path from noise to text is. Its other constants are of the training, and may change."""

FINEST_STEPS = 64
"""The teacher's sub-steps are 1 / 64 of the way from noise to text, whatever the student's steps are."""


class Round(NamedTuple):
    """One student."""

    number: int
    """From 1."""
    student_steps: int
    """The span that the student crosses in one pass is 1 / student_steps."""
    sub_steps: int
    """The teacher's passes over the same span."""

    @property
    def folder(self) -> str:
        return f"round_{self.number}_{self.student_steps}_steps"


@dataclass(frozen=True, kw_only=True)
class DistillConfig(TrainConfig):
    """`steps` or `epochs` are those of one round; one epoch unless given. Teacher and student have one architecture,
    encoder, tokenizer and normalisation: those fields come from the teacher, and may be said again but not changed."""

    teacher: str
    """The original model: its `model` folder, the output folder of its training, or whatever else opens as a model,
    official checkpoints among them. What those do not say, `encoder`, `tokenizer`, `teacher_task`, `elf.max_length` and
    `elf.max_input_length` do; of an exported folder `pad_token`, `filling` and the `flow` of its decode branch."""
    teacher_task: Task | None = None
    """What an official checkpoint was trained on, where nothing says it."""
    teacher_weights: Literal["averaged", "raw"] = "averaged"
    """Which of a checkpoint's."""
    rounds: tuple[int, ...] = (16, 8, 4, 2, 1)
    """Steps of the student of each round. It starts from the student before it, the first one from the teacher, or from
    the model that `start` names: then the rounds may be the later ones of a distillation begun elsewhere."""
    sub_steps: tuple[int, ...] | None = None
    """Passes of the teacher for one step of the student, of each round; unless given, as many as make 64 in all."""

    student_times: Literal["logit_normal", "uniform"] = "logit_normal"
    """How t_s is drawn, where a student's step begins."""
    teacher_times: Literal["logit_normal", "uniform"] = "logit_normal"
    """How the times between the teacher's sub-steps are drawn."""
    teacher_guidance: float = 1.0
    """How far the teacher is carried away from what it says when its `blind_blocks` see nothing around them; 1 leaves
    it as it is. It costs the teacher a second pass at every sub-step, and the student none."""
    teacher_guidance_until: float = 1.0
    """The time t up to which it is carried away; a sub-step that begins there or later takes the teacher as it is."""
    blind_blocks: tuple[int, ...] = ()
    """Blocks, counted from 0, in which a position of that second pass sees only itself."""
    decode_half: Literal["source", "zero"] | None = None
    """What the x̂ half of decode rows holds at the source's places; zero where rows go by their place."""

    CHOICES: ClassVar[tuple[Choice, ...]] = DISTILL_CHOICES

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, values in (("rounds", self.rounds), ("sub_steps", self.sub_steps)):
            if values is not None and (not values or min(values) < 1):
                raise ConfigError(f"{name} is {list(values)}", "Give at least one number, and each at least 1.")
        if self.sub_steps is not None and len(self.sub_steps) != len(self.rounds):
            raise ConfigError(
                f"there are {len(self.rounds)} rounds and {len(self.sub_steps)} sub_steps", "Give one for each round."
            )
        if not 0 < self.teacher_guidance < math.inf:
            raise ConfigError(f"teacher_guidance is {self.teacher_guidance}", "Give a number above 0, such as 1.5.")
        if (self.teacher_guidance != 1) != bool(self.blind_blocks):
            raise ConfigError(
                f"teacher_guidance is {self.teacher_guidance:g} and blind_blocks are {[*self.blind_blocks]}",
                "Give both, as in teacher_guidance=1.5 blind_blocks=[2,3], or neither.",
            )
        if not 0 < self.teacher_guidance_until <= 1:
            raise ConfigError(
                f"teacher_guidance_until is {self.teacher_guidance_until}", "Give a t above 0 and up to 1, such as 0.5."
            )
        if self.teacher_guidance_until != 1 and self.teacher_guidance == 1:
            raise ConfigError("teacher_guidance_until is set and teacher_guidance is 1", "Set both, or neither.")
        if not set(self.blind_blocks) <= set(range(self.elf.depth)):
            raise ConfigError(
                f"blind_blocks are {[*self.blind_blocks]}", f"The network's blocks are 0 to {self.elf.depth - 1}."
            )
        if self.guesses.share:
            raise ConfigError("guesses.share is set", "Leave it out: a distillation's decode rows read noised texts.")
        if self.attention_dropout or self.projection_dropout:
            raise ConfigError("dropout is set", "Leave it out: a distillation has none.")
        if self.objective is not None:
            raise ConfigError(f"objective is {self.objective!r}", "Leave it out: distillation has one of its own.")
        if self.flow.decoder_prob == 1:
            raise ConfigError("flow.decoder_prob is 1", "Give less, so that something is distilled.")

    def check_choices(self) -> None:
        pairs = (("example", "row", "coin"), ("share", "batch", "share"))
        chosen = (self.coin, self.loss_mean, self.self_conditioned_rows)
        if chosen not in pairs or (self.coin == "share" and self.decode_half != "zero"):
            raise ConfigError(
                f"coin, loss_mean and self_conditioned_rows are {', '.join(map(str, chosen))}, decode_half "
                f"{self.decode_half}: that does not go together",
                "Rows throw coins (example, row, coin; decode_half source or zero) or go by their place (share, batch, "
                "share; decode_half zero). Leave them out, and set recipe=official or own.",
            )
        if self.device_groups is not None:
            raise ConfigError("device_groups is set", "Leave it out: a distillation's mean is over rows.")

    def plan(self) -> list[Round]:
        sub_steps = self.sub_steps or tuple(max(1, round(FINEST_STEPS / steps)) for steps in self.rounds)
        return [Round(i, *sizes) for i, sizes in enumerate(zip(self.rounds, sub_steps, strict=True), 1)]


def load_distill_config(path: Path, overrides: tuple[str, ...] = ()) -> tuple[DistillConfig, TrainedModel]:
    """The configuration, completed by its teacher, and the teacher.

    Raises ConfigError, CheckpointError where there is no teacher, and CheckpointMismatchError where the configuration
    says another thing than the teacher.
    """
    values = read_fields(path, overrides)
    name = values.get("teacher")
    if not isinstance(name, str):
        raise ConfigError("teacher is not set", "Set it in the file or as teacher=FOLDER, to a trained model.")
    teacher = open_teacher(name, values)
    folder = path_of(name)
    folder = folder / "model" if (folder / "model").is_dir() else folder
    check_parameters(teacher.params, parameter_shapes(teacher.elf), "the ELF network")
    if teacher.encoder is None:
        raise CheckpointError(
            f"{name} has no text encoder",
            "Give a model as `elf train` writes it, with encoder.safetensors; of an official checkpoint, set encoder.",
        )
    check_parameters(teacher.encoder_params, encoder_parameter_shapes(teacher.encoder), "the encoder")
    check_told(values, teacher)
    config = build_config(DistillConfig, completed(values, teacher, folder))
    check_agreement(config, teacher, folder)
    return config, teacher


def open_teacher(name: str, values: dict[str, Any]) -> TrainedModel:
    """The teacher, with what a configuration's fields say of a checkpoint that does not say it itself."""
    lengths = values["elf"] if isinstance(values.get("elf"), dict) else {}
    task = values.get("teacher_task")
    if task is not None and task not in TASKS:
        raise ConfigError(f"teacher_task is {task!r}", f"Choose one of {', '.join(TASKS)}.")
    # Of another type than they should be, they are refused when the whole configuration is read.
    given = {field: values[field] for field in ("encoder", "tokenizer") if isinstance(values.get(field), str)}
    sizes = {field: lengths[field] for field in LENGTHS if isinstance(lengths.get(field), int)}
    options = CheckpointOptions(**given, **sizes, task=task, raw=values.get("teacher_weights") == "raw")
    return open_model(name, options=options, where_needed=True).in_memory()


def is_foreign(teacher: TrainedModel) -> bool:
    """Whether another code trained it, whose settings nobody wrote down."""
    return teacher.exported is None and "config" not in teacher.training and "format" in teacher.training


def check_told(values: dict[str, Any], teacher: TrainedModel) -> None:
    """Raises ConfigError where the teacher is an exported folder, which says nothing of these, and nothing else does:
    the defaults would teach what it never learnt."""
    if teacher.exported is None:
        return
    flow = values["flow"] if isinstance(values.get("flow"), dict) else {}
    given = {**values, **{f"flow.{name}": value for name, value in flow.items()}}
    # The official recipe says that filling is unseen.
    wanted = ["pad_token"] + ["filling"] * (values.get("pad_token") == "eos" and values.get("recipe") != "official")
    wanted += [f"flow.{each.name}" for each in fields(FlowConfig) if each.name.startswith("decoder_")]
    if not teacher.elf.max_input_length:
        wanted.remove("flow.decoder_condition")
    if lacking := [name for name in wanted if given.get(name) is None]:
        raise ConfigError(
            f"the teacher is an exported folder, which does not say {', '.join(lacking)}",
            "Set them as the teacher's training had them, or give its `model` folder, which says them.",
        )


def taught(teacher: TrainedModel) -> dict[str, Any]:
    """Fields of a configuration that the teacher decides, beside its architecture, encoder and tokenizer."""
    official = not isinstance(teacher.latent_mean, np.ndarray)
    decided = {"latent_normalisation": "official" if official else "measured"}
    settings = teacher.training.get("config", {})
    if "pad_token" in settings:
        # What encoded the teacher's latents encodes the student's; without a word of it, filling was seen.
        decided |= {"pad_token": settings["pad_token"], "filling": settings.get("filling") or "seen"}
    elif is_foreign(teacher):
        # In the official code filling is never seen, whatever it is.
        decided |= {"filling": "unseen"}
    return decided


def completed(values: dict[str, Any], teacher: TrainedModel, folder: Path) -> dict[str, Any]:
    """`values` over what the teacher says, group by group."""
    known: dict[str, Any] = {
        "encoder": str(folder),
        # As official trainings have it; a foreign checkpoint does not say.
        **({"pad_token": "eos" if teacher.elf.max_input_length else "pad"} if is_foreign(teacher) else {}),
        "elf": asdict(teacher.elf),
        "flow": asdict(teacher.flow),
        **({"tokenizer": str(teacher.tokenizer)} if teacher.tokenizer else {}),
        **{name: teacher.training[name] for name in ("corpus", "licence") if name in teacher.training},
        **({} if "steps" in values else {"epochs": 1.0}),
        **taught(teacher),
    }
    groups = {name: {**known[name], **values[name]} for name in GROUPS if isinstance(values.get(name), dict)}
    return known | values | groups


def check_agreement(config: DistillConfig, teacher: TrainedModel, folder: Path) -> None:
    """Raises CheckpointMismatchError naming the field."""
    pairs = [(f"elf.{name}", getattr(config.elf, name), value) for name, value in asdict(teacher.elf).items()]
    pairs += [(f"flow.{name}", getattr(config.flow, name), getattr(teacher.flow, name)) for name in PATH_CONSTANTS]
    pairs += [(name, getattr(config, name), value) for name, value in taught(teacher).items()]
    for name, ours, theirs in pairs:
        if ours != theirs:
            raise CheckpointMismatchError(
                f"{name} is {ours!r}, but the teacher's is {theirs!r}", f"Leave {name} out: the teacher decides it."
            )
    if not is_foreign(teacher) and config.encoder != str(folder) and not _same_encoder(config.encoder, teacher):
        raise CheckpointMismatchError(
            f"encoder {config.encoder} is not the one that the teacher was trained with",
            "Leave encoder out: the teacher's folder holds it.",
        )
    if teacher.tokenizer and not _same_tokenizer(config.tokenizer, teacher.tokenizer):
        raise CheckpointMismatchError(
            f"tokenizer {config.tokenizer} is not the one that the teacher was trained with",
            "Leave tokenizer out: the teacher's folder holds it.",
        )


def _same_encoder(name: str, teacher: TrainedModel) -> bool:
    config, params = load_encoder(name)
    theirs = teacher.encoder_params
    same_names = config == teacher.encoder and params.keys() == theirs.keys()
    return same_names and all(np.array_equal(params[name], theirs[name]) for name in params)


def _same_tokenizer(name: str, theirs: Path) -> bool:
    return load_tokenizer(tokenizer_file(name)).content() == load_tokenizer(theirs).content()
