"""Train the yardstick of translation: a plain encoder-decoder Transformer on pairs, to compare an ELF's BLEU with."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elf.config_file import load_config
from elf.data.corpus import pick_evenly
from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.rows import check_vocabulary, open_pairs
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError
from elf.models.text_encoder import tokenizer_file
from elf.progress import say
from elf.training.loop import LoopConfig, run_loop
from elf.training.run_record import PLACES, command_line, plain, remember_settings
from elf.yardstick.step import PairBatch, State, YardstickConfig, make_update, mean_target_length, pair_batches
from elf.yardstick.translate import HeldOut, check_sources
from elf.yardstick.translator import StoredTranslator, save_translator


@dataclass(frozen=True)
class Arguments:
    config: Path
    """YAML of an experiment, see configs/translate-yardstick.yml."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: steps=100 optimizer.blr=0.02 …"""


def main(arguments: Arguments) -> None:
    """Train the yardstick of translation: a plain encoder-decoder Transformer on pairs, to compare an ELF's BLEU
    with.

    Every few hundred updates metrics.jsonl tells, besides the losses, what the updates have cost so far and what the
    averaged weights make of held-out pairs. The same command resumes.
    """
    config = load_config(YardstickConfig, arguments.config, arguments.overrides)
    tokenizer_path = tokenizer_file(config.tokenizer)
    tokenizer = load_tokenizer(tokenizer_path)
    known = tokenizer.get_vocab_size()
    if known > config.network.vocabulary_size:
        raise ConfigError(
            f"the tokenizer has {known:,} ids, network.vocabulary_size is {config.network.vocabulary_size:,}",
            f"Set network.vocabulary_size={known}.",
        )
    dataset = open_pairs(config.data)
    check_vocabulary(dataset, config.network.vocabulary_size)
    rows = partial(stream_evaluation_rows, config.held_out, tokenizer, config.network.max_input_length)
    total = check_sources(rows(), config.held_out)
    for_loss, for_bleu = pick_evenly(rows(quiet=True), total, config.loss_pairs, config.bleu_pairs)
    measured = HeldOut(config.network, tokenizer)

    state, learn = make_update(config, mean_target_length(dataset, config.network))
    size = sum(value.size for value in state.learnt.params.values())
    say(
        f"{config.name}: {size:,} parameters, {config.steps:,} steps of {config.batch_size} of {len(dataset):,} pairs, "
        f"{config.steps * config.batch_size / len(dataset):.3g} epochs"
    )
    remember_settings(config)

    def update(state: State, batch: PairBatch, step: int) -> tuple[State, dict[str, jax.Array]]:
        state, metrics = learn(state, batch)
        done = step + 1
        if done % config.evaluate_every and done != config.steps:
            return state, metrics
        figures = {
            "update_seconds": float(state.update_seconds),
            "processor_seconds": float(state.processor_seconds),
            "held_out_loss": measured.cross_entropy(state.learnt.ema, for_loss),
            "bleu": measured.bleu(state.learnt.ema, for_bleu)[0]["bleu"],
        }
        say(f"held out, after {done} updates: loss {figures['held_out_loss']:.4f}, BLEU {figures['bleu']:.2f}")
        return state, metrics | {name: jnp.asarray(value) for name, value in figures.items()}

    def batches(start: int) -> Iterator[PairBatch]:
        return pair_batches(dataset, config.network, batch_size=config.batch_size, seed=config.seed, start=start)

    def save_model(state: State, done: int, seconds: float) -> None:
        facts = training_facts(config, arguments, state, done, seconds) | {"parameters": size, "pairs": len(dataset)}
        params = {name: np.asarray(value) for name, value in state.learnt.ema.items()}
        save_translator(StoredTranslator(config.network, params, tokenizer_path, facts), config.out / "model")

    run_loop(
        LoopConfig(
            config.steps,
            checkpoint_minutes=config.checkpoints.minutes,
            checkpoint_steps=config.checkpoints.steps,
            log_every=config.log_every,
            keep=config.checkpoints.keep,
            steps_per_epoch=len(dataset) / config.batch_size,
        ),
        config.out,
        state,
        batches,
        update,
        round(config.batch_size * mean_target_length(dataset, config.network)),
        on_checkpoint=save_model,
    )


def training_facts(
    config: YardstickConfig, arguments: Arguments, state: State, done: int, seconds: float
) -> dict[str, Any]:
    """How the model came to be, without a path: where a machine keeps its files is nobody's business."""
    return {
        "command": command_line("yardstick train", arguments.config, arguments.overrides),
        "corpus": config.corpus,
        "licence": config.licence,
        "steps": done,
        "batch_size": config.batch_size,
        "seconds": round(seconds),
        "update_seconds": round(float(state.update_seconds), 1),
        "processor_seconds": round(float(state.processor_seconds), 1),
        "settings": {name: value for name, value in plain(config).items() if name not in PLACES},
    }
