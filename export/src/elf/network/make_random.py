"""Write a model with random weights, tokenizer and T5 encoder included: for tests and speed, not for text."""

import json
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from elf.config import PRESETS, ElfConfig, FlowConfig, T5Config
from elf.data.tokenizer import EOS, PAD, UNK, train_tokenizer
from elf.errors import UsageError
from elf.network.parameters import Shapes, encoder_parameter_shapes, parameter_shapes
from elf.network.trained_model import FlatParams, TrainedModel, save_trained_model

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
    """Folder to write the model into."""
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
    self_cond_cfg_tokens: int | None = None
    """Prefix tokens of the self-conditioning scale, 0 for a network without; the preset's unless given."""


def random_params(shapes: Shapes, seed: int) -> FlatParams:
    """A random weight for every shape, such that activations keep the size they have in a trained model.

    Kernels (in, out) are N(0, 1/in), so a product keeps the size of what it multiplies; biases and learned tokens are
    small; norm gains lie around 1. No weight is zero, not even those of the head, which training starts at zero: each
    one must show in the output, or a graph that drops it would pass for the model.
    """
    generator = np.random.default_rng(seed)
    params: FlatParams = {}
    for name, shape in shapes.items():
        draws = generator.standard_normal(shape, np.float32)
        if name.endswith("/weight"):
            params[name] = np.float32(1) + np.float32(0.1) * draws
        elif name.endswith("kernel"):
            params[name] = draws / np.float32(np.sqrt(shape[0]))
        elif name.endswith("rel_embedding") or name.endswith("shared/embedding"):
            params[name] = draws
        else:
            params[name] = np.float32(0.1) * draws
    for name in params:
        # T5's scores are not divided by √d_kv, so its queries have to be small.
        if name.endswith("SelfAttention/q/kernel"):
            params[name] *= np.float32(0.3)
    if "unembed_bias" in params:
        # A smaller x̂ keeps a whole run from magnifying rounding errors, as training does.
        params["final_layer/linear/kernel"] *= np.float32(0.8)
        # Attention makes positions alike; a strong input keeps their tokens different.
        params["text_proj/proj2/kernel"] *= np.float32(3)
        # GELU's outputs have a mean above zero: columns that sum to zero keep it from favouring one token everywhere.
        params["unembed_kernel"] -= params["unembed_kernel"].mean(axis=0)
        # An eos would end the text; random weights would write it anywhere.
        params["unembed_bias"][[PAD, EOS, UNK]] -= np.float32(10)
    return params


def random_model(
    config: ElfConfig, name: str = "tiny-model", seed: int = 0, encoder: bool = True, tokenizer: Path | None = None
) -> TrainedModel:
    """A whole random model. Its flow starts from noise of scale 1, and its latents have mean 0 and deviation 1."""
    t5 = None
    if encoder:
        t5 = T5Config(
            vocabulary_size=config.vocabulary_size, d_model=config.latent_size, d_kv=8, d_ff=64, layers=2, heads=4
        )
    # Per-dimension statistics, the general case. Offsets as large as the spread are what small encoders have.
    statistics = np.random.default_rng(seed + 1)
    return TrainedModel(
        name=name,
        elf=config,
        flow=FlowConfig(noise_scale=1.0),
        params=random_params(parameter_shapes(config), seed),
        encoder=t5,
        encoder_params=random_params(encoder_parameter_shapes(t5), seed + 2) if t5 else {},
        latent_mean=statistics.normal(0, 1, config.latent_size).astype(np.float32),
        latent_std=statistics.uniform(0.5, 1.5, config.latent_size).astype(np.float32),
        tokenizer=tokenizer,
        training={"note": f"random weights from seed {seed}, never trained"},
    )


def main(arguments: Arguments) -> None:
    presets = {"tiny": TINY, "tiny-conditional": TINY_CONDITIONAL, **PRESETS}
    if arguments.preset not in presets:
        raise UsageError(f"there is no preset {arguments.preset!r}", f"Choose one of {', '.join(presets)}.")
    fields = dict(vars(presets[arguments.preset]))
    changeable = ("vocabulary_size", "max_length", "max_input_length", "self_cond_cfg_tokens")
    fields |= {field: value for field in changeable if (value := getattr(arguments, field)) is not None}
    config = ElfConfig(**fields)
    with tempfile.TemporaryDirectory() as folder:
        tokenizer = None
        # These few sentences hold no more pieces; a larger vocabulary works on bare ids.
        if config.vocabulary_size == TINY.vocabulary_size:
            tokenizer = Path(folder) / "tokenizer.json"
            train_tokenizer(PLAIN_TEXT, config.vocabulary_size, sentinels=1).save(str(tokenizer))
        name = arguments.name or arguments.out.name
        model = random_model(config, name, arguments.seed, arguments.encoder, tokenizer)
        save_trained_model(model, arguments.out)
    parameters = sum(value.size for value in model.params.values())
    print(json.dumps({"out": str(arguments.out), "preset": arguments.preset, "parameters": parameters}))
