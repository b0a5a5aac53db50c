"""Text files with marks, in foreign encodings, and with every character that some program ends a line at."""

import re
from pathlib import Path

import pytest

from elf.cli import main
from elf.config_file import read_yaml
from elf.errors import ConfigError, CorpusFormatError, GenerationsError, TextError
from elf.text_file import check_characters, half_character, read_lines, read_text

MARK = b"\xef\xbb\xbf"

NO_LINE_ENDS = ["\r", "\v", "\f", "\x1c", "\x1d", "\x1e", "\x85", "\u2028", "\u2029"]
"""Where `str.splitlines` or universal newlines end a line."""


def lines(path: Path) -> list[str]:
    return [line for _, line in read_lines(path, CorpusFormatError)]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\nb\nc\r\n", ["a", "b", "c"]),
        (b"a\rb\n", ["a\rb"]),
        (b"a\r\r\nb\r", ["a\r", "b\r"]),
        (b"\n\n", ["", ""]),
        (MARK + b"a\nb\n", ["a", "b"]),
        (MARK + MARK + b"a", ["a"]),
        (MARK, [""]),
        (b"a\n" + MARK + b"b\r\n", ["a", "b"]),
        (b"a" + MARK + b"b\n", ["a\ufeffb"]),
    ],
)
def test_lines_end_at_lf_or_crlf_and_have_no_marks(tmp_path: Path, content: bytes, expected: list[str]) -> None:
    (tmp_path / "a").write_bytes(content)
    assert lines(tmp_path / "a") == expected
    assert read_text(tmp_path / "a", CorpusFormatError) == "\n".join(expected)


@pytest.mark.parametrize("character", NO_LINE_ENDS)
def test_no_other_character_ends_a_line(tmp_path: Path, character: str) -> None:
    text = f"one{character}two"
    (tmp_path / "a").write_bytes(f"{text}\nthree\r\n".encode())
    assert lines(tmp_path / "a") == [text, "three"]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be"])
def test_foreign_encodings_are_named(tmp_path: Path, encoding: str) -> None:
    """With a mark and without; those without a number of bytes write one."""
    file, name = tmp_path / "a.txt", encoding.removesuffix("-le").removesuffix("-be").upper()
    for text in ("The cat sat.\nIt slept.\n", "\ufeffGrüße, 日本 and 😀\n"):
        file.write_bytes(text.encode(encoding))
        with pytest.raises(CorpusFormatError, match=rf"a\.txt is not UTF-8 text but {name}[LB]E") as caught:
            lines(file)
        assert f"iconv -f {name}" in caught.value.action


def test_the_advice_on_a_foreign_encoding_is_true(tmp_path: Path) -> None:
    import re
    import shutil
    import subprocess

    if shutil.which("iconv") is None:
        pytest.skip("needs iconv")
    file = tmp_path / "a.txt"
    file.write_bytes("Grüße\nzwei\n".encode("utf-16"))
    with pytest.raises(CorpusFormatError) as caught:
        lines(file)
    command = re.search("iconv .*", caught.value.action.replace("NEW_FILE", "b.txt").replace("FILE", "a.txt"))
    assert command
    subprocess.run(command[0], shell=True, cwd=tmp_path, check=True)
    assert lines(tmp_path / "b.txt") == ["Grüße", "zwei"]


def test_bytes_that_are_no_text_are_named_by_their_line(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\nGr\xfc\xdfe\n")
    with pytest.raises(GenerationsError, match=r"a\.txt is not UTF-8 text: line 2 has the byte 0xfc at place 3"):
        list(read_lines(tmp_path / "a.txt", GenerationsError))
    # What other encodings write for half of a character.
    (tmp_path / "a.txt").write_bytes(b"\xed\xa0\xbd")
    with pytest.raises(CorpusFormatError, match="line 1 has the byte 0xed"):
        lines(tmp_path / "a.txt")


def test_packed_files_are_named(tmp_path: Path) -> None:
    import bz2
    import gzip
    import lzma

    file = tmp_path / "a.jsonl.gz"
    for pack, name in ((gzip.compress, "gzip"), (bz2.compress, "bzip2"), (lzma.compress, "xz")):
        file.write_bytes(pack(b'"one"\n'))
        with pytest.raises(CorpusFormatError, match=f"is not UTF-8 text but packed by {name}") as caught:
            lines(file)
        assert "Unpack it" in caught.value.action
    file.write_bytes(b"BZ and PK are letters, BZh9 is a word\n")
    assert lines(file) == ["BZ and PK are letters, BZh9 is a word"]


@pytest.mark.parametrize(
    ("beginning", "what", "advice"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n", "only the pointer of a file", "git lfs pull"),
        (b"PAR1\x15\x04", "a Parquet file", r"Name it \.parquet"),
        (b"ARROW1\0\0\xff", "an Arrow file", r"Name it \.arrow"),
        (b"%PDF-1.7\n", "a PDF", "as plain UTF-8 text"),
        (b"\xd0\xcf\x11\xe0\xa1", "a document of an office program", "as plain UTF-8 text"),
        (b"PK\x03\x04", "packed by zip", "Unpack it"),
        (b"7z\xbc\xaf\x27\x1c", "packed by 7-Zip", "Unpack it"),
    ],
)
def test_files_of_other_kinds_are_named(tmp_path: Path, beginning: bytes, what: str, advice: str) -> None:
    file = tmp_path / "a.txt"
    file.write_bytes(beginning)
    with pytest.raises(CorpusFormatError, match=f"is not UTF-8 text but {what}") as caught:
        lines(file)
    assert re.search(advice, caught.value.action)


@pytest.mark.parametrize("text", ["Привет, мир.\n", "你好，世界。\n", "Γειά σου.\n😀\n", "שלום\r\n", "यह हिंदी है।\n"])
@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE"])
def test_utf_16_of_any_script_is_named_without_a_mark(tmp_path: Path, text: str, encoding: str) -> None:
    """Such a file may be UTF-8 as well: of control characters, which a corpus was silently made of."""
    file = tmp_path / "a.txt"
    for many in (1, 1000):
        file.write_bytes((text * many).encode(encoding))
        with pytest.raises(CorpusFormatError, match=f"is not UTF-8 text but {encoding}"):
            lines(file)


def test_a_text_of_zeros_and_short_files_are_not_taken_for_utf_16(tmp_path: Path) -> None:
    for text in ("a\0", "\0", "a", "ab\0cd", "日本", "NUL \0 in a text\n", "1\n\0\n2\0\n"):
        (tmp_path / "a").write_bytes(text.encode())
        assert lines(tmp_path / "a") == text.removesuffix("\n").split("\n")


def test_half_a_character() -> None:
    assert half_character("whole 😀") is None and half_character("") is None
    assert half_character("the cat \ud83d sat") == 8
    with pytest.raises(TextError, match=r"U\+D83D at place 9: 'the cat \\ud83d sat'"):
        check_characters("the cat \ud83d sat")


def test_settings_with_a_mark(tmp_path: Path) -> None:
    file = tmp_path / "a.yml"
    file.write_bytes(MARK + b"steps: 4\r\nname: x\r\n")
    assert read_yaml(file) == {"steps": 4, "name": "x"}
    file.write_bytes("steps: 4\n".encode("utf-16"))
    with pytest.raises(ConfigError, match=r"a\.yml is not UTF-8 text but UTF-16LE"):
        read_yaml(file)
    file.write_text('- name: "half \\ud83d"\n')
    with pytest.raises(ConfigError, match=r"a\.yml: a text holds half of a character, U\+D83D"):
        read_yaml(file)


def test_words_of_the_command_line_are_texts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sample", str(tmp_path), "--prompt", "caf\udce9"]) == 2
    error = capsys.readouterr().err
    assert "UsageError: a text holds half of a character, U+DCE9 at place 4: 'caf\\udce9'" in error
