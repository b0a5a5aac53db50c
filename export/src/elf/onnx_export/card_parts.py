"""What a model card shows beyond facts: unpicked texts, an evaluation, and what a person adds."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Annotated, NamedTuple

import numpy as np
import tyro

from elf.config import SamplerSettings
from elf.data.corpus import pick_evenly
from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError
from elf.evaluation.output_files import Row, check_rows, read_metrics, setting_of
from elf.models.encodings import Dtype
from elf.models.exported_folder import StoredWeights
from elf.models.trained_model import TrainedModel, fingerprint
from elf.progress import told
from elf.sampling.condition import encode_sources
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import sample, written
from elf.text_file import read_text

SAMPLES = 10
SAMPLES_TO_SOURCES = 20

Source = list[int]


class Sample(NamedTuple):
    seed: int
    text: str
    source: str | None = None
    """The text that it was written to, where the card shows one."""


@dataclass(frozen=True)
class CardSamples:
    """By what they were written to."""

    to_sources: list[Sample] = field(default_factory=list)
    free: list[Sample] = field(default_factory=list)
    of_parity: list[Sample] = field(default_factory=list)
    """Runs that the export was proven by: to random tokens, where the model needs a source and none are given."""


def write_samples(
    model: TrainedModel,
    onnx_folder: Path,
    dtype: Dtype,
    settings: SamplerSettings,
    length: int,
    sources: Sequence[Source],
) -> CardSamples:
    """A text to each of `sources`, the first with seed 0, the next with 1, …; and SAMPLES written freely, from seed 0
    on, where the model may do without a source. Runs of `length` positions."""
    weights, read = StoredWeights(onnx_folder, dtype), text_reader(model)
    network, encoder = OnnxNetwork(onnx_folder, weights), OnnxEncoder(onnx_folder, weights)
    shape = (1, length, model.elf.latent_size)
    samples = CardSamples()
    for seed, source in told([*enumerate(sources)], "samples for the card, to given sources"):
        # A source leaves room for one token at least.
        source = source[: length - 1]
        condition = encode_sources(encoder, [source], length)
        run = sample(network, replace(settings, seed=seed), model.flow, shape, condition)
        samples.to_sources.append(Sample(seed, read(written(run.tokens, model.elf, condition)[0]), read(source)))
    if model.elf.source_optional:
        free = replace(settings, cfg_scale=1.0)
        for seed in told(range(SAMPLES), "samples for the card, written freely"):
            run = sample(network, replace(free, seed=seed), model.flow, shape)
            samples.free.append(Sample(seed, read(written(run.tokens, model.elf)[0])))
    return samples


MOST_ROWS = 8

FIGURES = {
    "gen_ppl": ("perplexity under the judge", ".1f"),
    "entropy": ("unigram entropy, nats", ".2f"),
    "bleu": ("BLEU", ".1f"),
    "rouge1": ("ROUGE-1", ".1f"),
    "rouge2": ("ROUGE-2", ".1f"),
    "rougeL": ("ROUGE-L", ".1f"),
    "kept_names": ("the source's names that the text has", ".2f"),
    "kept_names_chance": ("… by chance", ".2f"),
    "kept_things": ("the source's things that the text has", ".2f"),
    "kept_things_chance": ("… by chance", ".2f"),
    "distinct2": ("distinct bigrams", ".2f"),
    "repetition_adjacent": ("words said twice in a row", ".4f"),
    "repetition_4gram": ("4-grams said before in the text", ".4f"),
    "memorised_8grams": ("8-grams found in the training text", ".4f"),
    "longest_copy": ("longest copy from it, words", "d"),
    "tokens_mean": ("tokens of a text", ".1f"),
}
"""Figure of metrics.jsonl → what it is called on a card, and how it is written."""


def evaluation_tables(paths: Sequence[Path], params: Mapping[str, np.ndarray]) -> str:
    """A table for each metrics.jsonl, or folder with one. Raises GenerationsError for what cannot be read and for
    rows that do not compare, ConfigError for too many rows and for an evaluation of other weights than `params`."""
    weights = fingerprint(params)
    return "\n\n".join(_evaluation_table(path, weights) for path in paths)


def kept_tables(before: str, given: str, *, same_settings: bool, same_start: bool) -> str:
    """The tables of a card's evaluation `before` that still hold, and those `given` now in the place of their kind.

    Texts to sources are others when either the settings or the start is, texts without only when the settings are.
    """
    kinds = {_kind(table) for table in _evaluation_tables(given)}
    kept = [table for table in _evaluation_tables(before) if _kind(table) not in kinds]
    kept = [table for table in kept if same_settings and (same_start or "sources" not in _kind(table))]
    return "\n\n".join([*kept, *_evaluation_tables(given)])


def _evaluation_tables(evaluation: str) -> list[str]:
    """Each with the note before it."""
    found = re.findall(r"^[^|\n].*\n\n(?:\|.*(?:\n|\Z))+", evaluation, re.MULTILINE)
    return [table.rstrip("\n") for table in found]


def _kind(table: str) -> str:
    """What its texts are, from its note."""
    return table.partition(" texts")[2].partition(";")[0]


def _evaluation_table(path: Path, weights: str) -> str:
    rows = read_metrics(path)
    of_others = [setting_of(row) for row in rows if row.get("weights") != weights]
    if of_others:
        raise ConfigError(
            f"{path} measured other weights than those exported: {of_others[0]}",
            "Evaluate this checkpoint, into an --out of its own.",
        )
    if not 1 <= len(rows) <= MOST_ROWS:
        raise ConfigError(
            f"{path} has {len(rows)} rows; a card has room for 1 to {MOST_ROWS}", "Evaluate fewer settings for it."
        )
    check_rows([*FIGURES, *(f"held_out_{name}" for name in FIGURES)], rows, str(path))
    columns = [(setting_of(row), row, "") for row in rows]
    if any(name.startswith("held_out_") for name in rows[0]):
        columns.append(("real text, held out", rows[0], "held_out_"))
    lines = [f"| | {' | '.join(name for name, _, _ in columns)} |", f"|---|{'---|' * len(columns)}"]
    for figure, (title, shape) in FIGURES.items():
        if any(row.get(figure) is not None for row in rows):
            cells = [_cell(row, prefix + figure, shape) for _, row, prefix in columns]
            lines.append(f"| {title} | {' | '.join(cells)} |")
    return "\n".join([_note(rows), "", *lines])


def _cell(row: Row, name: str, shape: str) -> str:
    value = row.get(name)
    if value is None:
        return ""
    interval = row.get(f"{name}_ci")
    return f"{value:{shape}}" + (f" [{interval[0]:{shape}}, {interval[1]:{shape}}]" if interval else "")


def _note(rows: list[Row]) -> str:
    first = rows[0]
    numbers = [*dict.fromkeys(f"{row['n']:,}" for row in rows)]
    after = " that go on from their sources" if first.get("continuation") else " to sources" if first["data"] else ""
    note = f"{' and '.join(numbers)} texts{after}; in brackets 95 % confidence intervals over the texts."
    if first.get("judge"):
        told = ", of the text's tokens after its source" if first.get("continuation") else ""
        note += f" Judge: {PurePath(first['judge']).name}{told}."
    return note


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
