"""The command line: help, unknown words, and named errors with what to do next."""

from dataclasses import dataclass
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


@pytest.mark.parametrize("moment", ["imported", "run"])
def test_ctrl_c_ends_a_command_in_a_line(
    moment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stopped(*_: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr("elf.cli.command", stopped if moment == "imported" else lambda _: (stopped, Nothing, ""))
    assert main(["sample"]) == 130
    assert capsys.readouterr().err == "elf: stopped by Ctrl-C\n"


@dataclass(frozen=True)
class Nothing:
    """The arguments of a command without any."""


@pytest.mark.parametrize("below", ["", "/deep/er"])
def test_a_file_where_a_folder_goes_is_named(
    below: str, tmp_path: Path, tokenizer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, corpus = tmp_path / "file", tmp_path / "a.txt"
    file.write_text("mine")
    corpus.write_text("Mia found a kite.\nBen sang.\n")
    prepare = ["prepare", "--corpus", str(corpus), "--tokenizer", str(tokenizer_file)]
    for argv in ([*prepare, "--out", f"{file}{below}"], ["make-random", "--out", f"{file}{below}"]):
        assert main(argv) == 2
        assert f"OutputExistsError: {file} is a file, not a folder" in capsys.readouterr().err
    assert file.read_text() == "mine"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(13, "Permission denied", "/a\x1b/b"), "elf: /a\\x1b/b: Permission denied\n"),
        (IsADirectoryError(21, "Is a directory", b"/a"), "elf: /a: Is a directory\n"),
        (FileExistsError(17, "File exists", "/"), "elf: /: File exists\n"),
        (OSError(28, "No space left on device"), "elf: No space left on device\n"),
    ],
)
def test_what_the_system_refuses_is_said_in_its_words(
    error: OSError, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(_: Nothing) -> None:
        raise error

    monkeypatch.setattr("elf.cli.command", lambda _: (refused, Nothing, ""))
    assert main(["sample"]) == 1
    assert capsys.readouterr().err == said


def test_an_error_of_a_library_is_none_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(_: Nothing) -> None:
        raise ConnectionError("no answer")

    monkeypatch.setattr("elf.cli.command", lambda _: (refused, Nothing, ""))
    with pytest.raises(ConnectionError):
        main(["sample"])
