"""Write text with the reference sampler: the trained model in JAX, step by step as in spec section 3."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from elf.errors import UsageError
from elf.networks import JaxNetwork
from elf.progress import ticker
from elf.sampling import SamplerSettings, cut_at_eos, sample
from elf.tokenizer import EOS, load_tokenizer
from elf.trained_model import load_trained_model


@dataclass(frozen=True)
class Arguments:
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained model: the `model` folder of a training run, or one of `elf make-random`."""
    steps: int = 32
    """Network passes before the decode pass."""
    method: Literal["ode", "sde"] = "sde"
    gamma: float = 1.5
    """How much of the state each SDE step replaces by fresh noise; 0 makes it the ODE."""
    self_cond_cfg: float = 3.0
    """Self-conditioning guidance scale: larger is more fluent and less varied."""
    schedule: Literal["uniform", "logit_normal"] = "logit_normal"
    rng: Literal["original", "partitionable"] = "original"
    """Layout of the random bits: of jax up to 0.4, like the official sampler, or of jax from 0.5 on."""
    seed: int = 7
    batch: int = 1
    """Texts to write, sharing one schedule."""
    length: int | None = None
    """Tokens of each; all the model can write unless given."""
    json: bool = False
    """Print one JSON object instead of the texts."""
    dump: Path | None = None
    """NumPy file to write: t (N+1), z0 and z (B, L, D), tokens (B, L) before the cut at eos."""


def main(arguments: Arguments) -> None:
    settings = SamplerSettings(
        steps=arguments.steps,
        method=arguments.method,
        gamma=arguments.gamma,
        self_cond_scale=arguments.self_cond_cfg,
        schedule=arguments.schedule,
        rng=arguments.rng,
        seed=arguments.seed,
    )
    model = load_trained_model(arguments.checkpoint)
    longest = model.elf.max_length - model.elf.max_input_length
    length = longest if arguments.length is None else arguments.length
    if not 1 <= length <= longest:
        raise UsageError(f"the length is {length}", f"This model writes 1 to {longest} tokens.")
    if arguments.batch < 1:
        raise UsageError(f"the batch is {arguments.batch}", "Give at least 1.")

    begin = time.monotonic()
    shape = (arguments.batch, length, model.elf.latent_size)
    run = sample(JaxNetwork(model), settings, model.flow, shape, on_step=ticker("step", settings.steps))
    seconds = time.monotonic() - begin
    if arguments.dump:
        arguments.dump.parent.mkdir(parents=True, exist_ok=True)
        with arguments.dump.open("wb") as file:
            np.savez(file, t=run.t, z0=run.z0, z=run.z, tokens=run.tokens)
    ids = [cut_at_eos(tokens, EOS) for tokens in run.tokens]
    tokenizer = load_tokenizer(model.tokenizer) if model.tokenizer else None
    texts = [tokenizer.decode(row) if tokenizer else " ".join(map(str, row)) for row in ids]
    if arguments.json:
        report = {
            "text": texts,
            "tokens": run.tokens.tolist(),
            "settings": {**vars(settings), "batch": arguments.batch, "length": length},
            "seconds": round(seconds, 3),
        }
        print(json.dumps(report, ensure_ascii=False))
    else:
        print("\n\n".join(texts))
