"""Write a yardstick as ONNX for the page, with proof that its graphs are the yardstick (export/FORMAT.md)."""

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import tyro

from elf.data.evaluation_rows import EvaluationRow, stream_evaluation_rows
from elf.data.tokenizer import EOS, PAD, check_read_alike, load_tokenizer
from elf.errors import ConfigError, ParityError
from elf.evaluation.judge import MANIFEST
from elf.evaluation.perplexity import JudgedText, Perplexity, figures_of
from elf.models.exported.places import WeightLayout
from elf.models.exported.stored_weights import StoredWeights, write_weights
from elf.onnx_export.check import open_graph
from elf.onnx_export.export import replaced_folder
from elf.onnx_export.export_judge import (
    PROVED_TEXTS,
    FolderOptions,
    checked_error,
    described,
    stored_and_proved,
    stored_loss,
    token_nll,
    write_rest,
)
from elf.onnx_export.graphs import Graphs
from elf.onnx_export.judge_graph import GRAPH
from elf.onnx_export.model_card import attribution_of
from elf.progress import ticker
from elf.yardstick.graphs import READER, reader_graph, writer_graph
from elf.yardstick.greedy import HeldOut, check_sources
from elf.yardstick.stored import StoredTranslator, graph_weights, load_translator, params_of
from elf.yardstick.translator import TranslatorConfig

BEFORE = PAD
"""The token that stands before every text."""


@dataclass(frozen=True, kw_only=True)
class Arguments(FolderOptions):
    model: Annotated[Path, tyro.conf.Positional]
    """The output folder of `elf yardstick train`, or its `model`."""
    data: str
    """Pairs that were not learnt: a dataset of `elf prepare` (its `held_out` folder), or JSONL of input and output."""
    pairs: int = 1000
    """Most of them to prove it with."""

    def __post_init__(self) -> None:
        if self.pairs < 1:
            raise ConfigError("pairs must be at least 1", "Raise it.")


def main(arguments: Arguments) -> None:
    """Write a yardstick as ONNX for the page, with proof that its graphs are the yardstick (export/FORMAT.md).

    The page lets it translate, word by word, beside a flow, and judges translations by it, given their sources.
    """
    model = load_translator(arguments.model)
    tokenizer = load_tokenizer(model.tokenizer)
    with closing(stream_evaluation_rows(arguments.data, tokenizer, model.config.max_input_length)) as read:
        pairs = [*islice(read, arguments.pairs)]
    check_sources(pairs, arguments.data)
    print(json.dumps({"out": str(arguments.out), **export_yardstick(model, pairs, arguments)}, indent=2))


class Proof(NamedTuple):
    """How near what is stored comes to the yardstick."""

    greatest_error: float
    """Nats a token by which the graphs are off in float32."""
    stored_loss: float
    """Share by which stored weights change the perplexity of held-out translations."""
    bleu: dict[str, Any]
    """By stored weights, of all pairs."""


class Session:
    """Both graphs in ONNX Runtime, with these weights."""

    def __init__(self, config: TranslatorConfig, folder: Path, weights: Mapping[str, np.ndarray]):
        self.config = config
        self.reader, self.writer = (open_graph(folder / f"{name}.onnx", weights) for name in (READER, GRAPH))

    def memory(self, source: np.ndarray) -> np.ndarray:
        """(2N, 1, h, S, d) of source ids (S,)."""
        return self.reader.run(["memory"], {"tokens": source[None].astype(np.int64)})[0]

    def no_past(self) -> np.ndarray:
        config = self.config
        return np.zeros((2 * config.decoder_layers, 1, config.heads, 0, config.head_dim), np.float32)

    def nll(self, source: np.ndarray, ids: np.ndarray, cut: int = 0) -> np.ndarray:
        """−ln p of tokens 1 … n − 1 of a translation `ids` (n,), the token before it the first of them."""
        return token_nll(self.writer, self.no_past(), ids, cut, memory=self.memory(source))

    def greedy(self, source: np.ndarray) -> list[int]:
        """What is written token by token, its end included where it comes to one."""
        memory, past, written = self.memory(source), self.no_past(), [BEFORE]
        while len(written) <= self.config.max_output_length + 1 and written[-1] != EOS:
            feeds = {"tokens": np.asarray([written[-1:]], np.int64), "past": past, "memory": memory}
            logits, past = self.writer.run(["logits", "present"], feeds)
            written.append(int(logits[0, -1].argmax()))
        return written[1:]


def export_yardstick(model: StoredTranslator, pairs: Sequence[EvaluationRow], arguments: Arguments) -> dict[str, Any]:
    """Writes the folder; returns the figures of the proof. `pairs` were not learnt.

    Raises ParityError where the graphs translate otherwise than the yardstick, or the stored weights are not as good;
    TokenizerFormError where the page would read texts otherwise; OutputExistsError, ConfigError.
    """
    dtype = arguments.only_dtype()
    check_read_alike(model.tokenizer)
    held_out = HeldOut(model.config, load_tokenizer(model.tokenizer))
    rows = [read_pair(held_out, pair) for pair in pairs]
    layout = WeightLayout(graph_weights(model.config, model.params))
    models = {READER: reader_graph(model.config, layout), GRAPH: writer_graph(model.config, layout)}
    with replaced_folder(arguments.out, MANIFEST) as folder:
        onnx_folder = folder / "onnx"
        Graphs(models, layout).write(onnx_folder)
        exact = Session(model.config, onnx_folder, layout.tensors)
        error = graph_error(held_out, model, exact, pairs[:PROVED_TEXTS], rows)
        shards = write_weights(layout, models, dtype, onnx_folder)
        stored = dict(StoredWeights(onnx_folder, dtype))
        real, kept = (
            judged(session, pairs, rows, ticker(f"judging translations by {what} weights", len(pairs)))
            for session, what in ((exact, "exact"), (Session(model.config, onnx_folder, stored), "stored"))
        )
        loss = stored_loss(real, kept, dtype)
        params = {name: jnp.asarray(value) for name, value in params_of(model.config, stored).items()}
        bleu, _ = held_out.bleu(params, pairs, ticker("translating", len(pairs)))
        proof = Proof(error, loss, bleu)
        manifest = {
            **described(arguments, model.training),
            "architecture": {
                "vocabularySize": model.config.vocabulary_size,
                "maxLength": model.config.max_output_length + 1,
                "width": model.config.hidden_size,
                "layers": model.config.decoder_layers,
                "heads": model.config.heads,
                "parameters": sum(value.size for value in model.params.values()),
            },
            "eos": EOS,
            "graph": f"onnx/{GRAPH}.onnx",
            "source": {"graph": f"onnx/{READER}.onnx", "maxLength": model.config.max_input_length, "before": BEFORE},
            **stored_and_proved(dtype, shards, onnx_folder, kept),
        }
        write_rest(folder, manifest, yardstick_card(manifest, model, proof), model.tokenizer)
    return {"greatestError": error, "storedLoss": loss, "perplexity": kept.perplexity, **bleu}


def read_pair(held_out: HeldOut, pair: EvaluationRow) -> JudgedText:
    """A pair's translation as it is judged: after the token that stands before every text, all of it counts."""
    _, target = held_out.pair(pair)
    own = target[: held_out.config.max_output_length].tolist()
    ids = np.asarray([BEFORE, *own, EOS], np.int32)
    return JudgedText(ids, np.ones(len(ids) - 1, bool), own, pair.reference)


def judged(
    session: Session, pairs: Sequence[EvaluationRow], rows: Sequence[JudgedText], on_progress: Callable[[int], None]
) -> Perplexity:
    """What graphs and weights say of people's translations, each given its source."""
    nll = []
    for done, (pair, row) in enumerate(zip(pairs, rows, strict=True), start=1):
        nll.append(float(session.nll(pair.source_ids, row.ids).sum()))
        on_progress(done)
    return figures_of([*rows], np.asarray(nll))


def graph_error(
    held_out: HeldOut,
    model: StoredTranslator,
    session: Session,
    pairs: Sequence[EvaluationRow],
    rows: Sequence[JudgedText],
) -> float:
    """By how many nats a token the graphs are off from the yardstick, read whole or in two parts, at most; and both
    must translate alike, token by token.

    Raises ParityError where it is more than rounding, or one token is another.
    """
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    worst = 0.0
    for pair, row in zip(pairs, rows, strict=False):
        expected = held_out.cross_entropy(params, [pair]) if len(row.own) == len(held_out.pair(pair)[1]) else None
        whole, halves = (session.nll(pair.source_ids, row.ids, cut) for cut in (0, len(row.ids) // 2))
        worst = max(worst, float(np.abs(whole - halves).max()))
        if expected is not None:
            worst = max(worst, abs(float(whole.mean()) - expected))
    written = held_out.translate(params, [pair.source_ids for pair in pairs])
    for pair, ids in zip(pairs, written, strict=True):
        if session.greedy(pair.source_ids) != ids.tolist():
            raise ParityError(
                f"the graphs translate {pair.source_text!r} otherwise than the yardstick",
                "Nothing was written. This is a fault of the exporter.",
            )
    return checked_error(worst)


def yardstick_card(manifest: Mapping[str, Any], model: StoredTranslator, proof: Proof) -> str:
    """README.md of the folder."""
    shape, real, weights = manifest["architecture"], manifest["realText"], manifest["weights"]
    config, training, bleu = model.config, model.training, proof.bleu
    low, high = bleu["bleu_ci"]
    architecture = (
        f"An encoder-decoder Transformer of {shape['parameters']:,} parameters ({config.encoder_layers} and "
        f"{config.decoder_layers} blocks, {shape['heads']} heads, width {shape['width']}, {shape['vocabularySize']:,} "
        f"tokens), for sentences of at most {config.max_input_length} tokens. ELF Playground lets it translate, word "
        "by word, beside a flow, and judges translations by it."
    )
    return (
        f"""---
license: {manifest["licence"].lower()}
tags:
- elf
- translation
- onnx
---

# {manifest["title"]}

{manifest["description"] or "A plain next-word Transformer that the translations of an ELF are held to."}

{architecture}

- **Corpus**: {manifest["corpus"]}. **Licence**: {manifest["licence"]}.
- **Training**: {training.get("steps", 0):,} updates, by `{training.get("command", "elf yardstick train")}`.
- **Translations that it has not learned**: {real["texts"]:,} pairs. BLEU of greedy translations {bleu["bleu"]:.1f}
  ({low:.1f} … {high:.1f}; sacrebleu, {bleu["bleu_signature"]}). People's, given their sources, have perplexity
  {real["perplexity"]:.2f}.
- **Proof**: the graphs give the trained model's likelihoods, off by at most {proof.greatest_error:.1e} nats a token,
  read whole or in parts, and its translations token for token; stored as {weights["dtype"]} they change the
  perplexity of people's translations by {100 * proof.stored_loss:+.2f} %.
- **Limits**: it has learned one corpus of short sentences, and always writes what is likeliest.

{attribution_of(manifest["licence"], manifest["corpus"])}
""".rstrip()
        + "\n"
    )
