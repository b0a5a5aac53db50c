"""From a text back to the noise it would have come from, by the ODE run backwards, and forward again to the text."""

import json
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import tyro

from elf.config import FlowConfig
from elf.errors import UsageError
from elf.models.open_model import CheckpointOptions, open_model
from elf.paths import AnyPath
from elf.sampler_settings import Method, SamplerSettings, Schedule
from elf.sampling.condition import Condition, Denoise
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.options import SamplerOptions, text_reader
from elf.sampling.sample import read_prompts
from elf.sampling.sampler import run_flow
from elf.sampling.start_noise import noise_of

Array = np.ndarray


class Reversal(NamedTuple):
    """What `reverse` found."""

    start: Array
    """(B, L, D), the noise at t = 0."""
    end: Array
    """(B, L, D), where the ODE leads from there."""
    error: float
    """‖end − clean‖ / ‖clean‖ over all numbers: 0 where the text comes back as it was."""


def reverse(
    denoise: Denoise,
    clean: Array,
    settings: SamplerSettings,
    flow: FlowConfig,
    condition: Condition | None = None,
    *,
    takes_self_cond_scale: bool = True,
) -> Reversal:
    """Follows the ODE of `settings` from clean latents (B, L, D) back to t = 0 by `noise_of`, and forward again: N − 1
    predictions back, N forward."""
    z = noise_of(denoise, clean, settings, flow, condition, takes_self_cond_scale=takes_self_cond_scale)
    *_, end = run_flow(
        denoise, settings, flow, clean.shape, condition, takes_self_cond_scale=takes_self_cond_scale, start=z
    )
    return Reversal(z, end.z, float(np.linalg.norm(end.z - clean) / np.linalg.norm(clean)))


@dataclass(frozen=True, kw_only=True)
class Arguments(SamplerOptions, CheckpointOptions):
    checkpoint: Annotated[AnyPath, tyro.conf.Positional]
    """A model that writes without a source, with its encoder, as `elf sample` takes it."""
    text: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """The text to take back to noise. May repeat."""
    ids: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """The same as tokens: 5,6,7."""
    method: Method = "ode"
    schedule: Schedule = "quantile"
    json: bool = False
    """Print one JSON object instead of lines to read."""


def main(arguments: Arguments) -> None:
    settings = arguments.settings()
    if settings.method != "ode":
        raise UsageError("the method is sde", "Only the ODE can be run backwards.")
    model = open_model(arguments.checkpoint, options=arguments).in_memory()
    if model.elf.needs_source or model.encoder is None:
        raise UsageError("this model writes to a source, or has no encoder", "Give one that writes without and has.")
    rows = read_prompts(model, arguments.text, arguments.ids)
    longest = model.elf.max_length
    if not rows or not all(1 <= len(row) <= longest for row in rows):
        raise UsageError("there is no text, or one too long", f"Give --text or --ids of 1 to {longest} tokens each.")

    network, encoder, read = JaxNetwork(model), JaxEncoder(model), text_reader(model)
    takes = network.takes_self_cond_scale
    scale = np.full(1, settings.self_cond_scale, np.float32)
    report = []
    for row in rows:
        ids = np.asarray([row])
        clean = encoder.encode(ids, np.ones_like(ids))
        found = reverse(network.denoise, clean, settings, model.flow, takes_self_cond_scale=takes)
        tokens, known = (network.read(latents, scale) for latents in (found.end, clean))
        report.append(
            {
                "text": read(row),
                "reconstructed": read(tokens[0]),
                "error": found.error,
                "token_agreement": float((tokens == ids).mean()),
                "token_agreement_of_decoder": float((known == ids).mean()),
                "noise_deviation": float(found.start.std() / model.flow.noise_scale),
            }
        )
    if arguments.json:
        print(json.dumps(report, ensure_ascii=False))
        return
    for one in report:
        print(one["reconstructed"])
        print(
            f"  latents off by {one['error']:.3f} of their size; {one['token_agreement']:.0%} of the tokens came back "
            f"(without the way there and back: {one['token_agreement_of_decoder']:.0%}); "
            f"noise of deviation {one['noise_deviation']:.2f}"
        )
