"""Write a trained model as ONNX for the page, with proof that the graphs are the model (export/FORMAT.md)."""

import json
import math
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import tyro

from elf.config import SamplerSettings, check_count
from elf.data.tokenizer import EOS, PAD, UNK, check_read_alike
from elf.data.tokenizer_json import FIELD, cleans_up
from elf.errors import ConfigError
from elf.models.open_model import CheckpointOptions, open_model
from elf.models.trained_model import TrainedModel, plain_statistic
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.onnx_export.card_parts import SAMPLES, CardOptions, CardSamples, Sample, write_samples
from elf.onnx_export.dtypes import Trial, dtypes_of, offer_dtypes, rounded
from elf.onnx_export.graphs import graphs_of
from elf.onnx_export.manifest import Names, describe, latent_basis, list_files, write_json
from elf.onnx_export.model_card import card_section, model_card
from elf.onnx_export.parity import check_parity
from elf.onnx_export.presets import checked_examples, read_presets, refuse_beyond_page
from elf.onnx_export.replaced_folder import replaced_folder
from elf.paths import AnyPath
from elf.progress import say
from elf.sampling.options import ModelSamplerOptions, text_reader


def hub_config(model: TrainedModel) -> dict[str, Any]:
    """`config.json` with the names that hub users expect."""
    config, flow = model.elf, model.flow
    return {
        "model_type": "elf",
        "architectures": ["ElfModel"],
        "num_hidden_layers": config.depth,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.swiglu_size,
        "latent_size": config.latent_size,
        "bottleneck_size": config.bottleneck_size,
        "vocab_size": config.vocabulary_size,
        "max_position_embeddings": config.max_length,
        "max_input_length": config.max_input_length,
        "source_optional": config.source_optional,
        "num_time_tokens": config.time_tokens,
        "num_self_cond_cfg_tokens": config.self_cond_cfg_tokens,
        "num_mode_tokens": config.mode_tokens,
        "noise_scale": flow.noise_scale,
        "t_eps": flow.t_eps,
        "self_cond_start": flow.self_cond_start,
        "schedule_mean": flow.p_mean,
        "schedule_std": flow.p_std,
        "latent_mean": plain_statistic(model.latent_mean),
        "latent_std": plain_statistic(model.latent_std),
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "unk_token_id": UNK,
    }


def hub_generation_config(settings: SamplerSettings, length: int) -> dict[str, Any]:
    """`generation_config.json`: the sampler's defaults."""
    return {**vars(settings), "max_length": length, "pad_token_id": PAD, "eos_token_id": EOS}


def hub_tokenizer_config(model: TrainedModel) -> dict[str, Any]:
    """`tokenizer_config.json`: what transformers.js needs to pick its class, and to decode as the model's own says."""
    assert model.tokenizer is not None  # export writes this beside a tokenizer.json
    return {
        "tokenizer_class": "T5Tokenizer",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": model.elf.max_length,
        FIELD: cleans_up(model.tokenizer),
    }


MIN_PARITY_SEEDS = 16
MIN_PARITY_TOKENS = 2048
"""Enough that one near tie between two tokens does not sink a good model."""


@dataclass(frozen=True, kw_only=True)
class Arguments(ModelSamplerOptions, CheckpointOptions, CardOptions):
    checkpoint: Annotated[AnyPath, tyro.conf.Positional]
    """A `model` folder, the output folder of a training or one of its checkpoint_N, a folder of `elf make-random`; or
    an official checkpoint, as file, as folder, or as `elf fetch` left it."""
    out: Path
    """Folder to write. A model exported there before is replaced."""
    dtype: str = "f32"
    """How weights are stored: f32, f16, q8 or q4, or several with commas between, the page's default first. The
    arithmetic is float32 whichever it is."""
    ungated: bool = False
    """Offer a dtype also when it changes too much of the text, as an approximate one: for random weights, which write
    nonsense anyway."""
    calibrate: bool = True
    """Round the weights of q8 and q4 by what they multiply in runs of the model; worth nothing for random weights."""
    rounded: bool = False
    """The model is what the first --dtype makes of it: its weights are rounded first, and the proof, the samples and
    `elf evaluate` of the folder are of the rounded ones. For q8, half as much to fetch as f16, where the text is as
    good but not the same."""
    name: str | None = None
    """Name in the manifest; the folder's name unless given."""
    title: str | None = None
    """Name for people; from the name unless given."""
    description: str = "An Embedded Language Flow."
    """One sentence for the page and the model card."""
    licence: str | None = None
    """SPDX id; the training record's unless given."""
    source_optional: bool = False
    """The model also writes without a source, though its training's configuration does not say so."""
    example: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A prompt for the page to offer, of a conditional model. May repeat, up to 8 times."""
    presets: Path | None = None
    """Ways to sample for the page to offer beside the defaults: a YAML list of up to 6, each with name, note, and
    settings by the names of sampling files."""
    length: int | None = None
    """Positions of a run, a prompt's included; all the model has unless given."""
    parity_seeds: int | None = None
    """Whole runs to compare, at least 16; enough for 2,048 tokens unless given."""
    parity_length: int | None = None
    """Positions of these runs; those of --length unless given. Long texts of large models take minutes a run."""
    parity_steps: int | None = None
    """Steps of these runs; those of --steps unless given."""


def main(arguments: Arguments) -> None:
    """Write a trained model as ONNX for the page, with proof that the graphs are the model (export/FORMAT.md).

    The folder appears whole or not at all: it is built beside its place and moved there once the proof holds. The
    sampler's options are those of the whole runs compared, and become the defaults of the page.
    """
    arguments.refuse_early()
    report = export_model(open_model(arguments.checkpoint, options=arguments), arguments)
    print(json.dumps({"out": str(arguments.out), **report}, indent=2))


def check_compared(arguments: Any) -> None:
    """Raises ConfigError where the whole runs to compare are said to be of nothing."""
    for name in ("parity_seeds", "parity_length", "parity_steps"):
        check_count(f"--{name.replace('_', '-')}", getattr(arguments, name), ConfigError)


def enough_seeds(seeds: int) -> int:
    """Raises ConfigError for fewer runs than prove anything."""
    if seeds < MIN_PARITY_SEEDS:
        raise ConfigError(f"{seeds} parity seeds prove little", f"Give at least {MIN_PARITY_SEEDS}.")
    return seeds


def export_model(model: TrainedModel, arguments: Arguments) -> dict[str, Any]:
    """Writes the folder; returns its size in bytes and the figures of the checks.

    Raises CheckpointMismatchError where weights do not fit their configuration, ParityError where graphs do not
    compute the model or every dtype changes its text, TokenizerFormError where the page might read prompts otherwise,
    OutputExistsError where `out` is something else, ConfigError for impossible options, UsageError for settings that
    the page does not take.
    """
    if arguments.source_optional:
        model = replace(model, elf=replace(model.elf, source_optional=True))
    check_parameters(model.params, parameter_shapes(model.elf), "the ELF network")
    if model.encoder:
        check_parameters(model.encoder_params, encoder_parameter_shapes(model.encoder), "the encoder")
    dtypes = dtypes_of(arguments.dtype)
    check_compared(arguments)
    settings = arguments.settings_for(model)
    refuse_beyond_page(settings)
    length = arguments.positions_for(model, ConfigError)
    compared = replace(arguments, length=arguments.parity_length or length).positions_for(model, ConfigError)
    seeds = enough_seeds(arguments.parity_seeds or max(MIN_PARITY_SEEDS, math.ceil(MIN_PARITY_TOKENS / compared)))
    compared_settings = replace(settings, steps=arguments.parity_steps or settings.steps)
    if model.elf.max_input_length and model.encoder is None:
        raise ConfigError(
            "the model writes to a source but has no encoder to read it with", "Give one with an encoder."
        )

    check_prompts_read_alike(model)
    names = names_of(model, settings, arguments)

    say(f"building the graphs of {model.name}")
    with ExitStack() as opened:
        if arguments.rounded:
            form = rounded(model, dtypes[0], compared_settings, compared, calibrated=arguments.calibrate)
            model = opened.enter_context(form)
        parts = arguments.read_card_parts(model)
        folder = opened.enter_context(replaced_folder(arguments.out))
        graphs = graphs_of(model)
        onnx_folder = folder / "onnx"
        graphs.write(onnx_folder)
        parity = check_parity(model, onnx_folder, graphs.weights.tensors, compared_settings, compared, range(seeds))

        basis = latent_basis(parity.ends, model.flow.noise_scale)
        manifest = describe(model, names, settings, length, graphs.models, basis)
        trial = Trial(model, graphs, onnx_folder, compared_settings, compared, parity.tokens)
        options = {"calibrated": arguments.calibrate, "gated": not arguments.ungated}
        measured = offer_dtypes(trial, dtypes, manifest, **options)
        parity.report["dtypes"] = {dtype: figures.report() for dtype, figures in measured.items()}
        write_json(folder / "parity.json", parity.report)
        write_json(folder / "config.json", hub_config(model))
        write_json(folder / "generation_config.json", hub_generation_config(settings, length))
        if model.tokenizer:
            (folder / "tokenizer.json").write_bytes(model.tokenizer.read_bytes())
            write_json(folder / "tokenizer_config.json", hub_tokenizer_config(model))
        if parts.sources or model.elf.source_optional:
            samples = write_samples(model, onnx_folder, manifest["defaultDtype"], settings, length, parts.sources)
        else:
            read, written = text_reader(model), measured[manifest["defaultDtype"]].tokens
            texts = [Sample(seed, read(tokens)) for seed, tokens in islice(written.items(), SAMPLES)]
            samples = CardSamples(of_parity=texts)
        card = model_card(manifest, parity.report, model.training, samples, parts, attribution_before(model))
        (folder / "README.md").write_text(card, encoding="utf-8")

        manifest["files"] = list_files(folder)
        write_json(folder / "manifest.json", manifest)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"bytes": size, **{part: parity.report[part] for part in ("graphs", "runs", "dtypes")}}


def attribution_before(model: TrainedModel) -> str:
    """What the card of an exported folder attributes: an export of one knows no corpus."""
    card = model.exported.folder / "README.md" if model.exported else None
    return card_section(card.read_text(encoding="utf-8"), "Attribution") if card and card.is_file() else ""


def check_prompts_read_alike(model: TrainedModel) -> None:
    """Raises TokenizerFormError for a model whose prompts the page might read as other tokens than Python."""
    if model.tokenizer and model.elf.max_input_length:
        check_read_alike(model.tokenizer)


def names_of(model: TrainedModel, settings: SamplerSettings, arguments: Arguments) -> Names:
    """Raises ConfigError for examples that the model cannot be given, and presets that it cannot run."""
    name = arguments.name or arguments.out.absolute().name
    return Names(
        name=name,
        title=arguments.title or name.replace("-", " ").capitalize(),
        description=arguments.description,
        licence=arguments.licence or str(model.training.get("licence") or "unknown"),
        examples=checked_examples(model, arguments.example),
        presets=read_presets(arguments.presets, settings, prompted=model.elf.max_input_length > 0)
        if arguments.presets
        else (),
    )
