"""Write what a model says for many seeds, by both methods and several numbers of steps, for `npm run parity` to
repeat."""

import itertools
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import jax
import numpy as np
import tyro

from elf.config import Method, named_settings
from elf.errors import UsageError
from elf.models.exported_folder import stored_model
from elf.models.open_model import open_model
from elf.onnx_export.parity import Writer, compared_run
from elf.progress import ticker
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.options import SamplerOptions
from elf.sampling.sampler import Array

METHODS: tuple[Method, ...] = ("ode", "sde")
STEPS = (8, 32, 64)
CLOSE = 0.1
"""A difference of logits below which a position is noted."""


@dataclass(frozen=True, kw_only=True)
class Arguments(SamplerOptions):
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of the trained model that was exported. Where it takes prompts it gets random ones: for every seed, or for
    the odd ones where it may do without."""
    out: Path
    """JSON file to write."""
    dtype: Literal["f32", "f16"] = "f32"
    """How the exported weights are stored."""
    seeds: int = 64
    """Runs of each kind, from seed 0 on. `--seed`, `--method` and `--steps` are not heeded."""


class LastLogits:
    """A network that remembers the logits it read last (B, L, V)."""

    def __init__(self, network: JaxNetwork):
        self.network, self.denoise = network, network.denoise
        self.takes_self_cond_scale = network.takes_self_cond_scale

    def read(self, latent: Array, self_cond_scale: Array) -> Array:
        self.logits = self.network.decode(latent, self_cond_scale)
        return self.logits.argmax(-1)


def main(arguments: Arguments) -> None:
    """Write what a model says for many seeds, by both methods and several numbers of steps, for `npm run parity` to
    repeat.

    The weights are those of the exported file, the arithmetic is JAX's float32. Beside the tokens stand the
    positions whose two best logits lie close together: only there may another program's rounding choose the other
    token.
    """
    model = stored_model(open_model(arguments.checkpoint).in_memory(), arguments.dtype)
    length = arguments.positions_for(model, UsageError)
    kinds = [*itertools.product(METHODS, STEPS, range(arguments.seeds))]
    network, runs = LastLogits(JaxNetwork(model)), []
    writer = Writer(network, JaxEncoder(model) if model.elf.max_input_length else None)
    on_run = ticker("run", len(kinds))
    for number, (method, steps, seed) in enumerate(kinds, start=1):
        settings = replace(arguments.settings(), method=method, steps=steps, seed=seed)
        settings, source = compared_run(model, settings, length)
        run, _ = writer.run(model, settings, length)
        runs.append(
            {
                "settings": named_settings(settings, length),
                **({"promptIds": source} if source else {}),
                "tokens": run.tokens[0].tolist(),
                "close": close(network.logits[0]),
            }
        )
        on_run(number)
    fixture: dict[str, Any] = {"model": model.name, "jax": jax.__version__, "closeBelow": CLOSE, "runs": runs}
    lines = ",\n".join(json.dumps(run, separators=(",", ":")) for run in fixture.pop("runs"))
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(f'{json.dumps(fixture)[:-1]}, "runs": [\n{lines}\n]}}\n', encoding="utf-8")
    print(f"wrote {arguments.out}")


def close(logits: Array) -> dict[int, float]:
    """Position → by how much the best logit leads, where that is less than CLOSE. `logits` is (L, V)."""
    best = np.sort(np.partition(logits, -2, axis=-1)[:, -2:], axis=-1)
    margins = best[:, 1] - best[:, 0]
    return {int(position): float(f"{margins[position]:.2g}") for position in np.flatnonzero(margins < CLOSE)}
