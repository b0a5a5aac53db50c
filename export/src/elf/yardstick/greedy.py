"""Greedy translations of a yardstick, and its figures on held-out pairs."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.data.evaluation_rows import EvaluationRow
from elf.data.rows import NO_TOKENS, TokenRow
from elf.data.tokenizer import EOS, PAD, Tokenizer
from elf.errors import DatasetError
from elf.evaluation.scores import bleu_scores
from elf.network.modules import Params, abstract, bind
from elf.yardstick.batches import collate_pairs
from elf.yardstick.translator import Translator, TranslatorConfig, nothing_dropped

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
