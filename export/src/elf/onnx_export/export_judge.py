"""Write a judge as ONNX for the page, with proof that the graph is the judge (export/FORMAT.md)."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx_ir as ir

from elf.data.rows import open_dataset
from elf.data.tokenizer import check_read_alike
from elf.errors import ConfigError, ParityError
from elf.evaluation.gpt2 import Gpt2Config
from elf.evaluation.judge import (
    EMBEDDING,
    MANIFEST,
    SCHEMA_VERSION,
    SIZES,
    TOKENIZER_FILES,
    Judge,
    graph_weights,
    load_judge,
    params_of,
)
from elf.evaluation.perplexity import Perplexity, gen_perplexity, perplexity, read_text
from elf.models.encodings import Dtype
from elf.models.exported_folder import StoredWeights, weights_stem, write_weights
from elf.models.weight_places import WeightLayout
from elf.onnx_export.builder import GraphBuilder, ints, scalar
from elf.onnx_export.check import open_graph
from elf.onnx_export.dtypes import dtypes_of
from elf.onnx_export.graphs import Graphs
from elf.onnx_export.manifest import list_files, write_json
from elf.onnx_export.replaced_folder import replaced_folder
from elf.progress import say, ticker
from elf.sampling.networks import GraphSession
from elf.training.train_judge import held_out_texts

# --- A judge as an ONNX graph ---------------------------------------------------------------------------------------
#
# What comes next after each token, with a memory of the tokens before (export/FORMAT.md). The arithmetic is that of
# `evaluation/gpt2.py`. The graph is made for a CPU: beside the flow's it is small, and it goes token by token.

GRAPH = "judge"
HIDDEN = -1e9
"""Added to the scores of tokens that are still to come."""


def judge_graph(config: Gpt2Config, weights: WeightLayout) -> ir.Model:
    """(tokens (B, S) int64, past (2N, B, h, P, d)) → logits (B, S, V), present (2N, B, h, P + S, d).

    `past` holds keys and values of N blocks, one after the other, for the P tokens before; P is 0 at first. P + S is at
    most n_positions.
    """
    g = GraphBuilder(GRAPH, weights)
    head_dim = config.n_embd // config.n_head
    memory: list[str | int] = [2 * config.n_layer, "B", config.n_head]
    tokens = g.input("tokens", ["B", "S"], ir.DataType.INT64)
    past = g.input("past", [*memory, "P", head_dim])

    before = g.op("Shape", past, start=3, end=4)
    total = g.op("Add", before, g.op("Shape", tokens, start=1, end=2))
    positions = g.op("Slice", g.weight("judge/wpe"), before, total, ints(0))
    columns = g.op("Gather", g.weight(EMBEDDING), tokens, axis=1)
    x = g.op("Add", g.op("Transpose", columns, perm=[1, 2, 0]), positions)
    mask = later(g, before, total)
    kept: list[ir.Value] = []
    for i in range(config.n_layer):
        block = f"judge/h_{i}"
        mixed, keys, values = _attention(
            g, config, f"{block}/attn", _norm(g, config, x, f"{block}/ln_1"), past, i, mask
        )
        kept += [keys, values]
        x = g.op("Add", x, mixed)
        inner = g.gelu_tanh(g.dense(_norm(g, config, x, f"{block}/ln_2"), f"{block}/mlp/c_fc"))
        x = g.op("Add", x, g.dense(inner, f"{block}/mlp/c_proj"))
    logits = g.op("MatMul", _norm(g, config, x, "judge/ln_f"), g.weight(EMBEDDING))
    g.output(logits, "logits", ["B", "S", config.vocab_size])
    present = g.op("Concat", *(g.op("Unsqueeze", part, ints(0)) for part in kept), axis=0)
    g.output(present, "present", [*memory, "T", head_dim])
    return g.model()


def later(g: GraphBuilder, before: ir.Value, total: ir.Value) -> ir.Value:
    """(S, P + S): 0 where a token may look, a great negative number where it would look ahead."""
    zero, one = np.asarray(0, np.int64), np.asarray(1, np.int64)
    columns = g.op("Range", zero, g.op("Squeeze", total), one)
    rows = g.op("Slice", columns, before, total, ints(0))
    is_later = g.op("Greater", g.op("Unsqueeze", columns, ints(0)), g.op("Unsqueeze", rows, ints(1)))
    return g.op("Where", is_later, scalar(HIDDEN), scalar(0.0))


def _norm(g: GraphBuilder, config: Gpt2Config, x: ir.Value, name: str) -> ir.Value:
    scale, bias = g.weight(f"{name}/scale"), g.weight(f"{name}/bias")
    return g.op("LayerNormalization", x, scale, bias, axis=-1, epsilon=config.layer_norm_epsilon)


def _attention(
    g: GraphBuilder, config: Gpt2Config, name: str, x: ir.Value, past: ir.Value, block: int, mask: ir.Value
) -> tuple[ir.Value, ir.Value, ir.Value]:
    """Attention over the past and what has come by now: (B, S, H); and its keys and values (B, h, P + S, d)."""
    width, heads = config.n_embd, config.n_head
    parts = g.op("Split", g.dense(x, f"{name}/c_attn"), ints(width, width, width), outputs=3, axis=-1)
    q, k, v = (
        g.op("Transpose", g.op("Reshape", part, ints(0, 0, heads, width // heads)), perm=[0, 2, 1, 3]) for part in parts
    )
    keys, values = (
        g.op("Concat", g.op("Gather", past, np.asarray(2 * block + at, np.int64), axis=0), new, axis=2)
        for at, new in enumerate((k, v))
    )
    scores = g.op(
        "MatMul", g.op("Mul", q, scalar((width // heads) ** -0.5)), g.op("Transpose", keys, perm=[0, 1, 3, 2])
    )
    mixed = g.attend(g.op("Add", scores, mask), values, width)
    return g.dense(mixed, f"{name}/c_proj"), keys, values


def no_past(config: Gpt2Config, rows: int = 1) -> np.ndarray:
    """`past` before the first token."""
    return np.zeros((2 * config.n_layer, rows, config.n_head, 0, config.n_embd // config.n_head), np.float32)


# --- The judge written, with proof that the graph is the judge ------------------------------------------------------

PROVED_TEXTS = 32
GREATEST_ERROR = 2e-3
"""Nats of one token that the graph may be off in float32."""
GREATEST_LOSS = 0.01
"""Share by which the stored weights may raise or lower the perplexity of real text."""
CLOUD = 100
"""Held-out texts whose own figures go along, for a picture to lay others beside."""


@dataclass(frozen=True, kw_only=True)
class FolderOptions:
    """What is said of a folder that the page judges by, and how its weights are stored."""

    out: Path
    """The folder to write; an exported judge that is there is replaced."""
    name: str = ""
    """Of the folder, by default."""
    title: str = ""
    description: str = ""
    licence: str = ""
    """Of the weights; by default that of its training."""
    dtype: str = "q8"
    """How the weights are stored: f32, f16, q8 or q4."""

    def only_dtype(self) -> Dtype:
        """Raises ConfigError where it is not one."""
        dtypes = dtypes_of(self.dtype)
        if len(dtypes) != 1:
            raise ConfigError(f"a judge is stored in one dtype, not in {len(dtypes)}", "Name one.")
        return dtypes[0]


@dataclass(frozen=True, kw_only=True)
class Arguments(FolderOptions):
    judge: Path
    """The output folder of `elf train-judge`, or another small GPT-2 with its tokenizer."""
    held_out: Path
    """Real texts that it has not learned: a dataset of `elf prepare`."""
    held_out_texts: int = 1000
    """Most real texts to judge."""

    def __post_init__(self) -> None:
        if self.held_out_texts < 1:
            raise ConfigError("held-out-texts must be at least 1", "Raise it.")


def main(arguments: Arguments) -> None:
    """Write a judge as ONNX for the page, with proof that the graph is the judge (export/FORMAT.md).

    The page judges texts by it, and lets it write, word by word, beside a flow. The folder appears whole or not at
    all.
    """
    judge = load_judge(arguments.judge)
    dataset = open_dataset(arguments.held_out)
    texts = held_out_texts(dataset, judge.tokenizer, arguments.held_out_texts)
    print(json.dumps({"out": str(arguments.out), **export_judge(judge, texts, arguments)}, indent=2))


def export_judge(judge: Judge, texts: list[str], arguments: Arguments) -> dict[str, Any]:
    """Writes the folder; returns the figures of the proof. `texts` are real ones that the judge has not learned.

    Raises ParityError where the graph gives other likelihoods than the judge, or the stored weights another perplexity;
    TokenizerFormError where the page would read texts otherwise; OutputExistsError, ConfigError.
    """
    dtype = arguments.only_dtype()
    tokenizer = arguments.judge / TOKENIZER_FILES[0]
    check_read_alike(tokenizer)
    layout = WeightLayout(graph_weights(judge.params))
    graphs = Graphs({GRAPH: judge_graph(judge.config, layout)}, layout)
    with replaced_folder(arguments.out, MANIFEST) as folder:
        onnx_folder = folder / "onnx"
        graphs.write(onnx_folder)
        real = gen_perplexity(judge, texts, on_progress=ticker("judging real texts", len(texts)))
        error = graph_error(judge, onnx_folder, layout.tensors, texts[:PROVED_TEXTS], real)
        shards = write_weights(layout, graphs.models, dtype, onnx_folder)
        stored = replace(judge, params=params_of(dict(StoredWeights(onnx_folder, dtype))))
        kept = gen_perplexity(stored, texts, on_progress=ticker("judging them by stored weights", len(texts)))
        loss = stored_loss(real, kept, dtype)
        architecture = {ours: getattr(judge.config, theirs) for ours, theirs in SIZES.items()}
        architecture["parameters"] = sum(int(np.size(value)) for value in judge.params.values())
        manifest = {
            **described(arguments, judge.facts),
            "architecture": architecture,
            "eos": judge.eos,
            "graph": f"onnx/{GRAPH}.onnx",
            **stored_and_proved(dtype, shards, onnx_folder, kept),
        }
        card = judge_card(manifest, judge.facts, error, loss)
        write_rest(folder, manifest, card, tokenizer)
    return {"greatestError": error, "storedLoss": loss, "perplexity": kept.perplexity}


def graph_error(
    judge: Judge, onnx_folder: Path, weights: Mapping[str, np.ndarray], texts: list[str], judged: Perplexity
) -> float:
    """By how many nats a token the graph is off from the judge, or from itself where it reads in two parts, at most.
    `judged` is what the judge says of `texts`, and may be of more that follow them.

    Raises ParityError where it is more than rounding.
    """
    session, past = open_graph(onnx_folder / f"{GRAPH}.onnx", weights), no_past(judge.config)
    errors = [0.0]
    for text, expected in zip(texts, judged.per_sample_nll, strict=False):
        row = read_text(judge, text)
        if len(row.ids) < 2:
            continue
        whole = token_nll(session, past, row.ids)
        halves = token_nll(session, past, row.ids, cut=len(row.ids) // 2)
        errors.append(float(np.abs(whole - halves).max()))
        errors.append(abs(float(whole[row.counts].sum()) - expected) / row.counts.sum())
    return checked_error(errors)


def checked_error(errors: Sequence[float]) -> float:
    """How many nats a token a graph is off at most. Raises ParityError where that is more than rounding, or no
    number."""
    worst = float(np.max(errors))
    if not worst <= GREATEST_ERROR:
        raise ParityError(
            f"the graph's likelihoods are off by {worst:.2g} nats",
            "Nothing was written. This is a fault of the exporter.",
        )
    say(f"the graph gives the judge's likelihoods, off by at most {worst:.1e} nats a token")
    return worst


def token_nll(
    session: GraphSession, past: np.ndarray, ids: np.ndarray, cut: int = 0, **given: np.ndarray
) -> np.ndarray:
    """ids (n,) → −ln p of tokens 1 … n − 1, read at once, or up to `cut` first and then the rest. `past` is what there
    is before the first; `given` are the graph's other inputs."""
    parts = []
    for first, last in pairwise([0, cut, len(ids) - 1] if cut else [0, len(ids) - 1]):
        tokens = ids[None, first:last].astype(np.int64)
        logits, past = session.run(["logits", "present"], {"tokens": tokens, "past": past, **given})
        parts.append(logits[0])
    logits = np.concatenate(parts).astype(np.float64)
    peak = logits.max(-1, keepdims=True)
    log_total = np.log(np.exp(logits - peak).sum(-1)) + peak[:, 0]
    return log_total - logits[np.arange(len(logits)), ids[1:]]


def stored_loss(real: Perplexity, kept: Perplexity, dtype: Dtype) -> float:
    """By what share stored weights change the perplexity of real text. Raises ParityError where that is too much."""
    if real.perplexity is None or kept.perplexity is None:
        raise ConfigError("the held-out texts have nothing to judge", "Give texts of two tokens or more.")
    loss = kept.perplexity / real.perplexity - 1
    if not abs(loss) <= GREATEST_LOSS:
        raise ParityError(
            f"stored as {dtype} the judge gives real text {kept.perplexity:.2f} where it gave {real.perplexity:.2f}",
            "Nothing was written. Choose f16 or f32 as --dtype.",
        )
    return loss


def described(options: FolderOptions, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The first lines of `judge.json`; `facts` are those of the training."""
    name = options.name or options.out.absolute().name
    return {
        "schemaVersion": SCHEMA_VERSION,
        "name": name,
        "title": options.title or name.replace("-", " ").capitalize(),
        "description": options.description,
        "licence": options.licence or str(facts.get("licence") or "unknown"),
        "corpus": str(facts.get("corpus") or "unknown"),
    }


def stored_and_proved(dtype: Dtype, shards: list[str], onnx_folder: Path, real: Perplexity) -> dict[str, Any]:
    """Its last lines but the list of files: the weights, and the `real` texts that they were measured by."""
    return {
        "weights": {
            "dtype": dtype,
            "index": f"onnx/{weights_stem(dtype)}.json",
            "shards": [f"onnx/{shard}" for shard in shards],
            "bytes": sum((onnx_folder / shard).stat().st_size for shard in shards),
        },
        "realText": {
            "texts": len(real.per_sample_nll),
            "tokens": real.tokens,
            "perplexity": real.perplexity,
            "entropy": real.entropy,
            "samples": cloud(real),
        },
    }


def write_rest(folder: Path, manifest: dict[str, Any], card: str, tokenizer: Path) -> None:
    """Writes what lies beside the graphs and weights of `folder`."""
    (folder / TOKENIZER_FILES[0]).write_bytes(tokenizer.read_bytes())
    (folder / "README.md").write_text(card, encoding="utf-8")
    manifest["files"] = list_files(folder)
    write_json(folder / MANIFEST, manifest)


def cloud(real: Perplexity) -> list[dict[str, float]]:
    """Entropy and perplexity of the first texts that have both."""
    rows = zip(real.per_sample_entropy, real.per_sample_nll, real.per_sample_tokens, strict=True)
    figures = [(entropy, perplexity(nll, tokens)) for entropy, nll, tokens in rows]
    return [
        {"entropy": round(entropy, 3), "perplexity": round(each, 2)} for entropy, each in figures if each is not None
    ][:CLOUD]


def judge_card(manifest: Mapping[str, Any], facts: Mapping[str, Any], error: float, loss: float) -> str:
    """README.md of the folder."""
    shape, real, weights = manifest["architecture"], manifest["realText"], manifest["weights"]
    return f"""---
license: {manifest["licence"].lower()}
tags:
- elf
- gpt2
- onnx
---

# {manifest["title"]}

{manifest["description"] or "A small next-word language model that judges generated texts."}

A GPT-2 of {shape["parameters"]:,} parameters ({shape["layers"]} blocks, {shape["heads"]} heads, width {shape["width"]},
{shape["vocabularySize"]:,} tokens), for texts of at most {shape["maxLength"]} tokens. ELF Playground judges texts by it
and lets it write, word by word, beside a flow.

- **Corpus**: {manifest["corpus"]}. **Licence**: {manifest["licence"]}.
- **Training**: {facts.get("training_texts", "unknown")} texts, {facts.get("steps", "unknown")} updates, by
  `{facts.get("command", "elf train-judge")}`.
- **Real text that it has not learned**: {real["texts"]:,} texts, {real["tokens"]:,} tokens, perplexity
  {real["perplexity"]:.2f}, entropy {real["entropy"]:.2f} nats.
- **Proof**: the graph gives the likelihoods of the trained judge, off by at most {error:.1e} nats a token, texts read
  whole or in parts; stored as {weights["dtype"]} it changes the perplexity of real text by {100 * loss:+.2f} %.
- **Limits**: it has learned one small corpus. A low perplexity says that a text is like that corpus, not that it is
  good, and of other languages it says nothing. It predicts no text's first token.
"""
