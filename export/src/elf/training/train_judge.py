"""Train a judge: a small GPT-2 on real texts, under which generated ones are judged where GPT-2 Large can't be had."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from elf.config import check_seed
from elf.data.rows import Batch, Shard, TokenDataset, check_vocabulary, open_dataset, training_batches
from elf.data.tokenizer import Tokenizer, load_tokenizer
from elf.devices import check_batch, make_mesh, on_host
from elf.errors import ConfigError, DatasetError, EmptyCorpusError
from elf.evaluation.gpt2 import Gpt2, Gpt2Config
from elf.evaluation.judge import Judge, end_of_text, save_judge
from elf.evaluation.perplexity import gen_perplexity
from elf.network.modules import Params, bind, split
from elf.progress import say, ticker
from elf.training.loop import LoopConfig, check_minutes, run_loop
from elf.training.optimizer import OptimizerConfig, Update, make_optimizer

LENGTH_SAMPLE = 4096
"""Rows, evenly spread, whose longest decides the judge's window."""


@dataclass(frozen=True)
class Arguments:
    data: Path
    """A dataset of `elf prepare` (its `train` folder)."""
    held_out: Path
    """Real texts that the judge does not learn (the `held_out` folder beside it)."""
    tokenizer: Path
    """The tokenizer.json that both were prepared with."""
    out: Path
    """Output folder, which becomes the judge; a run found there is resumed."""
    layers: int = 6
    heads: int = 4
    width: int = 256
    length: int | None = None
    """Most tokens of a text, its end included; by default as many as the longest text has."""
    steps: int = 4000
    batch_size: int = 64
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of matrix products; sums, norms, softmax and weights are float32. Judging is float32 throughout."""
    held_out_texts: int = 1000
    """Most held-out texts to measure on."""
    checkpoint_minutes: float = 3.0
    log_every: int = 20
    seed: int = 0
    corpus: str = ""
    """For judge.json: what the data are."""
    licence: str = ""
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(blr=0.04, schedule="cosine"))
    """After 300 steps of a small judge, Muon had a held-out perplexity of 25 where AdamW at its best had 39."""

    def __post_init__(self) -> None:
        if min(self.steps, self.batch_size, self.held_out_texts, self.log_every) < 1:
            raise ConfigError("steps, batch-size, held-out-texts and log-every must be at least 1", "Raise them.")
        check_minutes(self.checkpoint_minutes)
        check_seed(self.seed)


def main(arguments: Arguments) -> None:
    """Train a judge: a small GPT-2 on real texts, under which generated ones are judged where GPT-2 Large can't be
    had.

    It learns each row of the dataset as one text with its end, and reports the perplexity of real texts that were
    held out: the figure that generated texts are to be compared with.
    """
    tokenizer = load_tokenizer(arguments.tokenizer)
    vocab_size = tokenizer.get_vocab_size()
    eos = end_of_text(tokenizer, {}, vocab_size)
    dataset, held_out = open_dataset(arguments.data), open_dataset(arguments.held_out)
    for part in (dataset, held_out):
        check_vocabulary(part, vocab_size)
        if part.condition_input_ids is not None:
            raise DatasetError("this dataset is of pairs; a judge learns single texts", "Prepare one of texts.")
    texts = held_out_texts(held_out, tokenizer, arguments.held_out_texts)
    config = Gpt2Config(
        vocab_size=vocab_size,
        n_positions=window(dataset, arguments.length),
        n_embd=arguments.width,
        n_layer=arguments.layers,
        n_head=arguments.heads,
    )
    mesh = make_mesh()
    check_batch(mesh, arguments.batch_size)
    graphdef, params = split(
        Gpt2(config, rngs=nnx.Rngs(arguments.seed), compute_dtype=jnp.dtype(arguments.compute_dtype))
    )
    size = sum(value.size for value in params.values())
    say(f"a judge of {size:,} parameters learns {len(dataset):,} texts of up to {config.n_positions} tokens")
    optimizer = make_optimizer(arguments.optimizer, arguments.batch_size, arguments.steps)

    def loss(params: Params, step: jax.Array, rows: Any, fixed: None) -> tuple[jax.Array, dict[str, jax.Array]]:
        ids, real = rows
        # A row holds n real tokens, then its end: tokens 1 … n are predicted, what fills up the row is not.
        counts = jnp.arange(1, ids.shape[1]) <= real.sum(axis=1, keepdims=True)
        nll = bind(graphdef, params).next_token_nll(ids)
        value = jnp.where(counts, nll, 0.0).sum() / counts.sum()
        return value, {"loss": value}

    learn = Update(loss, optimizer, mesh, arguments.batch_size, norm=True)

    def update(state, batch: Batch, step: int):
        return learn(state, (batch.ids, batch.real), step)

    def batches(start: int) -> Iterator[Batch]:
        return training_batches(
            dataset,
            batch_size=arguments.batch_size,
            length=config.n_positions,
            pad_token=eos,
            vocabulary_size=vocab_size,
            seed=arguments.seed,
            start=start,
            shard=Shard(jax.process_index(), jax.process_count()),
        )

    def measure_and_save(state, step: int, seconds: float) -> None:
        params, _ = state
        judge = Judge(str(arguments.out), config, on_host(params), tokenizer, eos)
        real = gen_perplexity(judge, texts, on_progress=ticker("judging held-out texts", len(texts)))
        say(f"held-out real texts after step {step}: perplexity {real.perplexity:.2f} per token")
        judge.facts.update(
            command=command(arguments),
            corpus=arguments.corpus,
            licence=arguments.licence,
            parameters=size,
            training_texts=len(dataset),
            steps=step,
            seconds=round(seconds),
            held_out={"texts": len(texts), **real.summary()},
        )
        if jax.process_index() == 0:
            save_judge(arguments.out, judge, arguments.tokenizer)

    run_loop(
        LoopConfig(arguments.steps, arguments.checkpoint_minutes, log_every=arguments.log_every),
        arguments.out,
        learn.start(params),
        batches,
        update,
        arguments.batch_size * config.n_positions,
        on_checkpoint=measure_and_save,
    )
    if jax.process_index() == 0:
        facts = json.loads((arguments.out / "judge.json").read_text(encoding="utf-8"))
        print(json.dumps({"parameters": size, "seconds": facts["seconds"], "held_out": facts["held_out"]}))


def window(dataset: TokenDataset, length: int | None) -> int:
    """Tokens that a judge takes: `length`, by default one more than the longest text of a sample of the dataset.

    Raises ConfigError for a longer one: what no text reaches would never be learnt, yet be used for judging.
    """
    rows = np.unique(np.linspace(0, len(dataset) - 1, LENGTH_SAMPLE).astype(np.int64))
    longest = max(len(dataset.input_ids[int(row)]) for row in rows) + 1
    if length is not None and not 2 <= length <= longest:
        raise ConfigError(
            f"--length is {length}, the longest text of the data has {longest} tokens with its end",
            f"Give 2 to {longest}, leave it out, or prepare the data with a larger --max-length.",
        )
    return longest if length is None else length


def held_out_texts(dataset: TokenDataset, tokenizer: Tokenizer, most: int) -> list[str]:
    """The first rows as text, because as text they are judged, like generated ones. Raises EmptyCorpusError."""
    texts = [tokenizer.decode(dataset.input_ids[row].tolist()) for row in range(min(most, len(dataset)))]
    if not any(texts):
        raise EmptyCorpusError("the held-out dataset has no text", "Prepare it again from a corpus with text.")
    return texts


def command(arguments: Arguments) -> str:
    """The command line without paths: where a machine keeps its files is nobody's business."""
    return " ".join(["elf train-judge", *_options(arguments, "")])


def _options(values: Any, prefix: str) -> Iterator[str]:
    for entry in fields(values):
        value, name = getattr(values, entry.name), f"{prefix}{entry.name.replace('_', '-')}"
        if is_dataclass(value):
            yield from _options(value, f"{name}.")
        elif not isinstance(value, Path) and value != entry.default:
            yield f"--{name} {json.dumps(value, ensure_ascii=False) if isinstance(value, str) else value}"
