"""Bring a folder that `elf export` wrote to the present schema version, to other defaults, or to another card."""

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import jax
import tyro

from elf.config import SamplerSettings, check_count, named_settings, settings_of
from elf.errors import ConfigError, ExportedModelError
from elf.models.exported_folder import SCHEMA_VERSION, StoredWeights, self_cond_start
from elf.models.open_model import open_model
from elf.models.trained_model import TrainedModel
from elf.onnx_export.card_parts import SAMPLES, CardContents, CardParts, CardSamples, Sample, kept_tables, write_samples
from elf.onnx_export.check import check_folder
from elf.onnx_export.export import check_compared, enough_seeds, hub_config, hub_generation_config
from elf.onnx_export.manifest import describe_presets, latent_basis, list_files, read_manifest, write_json
from elf.onnx_export.model_card import card_languages, card_section, renewed_card
from elf.onnx_export.parity import Writer, compare_runs
from elf.onnx_export.presets import Preset, check_preset, checked_examples, read_presets, refuse_beyond_page
from elf.onnx_export.replaced_folder import replaced_folder
from elf.progress import say
from elf.sampling.networks import JaxEncoder, JaxNetwork, OnnxEncoder, OnnxNetwork
from elf.sampling.options import ModelSamplerOptions, text_reader
from elf.text_file import json_value

TABLE = "\n|---"
"""In Markdown every table has one."""

MADE_ANEW = ("manifest.json", "parity.json", "config.json", "generation_config.json", "README.md")
"""All other files are copied."""


@dataclass(frozen=True, kw_only=True)
class Arguments(ModelSamplerOptions, CardContents):
    folder: Annotated[Path, tyro.conf.Positional]
    """A folder that `elf export` wrote, of this schema version or the one before."""
    out: Path | None = None
    """Folder to write; the same one unless given."""
    description: str | None = None
    """One sentence for the page and the model card."""
    example: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A prompt for the page to offer, of a conditional model. May repeat, up to 8 times."""
    presets: Path | None = None
    """Ways to sample for the page to offer beside the defaults, as for `elf export`. Those that there are stay the ways
    they were, whatever the defaults become."""
    length: int | None = None
    """Positions of a run, a prompt's included; as before unless given."""
    parity_seeds: int | None = None
    """Whole runs to compare, at least 16; as many as before unless given."""
    parity_length: int | None = None
    """Positions of these runs; as many as before unless given."""
    parity_steps: int | None = None
    """Steps of these runs; those of --steps unless given."""


def main(arguments: Arguments) -> None:
    """Bring a folder that `elf export` wrote to the present schema version, to other defaults, or to another card.

    Graphs, weights, self-tests and tokenizer stay byte for byte, and so does what was measured of them. What depends
    on how a run begins and is sampled is made anew: whole runs in JAX and by the graphs, both with the stored
    weights, which must agree as in `elf export`; the directions that runs are drawn in; defaults, presets and the
    card. What is not given stays as it was.
    """
    arguments.refuse_early()
    report = renew(arguments.folder, arguments)
    print(json.dumps({"out": str(arguments.out or arguments.folder), **report}, indent=2))


def renew(folder: Path, arguments: Arguments) -> dict[str, Any]:
    """Writes the folder; returns what is new of its manifest, and how the runs agreed.

    Raises what `check_folder` does for a folder that is not sound, ParityError where the runs do not agree, ConfigError
    and UsageError for impossible options.
    """
    check_compared(arguments)
    check_count("--length", arguments.length, ConfigError)
    check_folder(folder)
    before = read_manifest(folder)
    try:
        parity = json_value((folder / "parity.json").read_text(encoding="utf-8"))
        runs, last_seed = parity["runs"], int(parity["runs"]["lastSeed"])
        card = (folder / "README.md").read_text(encoding="utf-8")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExportedModelError(
            f"the parity.json or README.md of {folder} cannot be read: {error}", "Export the model again."
        ) from error
    model = open_model(folder).in_memory()
    settings = arguments.settings_for(model)
    refuse_beyond_page(settings)
    length = replace(arguments, length=arguments.length or before["defaults"]["length"]).positions_for(
        model, ConfigError
    )
    compared = replace(arguments, length=arguments.parity_length or runs["length"]).positions_for(model, ConfigError)
    seeds = enough_seeds(arguments.parity_seeds or last_seed + 1)
    manifest = renewed_manifest(before, model, settings, length, arguments)
    parts = arguments.read_parts(model, card_languages(card))
    same_start = not model.elf.max_input_length or start_of_runs(before) == manifest["selfCondStart"]
    same_settings = settings_of(before["defaults"]) == settings and before["defaults"]["length"] == length
    parts = kept_parts(parts, card, same_settings=same_settings, same_start=same_start)

    with replaced_folder(arguments.out or folder) as new:
        shutil.copytree(folder, new, dirs_exist_ok=True, ignore=lambda _, names: {*MADE_ANEW} & {*names})
        dtype = manifest["defaultDtype"]
        compared_settings = replace(settings, steps=arguments.parity_steps or settings.steps)
        with jax.default_device(jax.devices("cpu")[0]):
            writers = stored_writers(model, new / "onnx", dtype)
            report, tokens, ends = compare_runs(model, *writers, compared_settings, compared, range(seeds))
        manifest["latent"] = manifest["latent"] | {"basis": latent_basis(ends, model.flow.noise_scale)}
        parity = parity | {"runs": {"weights": dtype, **report}}
        write_json(new / "parity.json", parity)
        write_json(new / "config.json", hub_config(model))
        write_json(new / "generation_config.json", hub_generation_config(settings, length))
        if parts.sources or model.elf.source_optional:
            samples = write_samples(model, new / "onnx", dtype, settings, length, parts.sources)
        else:
            texts = map(text_reader(model), tokens.values())
            samples = CardSamples(of_parity=[Sample(seed, text) for seed, text in islice(enumerate(texts), SAMPLES)])
        (new / "README.md").write_text(renewed_card(card, manifest, parity, samples, parts), encoding="utf-8")
        manifest["files"] = list_files(new)
        write_json(new / "manifest.json", manifest)
    return {"selfCondStart": manifest["selfCondStart"], "defaults": manifest["defaults"], "runs": parity["runs"]}


def renewed_manifest(
    before: Mapping[str, Any], model: TrainedModel, settings: SamplerSettings, length: int, arguments: Arguments
) -> dict[str, Any]:
    """The manifest but for its files: that of this schema version, with what was given."""
    manifest: dict[str, Any] = {}
    for name, value in before.items():
        manifest[name] = value
        if name == "schedule":
            manifest["selfCondStart"] = self_cond_start(before)
    changes = {
        "schemaVersion": SCHEMA_VERSION,
        "description": arguments.description or before["description"],
        "defaults": named_settings(settings, length),
    }
    if arguments.example:
        changes["examples"] = [*checked_examples(model, arguments.example)]
    if presets := [*_presets(before, model, settings, arguments.presets)]:
        changes["presets"] = describe_presets(presets, settings)
    # Optional fields that are new come after the defaults, as `elf export` writes them.
    merged, names = manifest | changes, [*manifest]
    place = names.index("defaults") + 1
    names[place:place] = ["examples", "presets"]
    return {name: merged[name] for name in dict.fromkeys(names) if name in merged}


def _presets(
    before: Mapping[str, Any], model: TrainedModel, settings: SamplerSettings, given: Path | None
) -> Iterator[Preset]:
    prompted = model.elf.max_input_length > 0
    if given:
        yield from read_presets(given, settings, prompted=prompted)
        return
    for entry in before.get("presets", []):
        preset = Preset(entry["name"], entry["note"], settings_of({**before["defaults"], **entry["settings"]}))
        check_preset(preset, prompted=prompted)
        yield preset


def start_of_runs(manifest: Mapping[str, Any]) -> str:
    """What x̂ started with in the runs that a folder was exported with: up to version 2 always the condition."""
    return manifest["selfCondStart"] if manifest["schemaVersion"] > 2 else "condition"


def kept_parts(parts: CardParts, card: str, *, same_settings: bool, same_start: bool) -> CardParts:
    """What was not given is as the card had it; an evaluation of other runs is not."""
    before = card_section(card, "Evaluation")
    evaluation = kept_tables(before, parts.evaluation, same_settings=same_settings, same_start=same_start)
    if before.count(TABLE) > evaluation.count(TABLE):
        say("an evaluation on the card was of other runs and is left out: --evaluation gives another")
    return replace(parts, evaluation=evaluation, notes=parts.notes or card_section(card, "Limits and failures"))


def stored_writers(model: TrainedModel, onnx_folder: Path, dtype: Any) -> tuple[Writer, Writer]:
    """JAX and the graphs, both with the stored weights."""
    weights = StoredWeights(onnx_folder, dtype)
    encoders = (JaxEncoder(model), OnnxEncoder(onnx_folder, weights)) if model.encoder else (None, None)
    return Writer(JaxNetwork(model), encoders[0]), Writer(OnnxNetwork(onnx_folder, weights), encoders[1])
