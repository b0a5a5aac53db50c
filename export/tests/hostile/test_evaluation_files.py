"""What evaluations read: generated texts and references, their own output folders, rows to write texts to."""

import json
from pathlib import Path
from typing import Any

from inputs import alone, as_json, byte_files, folders, json_files
from test_corpora import jsonl, jsonl_files
from withstands import withstands

from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.tokenizer import load_tokenizer
from elf.evaluation.output_files import GenerationFile, MetricsFile, read_metrics, read_per_text, setting_of
from elf.evaluation.texts import match_references, read_generations, read_references, read_sources
from elf.training.run_record import encoder_facts, last_losses

REFUSALS = {"GenerationsError"}
GENERATED = [{"id": 0, "generated": "Mia found a kite."}, {"id": "x", "generated": ""}, {"id": 2, "generated": "é 😀"}]
REFERENCES = [
    {"id": 0, "output": "a", "input": "b"},
    {"id": "x", "output": None, "input": None},
    {"id": 2, "output": "c"},
]
OWN = ("tiny-model", "tokenizer.json")


def test_generated_texts_and_references(tmp_path: Path) -> None:
    files = {"texts.jsonl": jsonl(*GENERATED), "references.jsonl": jsonl(*REFERENCES)}
    others = {"texts.jsonl": jsonl_files(GENERATED), "references.jsonl": jsonl_files(REFERENCES)}

    def read(folder: Path) -> Any:
        texts, references = read_generations(folder / "texts.jsonl"), read_references(folder / "references.jsonl")
        return [texts, match_references(texts, references, folder / "references.jsonl")]

    withstood = withstands(tmp_path, folders(files, others), read, (files,))
    assert withstood.refusals <= REFUSALS

    for ending, examples in ((".json", as_json(["a", "b", None])), (".tsv", b"a\tb\nc\td\n"), (".txt", b"a\nb\n")):
        contents = json_files(examples) if ending == ".json" else byte_files(examples)
        withstood = withstands(
            tmp_path,
            alone(f"r{ending}", contents),
            lambda folder, ending=ending: read_references(folder / f"r{ending}"),
        )
        assert withstood.refusals <= REFUSALS
    withstands(tmp_path, alone("s.jsonl", jsonl_files(REFERENCES[:2])), lambda folder: read_sources(folder / "s.jsonl"))


METRICS = {
    **{"combination": "a", "epoch": 0, "step": 7, "method": "sde", "steps": 32, "gamma": 1.5, "self_cond_cfg": 3.0},
    **{"cfg": 1.0, "schedule": "logit_normal", "solver": "euler", "gen_ppl": 9.5, "entropy": 4.2},
}
PER_TEXT = [{"id": number, "entropy": [1.5, 2.0], "distinct": [0.5, 1.0]} for number in range(3)]


def test_an_evaluations_own_folder(tmp_path: Path) -> None:
    files = {
        "metrics.jsonl": jsonl(METRICS, {**METRICS, "step": 9}),
        "per_text_0_7.jsonl": jsonl(*PER_TEXT),
        "settings_0_7.json": as_json({"settings": {"seed": 1, "sources": "abc"}, "seconds": 1.5}),
    }
    others = {
        "metrics.jsonl": jsonl_files([METRICS, {**METRICS, "step": 9}]),
        "per_text_0_7.jsonl": jsonl_files(PER_TEXT),
        "settings_0_7.json": json_files(files["settings_0_7.json"]),
    }

    def read(folder: Path) -> Any:
        rows, texts = read_metrics(folder), read_per_text(folder)
        return [rows, [setting_of(row) for row in rows], texts.of(texts.ids), texts.sources]

    withstood = withstands(tmp_path, folders(files, others), read, (files,))
    assert withstood.refusals <= REFUSALS

    def look_up(folder: Path) -> Any:
        return MetricsFile(folder / "metrics.jsonl").find({"combination": "a", "step": 7})

    withstood = withstands(tmp_path, alone("metrics.jsonl", others["metrics.jsonl"]), look_up)
    assert withstood.refusals <= {"OutputExistsError"}


def test_the_settings_of_texts_that_are_there(tmp_path: Path) -> None:
    files = {"all_generated_0_7.jsonl": b"", "settings_0_7.json": as_json({"settings": {"seed": 1}, "seconds": 1.5})}
    withstood = withstands(
        tmp_path,
        folders(files, {"settings_0_7.json": json_files(files["settings_0_7.json"])}),
        # None is left to write, and nothing to cut.
        lambda folder: GenerationFile(folder, 0, 7, {"seed": 1}, []).seconds,
        (files,),
    )
    assert withstood.refusals <= {"OutputExistsError"}


def test_rows_to_write_texts_to(tmp_path: Path) -> None:
    root = Path(__file__).parents[3] / "test/fixtures"
    tokenizer = load_tokenizer(root.joinpath(*OWN))
    rows = [{"input": "a cat", "output": "a dog", "id": 3}, {"input": None, "output": "x"}, {"output": "y"}]

    def read(folder: Path) -> Any:
        found = [*stream_evaluation_rows(folder / "rows.jsonl", tokenizer, 4, quiet=True)]
        return [[row.id, row.source_text, row.source_ids, row.reference] for row in found]

    withstood = withstands(tmp_path, alone("rows.jsonl", jsonl_files(rows)), read, ({"rows.jsonl": jsonl(*rows)},))
    assert withstood.refusals <= {"CorpusFormatError", "EmptyCorpusError", "TextError"}


def test_what_a_run_notes_of_itself(tmp_path: Path) -> None:
    files = {
        "metrics.jsonl": jsonl(
            {"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0, "decode_loss": 1.0}, {"evaluation": 1}
        ),
        "encoder.json": json.dumps({"config": {}, "steps": 3, "seconds": 1.5, "translation": {"steps": 2}}).encode(),
    }
    others = {
        "metrics.jsonl": jsonl_files([{"step": 1, "loss": 2.5}, {"step": 2, "loss": 2.0, "decode_loss": 1.0}]),
        "encoder.json": json_files(files["encoder.json"]),
    }
    withstood = withstands(
        tmp_path,
        folders(files, others),
        lambda folder: [last_losses(folder / "metrics.jsonl"), encoder_facts(folder)],
        (files,),
    )
    assert withstood.refusals <= {"CheckpointError"}
