"""`elf teach-encoder`: it learns to translate, targets stay where they were, and flows go on from their weights."""

import json
from collections.abc import Callable
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from elf.data.collation import Batch, collate_rows
from elf.data.dataset import open_pairs
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.tokenizer import EOS
from elf.errors import ConfigError, DatasetError
from elf.models.pretrained import load_encoder
from elf.network.encoder import conditional_visibility, encoder_from_params
from elf.training.optimizer import OptimizerConfig
from elf.training.run_facts import encoder_facts
from elf.yardstick.teach_encoder import Arguments, main

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


@pytest.fixture(scope="module")
def teach(
    pairs: Path, encoder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[float], tuple[Path, dict[str, float]]]:
    """With a weight of `hold` on the targets' drift: the folder, and the last line of its metrics."""

    def run(hold: float) -> tuple[Path, dict[str, float]]:
        out = tmp_path_factory.mktemp("taught")
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
        return out, json.loads((out / "metrics.jsonl").read_text().splitlines()[-1])

    return run


def embeddings(folder: Path, batch: Batch) -> np.ndarray:
    config, params = load_encoder(folder)
    visible = conditional_visibility(jnp.asarray(batch.source_length), LENGTH)
    network = encoder_from_params(config, params)
    return np.asarray(jax.jit(lambda ids, visible: network(ids, visible))(batch.ids, visible))


def test_it_learns_to_translate_and_holds_targets(
    pairs: Path, encoder: Path, teach: Callable, capsys: pytest.CaptureFixture[str]
) -> None:
    dataset = open_pairs(pairs / "held_out")
    batch = collate_rows([dataset[i] for i in range(len(dataset))], LENGTH, EOS, 20)
    source = np.arange(LENGTH) < batch.source_length[:, None]
    before = embeddings(encoder, batch)

    held, last = teach(10.0)
    report = json.loads(capsys.readouterr().out.splitlines()[-1])
    first = json.loads((held / "metrics.jsonl").read_text().splitlines()[0])
    assert last["loss"] < 0.6 * first["loss"] and report["held_out_loss"] < first["loss"]

    free, loose = teach(0.0)
    moved = {folder: ((embeddings(folder, batch) - before) ** 2).mean(axis=-1) for folder in (held, free)}
    assert last["drift"] < loose["drift"] / 4, "what holds targets is the weight of their drift"
    assert moved[held][~source].mean() < moved[free][~source].mean() / 4
    assert moved[held][source].mean() > 2 * moved[held][~source].mean(), "sources are free to move"

    facts = json.loads((held / "encoder.json").read_text())
    pretrained = json.loads((encoder / "encoder.json").read_text())
    assert {name: facts[name] for name in pretrained} == pretrained, "what it was before stays on record"
    card = encoder_facts(held)
    assert card["translation steps"] == 60 and last["loss"] < card["translation loss"] < first["loss"]
    assert facts["translation"]["steps"] == 60 and facts["translation"]["held_out_loss"] == report["held_out_loss"]


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"hold": -1.0}, {"hold": float("nan")}, {"label_drop": 1.0}])
def test_silly_numbers_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        Arguments(data=Path("x"), encoder=Path("x"), out=Path("x"), **wrong)


def test_texts_alone_teach_no_translation(prepared: Path, encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="not pairs"):
        main(Arguments(data=prepared / "train", encoder=encoder, out=tmp_path / "out"))
