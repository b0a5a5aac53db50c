"""Write a trained model as ONNX for the page, with proof that the graphs are the model (export/FORMAT.md).

The folder appears whole or not at all: it is built beside its place and moved there once the proof holds. The sampler's
options are those of the whole runs compared, and become the defaults of the page.
"""

import hashlib
import json
import math
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from elf.data.tokenizer import EOS, PAD, UNK
from elf.errors import ConfigError, OutputExistsError
from elf.network.parameters import check_parameters, encoder_parameter_shapes, parameter_shapes
from elf.network.trained_model import TrainedModel, load_trained_model, plain_statistic
from elf.onnx_export.graphs import TOP_K, build_graphs
from elf.onnx_export.model_card import model_card
from elf.onnx_export.parity import check_parity
from elf.onnx_export.weights import WEIGHTS_FILE
from elf.progress import say
from elf.sampling.options import SamplerOptions, text_reader
from elf.sampling.settings import SamplerSettings, named_settings

SCHEMA_VERSION = 1
CARD_SAMPLES = 10
MIN_PARITY_SEEDS = 16
MIN_PARITY_TOKENS = 2048
"""Enough that one near tie between two tokens does not sink a good model."""


@dataclass(frozen=True, kw_only=True)
class Arguments(SamplerOptions):
    checkpoint: Annotated[Path, tyro.conf.Positional]
    """Folder of a trained model: the `model` folder of a training run, or one of `elf make-random`."""
    out: Path
    """Folder to write. A model exported there before is replaced."""
    dtype: Literal["f32", "f16"] = "f32"
    """How weights are stored. The arithmetic is float32 either way."""
    name: str | None = None
    """Name in the manifest; the folder's name unless given."""
    title: str | None = None
    """Name for people; from the name unless given."""
    description: str = "An Embedded Language Flow."
    """One sentence for the page and the model card."""
    licence: str | None = None
    """SPDX id; the training record's unless given."""
    length: int | None = None
    """Positions of a run, a prompt's included; all the model has unless given."""
    parity_seeds: int | None = None
    """Whole runs to compare, at least 16; enough for 2,048 tokens unless given."""


def main(arguments: Arguments) -> None:
    report = export_model(load_trained_model(arguments.checkpoint), arguments)
    print(json.dumps({"out": str(arguments.out), **report}, indent=2))


def export_model(model: TrainedModel, arguments: Arguments) -> dict[str, Any]:
    """Writes the folder; returns its size in bytes and the figures of the parity check.

    Raises CheckpointMismatchError where weights do not fit their configuration, ParityError where graphs do not
    compute the model, OutputExistsError where `out` is something else, ConfigError for impossible options.
    """
    check_parameters(model.params, parameter_shapes(model.elf), "the ELF network")
    if model.encoder:
        check_parameters(model.encoder_params, encoder_parameter_shapes(model.encoder), "the encoder")
    settings = arguments.settings()
    length = arguments.positions_for(model, ConfigError)
    seeds = arguments.parity_seeds or max(MIN_PARITY_SEEDS, math.ceil(MIN_PARITY_TOKENS / length))
    if seeds < MIN_PARITY_SEEDS:
        raise ConfigError(f"{seeds} parity seeds prove little", f"Give at least {MIN_PARITY_SEEDS}.")
    if model.elf.max_input_length and model.encoder is None:
        raise ConfigError(
            "the model writes to a source but has no encoder to read it with", "Give one with an encoder."
        )

    say(f"building the graphs of {model.name}")
    with replaced_folder(arguments.out) as folder:
        graphs = build_graphs(
            model.elf,
            model.params,
            model.encoder,
            model.encoder_params,
            model.latent_mean,
            model.latent_std,
            arguments.dtype,
        )
        graphs.write(folder / "onnx")
        parity = check_parity(model, folder / "onnx", arguments.dtype, settings, length, range(seeds))

        manifest = describe(model, arguments, settings, length, sorted(graphs.models))
        write_json(folder / "parity.json", parity.report)
        write_json(folder / "config.json", hub_config(model))
        write_json(folder / "generation_config.json", hub_generation_config(settings, length))
        if model.tokenizer:
            shutil.copyfile(model.tokenizer, folder / "tokenizer.json")
            write_json(folder / "tokenizer_config.json", hub_tokenizer_config(model))
        read = text_reader(model)
        samples = [(seed, read(tokens)) for seed, tokens in islice(parity.tokens.items(), CARD_SAMPLES)]
        card = model_card(manifest, parity.report, model.training, samples)
        (folder / "README.md").write_text(card, encoding="utf-8")

        manifest["files"] = list_files(folder)
        write_json(folder / "manifest.json", manifest)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
    return {"bytes": size, "graphs": parity.report["graphs"], "runs": parity.report["runs"]} | (
        {"storage": parity.report["storage"]} if "storage" in parity.report else {}
    )


@contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """A new folder beside `out` that takes its place when the block ends well, and vanishes when it does not.

    Raises OutputExistsError when `out` holds anything but an exported model.
    """
    out = out.absolute()
    if out.exists() and not (out / "manifest.json").is_file() and not (out.is_dir() and not any(out.iterdir())):
        raise OutputExistsError(f"{out} exists and holds no exported model", "Give another --out, or remove it.")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{out.name}-", dir=out.parent) as scratch:
        new, old = Path(scratch) / "new", Path(scratch) / "old"
        new.mkdir()
        yield new
        if out.exists():
            out.rename(old)
        new.rename(out)


def describe(
    model: TrainedModel, arguments: Arguments, settings: SamplerSettings, length: int, graphs: list[str]
) -> dict[str, Any]:
    """The manifest without its list of files."""
    config, flow = model.elf, model.flow
    name = arguments.name or arguments.out.absolute().name
    weights = [f"onnx/{WEIGHTS_FILE}"]
    return {
        "schemaVersion": SCHEMA_VERSION,
        "name": name,
        "title": arguments.title or name.replace("-", " ").capitalize(),
        "description": arguments.description,
        "task": "conditional" if config.max_input_length else "unconditional",
        "licence": arguments.licence or str(model.training.get("licence", "unknown")),
        "architecture": {
            "depth": config.depth,
            "hiddenSize": config.hidden_size,
            "heads": config.heads,
            "latentSize": config.latent_size,
            "bottleneckSize": config.bottleneck_size,
            "vocabularySize": config.vocabulary_size,
            "maxLength": config.max_length,
            "maxInputLength": config.max_input_length,
            "selfCondCfgTokens": config.self_cond_cfg_tokens,
            "parameters": sum(value.size for value in model.params.values()),
        },
        "latent": {
            "noiseScale": flow.noise_scale,
            "tEps": flow.t_eps,
            "mean": plain_statistic(model.latent_mean),
            "std": plain_statistic(model.latent_std),
        },
        "schedule": {"pMean": flow.p_mean, "pStd": flow.p_std},
        "tokens": {"pad": PAD, "eos": EOS, "unk": UNK},
        "decoder": {"topK": min(TOP_K, config.vocabulary_size)},
        "dtype": arguments.dtype,
        "defaults": named_settings(settings, length),
        "graphs": {graph: {"file": f"onnx/{graph}.onnx", "weights": weights} for graph in graphs},
    }


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
        "num_time_tokens": config.time_tokens,
        "num_self_cond_cfg_tokens": config.self_cond_cfg_tokens,
        "num_mode_tokens": config.mode_tokens,
        "noise_scale": flow.noise_scale,
        "t_eps": flow.t_eps,
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
    """`tokenizer_config.json`: what transformers.js needs to pick its class, and to decode as `tokenizers` does."""
    return {
        "tokenizer_class": "T5Tokenizer",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": model.elf.max_length,
        "clean_up_tokenization_spaces": False,
    }


def list_files(folder: Path) -> list[dict[str, Any]]:
    """Every file with its size and SHA-256, by path."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    return [
        {"path": file.relative_to(folder).as_posix(), "bytes": file.stat().st_size, "sha256": sha256(file)}
        for file in files
    ]


def sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
