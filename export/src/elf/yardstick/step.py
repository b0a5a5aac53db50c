"""One update of a yardstick, and its batches: label-smoothed cross-entropy, ELF's optimizer, averaged weights, and the
cost."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple

import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from elf.data.rows import ENDLESS, TokenDataset, TokenRow, check_ids
from elf.data.tokenizer import EOS, PAD
from elf.devices import check_batch, global_rows, make_mesh, replicated
from elf.errors import ConfigError
from elf.network.modules import Params, bind, split
from elf.progress import say
from elf.training.optimizer import OptimizerConfig, averaged_weights, descend, ema_decay, make_optimizer
from elf.training.train_config import CheckpointConfig
from elf.yardstick.translator import Translator, TranslatorConfig, dropout

# --- Pairs as batches of few shapes: rows of like length together, so that little time goes into filling ------------
#
# Each batch is a function of (seed, step) alone, so a resumed run reads on where it was.

LENGTHS = (8, 12, 16, 24)
"""Tokens of source or target that a batch may be cut to, besides the longest: each is compiled once."""
POOL = 16
"""Batches that are sorted by length together, and then come in random order."""
SAMPLE = 512
"""Rows, evenly spread, that tell how long targets are."""


@dataclass(frozen=True)
class PairBatch:
    source: np.ndarray
    """(B, S) int32, filled up with pad."""
    source_length: np.ndarray
    """(B,) int32."""
    target: np.ndarray
    """(B, T) int32, eos behind the last token, filled up with pad."""
    target_length: np.ndarray
    """(B,) int32, eos counted."""

    def arrays(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        return self.source, self.source_length, self.target, self.target_length


def collate_pairs(rows: Sequence[TokenRow], config: TranslatorConfig, filled_to: int | None = None) -> PairBatch:
    """Rows of (source ids, target ids) in the smallest shape of LENGTHS that holds them, or in the longest.

    What is too long is cut; a target that was cut has no eos. `filled_to` asks for so many rows, the last ones empty,
    in the longest shape, so that every batch has the same. Raises DatasetError for ids outside the vocabulary.
    """
    inputs, outputs = config.max_input_length, config.max_output_length
    if filled_to is None:
        longest = max(map(_length, rows))
        most = next((length for length in LENGTHS if length >= longest), max(inputs, outputs))
        inputs, outputs = min(most, inputs), min(most, outputs)
    count = filled_to or len(rows)
    source, target = (np.full((count, length), PAD, np.int64) for length in (inputs, outputs + 1))
    source_length, target_length = np.zeros(count, np.int32), np.zeros(count, np.int32)
    for i, (source_ids, target_ids) in enumerate(rows):
        ids = source_ids[:inputs]
        source[i, : len(ids)], source_length[i] = ids, len(ids)
        ids = target_ids[:outputs] if len(target_ids) > outputs else np.append(target_ids, EOS)
        target[i, : len(ids)], target_length[i] = ids, len(ids)
    for ids in (source, target):
        check_ids(ids, config.vocabulary_size)
    return PairBatch(source.astype(np.int32), source_length, target.astype(np.int32), target_length)


def pair_batches(
    dataset: TokenDataset, config: TranslatorConfig, *, batch_size: int, seed: int, start: int = 0
) -> Iterator[PairBatch]:
    """Batches `start`, `start` + 1, … without end; epochs follow each other, and no row is left out."""
    rows = grain.MapDataset.source(dataset).shuffle(seed % 2**32).repeat(max(1, ENDLESS // len(dataset)))
    first = start // POOL
    pools = rows.batch(POOL * batch_size, batch_fn=list)[first:]
    ahead = pools.to_iter_dataset(grain.ReadOptions(num_threads=1, prefetch_buffer_size=1))
    for number, pool in enumerate(ahead, first):
        pool.sort(key=_length)
        order = np.random.default_rng((seed % 2**32, number)).permutation(POOL)
        for at in order[start % POOL if number == first else 0 :]:
            yield collate_pairs(pool[at * batch_size : (at + 1) * batch_size], config)


def mean_target_length(dataset: TokenDataset, config: TranslatorConfig) -> float:
    """Tokens that a row teaches, its end counted, by a sample of the dataset."""
    sample = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    return float(np.mean([min(len(dataset[int(i)][1]), config.max_output_length) + 1 for i in sample]))


def _length(row: TokenRow) -> int:
    return max(map(len, row))


# --- One update -----------------------------------------------------------------------------------------------------


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
