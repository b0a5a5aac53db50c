"""Go on with a small T5 encoder by supervised translation, part of how T5's own weights were made."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.config import T5Config
from elf.data.corpus import take_evenly
from elf.data.rows import Batch, TokenDataset, check_vocabulary, open_pairs, training_batches
from elf.data.tokenizer import EOS
from elf.devices import make_mesh
from elf.errors import CheckpointError, ConfigError
from elf.models.text_encoder import latent_statistics, load_encoder, save_encoder
from elf.models.trained_model import FlatParams
from elf.network.encoder import T5Encoder
from elf.network.modules import Params, abstract, bind, split
from elf.text_file import json_value
from elf.training.loop import LoopConfig, run_loop
from elf.training.optimizer import Fitted, OptimizerConfig, Update, make_optimizer
from elf.training.step_inputs import training_visibility
from elf.yardstick.train import target_loss
from elf.yardstick.translate import PairBatch, collate_pairs, mean_target_length, pair_batches
from elf.yardstick.translator import Translator, TranslatorConfig

MEASURED = 1000
"""Held-out pairs, evenly spread."""
LABEL_SMOOTHING = 0.1


@dataclass(frozen=True)
class Arguments:
    data: Path
    """Pairs of `elf prepare` or `elf yardstick translate`: from the language to teach into the one to hold."""
    encoder: Path
    """The encoder to go on with, as in TrainConfig."""
    out: Path
    """Output folder; a run found there is resumed."""
    held_out: Path | None = None
    """Pairs to tell the cross-entropy of, at the end."""
    steps: int = 2000
    batch_size: int = 256
    """Pairs an update translates."""
    decoder_layers: int = 1
    """Few, so that the encoder has to do the work."""
    max_input_length: int = 24
    """Most tokens of a source, as in the flow."""
    length: int = 32
    """Positions of the windows, source and target side by side as the flow sees them, in which targets are held."""
    windows: int = 64
    """Of these an update sees."""
    hold: float = 10.0
    """Weight of the targets' drift: mean squared distance from where they were, as a share of the latents' variance."""
    label_drop: float = 0.15
    """Share of the windows whose target does not see its source."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    checkpoint_minutes: float = 3.0
    seed: int = 0
    optimizer: OptimizerConfig = field(
        default_factory=lambda: OptimizerConfig(blr=0.03, schedule="cosine", warmup_steps=50)
    )

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.windows) < 1:
            raise ConfigError("steps, batch-size and windows must be at least 1", "Raise them.")
        if not self.hold >= 0 or not 0 <= self.label_drop < 1:
            raise ConfigError("hold must be at least 0, and label-drop in [0, 1)", "Correct the value.")


class Lesson(NamedTuple):
    pairs: PairBatch
    windows: Batch


def main(arguments: Arguments) -> None:
    """Go on with a small T5 encoder by supervised translation, part of how T5's own weights were made.

    A decoder of one layer learns to write the translation from the source's embeddings, so what a source word means
    in the other language moves into its embedding. The decoder is thrown away. What the encoder makes of targets is
    held where it was: a flow goes on from its weights, and texts of the target language still suit flows of the old
    encoder.
    """
    dataset = open_pairs(arguments.data)
    held_out = None if arguments.held_out is None else open_pairs(arguments.held_out)
    config, before = load_encoder(arguments.encoder)
    for pairs in (dataset, held_out):
        if pairs is not None:
            check_vocabulary(pairs, config.vocabulary_size)
    teacher = Teacher(arguments, config, before, dataset)

    def batches(start: int) -> Iterator[Lesson]:
        pairs = pair_batches(
            dataset, teacher.decoder_config, batch_size=arguments.batch_size, seed=arguments.seed, start=start
        )
        windows = training_batches(
            dataset,
            batch_size=arguments.windows,
            length=arguments.length,
            pad_token=EOS,
            seed=arguments.seed + 1,
            start=start,
            max_input_length=arguments.max_input_length,
        )
        return map(Lesson, pairs, windows)

    (params, _), seconds = run_loop(
        LoopConfig(arguments.steps, arguments.checkpoint_minutes),
        arguments.out,
        teacher.start(),
        batches,
        teacher.update,
        round(arguments.batch_size * mean_target_length(dataset, teacher.decoder_config)),
    )
    report: dict[str, Any] = {"steps": arguments.steps, "seconds": round(seconds)}
    if held_out is not None:
        report["held_out_loss"] = round(teacher.cross_entropy(params, held_out), 3)
    facts = encoder_record(arguments.encoder) | {"translation": report | {"data": str(arguments.data)}}
    save_encoder(arguments.out, config, part_of(params, "encoder"), facts)
    print(json.dumps(report))


def decoder_config(arguments: Arguments, config: T5Config) -> TranslatorConfig:
    """The decoder under an encoder of `config`, with room for every pair that the windows hold whole: half of a pair
    teaches a wrong translation."""
    least = TranslatorConfig()
    return TranslatorConfig(
        hidden_size=config.d_model,
        heads=config.heads,
        encoder_layers=0,
        decoder_layers=arguments.decoder_layers,
        feed_forward_size=config.d_ff,
        vocabulary_size=config.vocabulary_size,
        max_input_length=max(least.max_input_length, arguments.max_input_length),
        max_output_length=max(least.max_output_length, arguments.length),
    )


class Teacher:
    """The update of encoder and decoder together, and the measure of both."""

    def __init__(self, arguments: Arguments, config: T5Config, before: FlatParams, dataset: TokenDataset):
        self.arguments = arguments
        self.before: Params = {name: jnp.asarray(value) for name, value in before.items()}
        dtype = jnp.dtype(arguments.compute_dtype)
        self.decoder_config = decoder_config(arguments, config)
        self._encoder, _ = abstract(T5Encoder, config, dtype)
        self._decoder, decoder = split(
            Translator(self.decoder_config, rngs=nnx.Rngs(arguments.seed), compute_dtype=dtype)
        )
        # The encoder's own words, so that what an embedding means is told in the encoder's language from the start.
        self._decoder_start = decoder | {"embedding": self.before["shared/embedding"]}
        self._optimizer = make_optimizer(arguments.optimizer, arguments.batch_size, arguments.steps)
        self._tokens = arguments.batch_size * mean_target_length(dataset, self.decoder_config)
        _, std = latent_statistics(config, before, dataset, arguments.length, arguments.max_input_length)
        self._variance = float(np.mean(std**2))
        self._key = jax.random.key(arguments.seed)
        self._learn = Update(
            self._loss, self._optimizer, make_mesh(), arguments.batch_size, arguments.windows, fixed=self.before
        )
        self._sums = jax.jit(self._held_out_sums)

    def start(self) -> Fitted:
        params = {f"encoder/{name}": value for name, value in self.before.items()}
        return self._learn.start(params | {f"decoder/{name}": value for name, value in self._decoder_start.items()})

    def update(self, state: Fitted, lesson: Lesson, step: int) -> tuple[Fitted, dict[str, jax.Array]]:
        """Metrics: `loss`, nats per target token, and `drift`, of the targets, as a share of the latents' variance."""
        windows = (lesson.windows.ids, lesson.windows.source_length)
        return self._learn(state, (lesson.pairs.arrays(), windows), step)

    def cross_entropy(self, params: Params, pairs: TokenDataset) -> float:
        """Nats per token of MEASURED pairs' targets."""
        rows = take_evenly(range(len(pairs)), MEASURED)
        total = tokens = 0.0
        for at in range(0, len(rows), self.arguments.batch_size):
            part = [pairs[row] for row in rows[at : at + self.arguments.batch_size]]
            batch = collate_pairs(part, self.decoder_config, filled_to=self.arguments.batch_size)
            nll, count = self._sums(params, *batch.arrays())
            total, tokens = total + float(nll), tokens + float(count)
        return total / tokens

    def _translation(self, params: Params, source, source_length, target, target_length):
        """Smoothed and plain cross-entropy, summed over the target's tokens, and how many these are."""
        real = jnp.arange(source.shape[1]) < source_length[:, None]
        embeddings = bind(self._encoder, part_of(params, "encoder"))(source, real)
        decoder = bind(self._decoder, part_of(params, "decoder"))
        logits = decoder.logits_after(decoder.read(embeddings), real, target)
        return target_loss(logits, target, target_length, LABEL_SMOOTHING)

    def _held_out_sums(self, params: Params, *pairs: jax.Array) -> tuple[jax.Array, jax.Array]:
        return self._translation(params, *pairs)[1:]

    def _drift(self, params: Params, before: Params, windows: tuple[jax.Array, jax.Array], dropped: jax.Array):
        ids, source_length = windows
        visible = training_visibility(source_length, dropped, ids.shape[1])
        now, then = (bind(self._encoder, part)(ids, visible) for part in (part_of(params, "encoder"), before))
        target = jnp.arange(ids.shape[1])[None, :] >= source_length[:, None]
        moved = jnp.mean((now - then) ** 2, axis=-1)
        return jnp.where(target, moved, 0.0).sum() / target.sum() / self._variance

    def _loss(self, params: Params, step: jax.Array, rows: Any, before: Params) -> tuple[jax.Array, dict[str, Any]]:
        pairs, windows = rows
        key = jax.random.fold_in(self._key, step)
        dropped = jax.random.uniform(key, (len(windows[0]),)) < self.arguments.label_drop
        smoothed, nll, count = self._translation(params, *pairs)
        drift = self._drift(params, before, windows, dropped)
        return smoothed / self._tokens + self.arguments.hold * drift, {"loss": nll / count, "drift": drift}


def part_of(params: Params, part: str) -> Params:
    """The weights of the encoder or of the decoder, by their own names."""
    return {name[len(part) + 1 :]: value for name, value in params.items() if name.startswith(f"{part}/")}


def encoder_record(folder: Path) -> dict[str, Any]:
    """What `elf pretrain-encoder` noted of the encoder; nothing of one that came from elsewhere."""
    file = folder / "encoder.json"
    if not file.is_file():
        return {}
    try:
        return {name: value for name, value in json_value(file.read_text(encoding="utf-8")).items() if name != "config"}
    except (OSError, ValueError, AttributeError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", "Copy the folder again.") from error
