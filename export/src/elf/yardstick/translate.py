"""Pairs as batches, and greedy translations of them by a yardstick: measured, or written as targets that are easier to
learn."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import grain
import jax
import jax.numpy as jnp
import numpy as np
import tyro
from flax import nnx

from elf.data.evaluation_rows import EvaluationRow, stream_evaluation_rows
from elf.data.prepare import RowWriter
from elf.data.rows import ENDLESS, NO_TOKENS, TokenDataset, TokenRow, check_ids, check_vocabulary, open_pairs
from elf.data.tokenizer import EOS, PAD, Tokenizer, load_tokenizer
from elf.errors import DatasetError, EmptyCorpusError, UsageError
from elf.evaluation.output_files import write_generation
from elf.evaluation.scores import bleu_scores
from elf.network.modules import Params, abstract, bind
from elf.paths import written_whole
from elf.progress import ticker
from elf.yardstick.translator import Translator, TranslatorConfig, load_translator, nothing_dropped

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


# --- Greedy translations of a yardstick, and its figures on held-out pairs ------------------------------------------

ROWS = 64
"""Translated at a time, unless told."""


def greedy(translator: Translator, source: jax.Array, source_length: jax.Array) -> jax.Array:
    """source (B, S), source_length (B,) → ids (B, max_output_length + 1): tokens, eos, pad behind it.

    Rows of no tokens are filling, and stay pad.
    """
    config = translator.config
    B, length = len(source), config.max_output_length + 1
    real = jnp.arange(source.shape[1]) < source_length[:, None]
    memory = translator.encode(source, real)
    cos, sin = map(jnp.asarray, translator.turns(length))
    empty = jnp.zeros((B, length, config.heads, config.head_dim), translator.compute_dtype)

    def goes_on(state) -> jax.Array:
        at, _, ended, _ = state
        return (at < length) & ~ended.all()

    def write_token(state):
        at, ids, ended, kept = state
        before = jnp.where(at == 0, PAD, ids[:, at - 1])
        x = translator.embed(before)[:, None]
        turns = (cos[at][None], sin[at][None])
        seen = jnp.arange(length) <= at
        now = []
        for block, (keys, values), across in zip(translator.decoder, kept, memory, strict=True):
            normed = block.norm1(x)
            key, value = block.attn.keys_values(normed, turns)
            keys, values = keys.at[:, at].set(key[:, 0]), values.at[:, at].set(value[:, 0])
            now.append((keys, values))
            x = x + block.attn(normed, (keys, values), seen, turns)
            x = block.after_itself(x, across, real[:, None, None], turns, nothing_dropped)
        token = jnp.where(ended, PAD, translator.head(x[:, 0]).argmax(axis=-1))
        return at + 1, ids.at[:, at].set(token), ended | (token == EOS), now

    start = (0, jnp.full((B, length), PAD), source_length == 0, [(empty, empty) for _ in translator.decoder])
    _, ids, _, _ = jax.lax.while_loop(goes_on, write_token, start)
    return ids


def compile_greedy(
    graphdef: nnx.GraphDef[Translator], config: TranslatorConfig, at_once: int = ROWS
) -> Callable[..., list[np.ndarray]]:
    """translate(params, sources, on_progress) → the ids written of each source, in the order of `sources`.

    Sources are token ids (n,) each. What was written ends with eos, or is `max_output_length` + 1 tokens that came to
    no end. `on_progress(done)` is called after every `at_once` sources.
    """
    write = jax.jit(lambda params, source, length: greedy(bind(graphdef, params), source, length))

    def translate(
        params: Params, sources: Sequence[np.ndarray], on_progress: Callable[[int], None] = lambda done: None
    ) -> list[np.ndarray]:
        # Rows of like length end together.
        order = sorted(range(len(sources)), key=lambda row: len(sources[row]))
        written = [NO_TOKENS] * len(sources)
        for at in range(0, len(order), at_once):
            rows = order[at : at + at_once]
            batch = collate_pairs([(sources[row], NO_TOKENS) for row in rows], config, filled_to=at_once)
            ids = np.asarray(write(params, batch.source, batch.source_length))
            for row, its_ids in zip(rows, ids, strict=False):
                ends = np.flatnonzero(its_ids == EOS)
                written[row] = its_ids[: ends[0] + 1] if len(ends) else its_ids
            on_progress(at + len(rows))
        return written

    return translate


class HeldOut:
    """Compiled once for a network and its tokenizer; everything is float32."""

    def __init__(self, config: TranslatorConfig, tokenizer: Tokenizer):
        self.config, self.tokenizer = config, tokenizer
        graphdef, _ = abstract(Translator, config)
        self.translate = compile_greedy(graphdef, config)

        @jax.jit
        def sums(params: Params, source, source_length, target, target_length) -> tuple[jax.Array, jax.Array]:
            real = jnp.arange(source.shape[1]) < source_length[:, None]
            counts = jnp.arange(target.shape[1]) < target_length[:, None]
            log_p = jax.nn.log_softmax(bind(graphdef, params).logits(source, real, target))
            nll = -jnp.take_along_axis(log_p, target[..., None], axis=-1)[..., 0]
            return jnp.where(counts, nll, 0.0).sum(), counts.sum()

        self._sums = sums

    def cross_entropy(self, params: Params, rows: Sequence[EvaluationRow]) -> float:
        """Nats per token of the references, each with its end, given source and the reference's tokens before."""
        total = tokens = 0.0
        for at in range(0, len(rows), ROWS):
            part = [self.pair(row) for row in rows[at : at + ROWS]]
            batch = collate_pairs(part, self.config, filled_to=ROWS)
            nll, count = self._sums(params, *batch.arrays())
            total, tokens = total + float(nll), tokens + float(count)
        return total / tokens

    def bleu(
        self, params: Params, rows: Sequence[EvaluationRow], on_progress: Callable[[int], None] = lambda done: None
    ) -> tuple[dict[str, Any], list[str]]:
        """`bleu`, its 95 % interval and its signature, and the translations."""
        written = self.translate(params, [row.source_ids for row in rows], on_progress)
        texts = [self.tokenizer.decode(ids.tolist()) for ids in written]
        return bleu_scores(texts, [row.reference for row in rows], confidence=True).figures, texts

    def pair(self, row: EvaluationRow) -> TokenRow:
        ids = self.tokenizer.encode(row.reference, add_special_tokens=False).ids
        return row.source_ids, np.asarray(ids, np.int32)


def check_sources(rows: Iterable[EvaluationRow], name: object) -> int:
    """How many rows there are. Raises DatasetError where there is nothing to translate."""
    total = missing = 0
    for row in rows:
        total, missing = total + 1, missing + (not len(row.source_ids))
    if missing:
        raise DatasetError(
            f"{missing:,} of the {total:,} rows of {name} have no source",
            "Give a dataset that `elf prepare` made of pairs, or JSONL rows of input and output.",
        )
    return total


# --- Pairs whose targets a yardstick has written: the corpus of sequence-level distillation (Kim & Rush 2016) -------


@dataclass(frozen=True)
class TranslateArguments:
    model: Annotated[Path, tyro.conf.Positional]
    """The output folder of `elf yardstick train`, or its `model`."""
    data: str
    """Pairs to translate anew: a dataset of `elf prepare`, its `train` folder."""
    out: Path
    """Folder to write: the sources as they are, each with its translation. Ready once the command has ended."""
    apart: tuple[str, ...] = ()
    """Datasets of `elf prepare` to keep apart from: no translation that is a target there is written."""
    max_length: int | None = None
    """Most tokens of a row, source, translation and its end together: the `max_length` of the model to train."""
    at_once: int = 256
    """Sources translated together."""


def translate(arguments: TranslateArguments) -> None:
    """Pairs whose targets a yardstick has written: the corpus of sequence-level distillation (Kim & Rush 2016).

    People say one thing in many ways. A model that writes all positions at once learns to mix them; a greedy
    translator always says it in the same way, so its translations are easier to learn from (Gu et al. 2018, Zhou et
    al. 2020).
    """
    if arguments.at_once < 1:
        raise UsageError(f"--at-once is {arguments.at_once}", "Give at least 1, such as 256.")
    if arguments.max_length is not None and arguments.max_length < 3:
        raise UsageError(
            f"--max-length is {arguments.max_length}", "Give at least 3: one token of each side, and the end."
        )
    model = load_translator(arguments.model)
    pairs = open_pairs(arguments.data)
    check_vocabulary(pairs, model.config.vocabulary_size)
    reserved = {tuple(ids) for name in arguments.apart for ids in targets(name)}
    # What is longer would be read in part, and its translation be that of its beginning.
    read = [row for row in range(len(pairs)) if len(pairs[row][0]) <= model.config.max_input_length]
    sources = [pairs[row][0] for row in read]
    graphdef, _ = abstract(Translator, model.config)
    translate = compile_greedy(graphdef, model.config, arguments.at_once)
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    # First of all, so that a folder that cannot be written to is refused before the work, not after it.
    with RowWriter(arguments.out, ("input_ids", "condition_input_ids")) as writer:
        written = translate(params, sources, ticker("translating", len(sources)))
        rows, left_out = usable(zip(sources, written, strict=True), reserved, arguments.max_length)
        left_out["too_long"] += len(pairs) - len(read)
        if not rows:
            raise EmptyCorpusError(f"none of the {len(pairs):,} translations is of use", "Train the yardstick further.")
        writer.write(rows)
        writer.save()
    unchanged = sum(np.array_equal(ids[:-1], pairs[row][1]) for row, ids in zip(read, written, strict=True))
    print(json.dumps({"examples": len(rows), "tokens": writer.tokens, **left_out, "as_before": unchanged}))


def targets(name: str) -> list[list[int]]:
    pairs = open_pairs(name)
    return [pairs[row][1].tolist() for row in range(len(pairs))]


def usable(
    pairs: Iterable[TokenRow], reserved: set[tuple[int, ...]], max_length: int | None = None
) -> tuple[list[tuple[list[int], ...]], dict[str, int]]:
    """Rows of (translation without its end, source), and how many pairs were left out for which reason.

    `pairs` are (source ids, ids written); what came to no end is half a sentence, and no translation.
    """
    rows: list[tuple[list[int], ...]] = []
    left_out = {"unended": 0, "empty": 0, "too_long": 0, "reserved": 0}
    for source, ids in pairs:
        text = ids[:-1].tolist()
        if not len(ids) or ids[-1] != EOS:
            left_out["unended"] += 1
        elif not text:
            left_out["empty"] += 1
        elif max_length is not None and len(source) + len(ids) > max_length:
            left_out["too_long"] += 1
        elif tuple(text) in reserved:
            left_out["reserved"] += 1
        else:
            rows.append((text, source.tolist()))
    return rows, left_out


# --- Held-out pairs translated and measured: BLEU as `elf evaluate` takes it, and cross-entropy ---------------------


@dataclass(frozen=True)
class EvaluateArguments:
    model: Annotated[Path, tyro.conf.Positional]
    """The output folder of `elf yardstick train`, or its `model`."""
    data: str
    """Pairs that were not learnt: a dataset of `elf prepare` (its `held_out` folder), or JSONL of input and output."""
    samples: int | None = None
    """At most so many, the first ones, as `elf evaluate` takes them; all unless given."""
    generations: Path | None = None
    """JSONL file to write the translations to, as `elf score` reads it."""
    json: bool = False
    """Print one JSON object instead of a line to read."""


def evaluate(arguments: EvaluateArguments) -> None:
    """Translate held-out pairs with a yardstick, and measure: BLEU as `elf evaluate` takes it, and cross-entropy."""
    if arguments.samples is not None and arguments.samples < 1:
        raise UsageError(f"--samples is {arguments.samples}", "Give at least 1.")
    model = load_translator(arguments.model)
    tokenizer = load_tokenizer(model.tokenizer)
    with closing(stream_evaluation_rows(arguments.data, tokenizer, model.config.max_input_length)) as read:
        rows = [*islice(read, arguments.samples)]
    check_sources(rows, arguments.data)
    held_out = HeldOut(model.config, tokenizer)
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    begin = time.monotonic()
    figures, texts = held_out.bleu(params, rows, ticker("translating", len(rows)))
    seconds = time.monotonic() - begin
    if arguments.generations:
        arguments.generations.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(arguments.generations) as path, path.open("w", encoding="utf-8") as file:
            for row, text in zip(rows, texts, strict=True):
                write_generation(file, row.id, text)
    trained = {name: model.training.get(name) for name in ("steps", "update_seconds", "processor_seconds")}
    report = {
        "n": len(rows),
        **figures,
        "held_out_loss": held_out.cross_entropy(params, rows),
        "seconds": round(seconds, 1),
        **trained,
    }
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        low, high = report["bleu_ci"]
        print(
            f"BLEU {report['bleu']:.2f} [{low:.2f}, {high:.2f}] on {len(rows):,} pairs, "
            f"held-out loss {report['held_out_loss']:.4f} nats a token, after {report['steps']} updates"
        )
