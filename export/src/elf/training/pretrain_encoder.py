"""Pre-train a small T5 encoder by masked denoising: hide some tokens, predict them from the rest."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal

import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from elf.config import T5Config, check_seed
from elf.data.rows import (
    ENDLESS,
    NO_TOKENS,
    PREFETCHED,
    THREADS,
    Batch,
    TokenDataset,
    TokenRow,
    check_vocabulary,
    collate_rows,
    open_dataset,
    open_pairs,
)
from elf.data.tokenizer import EOS, PAD, load_tokenizer, mask_token
from elf.devices import make_mesh
from elf.errors import ConfigError
from elf.models.text_encoder import save_encoder, spectrum
from elf.network.encoder import T5Encoder, encoder_from_params
from elf.network.modules import Params, bind, split
from elf.training.loop import LoopConfig, check_minutes, run_loop
from elf.training.optimizer import OptimizerConfig, Update, make_optimizer

ALONE = 4
"""One window in so many holds a single row."""
SAMPLE = 512
"""Rows, evenly spread, that tell how many fit into a window."""


def check_shares(datasets: int, shares: Sequence[float]) -> tuple[float, ...]:
    """One share a dataset, equal ones if none are given. Raises ConfigError."""
    if not shares:
        return (1 / datasets,) * datasets
    if len(shares) != datasets or any(not share > 0 for share in shares):
        raise ConfigError(
            f"there are {datasets} datasets and the shares {', '.join(map(str, shares))}",
            "Give as many numbers above 0, such as --shares 0.5 0.5, or none.",
        )
    return tuple(share / sum(shares) for share in shares)


def rows_per_window(dataset: TokenDataset, length: int) -> int:
    """How many rows of average length fill a window."""
    sample = np.unique(np.linspace(0, len(dataset) - 1, SAMPLE).astype(np.int64))
    mean = np.mean([sum(map(len, dataset[int(i)])) for i in sample])
    return max(1, round(length / (float(mean) + 1)))


def fill(number: int, rows: Sequence[TokenRow], length: int) -> TokenRow:
    """Window `number`: the first of `rows`, and those after it that fit whole into `length`, eos between them."""
    parts: list[np.ndarray] = []
    total = 0
    for source, text in rows if number % ALONE else rows[:1]:
        eos = [np.asarray([EOS], np.int32)] if parts else []
        total += len(source) + len(text) + len(eos)
        if parts and total > length:
            break
        parts += [*eos, source, text]
    return NO_TOKENS, np.concatenate(parts)


def windows(dataset: TokenDataset, length: int, seed: int) -> grain.MapDataset[TokenRow]:
    """Without end; a row that does not fit into its window is left out until the next epoch's order."""
    count = min(rows_per_window(dataset, length), len(dataset))
    rows = grain.MapDataset.source(dataset).shuffle(seed % 2**32).repeat(max(1, ENDLESS // len(dataset)))
    return rows.batch(count, batch_fn=list).map_with_index(partial(fill, length=length))


def encoder_batches(
    datasets: Sequence[TokenDataset],
    shares: Sequence[float],
    *,
    batch_size: int,
    length: int,
    vocabulary_size: int,
    seed: int,
    start: int = 0,
) -> Iterator[Batch]:
    """Batches `start`, `start` + 1, … without end; of their windows `shares` of each dataset, in turn."""
    mixed = grain.MapDataset.mix([windows(dataset, length, seed) for dataset in datasets], list(shares))
    collate = partial(collate_rows, length=length, pad_token=EOS, vocabulary_size=vocabulary_size)
    batches = mixed.batch(batch_size, batch_fn=collate)[start:]
    return iter(batches.to_iter_dataset(grain.ReadOptions(num_threads=THREADS, prefetch_buffer_size=PREFETCHED)))


def hide_tokens(
    key: jax.Array, ids: jax.Array, real: jax.Array, share: float, mask_id: int, vocabulary_size: int
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Chooses `share` of each row's real tokens and hides them.

    ids, real (B, L) → hidden ids (B, L), chosen positions (B, K), and which of these count (B, K): K is fixed, so a
    short row has fewer that do. Of the chosen 70 % are masked, 15 % replaced by another token, 15 % left as they are.
    """
    B, L = ids.shape
    K = max(1, round(share * L))
    order_key, fate_key, other_key = jax.random.split(key, 3)
    score = jnp.where(real, jax.random.uniform(order_key, (B, L)), -1.0)
    _, positions = jax.lax.top_k(score, K)
    wanted = jnp.maximum(1, jnp.round(share * real.sum(axis=1))).astype(jnp.int32)
    counts = (jnp.arange(K)[None, :] < wanted[:, None]) & jnp.take_along_axis(real, positions, axis=1)
    fate = jax.random.uniform(fate_key, (B, K))
    other = jax.random.randint(other_key, (B, K), 3, vocabulary_size)
    true = jnp.take_along_axis(ids, positions, axis=1)
    shown = jnp.where(fate < 0.7, mask_id, jnp.where(fate < 0.85, other, true))
    shown = jnp.where(counts, shown, true)
    hidden = jax.vmap(lambda row, at, value: row.at[at].set(value))(ids, positions, shown)
    return hidden, positions, counts


ROWS = 1000
AT_ONCE = 100


def sentence_embeddings(
    config: T5Config, params: Params | dict[str, np.ndarray], sentences: list[np.ndarray], length: int
) -> np.ndarray:
    """Mean output over each sentence's tokens, encoded alone, (n, D)."""
    encoder = encoder_from_params(config, {name: np.asarray(value) for name, value in params.items()})

    @jax.jit
    def mean(ids: jax.Array, real: jax.Array) -> jax.Array:
        outputs = jnp.where(real[..., None], encoder(ids, real), 0.0)
        return outputs.sum(axis=1) / real.sum(axis=1)[:, None]

    embeddings = []
    for at in range(0, len(sentences), AT_ONCE):
        batch = collate_rows([(NO_TOKENS, ids) for ids in sentences[at : at + AT_ONCE]], length, PAD)
        embeddings.append(np.asarray(mean(jnp.asarray(batch.ids), jnp.asarray(batch.real))))
    return np.concatenate(embeddings)


def retrieval_accuracy(
    config: T5Config, params: Params | dict[str, np.ndarray], pairs: TokenDataset, length: int
) -> float:
    """Share of the first ROWS pairs with different sides whose target is the nearest, by cosine, to the source.

    Each language's mean embedding is subtracted first: it says which language it is and nothing else.
    """
    seen: set[bytes] = set()
    chosen: list[list[np.ndarray]] = []
    for i in range(len(pairs)):
        sides = [side.astype(np.int32) for side in pairs[i]]
        keys = {side.tobytes() for side in sides}
        if len(chosen) < ROWS and not keys & seen:
            seen |= keys
            chosen.append(sides)
    sources, targets = (sentence_embeddings(config, params, [pair[side] for pair in chosen], length) for side in (0, 1))
    return nearest_is_own(sources - sources.mean(axis=0), targets - targets.mean(axis=0))


def nearest_is_own(sources: np.ndarray, targets: np.ndarray) -> float:
    """Share of rows i (n, D) whose nearest row of `targets` by cosine is row i."""
    normed = [rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (sources, targets)]
    return float(((normed[0] @ normed[1].T).argmax(axis=1) == np.arange(len(sources))).mean())


@dataclass(frozen=True)
class Arguments:
    data: tuple[Path, ...]
    """Datasets of `elf prepare` (their `train` folders). Pairs are read with both sides in one window, so that each
    language is predicted from the other too."""
    tokenizer: Path
    out: Path
    """Output folder; a run found there is resumed."""
    shares: tuple[float, ...] = ()
    """Of the windows, one a dataset; equal unless given."""
    pairs: Path | None = None
    """Held-out pairs, to say at the end how many of 1,000 sentences find their translation by the mean embedding."""
    steps: int = 2000
    batch_size: int = 128
    length: int = 64
    d_model: int = 128
    d_kv: int = 32
    d_ff: int = 512
    layers: int = 4
    heads: int = 4
    masked: float = 0.18
    """Share of tokens to predict."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    checkpoint_minutes: float = 3.0
    seed: int = 0
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(blr=4e-3, schedule="cosine"))

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.length) < 1:
            raise ConfigError("steps, batch-size and length must be at least 1", "Raise them.")
        check_minutes(self.checkpoint_minutes)
        check_seed(self.seed)


def main(arguments: Arguments) -> None:
    """Pre-train a small T5 encoder by masked denoising: hide some tokens, predict them from the rest.

    It stands in for T5's own weights where those can't be had. The head is the embedding table itself, so an output
    is close to its token's embedding and turned by context. Frozen afterwards.
    """
    tokenizer = load_tokenizer(arguments.tokenizer)
    datasets = [open_dataset(folder) for folder in arguments.data]
    shares = check_shares(len(datasets), arguments.shares)
    pairs = None if arguments.pairs is None else open_pairs(arguments.pairs)
    config = T5Config(
        vocabulary_size=tokenizer.get_vocab_size(),
        d_model=arguments.d_model,
        d_kv=arguments.d_kv,
        d_ff=arguments.d_ff,
        layers=arguments.layers,
        heads=arguments.heads,
    )
    for dataset in datasets:
        check_vocabulary(dataset, config.vocabulary_size)
    if not 0 < arguments.masked < 1:
        raise ConfigError(f"--masked is {arguments.masked}", "Give a share between 0 and 1, such as 0.18.")
    mask_id = mask_token(tokenizer)
    graphdef, params = split(
        T5Encoder(config, rngs=nnx.Rngs(arguments.seed), compute_dtype=jnp.dtype(arguments.compute_dtype))
    )
    optimizer = make_optimizer(arguments.optimizer, arguments.batch_size, arguments.steps)
    key = jax.random.key(arguments.seed)

    def loss(params: Params, step: jax.Array, rows: Any, fixed: None) -> tuple[jax.Array, dict[str, jax.Array]]:
        ids, real = rows
        hidden, positions, counts = hide_tokens(
            jax.random.fold_in(key, step), ids, real, arguments.masked, mask_id, config.vocabulary_size
        )
        output = bind(graphdef, params)(hidden)
        at = jnp.take_along_axis(output, positions[..., None], axis=1)
        dtype = jnp.dtype(arguments.compute_dtype)
        table = params["shared/embedding"] * config.d_model**-0.5
        logits = jnp.einsum("bkd,vd->bkv", at.astype(dtype), table.astype(dtype), preferred_element_type=jnp.float32)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.take_along_axis(ids, positions, axis=1))
        value = (losses * counts).sum() / counts.sum()
        return value, {"loss": value}

    learn = Update(loss, optimizer, make_mesh(), arguments.batch_size)

    def update(state, batch: Batch, step: int):
        return learn(state, (batch.ids, batch.real), step)

    def batches(start: int):
        return encoder_batches(
            datasets,
            shares,
            batch_size=arguments.batch_size,
            length=arguments.length,
            vocabulary_size=config.vocabulary_size,
            seed=arguments.seed,
            start=start,
        )

    (params, _), seconds = run_loop(
        LoopConfig(arguments.steps, arguments.checkpoint_minutes),
        arguments.out,
        learn.start(params),
        batches,
        update,
        arguments.batch_size * arguments.length,
    )
    facts: dict[str, Any] = {"steps": arguments.steps, "seconds": round(seconds), "masked": arguments.masked}
    facts |= {"data": [str(folder) for folder in arguments.data], "shares": shares}
    save_encoder(arguments.out, config, params, facts)
    report: dict[str, Any] = {"seconds": round(seconds)}
    for folder, dataset in zip(arguments.data, datasets, strict=True):
        report[str(folder)] = spectrum(config, params, dataset, arguments.length)
    if pairs:
        report["retrieval"] = round(retrieval_accuracy(config, params, pairs, arguments.length), 3)
    print(json.dumps(report))
