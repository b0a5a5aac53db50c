"""Generative perplexity: how surprised a judge, a language model trained on real text, is by generated text."""

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.devices import batch_sharding, make_mesh, on_host, on_mesh, replicated
from elf.errors import CheckpointError
from elf.evaluation.gpt2 import Gpt2
from elf.evaluation.judge import Judge
from elf.evaluation.scores import Scores, confidence_interval, counted_texts, mean_interval
from elf.evaluation.words import entropies
from elf.network.modules import Params, abstract, bind
from elf.progress import ticker

# The official rules (spec section 6), made exact:
#
# - A text is tokenised by the judge's tokenizer, and its first W tokens are judged; W is 1,024, or the most that the
#   judge takes. A text of fewer tokens is followed by one end-of-text token, whose prediction counts; nothing after it
#   does.
# - The first token is given, not predicted. Every other token counts once, except that of end-of-text tokens within a
#   text only the first counts. An empty text thus counts nothing, and its entropy is 0: who measures texts that were
#   written freely leaves blank ones out before (`scores.counted_texts`).
# - A text may be judged after its source, which it goes on from: then the source and a space come before it, its first
#   token is predicted too, and nothing of the source counts. Where both are longer than W, the source loses its
#   beginning. An empty text after a source counts its end.
# - Perplexity is exp of the summed negative log-likelihoods of all texts over the number of all counted tokens: a long
#   text weighs more than a short one. Entropy is that of the text's own tokens: its first is one of them, its end is
#   not.
#
# So a text's figures do not depend on the texts that share its batch. (The official code fills a batch up to its
# longest text with end-of-text tokens; the longest itself is followed by none, so its figure may differ by that one
# token.)

MOST_TOKENS = 1024
SHORTEST_ROW = 32
"""Rows are filled up to this many tokens or a power of two above it, so that few shapes are compiled."""

MOST_NATS = 700.0
"""exp of much more is no float."""


@dataclass(frozen=True)
class Perplexity:
    """Figures of a set of texts under one judge; those of no counted token at all are None."""

    perplexity: float | None
    interval: tuple[float, float] | None
    """Of the perplexity, 95 %, over resampled texts."""
    mean_nll: float | None
    """Nats per counted token."""
    tokens: int
    """Counted tokens."""
    entropy: float
    """Mean over the texts of their unigram entropies in nats."""
    entropy_interval: tuple[float, float] | None
    perplexity_per_word: float | None
    """exp of nats per word, if that is a number; with `bits_per_byte` it compares judges of different vocabularies."""
    bits_per_byte: float | None
    """Per UTF-8 byte of what was judged: each text to its last token, from its second or, after a source, its first."""
    per_sample_nll: list[float]
    """Summed nats of each text, in the order given."""
    per_sample_tokens: list[int]
    """Counted tokens of each text."""
    per_sample_entropy: list[float]

    def summary(self) -> dict[str, Any]:
        """All but the lists."""
        return {name: value for name, value in asdict(self).items() if not name.startswith("per_sample")}


def perplexity(nll: float, tokens: float) -> float | None:
    """Of summed nats over so many tokens, if that is a number."""
    return math.exp(nll / tokens) if tokens and nll / tokens < MOST_NATS else None


@dataclass(frozen=True)
class JudgedText:
    """A text as the judge reads it."""

    ids: np.ndarray
    """(n,) int32, a source before the text and the end of the text, as far as they are within the window."""
    counts: np.ndarray
    """(n − 1,) bool: whether the prediction of tokens 1 … n − 1 counts."""
    own: list[int]
    """Ids of the text's own tokens."""
    judged: str
    """The part of the text that is predicted."""


def read_text(judge: Judge, text: str, source: str = "") -> JudgedText:
    """Applies the rules above to one text, after its source if there is one."""
    window = min(MOST_TOKENS, judge.config.n_positions)
    both = f"{source} {text}" if source and text else source + text
    encoding = judge.tokenizer.encode(both, add_special_tokens=False)
    # The space between the two is the text's, whether a token of its own or the beginning of one.
    first = sum(end <= len(source) for _, end in encoding.offsets)
    own = encoding.ids[first : first + window]
    room = window - len(own)
    text_ids = np.asarray([*own, judge.eos] if room else own, np.int32)
    given = encoding.ids[first - min(first, max(room - 1, 0)) : first]
    ends = text_ids == judge.eos
    counts = ~ends | (np.cumsum(ends) == 1)
    counts = np.concatenate([np.zeros(len(given) - 1, bool), counts]) if given else counts[1:]
    judged = ""
    if own:
        begin = len(source) if given else encoding.offsets[first][1]
        judged = both[begin : encoding.offsets[first + len(own) - 1][1]]
    return JudgedText(np.concatenate([np.asarray(given, np.int32), text_ids]), counts, own, judged)


def gen_perplexity(
    judge: Judge,
    texts: list[str],
    batch_size: int = 16,
    on_progress: Callable[[int], None] = lambda done: None,
    sources: Sequence[str] | None = None,
) -> Perplexity:
    """Judges `texts`, in float32, `batch_size` rows at a time (of all devices and processes together).

    Each is judged after its source where `sources` are given; an empty one is none.
    `on_progress` is called with the number of texts done. Every process must call this alike, with all the texts.
    Raises CheckpointError for a judge whose likelihoods are no numbers.
    """
    rows = [read_text(judge, text, source) for text, source in zip(texts, sources or [""] * len(texts), strict=True)]
    nll = np.zeros(len(rows))
    mesh = make_mesh()
    batch_size = -(-min(batch_size, max(1, len(rows))) // mesh.size) * mesh.size
    graphdef, _ = abstract(Gpt2, judge.config)
    params = jax.device_put(judge.params, replicated(mesh))
    # Of like length together; the longest first, so that too little memory shows at once.
    order = sorted(range(len(rows)), key=lambda i: -len(rows[i].ids))
    for start in range(0, len(rows), batch_size):
        batch = order[start : start + batch_size]
        whole = _filled([rows[i] for i in batch], batch_size, judge)
        # By their places in the batch, not by process: a pod's mesh may take its hosts' devices in turn.
        placed = [on_mesh(array, batch_sharding(mesh)) for array in whole]
        with jax.default_matmul_precision("highest"):
            sums = on_host(_row_nll(graphdef, params, *placed))
        nll[batch] = sums[: len(batch)]
        on_progress(start + len(batch))
    if not np.isfinite(nll).all():
        raise CheckpointError(f"judge {judge.name} gives likelihoods that are no numbers", "Its weights are broken.")
    return figures_of(rows, nll)


# Compiled once per structure and shape, whichever judge asks.
@partial(jax.jit, static_argnums=0)
def _row_nll(graphdef: nnx.GraphDef[Gpt2], params: Params, ids: jax.Array, counts: jax.Array) -> jax.Array:
    """ids (B, S + 1), counts (B, S) → summed nats of the counted tokens (B,)."""
    return jnp.where(counts, bind(graphdef, params).next_token_nll(ids), 0.0).sum(axis=1)


def _filled(rows: list[JudgedText], batch_size: int, judge: Judge) -> tuple[np.ndarray, np.ndarray]:
    """Rows side by side as (batch_size, S + 1) and (batch_size, S); what fills them up counts nothing."""
    longest = max(len(row.counts) for row in rows)
    S = min(judge.config.n_positions, max(SHORTEST_ROW, 1 << (longest - 1).bit_length()))
    ids = np.full((batch_size, S + 1), judge.eos, np.int32)
    counts = np.zeros((batch_size, S), bool)
    for i, row in enumerate(rows):
        ids[i, : len(row.ids)] = row.ids
        counts[i, : len(row.counts)] = row.counts
    return ids, counts


def figures_of(rows: list[JudgedText], nll: np.ndarray) -> Perplexity:
    """Of texts and the summed nats of each, (n,)."""
    tokens = np.array([row.counts.sum() for row in rows], int)
    total, counted = float(nll.sum()), int(tokens.sum())
    words = sum(len(row.judged.split()) for row in rows)
    size = sum(len(row.judged.encode()) for row in rows)
    entropy = entropies([row.own for row in rows])
    # Texts that count nothing change no figure, but a resampled set of nothing else would have none.
    counting = np.stack([nll, tokens], axis=1)[tokens > 0]
    return Perplexity(
        perplexity=math.exp(total / counted) if counted else None,
        interval=confidence_interval(counting, lambda sums: math.exp(sums[0] / sums[1])) if counted else None,
        mean_nll=total / counted if counted else None,
        tokens=counted,
        entropy=float(entropy.mean()) if rows else 0.0,
        entropy_interval=mean_interval(entropy) if rows else None,
        # Text without spaces is one word, of a perplexity beyond all numbers.
        perplexity_per_word=math.exp(total / words) if words and total / words < MOST_NATS else None,
        bits_per_byte=total / math.log(2) / size if size else None,
        per_sample_nll=nll.tolist(),
        per_sample_tokens=tokens.tolist(),
        per_sample_entropy=entropy.tolist(),
    )


def judge_scores(
    judge: Judge,
    texts: Sequence[str],
    sources: Sequence[str] | None = None,
    *,
    keep_blank: bool,
    with_entropy: bool = True,
    confidence: bool = True,
) -> Scores:
    """`gen_ppl`, with `gen_ppl_tokens` and `bits_per_byte`, and `entropy` of the judge's tokens, as it is published.

    `sources` are what the texts go on from: the judge reads them first. Every process must call this alike.
    """
    counted = counted_texts(texts, keep_blank)
    kept = np.flatnonzero(counted).tolist()
    judged = gen_perplexity(
        judge,
        [texts[i] for i in kept],
        on_progress=ticker("judging texts", len(kept)),
        sources=[sources[i] for i in kept] if sources is not None else None,
    )

    def spread(values: Sequence[float]) -> np.ndarray:
        """A number of each text that was judged as one of every text, 0 for the others."""
        whole = np.zeros(len(texts))
        whole[kept] = values
        return whole

    scores = Scores({"gen_ppl": judged.perplexity})
    if confidence:
        scores.figures["gen_ppl_ci"] = judged.interval
    scores.figures |= {"gen_ppl_tokens": judged.tokens, "bits_per_byte": judged.bits_per_byte}
    nll, tokens = spread(judged.per_sample_nll), spread(judged.per_sample_tokens)
    scores.samples["gen_ppl"] = [perplexity(*each) for each in zip(nll.tolist(), tokens.tolist(), strict=True)]
    if judged.tokens:
        scores.statistics["gen_ppl"] = np.stack([nll, tokens], axis=1)
    if with_entropy:
        scores.add_mean("entropy", spread(judged.per_sample_entropy), confidence, counted)
        scores.figures["entropy_tokens"] = "judge"
    return scores
