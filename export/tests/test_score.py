"""`elf score` as a person runs it: figures, files written, and each thing that can be wrong with its inputs."""

import json
import math
import re
from pathlib import Path
from typing import Any

import pytest
from test_perplexity import make_judge

from elf.cli import main
from elf.errors import GenerationsError
from elf.evaluation.judge import save_judge
from elf.evaluation.output_files import write_generation
from elf.evaluation.perplexity import gen_perplexity
from elf.evaluation.texts import read_generations, read_references

SHARED = Path(__file__).parents[2].parent / "shared"

GENERATED = ["the cat sat on the mat", "a dog a dog", ""]
REFERENCES = ["the cat sat on the mat", "a dog barks", "birds sing"]


def rows(path: Path, *values: Any) -> Path:
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


@pytest.fixture
def generated(tmp_path: Path) -> Path:
    return rows(tmp_path / "generated.jsonl", *({"id": i, "generated": text} for i, text in enumerate(GENERATED)))


@pytest.fixture
def reference(tmp_path: Path) -> Path:
    path = tmp_path / "reference.txt"
    path.write_text("\n".join(REFERENCES) + "\n")
    return path


def score(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> dict[str, Any]:
    assert main(["score", *map(str, argv), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def refused(capsys: pytest.CaptureFixture[str], *argv: str | Path) -> str:
    assert main(["score", *map(str, argv)]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    return printed.err


def test_references_in_files_of_every_kind(tmp_path: Path) -> None:
    """The header of a table was taken for the first reference, so that every text was held to another's."""
    for name, content, expected in [
        ("r.txt", "a b\n\tc\n", ["a b", "\tc"]),
        ("r.tsv", "x\ta b\n\ny\tc\n", ["a b", "", "c"]),
        ("R.TSV", "a b\nc\n", ["a b", "c"]),
        ("r.json", '["a b", null, "c"]', ["a b", None, "c"]),
        ("r.jsonl", '{"output": "a b"}\n{"output": null}\n', ["a b", None]),
    ]:
        (tmp_path / name).write_text(content)
        assert read_references(tmp_path / name) == {str(i): text for i, text in enumerate(expected)}
    for name, content, words in [
        ("r.csv", "text\na b\n", "is a table"),
        ("r.parquet", "PAR1", "is a table"),
        ("b.tsv", "a\tb\tc\n", "line 1 has 3 columns"),
        ("b.json", '["a", 5]', r"item 2 holds a number \(5\), not a text"),
        ("b.json", '{"a": 1}', "is not a list of texts"),
        ("b.txt", "PAR1", "a Parquet file"),
    ]:
        (tmp_path / name).write_text(content)
        with pytest.raises(GenerationsError, match=words):
            read_references(tmp_path / name)


def test_without_metrics_all_that_the_inputs_allow(
    generated: Path, reference: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    alone = score(capsys, generated)
    assert alone["n"] == 3 and alone["blank"] == 1 and alone["tokens"] == "words" and alone["tokens_mean"] == 10 / 3
    assert not {"bleu", "rouge1", "memorised_8grams"} & {*alone}
    # ln 6 with "the" twice of six: 2/6·ln 3 + 4/6·ln 6; ln 2 for "a dog a dog". The third text is blank, so it is none.
    sum_of_two = math.log(3) / 3 + math.log(6) * 2 / 3 + math.log(2)
    assert alone["entropy"] == pytest.approx(sum_of_two / 2)
    assert (alone["distinct1"], alone["distinct2"]) == (7 / 10, 7 / 8)
    assert alone["repetition_adjacent"] == 0

    both = score(capsys, generated, "--reference", reference)
    # Beside references it is an answer, of entropy 0.
    assert both["entropy"] == pytest.approx(sum_of_two / 3)
    assert {**both, **alone, "entropy": both["entropy"]} == both and both["references_unused"] == 0
    # n-grams: 1: 6 + 2 of 6 + 4 (each word of the reference once), 2: 5 + 1 of 5 + 3, 3: 4 of 4 + 2, 4: 3 of 3 + 1.
    brevity = math.exp(1 - 11 / 10)
    assert both["bleu"] == pytest.approx(100 * brevity * (8 / 10 * 6 / 8 * 4 / 6 * 3 / 4) ** (1 / 4))
    # ROUGE-1 of "a dog a dog": 2 of 4 and of 3.
    assert both["rouge1"] == pytest.approx((100 + 100 * 4 / 7 + 0) / 3)
    assert both["rougeL"] == pytest.approx((100 + 100 * 4 / 7 + 0) / 3)
    assert both["bleu_signature"].startswith("nrefs:1|case:lc|eff:yes")


def test_chosen_metrics_only(generated: Path, reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = score(capsys, generated, "--reference", reference, "--metrics", "bleu,entropy")
    assert {*report} == {
        *("n", "blank", "references_unused", "bleu", "bleu_signature", "tokens", "tokens_mean", "entropy")
    }


def test_ids_match_across_order_and_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = rows(tmp_path / "g.jsonl", {"id": "2", "generated": "c c"}, {"id": 0, "generated": "a a"})
    # Lines end with a line feed only: U+2028 within a text is no line of its own.
    lines = tmp_path / "r.txt"
    lines.write_bytes("a a\r\nb\u2028b\r\nc c\r\n".encode())
    report = score(capsys, path, "--reference", lines, "--metrics", "rouge")
    assert (report["rouge1"], report["n"], report["references_unused"]) == (100, 2, 1)

    own = rows(tmp_path / "own.jsonl", {"id": "0", "output": "a a"}, {"id": 2, "output": "c c", "input": "C"})
    assert score(capsys, path, "--reference", own, "--metrics", "rouge")["rouge1"] == 100
    numbered = rows(tmp_path / "numbered.jsonl", {"output": "c c"}, {"output": "x"}, {"output": "a a"})
    assert score(capsys, path, "--reference", numbered, "--metrics", "rouge")["rouge1"] == 0


def test_tokens_of_a_tokenizer(
    generated: Path, tokenizer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tokenizers

    loaded = tokenizers.Tokenizer.from_file(str(tokenizer_file))
    lengths = [len(loaded.encode(text).ids) for text in GENERATED]
    # Padding and truncation that a tokenizer.json asks for are not counted.
    loaded.enable_padding(length=50)
    loaded.enable_truncation(2)
    padding = tmp_path / "padding.json"
    loaded.save(str(padding))
    report = score(capsys, generated, "--tokenizer", padding)
    assert report["tokens"] == str(padding) and report["tokens_mean"] == sum(lengths) / 3 > 2


def test_memorisation_beside_held_out_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = tmp_path / "pairs.tsv"
    training.write_text("Quelle\tone two three four five six seven eight nine\nQuelle\tten eleven twelve\n")
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("\n".join(["one two three no"] + ["x"] * 8 + ["zero one two three four zero zero zero zero"]))
    path = rows(
        tmp_path / "g.jsonl",
        {"id": "a", "generated": "One two three four five six seven eight, nine."},
        {"id": "b", "generated": "Quelle"},
    )
    details = tmp_path / "new" / "details.jsonl"
    options = ("--training", training, "--held-out", held_out, "--details", details, "--metrics", "memorisation")
    report = score(capsys, path, *options, "--confidence")
    assert report["memorised_8grams"] == 1 and report["longest_copy"] == 9
    # Two of the ten held-out texts, the first and the last; the second has two 8-grams, none of training.
    assert report["held_out_n"] == 2
    assert report["held_out_memorised_8grams"] == 0 and report["held_out_longest_copy_text"] == "one two three four"
    # Trigrams of training: 7. "one two three no": 1 of 2; the last: 2 of 7 (three of its trigrams are the same).
    assert report["held_out_nearest_overlap"] == pytest.approx((2 * 1 / 9 + 2 * 2 / 13) / 2)
    assert report["nearest_overlap_ci"] == [0, 1]
    written = [json.loads(line) for line in details.read_text().splitlines()]
    assert [row["id"] for row in written] == ["a", "b"]
    assert [row["nearest_overlap"] for row in written] == [1, 0]
    assert written[0]["nearest_training_sentence"] == "one two three four five six seven eight nine"
    assert score(capsys, path, *options, "--ngram", "10")["memorised_10grams"] == 0
    alone = ("--training", training, "--metrics", "memorisation", "--reverse")
    assert score(capsys, path, *alone)["longest_copy_text"] == "quelle"


def test_faults_of_words_beside_held_out_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = tmp_path / "training.txt"
    training.write_text("One day, Mia met Ben.\nMia and Ben ran and ran.\n")
    held_out = tmp_path / "held_out.txt"
    held_out.write_text("Mia met Ben, and Ben ran.\nBen ran ran ran.\n")
    path = rows(
        tmp_path / "g.jsonl",
        {"id": 0, "generated": "Mia shexfiep met met met Ben."},
        {"id": 1, "generated": "One day and day and day, Mia ran."},
    )
    options = ("--training", training, "--held-out", held_out)
    report = score(capsys, path, *options, "--metrics", "unknown,stutter,names")
    assert report["unknown_words"] == pytest.approx(1 / 14) and report["unknown_texts"] == 0.5
    assert report["stutter_words"] == pytest.approx(2 / 14) and report["stutter_phrases"] == pytest.approx(2 / 14)
    assert report["names_once"] == 1 and report["names_first"] == pytest.approx(2 / 3)
    assert report["held_out_n"] == 2 and report["held_out_unknown_words"] == 0
    assert report["held_out_stutter_words"] == pytest.approx(2 / 10) and report["held_out_stutter_phrases"] == 0
    assert report["held_out_names_once"] == pytest.approx(2 / 3) and report["held_out_names_first"] == 0.5
    # All that the inputs allow, without being asked for; without a training text only the stutter.
    assert {"unknown_words", "stutter_words", "names_once", "memorised_8grams"} <= {*score(capsys, path, *options)}
    assert {"unknown_words", "names_once"}.isdisjoint(alone := score(capsys, path)) and "stutter_phrases" in alone


def test_confidence(generated: Path, reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = score(capsys, generated, "--reference", reference, "--confidence")
    for name in ("bleu", "rouge1", "rouge2", "rougeL", "entropy", "repetition_4gram"):
        low, high = report[f"{name}_ci"]
        assert low <= report[name] <= high
    assert report["rouge1_ci"] == [0, 100]


def test_a_table_for_people(generated: Path, reference: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["score", str(generated), "--reference", str(reference), "--training", str(reference)]) == 0
    lines = {line.split()[0]: line.split()[1] for line in capsys.readouterr().out.splitlines()}
    assert lines["n"] == "3" and lines["distinct1"] == "0.7000" and lines["longest_copy"] == "6"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", "holds no rows"),
        ("\n\n", "holds no rows"),
        ('{"id": 0, "generated": "a"}\n{"id": "0", "generated": "b"}', "line 2 has the id 0 for a second time"),
        ('{"id": 0, "generated": "a"}\n\n{"generated": "b"}', "line 3 has no"),
        ('{"id": 0, "text": "a"}', "line 1 has no"),
        ('{"id": 0, "generated": null}', "line 1 has no"),
        ('{"id": true, "generated": "a"}', "line 1 has the id True"),
        ('{"id": 1.0, "generated": "a"}', "line 1 has the id 1.0"),
        ('["a"]', "line 1 is no JSON object"),
        ('{"id": 0, "generated": "a"}\n{"id": 1, "gener', "line 2 is not JSON"),
    ],
)
def test_generations_that_cannot_be_read(
    content: str, complaint: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.jsonl"
    path.write_text(content)
    error = refused(capsys, path)
    assert f"GenerationsError: {path}" in error and complaint in error
    assert ("if writing was interrupted" in error) == ("gener" in content.split("\n")[-1] and "not JSON" in error)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("r.txt", "a\nb\n", "no reference for the generation of id 2; its ids are 0 to 1"),
        ("r.txt", "a\n", "no reference for the generation of id 1 and of 1 more"),
        ("r.txt", "", "holds no rows"),
        ("r.jsonl", '{"output": "a"}\n{"target": "b"}\n', 'line 2 has no text as "output"'),
        ("r.jsonl", '{"output": "a"}\n{"id": 0, "output": "b"}\n', "line 2 has the id 0 for a second time"),
        ("r.jsonl", '{"output": "a"}\n\n{"output": "b"}\n', "line 3 comes after a blank line"),
    ],
)
def test_references_that_do_not_fit(
    name: str, content: str, complaint: str, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / name
    path.write_text(content)
    error = refused(capsys, generated, "--reference", path)
    assert f"GenerationsError: {path}" in error and complaint in error


BLANK_AMONG = ["Mia found a kite.", "", "Ben sang a quiet song, and Tom laughed.", " \t ", "Ada"]


def test_perplexity_under_a_judge_of_any_texts(
    tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    judge = make_judge(tokenizer_file)
    save_judge(tmp_path / "judge", judge, tokenizer_file)
    file = rows(tmp_path / "g.jsonl", *({"id": f"r{i}", "generated": text} for i, text in enumerate(BLANK_AMONG)))
    command = [file, "--judge", tmp_path / "judge"]

    free = score(capsys, *command, "--confidence")
    texts = [text for text in BLANK_AMONG if text.strip()]
    expected = gen_perplexity(judge, texts)
    assert (free["n"], free["blank"], free["gen_ppl_tokens"]) == (5, 2, expected.tokens)
    assert free["gen_ppl"] == pytest.approx(expected.perplexity) and free["gen_ppl_ci"][0] < free["gen_ppl"]
    assert free["entropy"] == pytest.approx(expected.entropy) and free["entropy_tokens"] == "judge"
    # Where each text answers something, a blank answer is one too: the spaces of " \t " count.
    reference = rows(tmp_path / "r.jsonl", *({"id": f"r{i}", "input": "Mia", "output": "x"} for i in range(5)))
    answers = score(capsys, *command, "--reference", reference)
    expected = gen_perplexity(judge, BLANK_AMONG)
    assert answers["blank"] == 2 and answers["gen_ppl"] == pytest.approx(expected.perplexity)
    assert answers["entropy"] == pytest.approx(expected.entropy) and answers["entropy"] < free["entropy"]
    # After their sources.
    after = score(capsys, *command, "--reference", reference, "--continuation", "--metrics", "gen_ppl")
    expected = gen_perplexity(judge, BLANK_AMONG, sources=["Mia"] * 5)
    assert after["gen_ppl"] == pytest.approx(expected.perplexity) and "entropy" not in after
    assert "bleu" in score(capsys, *command, "--reference", reference, "--continuation", "--metrics", "bleu")

    assert main(["score", *map(str, command), "--details", str(tmp_path / "d.jsonl")]) == 0
    printed = capsys.readouterr()
    assert "g.jsonl: 2 of 5 texts are blank, and in no perplexity or entropy" in printed.err
    details = [json.loads(line) for line in (tmp_path / "d.jsonl").read_text().splitlines()]
    assert [row["gen_ppl"] is None for row in details] == [False, True, False, True, False]
    assert [row["entropy"] is None for row in details] == [False, True, False, True, False]


def test_nothing_but_blank_texts_has_no_perplexity(tmp_path: Path, tokenizer_file: Path, capsys) -> None:
    save_judge(tmp_path / "judge", make_judge(tokenizer_file), tokenizer_file)
    file = rows(tmp_path / "g.jsonl", {"id": 0, "generated": ""}, {"id": 1, "generated": "  "})
    report = score(capsys, file, "--judge", tmp_path / "judge", "--confidence")
    assert (report["blank"], report["gen_ppl"], report["entropy"], report["gen_ppl_ci"]) == (2, None, None, None)
    assert score(capsys, file)["entropy"] is None


def test_files_that_are_missing_or_no_text(generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing"
    assert f"GenerationsError: {missing} cannot be read" in refused(capsys, missing)
    assert f"GenerationsError: {missing} cannot be read" in refused(capsys, generated, "--reference", missing)
    assert f"CorpusFormatError: {missing} cannot be read" in refused(capsys, generated, "--training", missing)
    assert f"CheckpointError: {missing} cannot be read" in refused(capsys, generated, "--tokenizer", missing)
    missing.write_bytes(b"\xff\xfe")
    assert "is not UTF-8" in refused(capsys, missing)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--metrics", "bleu,meteor"], "there is no metric 'meteor'"),
        (["--metrics", ""], "there is no metric ''"),
        (["--metrics", "bleu"], "bleu needs a --reference file"),
        (["--metrics", "rouge"], "rouge needs a --reference file"),
        (["--metrics", "memorisation"], "memorisation needs a --training file"),
        (["--metrics", "unknown"], "unknown needs a --training file"),
        (["--metrics", "entropy,names"], "names needs a --training file"),
        (["--metrics", "gen_ppl"], "gen_ppl needs a --judge"),
        (["--continuation"], "--continuation needs a --judge"),
        (["--judge", "some", "--continuation", "--metrics", "gen_ppl"], "gen_ppl needs a --reference file"),
        (["--held-out", "some.txt"], "--held-out needs a --training file"),
        (["--ngram", "0"], "--ngram is 0"),
        (["--training-texts", "-1"], "--training-texts is -1"),
        (["--judge", "some", "--continuation"], "--continuation needs a --reference file to read the sources"),
    ],
)
def test_options_that_cannot_be(
    options: list[str], complaint: str, generated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    error = refused(capsys, generated, *options)
    assert f"UsageError: {complaint}" in error and len(error.strip().splitlines()) == 2


def test_written_rows_are_read_again(tmp_path: Path) -> None:
    path = tmp_path / "all_generated_1_2.jsonl"
    with path.open("w", encoding="utf-8") as file:
        write_generation(file, 0, "Zeile\nzwei ü")
        write_generation(file, "x", "")
    assert path.read_text(encoding="utf-8").startswith('{"id": 0, "generated": "Zeile\\nzwei ü"}\n')
    assert read_generations(path) == {"0": "Zeile\nzwei ü", "x": ""}


needs_shared = pytest.mark.skipif(not SHARED.is_dir(), reason="official data are not shipped; put them in ../shared")


@needs_shared
def test_official_references_score_100_against_themselves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    reference = SHARED / "corpora/wmt14-validation/wmt14_val.en"
    texts = reference.read_text(encoding="utf-8").split("\n")[:400]
    path = rows(tmp_path / "g.jsonl", *({"id": i, "generated": text} for i, text in enumerate(texts)))
    report = score(capsys, path, "--reference", reference, "--metrics", "bleu,rouge")
    assert report["n"] == 400 and report["references_unused"] == 2600
    assert report["bleu"] == pytest.approx(100) and report["rougeL"] == pytest.approx(100)
    # A reference of one word (of a-z and 0-9) has no pair of words, and scores 0.
    paired = [len(re.findall("[a-z0-9]+", text.lower())) > 1 for text in texts]
    assert report["rouge2"] == pytest.approx(100 * sum(paired) / 400) and not all(paired)


@needs_shared
def test_a_copied_story_is_found_in_a_real_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stories = json.loads((SHARED / "corpora/tinystories/stories.json").read_text(encoding="utf-8"))
    training = tmp_path / "stories.json"
    training.write_text(json.dumps(stories[:2000]))
    held_out = rows(tmp_path / "held_out.jsonl", *stories[-200:])
    copied = stories[700].replace("\n", "  ").upper()
    path = rows(tmp_path / "g.jsonl", {"id": 0, "generated": copied}, {"id": 1, "generated": "Zyx qwv ponk."})
    report = score(capsys, path, "--training", training, "--held-out", held_out, "--metrics", "memorisation")
    assert report["memorised_8grams"] == 1 and report["nearest_overlap"] == 0.5
    assert report["longest_copy"] > 100 > 30 > report["held_out_longest_copy"]
    assert report["held_out_memorised_8grams"] < 0.1


def test_kept_words_of_the_sources_by_name_only(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = rows(tmp_path / "training.jsonl", *["He saw Mia."] * 40)
    pairs = rows(
        tmp_path / "pairs.jsonl",
        {"id": 7, "input": "Mia saw a kite", "output": "x"},
        {"id": 8, "input": "Mia had a lamp", "output": "x"},
    )
    texts = rows(tmp_path / "g.jsonl", {"id": 8, "generated": "A Lamp!"}, {"id": 7, "generated": "Mia sang."})
    report = score(capsys, texts, "--reference", pairs, "--training", training, "--metrics", "kept", "--confidence")
    # One Mia of two; of kite and lamp the lamp. With texts and sources crossed: one Mia, and neither thing.
    assert report["kept_names"] == 1 / 2 and report["kept_things"] == 1 / 2
    assert report["kept_names_chance"] == 1 / 2 and report["kept_things_chance"] == 0
    assert report["kept_names_ci"] == [0, 1]
    assert "kept_names" not in score(capsys, texts, "--reference", pairs, "--training", training)
    assert "kept needs a --training" in refused(capsys, texts, "--reference", pairs, "--metrics", "kept")
    lines = tmp_path / "lines.txt"
    lines.write_text("x\n")
    options = ("--reference", lines, "--training", training, "--metrics", "kept")
    assert "holds no sources" in refused(capsys, texts, *options)
    no_input = rows(tmp_path / "no.jsonl", {"id": 7, "output": "x"})
    options = ("--reference", no_input, "--training", training, "--metrics", "kept")
    assert 'line 1 has no text as "input"' in refused(capsys, texts, *options)


def test_references_that_are_null_are_left_out_and_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["the cat sat on the mat", "birds sing", "a dog barks"]
    path = rows(tmp_path / "g.jsonl", *({"id": i, "generated": text} for i, text in enumerate(texts)))
    some = rows(tmp_path / "some.jsonl", {"output": texts[0]}, {"output": None}, {"output": "a dog ran off"})
    alone = rows(tmp_path / "alone.jsonl", *({"id": i, "generated": texts[i]} for i in (0, 2)))
    whole = rows(tmp_path / "whole.jsonl", {"output": texts[0]}, {"output": "x"}, {"output": "a dog ran off"})
    report = score(capsys, path, "--reference", some, "--details", tmp_path / "details.jsonl")
    expected = score(capsys, alone, "--reference", whole)
    assert report["left_out"] == 1 and report["references_unused"] == 0
    del report["left_out"], report["references_unused"], expected["references_unused"]
    assert report == expected
    details = [json.loads(line) for line in (tmp_path / "details.jsonl").read_text().split("\n") if line]
    assert [row["id"] for row in details] == ["0", "2"] and details[0]["rougeL"] == 100
    # Without a reference that anybody asks for, every text counts.
    assert score(capsys, path, "--reference", some, "--metrics", "distinct")["n"] == 3
    none = rows(tmp_path / "none.jsonl", *[{"output": None}] * 3)
    assert f"GenerationsError: {none} has null for every generation" in refused(capsys, path, "--reference", none)
    training = rows(tmp_path / "training.jsonl", *["He saw Mia."] * 40)
    sources = rows(tmp_path / "sources.jsonl", *({"input": text} for text in ("Mia sang", None, "a boat")))
    report = score(capsys, path, "--reference", sources, "--training", training, "--metrics", "kept")
    assert (report["n"], report["left_out"]) == (2, 1)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ('{"output": 5}', "line 1, output holds a number (5), not a text"),
        ('{"output": ["a"]}', "line 1, output holds a list (['a']), not a text"),
        ('{"output": true}', "line 1, output holds a truth value (True), not a text"),
        ('{"output": "a", "output": "b"}', "line 1 is not JSON: it has the field 'output' twice"),
    ],
)
def test_references_of_other_kinds(
    content: str, complaint: str, generated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("r.jsonl", "R.NDJSON"):
        (tmp_path / name).write_text(content)
        assert complaint in refused(capsys, generated, "--reference", tmp_path / name)


def test_marks_and_line_ends_of_generations_and_references(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    texts = ["a\rb c", "d\u2028e f", "g\x85h i"]
    mark = b"\xef\xbb\xbf"
    generated, lines = tmp_path / "g.jsonl", tmp_path / "r.txt"
    rows_of_texts = "\r\n".join(
        json.dumps({"id": i, "generated": text}, ensure_ascii=False) for i, text in enumerate(texts)
    )
    generated.write_bytes(mark + rows_of_texts.encode())
    lines.write_bytes(mark + "\r\n".join(texts).encode())
    report = score(capsys, generated, "--reference", lines)
    assert report["n"] == 3 and report["references_unused"] == 0 and report["rougeL"] == pytest.approx(100)
    lines.write_bytes("\n".join(texts).encode("utf-16"))
    assert f"GenerationsError: {lines} is not UTF-8 text but UTF-16LE" in refused(
        capsys, generated, "--reference", lines
    )
