"""Train the yardstick of translation: a plain encoder-decoder Transformer on pairs, to compare an ELF's BLEU with."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from elf.config_file import load_config
from elf.data.corpus import pick_evenly
from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.rows import check_vocabulary, open_pairs
from elf.data.tokenizer import load_tokenizer
from elf.devices import check_batch, global_rows, make_mesh, replicated
from elf.errors import ConfigError
from elf.models.text_encoder import tokenizer_file
from elf.network.modules import Params, bind, split
from elf.progress import say
from elf.training.loop import LoopConfig, run_loop
from elf.training.optimizer import OptimizerConfig, averaged_weights, descend, ema_decay, make_optimizer
from elf.training.run_record import PLACES, command_line, plain, remember_settings
from elf.training.train_config import CheckpointConfig
from elf.yardstick.translate import HeldOut, PairBatch, check_sources, mean_target_length, pair_batches
from elf.yardstick.translator import StoredTranslator, Translator, TranslatorConfig, dropout, save_translator

# --- One update: label-smoothed cross-entropy, the optimizer of ELFs, averaged weights, and the cost ----------------


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


class Learnt(NamedTuple):
    params: Params
    opt_state: Any
    ema: Params
    step: jax.Array
    """Updates done."""


class State(NamedTuple):
    learnt: Learnt
    update_seconds: np.ndarray
    """Of updates alone, over all sessions: without compiling, measuring and saving."""
    processor_seconds: np.ndarray
    """What they took of all cores together: on a busy machine the fairer measure."""


Update = Callable[[State, PairBatch], tuple[State, dict[str, jax.Array]]]


def smoothed_loss(logits: jax.Array, target: jax.Array, smoothing: float) -> tuple[jax.Array, jax.Array]:
    """logits (…, V), target (…) → cross-entropy with a mixture of the target and the uniform distribution, `smoothing`
    of the latter (Szegedy et al. 2016, section 7), and with the target alone; nats, (…) each."""
    normaliser = jax.nn.logsumexp(logits, axis=-1)
    nll = normaliser - jnp.take_along_axis(logits, target[..., None], axis=-1)[..., 0]
    return (1 - smoothing) * nll + smoothing * (normaliser - logits.mean(axis=-1)), nll


def target_loss(
    logits: jax.Array, target: jax.Array, target_length: jax.Array, smoothing: float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """`smoothed_loss`, both summed over the first `target_length` (B,) tokens of each row, and how many these are."""
    counts = jnp.arange(target.shape[1]) < target_length[:, None]
    smoothed, nll = (jnp.where(counts, part, 0.0).sum() for part in smoothed_loss(logits, target, smoothing))
    return smoothed, nll, counts.sum()


def make_update(config: YardstickConfig, mean_target_length: float) -> tuple[State, Update]:
    """The state at the start, and the update. Metrics: `loss`, nats per target token without the smoothing, under
    dropout; and `gradient_norm`.

    `mean_target_length`: tokens that a row teaches on average over the whole dataset.
    """
    graphdef, params = split(
        Translator(config.network, rngs=nnx.Rngs(config.seed), compute_dtype=jnp.dtype(config.compute_dtype))
    )
    optimizer = make_optimizer(config.optimizer, config.batch_size, config.steps)
    key = jax.random.key(config.seed)
    # A batch holds rows of like length. Divided by its own number of tokens, those of short rows would count for more.
    tokens = config.batch_size * mean_target_length

    def objective(params: Params, step: jax.Array, source, source_length, target, target_length):
        real = jnp.arange(source.shape[1]) < source_length[:, None]
        drop = dropout(jax.random.fold_in(key, step), config.dropout)
        logits = bind(graphdef, params).logits(source, real, target, drop)
        smoothed, nll, count = target_loss(logits, target, target_length, config.label_smoothing)
        return smoothed / tokens, nll / count

    def learn(learnt: Learnt, *batch: jax.Array) -> tuple[Learnt, dict[str, jax.Array]]:
        params, opt_state, ema, step = learnt
        (_, nll), gradients = jax.value_and_grad(objective, has_aux=True)(params, step, *batch)
        params, opt_state = descend(optimizer, (params, opt_state), gradients)
        ema = averaged_weights(ema, params, ema_decay(step, config.ema_decay))
        metrics = {"loss": nll, "gradient_norm": optax.tree.norm(gradients)}
        return Learnt(params, opt_state, ema, step + 1), metrics

    mesh = make_mesh()
    check_batch(mesh, config.batch_size)
    jitted = jax.jit(learn, donate_argnums=0, out_shardings=replicated(mesh))
    compiled: dict[tuple[int, ...], Callable] = {}

    def update(state: State, batch: PairBatch) -> tuple[State, dict[str, jax.Array]]:
        arrays = global_rows(mesh, batch.arrays())
        shape = (*batch.source.shape, *batch.target.shape)
        if shape not in compiled:
            say(f"compiling the update of {len(batch.source)} pairs of up to {batch.source.shape[1]} tokens")
            compiled[shape] = jitted.lower(state.learnt, *arrays).compile()
        begin, processor = time.monotonic(), time.process_time()
        learnt, metrics = jax.block_until_ready(compiled[shape](state.learnt, *arrays))
        seconds, processor = time.monotonic() - begin, time.process_time() - processor
        spent = (np.asarray(before + now) for before, now in zip(state[1:], (seconds, processor), strict=True))
        return State(learnt, *spent), metrics

    learnt = Learnt(params, optimizer.init(params), dict(params), jnp.zeros((), jnp.int32))
    # The averaged weights are to be buffers of their own: the update is handed all of them to write over.
    learnt = learnt._replace(ema=jax.tree.map(jnp.copy, learnt.ema))
    return State(jax.device_put(learnt, replicated(mesh)), np.zeros(()), np.zeros(())), update


# --- The training ---------------------------------------------------------------------------------------------------


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
