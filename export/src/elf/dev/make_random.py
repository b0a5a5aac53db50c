"""Write a model of random weights, or a checkpoint in one of the official forms: for tests and speed, not text."""

import json
import math
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import numpy as np

from elf.config import PRESETS, ElfConfig, FlowConfig, SelfCondStart, T5Config
from elf.data.train_tokenizer import save_tokenizer, train_tokenizer
from elf.dev.random_checkpoint import ElfFormat, RandomWeights, T5Format, write_elf_checkpoint, write_t5
from elf.errors import UsageError
from elf.models.trained_model import FlatParams, TrainedModel, save_trained_model
from elf.network.parameters import Shapes, encoder_parameter_shapes, parameter_shapes

TINY = ElfConfig(
    depth=2, hidden_size=64, heads=4, latent_size=32, bottleneck_size=16, vocabulary_size=128, max_length=16
)
TINY_CONDITIONAL = ElfConfig(
    depth=2,
    hidden_size=32,
    heads=2,
    latent_size=16,
    bottleneck_size=8,
    vocabulary_size=128,
    max_length=16,
    max_input_length=6,
)

PLAIN_TEXT = [
    "A gardener planted seven beans along the garden wall and waited for the rain.",
    "The rain came in the evening, soft at first, then louder, until the gutters sang.",
    "By morning the smallest bean had opened one pale leaf and was looking for the sun.",
    "The gardener's daughter named it Captain and measured it with a wooden ruler.",
    "Every day she wrote the height in a blue book: two thumbs, three thumbs, a hand.",
    "A snail wanted Captain for breakfast, so she carried the snail to the far hedge.",
    "In July the beans climbed over the wall and greeted the neighbour's cat.",
    "The cat, who trusted nobody, sat below them and pretended to be asleep.",
    "When the pods were ripe they shared them out: four for the neighbour, four for the birds.",
    "The last bean went into the blue book, pressed flat, beside the tallest number.",
    "Winter wrote on the windows, and nobody wrote in the book for many weeks.",
    "Then one bright day the girl found the bean, and laughed, and went to fetch the spade.",
]


@dataclass(frozen=True)
class Arguments:
    out: Path
    """Folder to write the model into; the file, or Orbax's folder, of a checkpoint."""
    format: Literal["model", ElfFormat, T5Format] = "model"
    """A model of this project, tokenizer and T5 encoder included; or, as the official ones are published, a network's
    checkpoint (msgpack, orbax, torch, safetensors) or a T5 encoder (t5-…)."""
    preset: str = "tiny"
    """Size: tiny, tiny-conditional, ELF-B, ELF-M or ELF-L."""
    seed: int = 0
    """Seed of the weights."""
    name: str | None = None
    """Name of the model; the folder's name unless given."""
    encoder: bool = True
    """Include a small random T5 encoder."""
    vocabulary_size: int | None = None
    """V; the preset's unless given."""
    max_length: int | None = None
    """Most text tokens; the preset's unless given."""
    max_input_length: int | None = None
    """Most tokens of the source, 0 for a model that writes freely; the preset's unless given."""
    source_optional: bool = False
    """The model may be left without a source."""
    self_cond_cfg_tokens: int | None = None
    """Prefix tokens of the self-conditioning scale, 0 for a network without; the preset's unless given."""
    self_cond_start: SelfCondStart = "condition"
    """What x̂ starts with on a source, for models in this project's form."""


def random_params(shapes: Shapes, seed: int) -> FlatParams:
    """A random weight for every shape, see `RandomWeights`."""
    return dict(RandomWeights(shapes, seed))


def random_model(
    config: ElfConfig,
    name: str = "tiny-model",
    seed: int = 0,
    encoder: bool = True,
    tokenizer: Path | None = None,
    self_cond_start: SelfCondStart = "condition",
) -> TrainedModel:
    """A whole random model. Its flow starts from noise of scale 1, and its latents have mean 0 and deviation 1."""
    t5 = small_t5(config) if encoder else None
    # Per-dimension statistics, the general case. Offsets as large as the spread are what small encoders have.
    statistics = np.random.default_rng(seed + 1)
    return TrainedModel(
        name=name,
        elf=config,
        flow=FlowConfig(noise_scale=1.0, self_cond_start=self_cond_start),
        params=random_params(parameter_shapes(config), seed),
        encoder=t5,
        encoder_params=random_params(encoder_parameter_shapes(t5), seed + 2) if t5 else {},
        latent_mean=statistics.normal(0, 1, config.latent_size).astype(np.float32),
        latent_std=statistics.uniform(0.5, 1.5, config.latent_size).astype(np.float32),
        tokenizer=tokenizer,
        training={"note": f"random weights from seed {seed}, never trained"},
    )


def small_t5(config: ElfConfig) -> T5Config:
    """An encoder that a network can be given."""
    return T5Config(
        vocabulary_size=config.vocabulary_size, d_model=config.latent_size, d_kv=8, d_ff=64, layers=2, heads=4
    )


def main(arguments: Arguments) -> None:
    presets = {"tiny": TINY, "tiny-conditional": TINY_CONDITIONAL, **PRESETS}
    if arguments.preset not in presets:
        raise UsageError(f"there is no preset {arguments.preset!r}", f"Choose one of {', '.join(presets)}.")
    fields = dict(vars(presets[arguments.preset]))
    changeable = ("vocabulary_size", "max_length", "max_input_length", "self_cond_cfg_tokens")
    fields |= {field: value for field in changeable if (value := getattr(arguments, field)) is not None}
    config = ElfConfig(**fields | {"source_optional": arguments.source_optional})
    form = arguments.format
    if form == "model":
        parameters = write_model(arguments, config)
    elif form in get_args(ElfFormat):
        write_elf_checkpoint(arguments.out, form, config, arguments.seed)  # type: ignore[arg-type]
        parameters = count(parameter_shapes(config))
    else:
        # The encoder of an official model is T5-small.
        t5 = T5Config() if config.latent_size == T5Config.d_model else small_t5(config)
        write_t5(arguments.out, form, t5, arguments.seed)  # type: ignore[arg-type]
        parameters = count(encoder_parameter_shapes(t5))
    print(json.dumps({"out": str(arguments.out), "preset": arguments.preset, "parameters": parameters}))


def write_model(arguments: Arguments, config: ElfConfig) -> int:
    """A model's folder; returns how many weights its network has."""
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = None
        # These few sentences hold no more pieces; a larger vocabulary works on bare ids.
        if config.vocabulary_size == TINY.vocabulary_size:
            tokenizer = Path(folder) / "tokenizer.json"
            save_tokenizer(train_tokenizer(PLAIN_TEXT, config.vocabulary_size, sentinels=1), tokenizer)
        name = arguments.name or arguments.out.name
        start = arguments.self_cond_start
        model = random_model(config, name, arguments.seed, arguments.encoder, tokenizer, start)
        save_trained_model(model, arguments.out)
    return count(parameter_shapes(config))


def count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())
