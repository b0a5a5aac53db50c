"""What a translator makes of pairs that it has not learnt: how surely it names the reference's tokens, and BLEU."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elf.data.collation import TokenRow
from elf.data.evaluation_rows import EvaluationRow
from elf.data.tokenizer import Tokenizer
from elf.errors import DatasetError
from elf.evaluation.likeness import bleu_scores
from elf.network.modules import Params, bind
from elf.yardstick.batches import collate_pairs
from elf.yardstick.greedy import ROWS, compile_greedy
from elf.yardstick.translator import TranslatorConfig, abstract_translator


class HeldOut:
    """Compiled once for a network and its tokenizer; everything is float32."""

    def __init__(self, config: TranslatorConfig, tokenizer: Tokenizer):
        self.config, self.tokenizer = config, tokenizer
        graphdef, _ = abstract_translator(config)
        self._translate = compile_greedy(graphdef, config)

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
            part = [self._pair(row) for row in rows[at : at + ROWS]]
            batch = collate_pairs(part, self.config, filled_to=ROWS)
            nll, count = self._sums(params, *batch.arrays())
            total, tokens = total + float(nll), tokens + float(count)
        return total / tokens

    def bleu(
        self, params: Params, rows: Sequence[EvaluationRow], on_progress: Callable[[int], None] = lambda done: None
    ) -> tuple[dict[str, Any], list[str]]:
        """`bleu`, its 95 % interval and its signature, and the translations."""
        written = self._translate(params, [row.source_ids for row in rows], on_progress)
        texts = [self.tokenizer.decode(ids.tolist()) for ids in written]
        return bleu_scores(texts, [row.reference for row in rows], confidence=True).figures, texts

    def _pair(self, row: EvaluationRow) -> TokenRow:
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
