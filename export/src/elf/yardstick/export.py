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
import onnx_ir as ir
import tyro

from elf.data.evaluation_rows import EvaluationRow, stream_evaluation_rows
from elf.data.tokenizer import EOS, PAD, check_read_alike, load_tokenizer
from elf.errors import ConfigError, ParityError
from elf.evaluation.judge import MANIFEST
from elf.evaluation.perplexity import JudgedText, Perplexity, figures_of
from elf.models.exported_folder import StoredWeights, write_weights
from elf.models.weight_places import WeightLayout
from elf.network.model import rotary_tables
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.check import open_graph
from elf.onnx_export.export_judge import (
    GRAPH,
    PROVED_TEXTS,
    FolderOptions,
    checked_error,
    described,
    later,
    stored_and_proved,
    stored_loss,
    token_nll,
    write_rest,
)
from elf.onnx_export.graphs import Graphs
from elf.onnx_export.model_card import attribution_of
from elf.onnx_export.replaced_folder import replaced_folder
from elf.progress import ticker
from elf.yardstick.translate import HeldOut, check_sources
from elf.yardstick.translator import (
    EMBEDDING,
    StoredTranslator,
    TranslatorConfig,
    graph_weights,
    load_translator,
    params_of,
)

# --- A yardstick as two ONNX graphs ---------------------------------------------------------------------------------
#
# One reads a source, the other writes what comes next, with a memory of what it wrote. The arithmetic is that of
# `translator.py`, for a CPU.

READER = "reader"
Turns = tuple[ir.Value, ir.Value]
"""cos and sin (positions, 1, head_dim / 2)."""


def reader_graph(config: TranslatorConfig, weights: WeightLayout) -> ir.Model:
    """tokens (B, S) int64 of sources of one length → memory (2N, B, h, S, d): the keys and values that each of N
    decoder blocks reads."""
    g = GraphBuilder(READER, weights)
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    net = _Network(g, config)
    x = net.embed(tokens)
    length = g.op("Shape", tokens, start=1, end=2)
    turns = net.turns(config.max_input_length, ints(0), length)
    for i in range(config.encoder_layers):
        block = f"encoder_{i}"
        normed = net.norm(x, f"{block}/norm1")
        keys, values = net.keys_values(normed, f"{block}/attn", turns)
        x = g.op("Add", x, net.attention(normed, f"{block}/attn", keys, values, turns))
        x = g.op("Add", x, net.swiglu(net.norm(x, f"{block}/norm2"), f"{block}/mlp"))
    x = net.norm(x, "encoder_norm")
    kept = [part for i in range(config.decoder_layers) for part in net.keys_values(x, f"decoder_{i}/cross", turns)]
    g.output(net.stacked(kept), "memory", net.memory_shape("S"))
    return g.model()


def writer_graph(config: TranslatorConfig, weights: WeightLayout) -> ir.Model:
    """(tokens (B, S) int64, past (2N, B, h, P, d), memory (2N, B, h, R, d)) → logits (B, S, V), present (2N, B, h,
    P + S, d).

    As the graph of a judge, besides the memory of the source. The first token of all is what stands before a text;
    P + S is at most max_output_length + 1.
    """
    g = GraphBuilder(GRAPH, weights)
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    net = _Network(g, config)
    past = g.input("past", net.memory_shape("P"))
    memory = g.input("memory", net.memory_shape("R"))
    before = g.op("Shape", past, start=3, end=4)
    total = g.op("Add", before, g.op("Shape", tokens, start=1, end=2))
    turns = net.turns(config.max_output_length + 1, before, total)
    mask = later(g, before, total)
    x = net.embed(tokens)
    kept: list[ir.Value] = []
    for i in range(config.decoder_layers):
        block = f"decoder_{i}"
        normed = net.norm(x, f"{block}/norm1")
        new = net.keys_values(normed, f"{block}/attn", turns)
        keys, values = (
            g.op("Concat", g.op("Gather", past, np.asarray(2 * i + at, np.int64), axis=0), part, axis=2)
            for at, part in enumerate(new)
        )
        kept += [keys, values]
        x = g.op("Add", x, net.attention(normed, f"{block}/attn", keys, values, turns, mask))
        keys, values = (g.op("Gather", memory, np.asarray(2 * i + at, np.int64), axis=0) for at in (0, 1))
        x = g.op("Add", x, net.attention(net.norm(x, f"{block}/norm2"), f"{block}/cross", keys, values, turns))
        x = g.op("Add", x, net.swiglu(net.norm(x, f"{block}/norm3"), f"{block}/mlp"))
    scaled = g.op("Mul", net.norm(x, "decoder_norm"), scalar(config.hidden_size**-0.5))
    g.output(g.op("MatMul", scaled, g.weight(EMBEDDING)), "logits", ["B", "S", config.vocabulary_size])
    g.output(net.stacked(kept), "present", net.memory_shape("T"))
    return g.model()


class _Network:
    """The parts of both graphs, each named as in `translator.py`."""

    def __init__(self, g: GraphBuilder, config: TranslatorConfig):
        self.g, self.config = g, config

    def memory_shape(self, positions: str) -> list[str | int]:
        return [2 * self.config.decoder_layers, "B", self.config.heads, positions, self.config.head_dim]

    def stacked(self, parts: list[ir.Value]) -> ir.Value:
        return self.g.op("Concat", *(self.g.op("Unsqueeze", part, ints(0)) for part in parts), axis=0)

    def embed(self, tokens: ir.Value) -> ir.Value:
        return self.g.op("Transpose", self.g.op("Gather", self.g.weight(EMBEDDING), tokens, axis=1), perm=[1, 2, 0])

    def norm(self, x: ir.Value, name: str) -> ir.Value:
        return self.g.rms_norm(x, f"yardstick/{name}")

    def turns(self, longest: int, first: np.ndarray | ir.Value, last: ir.Value) -> Turns:
        """Of the positions from `first` to before `last`, of at most `longest`."""
        cos, sin = (
            self.g.op("Unsqueeze", self.g.op("Slice", table, first, last, ints(0)), ints(1))
            for table in rotary_tables(0, longest, self.config.head_dim)
        )
        return cos, sin

    def keys_values(self, x: ir.Value, name: str, turns: Turns) -> tuple[ir.Value, ir.Value]:
        """Both (B, h, S, d)."""
        g, H = self.g, self.config.hidden_size
        keys, values = g.op("Split", g.product(x, f"yardstick/{name}/kv"), ints(H, H), outputs=2, axis=-1)
        return self._turned(keys, f"{name}/k_norm", turns), self._in_heads(values)

    def attention(
        self, x: ir.Value, name: str, keys: ir.Value, values: ir.Value, turns: Turns, mask: ir.Value | None = None
    ) -> ir.Value:
        g, config = self.g, self.config
        queries = self._turned(g.product(x, f"yardstick/{name}/q"), f"{name}/q_norm", turns)
        queries = g.op("Mul", queries, scalar(config.head_dim**-0.5))
        scores = g.op("MatMul", queries, g.op("Transpose", keys, perm=[0, 1, 3, 2]))
        if mask is not None:
            scores = g.op("Add", scores, mask)
        return g.product(g.attend(scores, values, config.hidden_size), f"yardstick/{name}/out")

    def swiglu(self, x: ir.Value, name: str) -> ir.Value:
        g, inner = self.g, self.config.feed_forward_size
        a, b = g.op("Split", g.product(x, f"yardstick/{name}/w12"), ints(inner, inner), outputs=2, axis=-1)
        return g.product(g.op("Mul", g.silu(a), b), f"yardstick/{name}/w3")

    def _by_heads(self, x: ir.Value) -> ir.Value:
        return self.g.op("Reshape", x, ints(0, 0, self.config.heads, self.config.head_dim))

    def _in_heads(self, x: ir.Value) -> ir.Value:
        return self.g.op("Transpose", self._by_heads(x), perm=[0, 2, 1, 3])

    def _turned(self, x: ir.Value, norm: str, turns: Turns) -> ir.Value:
        """(B, S, H) → (B, h, S, d), normalised and turned by its place."""
        g, half = self.g, self.config.head_dim // 2
        cos, sin = turns
        first, second = g.op("Split", self.norm(self._by_heads(x), norm), ints(half, half), outputs=2, axis=-1)
        turned = g.op(
            "Concat",
            g.op("Sub", g.op("Mul", first, cos), g.op("Mul", second, sin)),
            g.op("Add", g.op("Mul", first, sin), g.op("Mul", second, cos)),
            axis=-1,
        )
        return g.op("Transpose", turned, perm=[0, 2, 1, 3])


# --- The yardstick written, with proof that its graphs are the yardstick --------------------------------------------

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
    errors = [0.0]
    for pair, row in zip(pairs, rows, strict=False):
        expected = held_out.cross_entropy(params, [pair]) if len(row.own) == len(held_out.pair(pair)[1]) else None
        whole, halves = (session.nll(pair.source_ids, row.ids, cut) for cut in (0, len(row.ids) // 2))
        errors.append(float(np.abs(whole - halves).max()))
        if expected is not None:
            errors.append(abs(float(whole.mean()) - expected))
    written = held_out.translate(params, [pair.source_ids for pair in pairs])
    for pair, ids in zip(pairs, written, strict=True):
        if session.greedy(pair.source_ids) != ids.tolist():
            raise ParityError(
                f"the graphs translate {pair.source_text!r} otherwise than the yardstick",
                "Nothing was written. This is a fault of the exporter.",
            )
    return checked_error(errors)


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
