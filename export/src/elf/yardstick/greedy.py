"""Translating: the likeliest token at every step, until all rows have ended, over the kept keys and values."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.data.dataset import NO_TOKENS
from elf.data.tokenizer import EOS, PAD
from elf.network.modules import Params, bind
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
