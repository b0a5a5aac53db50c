"""`elf teach-encoder`: it learns to translate, targets stay where they were, and flows go on from their weights."""

import contextlib
import io
import json
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elf.config import T5Config
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.rows import Batch, collate_rows, open_pairs
from elf.data.tokenizer import EOS
from elf.errors import ConfigError, DatasetError
from elf.models.text_encoder import load_encoder
from elf.network.encoder import conditional_visibility, encoder_from_params
from elf.training.optimizer import OptimizerConfig
from elf.training.run_record import encoder_facts
from elf.yardstick.teach_encoder import Arguments, decoder_config, main
from elf.yardstick.translate import collate_pairs

NAMES = ("Mia", "Ben", "Tom", "Ada", "Sam", "Lea")
THINGS = {"kite": "boat", "lamp": "drum", "frog": "pear", "coat": "bell"}
"""The 'translation' of each thing."""
LENGTH = 40


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory, tokenizer_file: Path) -> Path:
    folder = tmp_path_factory.mktemp("pairs")
    rows = [(f"{name} found a {thing}.", f"The {other}, {name}.") for name in NAMES for thing, other in THINGS.items()]
    (folder / "pairs.tsv").write_text("".join(f"{source}\t{target}\n" for source, target in rows))
    prepare(PrepareArguments(corpus=folder / "pairs.tsv", tokenizer=tokenizer_file, out=folder, held_out=0.2))
    return folder


class Taught(NamedTuple):
    folder: Path
    last: dict[str, float]
    """The last line of its metrics."""
    report: dict[str, float]
    """What the command printed."""


def taught(hold: float, pairs: Path, encoder: Path, out: Path) -> Taught:
    """With a weight of `hold` on the targets' drift."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        main(
            Arguments(
                data=pairs / "train",
                held_out=pairs / "held_out",
                encoder=encoder,
                out=out,
                steps=60,
                batch_size=16,
                max_input_length=20,
                length=LENGTH,
                windows=8,
                hold=hold,
                compute_dtype="float32",
                optimizer=OptimizerConfig(optimizer="adamw", blr=0.16, warmup_steps=5, schedule="cosine"),
            )
        )
    metrics, report = (out / "metrics.jsonl").read_text(), printed.getvalue()
    return Taught(out, *(json.loads(lines.splitlines()[-1]) for lines in (metrics, report)))


@pytest.fixture(scope="module")
def held(pairs: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Taught:
    return taught(10.0, pairs, encoder, tmp_path_factory.mktemp("held"))


def embeddings(folder: Path, batch: Batch) -> np.ndarray:
    config, params = load_encoder(folder)
    visible = conditional_visibility(jnp.asarray(batch.source_length), LENGTH)
    network = encoder_from_params(config, params)
    return np.asarray(jax.jit(lambda ids, visible: network(ids, visible))(batch.ids, visible))


def test_it_learns_to_translate(encoder: Path, held: Taught) -> None:
    last, report = held.last, held.report
    first = json.loads((held.folder / "metrics.jsonl").read_text().splitlines()[0])
    assert last["loss"] < 0.6 * first["loss"] and report["held_out_loss"] < first["loss"]

    facts = json.loads((held.folder / "encoder.json").read_text())
    pretrained = json.loads((encoder / "encoder.json").read_text())
    assert {name: facts[name] for name in pretrained} == pretrained, "what it was before stays on record"
    card = encoder_facts(held.folder)
    assert card["translation steps"] == 60 and last["loss"] < card["translation loss"] < first["loss"]
    assert facts["translation"]["steps"] == 60 and facts["translation"]["held_out_loss"] == report["held_out_loss"]


@pytest.mark.slow("a second encoder is taught")
def test_it_holds_targets(pairs: Path, encoder: Path, held: Taught, tmp_path: Path) -> None:
    dataset = open_pairs(pairs / "held_out")
    batch = collate_rows([dataset[i] for i in range(len(dataset))], LENGTH, EOS, 20)
    source = np.arange(LENGTH) < batch.source_length[:, None]
    before = embeddings(encoder, batch)
    free = taught(0.0, pairs, encoder, tmp_path)
    moved_held, moved_free = (((embeddings(each.folder, batch) - before) ** 2).mean(axis=-1) for each in (held, free))
    assert held.last["drift"] < free.last["drift"] / 4, "what holds targets is the weight of their drift"
    assert moved_held[~source].mean() < moved_free[~source].mean() / 4
    assert moved_held[source].mean() > 2 * moved_held[~source].mean(), "sources are free to move"


@pytest.mark.parametrize(("longest", "length"), [(24, 32), (64, 128)])
def test_pairs_that_fit_the_options_are_taught_whole(longest: int, length: int) -> None:
    """They were cut at 32 tokens, whatever the options said, and taught as halves."""
    arguments = Arguments(data=Path("x"), encoder=Path("x"), out=Path("x"), max_input_length=longest, length=length)
    config = decoder_config(arguments, T5Config(layers=1, d_model=8, heads=2, d_kv=4, d_ff=8, vocabulary_size=60))
    source, target = np.full(longest, 5), np.full(length - 1, 6)
    batch = collate_pairs([(source, target)], config)
    assert batch.source_length[0] == longest and batch.target[0, : batch.target_length[0]].tolist() == [*target, EOS]
    # What shorter options cut, and compiled, before.
    assert min(config.max_input_length, config.max_output_length) >= 32
    assert longest > 32 or (config.max_input_length, config.max_output_length) == (32, 32)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"hold": -1.0}, {"hold": float("nan")}, {"label_drop": 1.0}])
def test_silly_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Arguments(data=Path("x"), encoder=Path("x"), out=Path("x"), **wrong)


def test_texts_alone_teach_no_translation(prepared: Path, encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not pairs"):
        main(Arguments(data=prepared / "train", encoder=encoder, out=tmp_path / "out"))
