"""What a person adds to a model card: sources to write to, an evaluation, and notes."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.evenly import pick_evenly
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError
from elf.models.trained_model import TrainedModel
from elf.onnx_export.card_evaluation import evaluation_tables
from elf.onnx_export.card_samples import SAMPLES_TO_SOURCES, Source
from elf.text_file import read_text


@dataclass(frozen=True)
class CardParts:
    """What the options hold."""

    sources: tuple[Source, ...] = ()
    evaluation: str = ""
    """Markdown."""
    notes: str = ""
    """Markdown."""
    languages: tuple[str, ...] = ("en",)


@dataclass(frozen=True, kw_only=True)
class CardContents:
    """Base of the arguments of commands that write a card."""

    sample_sources: str | None = None
    """Of a conditional model: what its card shows texts to. JSONL of input and output, or a dataset, best of held-out
    rows; 20 of those that have a source are taken, evenly spread. Random tokens unless given."""
    evaluation: Annotated[tuple[Path, ...], tyro.conf.UseAppendAction] = ()
    """For the card: a metrics.jsonl of `elf evaluate`, or its folder, of at most 8 ways to sample. May repeat."""
    notes: Path | None = None
    """Markdown for the card, as it is: limits, known failures, cost, commands, attribution."""

    def read_parts(self, model: TrainedModel, languages: Sequence[str]) -> CardParts:
        """Raises ConfigError for what cannot be read or is of another model, and what reading the sources raises."""
        return CardParts(
            sources=tuple(_sources(self.sample_sources, model)) if self.sample_sources else (),
            evaluation=evaluation_tables(self.evaluation, model.params) if self.evaluation else "",
            notes=_notes(self.notes) if self.notes else "",
            languages=tuple(languages),
        )


@dataclass(frozen=True, kw_only=True)
class CardOptions(CardContents):
    """Base of the arguments of `elf export`."""

    language: str = "en"
    """For the card: what the model reads and writes, ISO 639 codes with commas between, as in de,en."""

    def read_card_parts(self, model: TrainedModel) -> CardParts:
        """Raises what `read_parts` does, and ConfigError for what is no language."""
        return self.read_parts(model, _languages(self.language))


def _languages(text: str) -> list[str]:
    codes = [code.strip() for code in text.split(",")]
    if wrong := [code for code in codes if not re.fullmatch(r"[a-z]{2,3}", code)]:
        raise ConfigError(f"{wrong[0]!r} is no code of a language", "Give ISO 639 codes, as in --language de,en.")
    return codes


def _sources(name: str, model: TrainedModel) -> list[Source]:
    if not model.elf.max_input_length:
        raise ConfigError("--sample-sources is given, but this model writes without a source", "Leave it out.")
    if model.tokenizer is None:
        raise ConfigError("this model has no tokenizer to read --sample-sources with", "Leave it out.")
    tokenizer = load_tokenizer(model.tokenizer)

    def sources(quiet: bool) -> Iterator[Source]:
        rows = stream_evaluation_rows(name, tokenizer, model.elf.max_input_length, quiet=quiet)
        return (row.source_ids.tolist() for row in rows if len(row.source_ids))

    total = sum(1 for _ in sources(quiet=False))
    if not total:
        raise ConfigError(f"no row of {name} has a source", "Give rows with an input.")
    [found] = pick_evenly(sources(quiet=True), total, SAMPLES_TO_SOURCES)
    return found


def _notes(path: Path) -> str:
    return read_text(path, ConfigError).strip()
