"""The texts of an evaluation: ways to sample, sources to write to, and what is missing of them, batch by batch."""

import hashlib
import itertools
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh

from elf.config_file import build_config, read_override, read_yaml
from elf.data.evaluation_rows import EvaluationRow, stream_evaluation_rows
from elf.data.tokenizer import EOS, Tokenizer, load_tokenizer
from elf.devices import from_first_process
from elf.errors import CheckpointError, ConfigError, UsageError
from elf.evaluation.output_files import GenerationFile
from elf.evaluation.texts import DIGESTED, digest_of
from elf.models.trained_model import TrainedModel, fingerprint, plain_statistic
from elf.progress import say, ticker
from elf.sampling.batch_sampler import BatchSampler
from elf.sampling.options import SamplerOptions, text_reader

SHAPE = "Write one group of `field: value` lines, or a list of such groups; any value may be a list."


@dataclass(frozen=True, kw_only=True)
class Sampling(SamplerOptions):
    """One way to sample."""

    best_of: int = 1
    """Texts of which the one is kept that the model is surest of: `surest`."""

    def name(self, position: int) -> str:
        """Of its folder: `position` in the file, from 0, and the settings that differ most often."""
        parts = [f"{position:02d}", self.method, f"{self.steps}"]
        parts += [f"gamma{self.gamma:g}"] if self.method == "sde" else []
        parts += [self.solver] if self.solver != "euler" else []
        parts += [f"w{self.self_cond_cfg:g}"]
        parts += [f"cfg{self.cfg:g}"] if self.cfg != 1 else []
        parts += [f"best{self.best_of}"] if self.best_of != 1 else []
        return "_".join([*parts, f"seed{self.seed}"])


def load_samplings(path: Path | None, overrides: tuple[str, ...] = ()) -> list[Sampling]:
    """Every combination of every entry of the file, each once, in the file's order; its first list varies slowest.

    `overrides`, such as `steps=8` or `gamma=[0.5,1.5]`, are set in all entries; without a file they are the only entry.
    Raises ConfigError naming the field, UsageError for a value that cannot be.
    """
    entries = {} if path is None else read_yaml(path)
    entries = [entries] if isinstance(entries, dict) else entries
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ConfigError(f"{path} holds no sampling settings", SHAPE)
    over = dict(map(read_override, overrides))
    samplings = []
    for number, entry in enumerate(entries):
        prefix = f"[{number}]." if len(entries) > 1 else ""
        samplings += [_checked(values, prefix) for values in _combinations(entry | over, prefix)]
    return [*dict.fromkeys(samplings)]


def _combinations(entry: dict[str, Any], prefix: str) -> list[dict[str, Any]]:
    choices = [value if isinstance(value, list) else [value] for value in entry.values()]
    for name, choice in zip(entry, choices, strict=True):
        if not choice:
            raise ConfigError(f"{prefix}{name} is an empty list", "Give it a value, or leave it out.")
    return [dict(zip(entry, values, strict=True)) for values in itertools.product(*choices)]


def _checked(values: dict[str, Any], prefix: str) -> Sampling:
    sampling = build_config(Sampling, values, prefix)
    sampling.settings()  # refuses what cannot be before anything is sampled
    return sampling


MOST_UNASKED = 100_000


def sources_for(
    model: TrainedModel,
    tokenizer: Tokenizer | None,
    data: str | None,
    split: str | None,
    revision: str | None,
    samples: int | None = None,
) -> list[EvaluationRow]:
    """The rows of --data that have a source; none for a model that is to write freely.

    Of many rows the first DIGESTED, or `samples` if those are more: the rest of a dataset of millions is never read.
    Raises UsageError where the model cannot write to them, or where all of too many are asked for.
    """
    longest = model.elf.max_input_length
    if not longest:
        if data:
            raise UsageError("--data is given, but this model writes without a source", "Leave it out.")
        return []
    if not data:
        if model.elf.source_optional:
            return []
        raise UsageError(
            "this model writes to sources, and none are given",
            'Give --data, JSONL rows {"input": …, "output": …}; or, where it was trained without sources too, set '
            "elf.source_optional in its config.json.",
        )
    if tokenizer is None:
        raise CheckpointError("this model has no tokenizer.json to read sources with", "Put it into its folder.")
    most = MOST_UNASKED + 1 if samples is None else max(samples, DIGESTED)
    with_source, read = [], 0
    with closing(stream_evaluation_rows(data, tokenizer, longest, split, revision)) as rows:
        for row in rows:
            read += 1
            if len(row.source_ids):
                with_source.append(row)
            if len(with_source) == most:
                break
    if len(with_source) > MOST_UNASKED and samples is None:
        raise UsageError(
            f"{data} has more than {MOST_UNASKED:,} rows", "Give --samples: so many of them, from the first."
        )
    if not with_source:
        raise UsageError(f"no row of {data} has a source", "Give rows with an input.")
    if len(with_source) < read and jax.process_index() == 0:
        say(f"{read - len(with_source)} of {read} rows have no source, and are left out")
    return with_source


class StoppedError(Exception):
    """The texts are not all there, because somebody asked to stop; those so far are kept."""


class Generated(NamedTuple):
    texts: list[str]
    seconds: float
    """Over all sessions, compilation included."""
    settings: dict[str, Any]
    """What is known of how they were made: of those of an older evaluation, not all."""


@dataclass
class Generator:
    """A model and what its texts depend on besides the way to sample."""

    model: TrainedModel
    rows: list[EvaluationRow]
    """Sources of conditional models; empty where it writes freely."""
    mesh: Mesh
    batch_size: int
    compute_dtype: str
    rng_processes: int
    rng_devices: int
    weights: str | None = None
    """What tells the model's weights from others; their fingerprint unless given."""
    replaces: bool = False
    """Texts that were made in another way give place instead of being refused."""
    samplers: dict[int, BatchSampler] = field(default_factory=dict)
    """By length of text; each holds the weights on the devices."""

    def __post_init__(self) -> None:
        self.read = text_reader(self.model)
        self.weights = fingerprint(self.model.params) if self.weights is None else self.weights
        digest = hashlib.sha256()
        for row in self.rows[:DIGESTED]:
            digest.update(repr((row.id, row.source_ids.tolist())).encode())
        self.sources = digest.hexdigest()[:16] if self.rows else None
        self.reading = self._reading()

    def _reading(self) -> dict[str, str]:
        """What beside the weights decides the texts and may change where it lies: each told from others."""
        model, flow = self.model, self.model.flow
        digests = {"flow": digest_of((flow.noise_scale, flow.t_eps, flow.p_mean, flow.p_std))}
        if model.tokenizer:
            digests["tokenizer"] = load_tokenizer(model.tokenizer).digest()
        if self.rows:
            latents = [plain_statistic(each) for each in (model.latent_mean, model.latent_std)]
            digests["encoder"] = digest_of((model.encoder, fingerprint(model.encoder_params), latents))
        return digests

    def take(self, model: TrainedModel, weights: str) -> None:
        """Goes on with other weights of the same model, which `weights` tells from others; nothing is compiled anew."""
        self.model, self.weights = model, weights
        for sampler in self.samplers.values():
            sampler.take(model.params)

    def release(self) -> None:
        """Lets go of the weights, until it takes others."""
        self.model = replace(self.model, params={})
        for sampler in self.samplers.values():
            sampler.take({})

    def check(self, sampling: Sampling) -> None:
        """Raises UsageError for what this model cannot do, and what BatchSampler raises."""
        self._sampler(sampling)
        if sampling.best_of < 1 or self.batch_size % sampling.best_of:
            raise UsageError(
                f"a batch of {self.batch_size} texts does not split into groups of {sampling.best_of}",
                "Give a best_of that divides --batch-size.",
            )
        if sampling.cfg != 1 and not self.rows:
            raise UsageError(f"cfg is {sampling.cfg:g}", "There is no source to guide by: leave cfg at 1.")

    def settings(self, sampling: Sampling, position: int) -> dict[str, Any]:
        """All that decides the texts: with the same settings they are the same."""
        return {
            "model": self.model.name,
            "weights": self.weights,
            **{name: value for name, value in asdict(sampling).items() if (name, value) != ("best_of", 1)},
            "length": self._length(sampling),
            "position": position,
            "batch_size": self.batch_size,
            "rng_processes": self.rng_processes,
            "rng_devices": self.rng_devices,
            "compute_dtype": self.compute_dtype,
            "sources": self.sources,
            **self.reading,
            # Where there is no source it decides nothing.
            **({"self_cond_start": self.model.flow.self_cond_start} if self.rows else {}),
        }

    def texts(
        self,
        sampling: Sampling,
        position: int,
        samples: int,
        folder: Path,
        stopping: Callable[[], bool] = lambda: False,
    ) -> Generated:
        """The first `samples` texts of the way at `position`, kept in `folder`; every process must call this alike.

        Raises OutputExistsError where the folder holds texts made in another way, and StoppedError where `stopping`,
        which is asked before every batch, says yes.
        """
        ids = [row.id for row in self.rows[:samples]] or [*range(samples)]
        epoch, step = checkpoint_of(self.model)
        file = None
        if jax.process_index() == 0:
            settings = self.settings(sampling, position)
            file = GenerationFile(folder, epoch, step, settings, ids, replaces=self.replaces)
        texts = from_first_process([*file.texts] if file else [])
        # One process is enough to say how far it is.
        tick = ticker(f"{folder.name}: texts", samples) if file else lambda done: None
        kept = self.batch_size // sampling.best_of
        while len(texts) < samples:
            if stopping():
                if file:
                    file.keep()
                raise StoppedError(f"{folder.name}: {len(texts)} of {samples} texts")
            batch, there = divmod(len(texts), kept)
            begin = time.monotonic()
            sources = None
            if self.rows:
                # Beyond the last row come the first ones again: they fill the batch, and are not kept.
                numbers = np.repeat(np.arange(batch * kept, (batch + 1) * kept), sampling.best_of)
                sources = [self.rows[number % len(self.rows)].source_ids.tolist() for number in numbers]
            tokens = self._write(sampling, config=position, batch=batch, sources=sources)
            new = [self.read(row) for row in tokens[there : samples - batch * kept]]
            texts += new
            if file:
                file.append(new, time.monotonic() - begin)
            tick(len(texts))
        if file:
            file.keep()
        return Generated(texts, *from_first_process((file.seconds, file.settings) if file else None))

    def _write(self, sampling: Sampling, **batch: Any) -> np.ndarray:
        sampler, settings = self._sampler(sampling), sampling.settings()
        if sampling.best_of == 1:
            return sampler.write(settings, **batch)
        return surest(*sampler.write_with_entropies(settings, **batch), sampling.best_of)

    def _length(self, sampling: Sampling) -> int:
        return sampling.length_for(self.model, UsageError, prompted=bool(self.rows))

    def _sampler(self, sampling: Sampling) -> BatchSampler:
        length = self._length(sampling)
        if length not in self.samplers:
            self.samplers[length] = BatchSampler(
                self.model,
                self.mesh,
                self.batch_size,
                length,
                compute_dtype=self.compute_dtype,
                processes=self.rng_processes,
                devices=self.rng_devices,
            )
        return self.samplers[length]


def surest(tokens: np.ndarray, entropies: np.ndarray, group: int) -> np.ndarray:
    """Of every `group` texts, (B, L) tokens, the one whose tokens have the least mean entropy up to its end.

    Its shape is (B / group, L). A text that the model is surest of has fewer words that are none (experiments.md). An
    empty one is the last choice.
    """
    within = np.cumsum(tokens == EOS, axis=1) == 0
    lengths = within.sum(1)
    means = np.where(lengths > 0, (entropies * within).sum(1) / np.maximum(lengths, 1), np.inf)
    best = means.reshape(-1, group).argmin(1)
    return tokens.reshape(-1, group, tokens.shape[1])[np.arange(len(best)), best]


def checkpoint_of(model: TrainedModel) -> tuple[int, int]:
    """Epoch and step that a model was trained for; 0 where it does not say."""
    return int(model.training.get("epoch", 0)), int(model.training.get("steps", 0))
