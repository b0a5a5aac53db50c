"""Write text with the reference sampler: the trained model in JAX, step by step as in spec section 3."""

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from elf.errors import UsageError
from elf.network.trained_model import load_trained_model
from elf.progress import ticker
from elf.sampling.networks import JaxNetwork
from elf.sampling.options import SamplerOptions, text_reader
from elf.sampling.sampler import sample


@dataclass(frozen=True, kw_only=True)
class Arguments(SamplerOptions):
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained model: the `model` folder of a training run, or one of `elf make-random`."""
    batch: int = 1
    """Texts to write, sharing one schedule."""
    json: bool = False
    """Print one JSON object instead of the texts."""
    dump: Path | None = None
    """NumPy file to write: t (N+1), z0 and z (B, L, D), tokens (B, L) before the cut at eos."""


def main(arguments: Arguments) -> None:
    settings = arguments.settings()
    model = load_trained_model(arguments.checkpoint)
    length = arguments.length_for(model, UsageError)
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
    texts = [*map(text_reader(model), run.tokens)]
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
