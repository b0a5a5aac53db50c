"""Pre-train a small T5 encoder by masked denoising: hide some tokens, predict them from the rest.

It stands in for T5's own weights where those can't be had. The head is the embedding table itself, so an output is
close to its token's embedding and turned by context. Frozen afterwards.
"""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

from elf.config import T5Config
from elf.data.collation import Batch
from elf.data.dataset import check_vocabulary, open_dataset, open_pairs
from elf.data.tokenizer import load_tokenizer, mask_token
from elf.errors import ConfigError
from elf.models.latent_statistics import spectrum
from elf.models.pretrained import save_encoder
from elf.network.encoder import T5Encoder
from elf.network.modules import Params, bind, split
from elf.training.encoder_windows import check_shares, encoder_batches
from elf.training.loop import LoopConfig, run_loop
from elf.training.masked_tokens import hide_tokens
from elf.training.optimizer import OptimizerConfig, make_optimizer
from elf.training.sentence_retrieval import retrieval_accuracy


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
    compute_dtype: str = "bfloat16"
    checkpoint_minutes: float = 3.0
    seed: int = 0
    optimizer: OptimizerConfig = field(default_factory=lambda: OptimizerConfig(blr=4e-3, schedule="cosine"))


def main(arguments: Arguments) -> None:
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

    def loss_function(params: Params, ids: jax.Array, real: jax.Array, key: jax.Array) -> jax.Array:
        hidden, positions, counts = hide_tokens(key, ids, real, arguments.masked, mask_id, config.vocabulary_size)
        output = bind(graphdef, params)(hidden)
        at = jnp.take_along_axis(output, positions[..., None], axis=1)
        dtype = jnp.dtype(arguments.compute_dtype)
        table = params["shared/embedding"] * config.d_model**-0.5
        logits = jnp.einsum("bkd,vd->bkv", at.astype(dtype), table.astype(dtype), preferred_element_type=jnp.float32)
        losses = optax.softmax_cross_entropy_with_integer_labels(logits, jnp.take_along_axis(ids, positions, axis=1))
        return (losses * counts).sum() / counts.sum()

    @jax.jit
    def jitted(state, ids, real, step):
        params, opt_state = state
        loss, gradients = jax.value_and_grad(loss_function)(params, ids, real, jax.random.fold_in(key, step))
        changes, opt_state = optimizer.update(gradients, opt_state, params)
        return (optax.apply_updates(params, changes), opt_state), {"loss": loss}

    def update(state, batch: Batch, step: int):
        return jitted(state, batch.ids, batch.real, step)

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
        (params, optimizer.init(params)),
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
