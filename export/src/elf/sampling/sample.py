"""Write text with the reference sampler, the trained model in JAX, step by step as in spec section 3; and take one back
to noise."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np
import tyro

from elf.config import FlowConfig, Method, SamplerSettings, Schedule
from elf.data.tokenizer import EOS, load_tokenizer
from elf.errors import CheckpointMismatchError, UsageError
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.trained_model import TrainedModel
from elf.paths import AnyPath
from elf.progress import ticker
from elf.sampling.condition import Condition, Denoise, Encoder, check_sources, encode_sources, spread_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork, open_graphs
from elf.sampling.options import ModelSamplerOptions, SettingsOptions, text_reader
from elf.sampling.sampler import Network, Towards, noise_of, run_flow, sample, written
from elf.text_file import BLANK_AT_ENDS


@dataclass(frozen=True, kw_only=True)
class Arguments(ModelSamplerOptions, CheckpointOptions):
    checkpoint: Annotated[AnyPath, tyro.conf.Positional]
    """A `model` folder, the output folder of a training (also while it runs), or one of its checkpoint_N; a folder of
    `elf make-random`; an official checkpoint, as file, as folder, or as `elf fetch` left it; or an exported folder."""
    dtype: str | None = None
    """Which weights of an exported folder: f32, f16, q8, q4; its own choice unless given."""
    config: AnyPath | None = None
    """The training's YAML, for a checkpoint that lies beside neither a model nor a config.yml."""
    length: int | None = None
    """Positions of a run, a prompt's included; all the model has unless given."""
    batch: int | None = None
    """Texts to write, sharing one schedule; as many as there are prompts unless given, and one without any."""
    prompt: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """For models that write to a source: its text. May repeat, one for each text of the batch; one alone serves all.
    Some of them also write without one."""
    prompt_ids: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """The same as tokens: 5,6,7."""
    towards: int | None = None
    """Another seed, towards whose noise the run starts; --weight says how far."""
    weight: float | None = None
    """0: the noise of the run's own seed; 1: that of --towards."""
    back: str | None = None
    """A text to start from the noise of, which the ODE leads back to; it says how long the run is, unless --length
    does."""
    back_ids: str | None = None
    """The same as tokens: 5,6,7, one for each position after a prompt's."""
    json: bool = False
    """Print one JSON object instead of the texts."""
    dump: Path | None = None
    """NumPy file to write: t (N+1), z0 and z (B, L, D), tokens (B, L) before a prompt and what follows eos are cut."""


def main(arguments: Arguments) -> None:
    """Write text with the reference sampler: the trained model in JAX, step by step as in spec section 3."""
    arguments.refuse_early()
    towards = towards_of(arguments)
    if arguments.batch is not None and arguments.batch < 1:
        raise UsageError(f"the batch is {arguments.batch}", "Give at least 1.")
    opened = open_to_sample(arguments)
    model = opened.model
    sources = read_prompts(model, arguments.prompt, arguments.prompt_ids)
    back = read_back(arguments, model)
    if arguments.length is None:
        fitted = len(sources[0] if sources else ()) + len(back) if back else opened.length
        arguments = replace(arguments, length=fitted)
    length = arguments.positions_for(model, UsageError)
    settings = arguments.settings_for(model, prompted=bool(sources))
    batch = max(1, len(sources)) if arguments.batch is None else arguments.batch
    condition = condition_of(opened, sources, batch, length)

    begin = time.monotonic()
    shape = (batch, length, model.elf.latent_size)
    network = opened.network()
    start = None
    if back:
        check_back(back, sources, batch, length, model)
        start = noise_of_text(opened, network, [*chain(*sources), *back], settings, condition, shape)
    run = sample(
        network, settings, model.flow, shape, condition, ticker("step", settings.steps), start=start, towards=towards
    )
    seconds = time.monotonic() - begin
    if arguments.dump:
        arguments.dump.parent.mkdir(parents=True, exist_ok=True)
        with arguments.dump.open("wb") as file:
            np.savez(file, t=run.t, z0=run.z0, z=run.z, tokens=run.tokens)
    texts = [*map(text_reader(model), written(run.tokens, model.elf, condition))]
    if arguments.json:
        report = {
            "text": texts,
            "tokens": run.tokens.tolist(),
            "settings": {**vars(settings), "batch": batch, "length": length},
            "promptIds": sources,
            **({"towards": vars(towards)} if towards else {}),
            **({"backIds": back} if back else {}),
            "seconds": round(seconds, 3),
        }
        print(json.dumps(report, ensure_ascii=False))
    else:
        print("\n\n".join(texts))


def towards_of(arguments: Arguments) -> Towards | None:
    """Where the run starts, of both options or of neither. Raises UsageError for one alone."""
    seed, weight = arguments.towards, arguments.weight
    if (seed is None) != (weight is None):
        raise UsageError("--towards and --weight belong together", "Give both: --towards 8 --weight 0.5.")
    return None if seed is None or weight is None else Towards(seed, weight)


def read_back(arguments: Arguments, model: TrainedModel) -> list[int]:
    """The tokens of the text to start from the noise of, its end among them; none where there is no such text. Raises
    UsageError for a text said twice, for another start beside it, and for bad numbers."""
    text, ids = arguments.back, arguments.back_ids
    if text is None and ids is None:
        return []
    if text is not None and ids is not None:
        raise UsageError("there are both --back and --back-ids", "Give either.")
    if arguments.towards is not None:
        raise UsageError("--back starts from the noise of a text", "Leave --towards out, or --back.")
    if ids is not None:
        (row,) = read_prompts(model, (), (ids,), "--back")
        if not row:
            raise UsageError("--back-ids names no token", "Give integers, as in 5,6,7, or leave it out.")
        return row
    (row,) = read_prompts(model, (text or "",), (), "--back")
    return row if row[-1:] == [EOS] else [*row, EOS]


def check_back(back: list[int], sources: Sequence[Sequence[int]], batch: int, length: int, model: TrainedModel) -> None:
    """Raises UsageError where a run of this batch and length cannot start from the noise of the text `back`."""
    if batch != 1:
        raise UsageError("--back starts one run", "Leave --batch and further prompts out.")
    room = min(length - len(sources[0]), model.elf.longest_text(prompted=True)) if sources else length
    if len(back) != room:
        raise UsageError(
            f"the text to go back from has {len(back)} tokens, and the run has room for {room}",
            "Give as many tokens as positions, what fills the text up included, or another length.",
        )
    check_tokens(back, model)


def check_tokens(text: Sequence[int], model: TrainedModel) -> None:
    """Raises UsageError for a token that the model does not have; JAX would take the nearest that it has."""
    known = model.elf.vocabulary_size
    if (wrong := next((token for token in text if not 0 <= token < known), None)) is not None:
        raise UsageError(
            f"the text to go back from holds the token {wrong}", f"Tokens are integers from 0 to {known - 1}."
        )


def noise_of_text(
    opened: "Opened",
    network: Network,
    ids: list[int],
    settings: SamplerSettings,
    condition: Condition | None,
    shape: tuple[int, int, int],
) -> np.ndarray:
    """The noise (1, L, D) that a run of `settings` would have made the text of these tokens from, a prompt's before it.

    The way back goes by the quantile schedule whatever the way forward goes by. Raises CheckpointMismatchError for a
    model without an encoder.
    """
    row = np.asarray([ids])
    # Positions that neither prompt nor text reaches are zero, which is the mean of all latents.
    clean = np.zeros(shape, np.float32)
    clean[:, : len(ids)] = encoder_of(opened).encode(row, np.ones_like(row))
    return noise_of(
        network.denoise,
        clean,
        replace(settings, method="ode", schedule="quantile", gamma_curve=None),
        opened.model.flow,
        condition,
        takes_self_cond_scale=network.takes_self_cond_scale,
    )


class Opened(NamedTuple):
    """A model, and how to have its network and its encoder, which take a while, once they are needed."""

    model: TrainedModel
    network: Callable[[], Network]
    encoder: Callable[[], Encoder] | None
    length: int | None = None
    """Positions of a run by the model's own default."""


def open_to_sample(arguments: Arguments) -> Opened:
    """A checkpoint in JAX, or an exported folder in ONNX Runtime. Raises what opening either does."""
    model = open_model(arguments.checkpoint, arguments.config, arguments, arguments.dtype)
    if model.exported is None:
        model = model.in_memory()
        return Opened(model, partial(JaxNetwork, model), partial(JaxEncoder, model) if model.encoder else None)
    network, encoder = open_graphs(model)
    return Opened(model, lambda: network, (lambda: encoder) if encoder else None, model.exported.length)


def read_prompts(
    model: TrainedModel, texts: Sequence[str], ids: Sequence[str], option: str = "--prompt"
) -> list[list[int]]:
    """Prompts, or what `option` names, as tokens. Raises UsageError for both kinds at once, for bad numbers, and for
    text without tokenizer."""
    if texts and ids:
        raise UsageError(f"there are both {option} and {option}-ids", "Give either.")
    if texts:
        if model.tokenizer is None:
            raise UsageError(f"this model has no tokenizer to read {option} with", f"Give {option}-ids 5,6,7.")
        tokenizer = load_tokenizer(model.tokenizer)
        return [tokenizer.encode(text.strip(BLANK_AT_ENDS)).ids for text in texts]
    try:
        return [[int(token) for token in row.split(",") if token.strip()] for row in ids]
    except ValueError as error:
        raise UsageError(f"{option}-ids holds no list of tokens: {error}", "Give integers, as in 5,6,7.") from error


def condition_of(opened: Opened, sources: Sequence[Sequence[int]], batch: int, length: int) -> Condition | None:
    """The condition of a batch of `length` positions. Raises UsageError for sources that the model cannot have."""
    check_sources(sources, opened.model.elf, length)
    if not sources:
        return None
    return encode_sources(encoder_of(opened), spread_sources(sources, batch), length)


def encoder_of(opened: Opened) -> Encoder:
    """Raises CheckpointMismatchError for a model that has none."""
    if opened.encoder is None:
        raise CheckpointMismatchError(
            "the model has no encoder to read a text with", "Give a folder with encoder.safetensors."
        )
    return opened.encoder()


# --- From a text back to the noise it would have come from, by the ODE run backwards, and forward again -------------

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
class ReconstructArguments(SettingsOptions, CheckpointOptions):
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


def reconstruct(arguments: ReconstructArguments) -> None:
    """From a text back to the noise it would have come from, by the ODE run backwards, and forward again to the
    text."""
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
    for row in rows:
        check_tokens(row, model)

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
