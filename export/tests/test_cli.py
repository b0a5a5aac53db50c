"""The command line: help, unknown words, and named errors with what to do next."""

from pathlib import Path
from typing import Any

import pytest

from elf.cli import COMMANDS, main


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(command in text for command in COMMANDS)


@pytest.mark.parametrize("argv", [[], ["dance"], ["tokenizer", "dance"]])
def test_unknown_words_exit_with_2(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert "commands:" in printed.out + printed.err


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main([*command.split(), "--help"])
    assert stop.value.code == 0
    assert f"usage: elf {command}" in capsys.readouterr().out


def test_a_bad_option_exits_with_2() -> None:
    with pytest.raises(SystemExit) as stop:
        main(["prepare", "--colour", "red"])
    assert stop.value.code == 2


def test_named_errors_say_what_to_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    empty = tmp_path / "empty.txt"
    empty.write_text("\n")
    assert main(["tokenizer", "train", "--corpus", str(empty), "--out", str(tmp_path / "t.json")]) == 2
    printed = capsys.readouterr().err
    assert "EmptyCorpusError" in printed and "Give a file with at least one non-empty text." in printed


@pytest.mark.parametrize(
    "text",
    [
        "- Hi, said Lily.",
        "-",
        "--",
        "-x",
        "-h, she said",
        "-5 degrees",
        "--help me",
        "--raw deal",
        "-- said Lily",
        "=",
        "",
    ],
)
def test_a_text_may_begin_with_a_dash(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from elf.onnx_export import export
    from elf.sampling import sample

    taken: list[Any] = []

    def to_sample(arguments: sample.Arguments) -> None:
        taken.append(arguments)

    def to_export(arguments: export.Arguments) -> None:
        taken.append(arguments)

    monkeypatch.setattr(sample, "main", to_sample)
    monkeypatch.setattr(export, "main", to_export)
    for words in (
        ["--prompt", text, "--seed", "3"],
        [f"--prompt={text}", "--seed=3"],
        ["--seed", "3", "--prompt", text],
    ):
        assert main(["sample", "model", *words]) == 0
        assert taken[-1].prompt == (text,) and taken[-1].seed == 3
    assert main(["sample", "model", "--prompt", text, "--json", "--prompt", "b"]) == 0
    assert taken[-1].prompt == (text, "b") and taken[-1].json
    assert main(["export", "model", "--out", "x", "--title", text, "--example", text]) == 0
    assert taken[-1].title == text and taken[-1].example == (text,)
    # The name of an option is none.
    with pytest.raises(SystemExit):
        main(["sample", "model", "--prompt", "--json"])


def test_overrides_are_read_bare(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "test.yml"
    config.write_text("name: test\n")
    assert main(["train", "--config", str(config), "flow.noise=1"]) == 2
    assert "flow.noise" in capsys.readouterr().err


def test_an_address_is_no_folder_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its address would be taken for folders of this machine, `gs:` and below, and the run be lost with them."""
    monkeypatch.chdir(tmp_path)
    config = tmp_path / "test.yml"
    config.write_text("name: test\n")
    for argv in (
        ["train", "--config", str(config), "out=s3://bucket/run"],
        ["train", "--config", "s3://bucket/test.yml"],
        ["evaluate", "model", "--out", "s3://bucket/run"],
        ["evaluate", "s3://bucket/run"],
        ["export", "model", "--out", "gs://bucket/run"],
    ):
        assert main(argv) == 2
        said = capsys.readouterr().err
        assert "://bucket/" in said and "an address and no path on this machine" in said and "Mount the bucket" in said
    assert [*tmp_path.iterdir()] == [config]
