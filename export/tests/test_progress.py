"""Signs of life go to standard error, and not too often."""

import pytest

from elf.progress import told


def test_told_passes_everything_on_and_keeps_standard_output_free(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(told(range(3), "counting", every_seconds=0)) == [0, 1, 2]
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.splitlines() == ["counting: 0 of 3", "counting: 1 of 3", "counting: 2 of 3"]


def test_told_is_silent_about_what_is_quick(capsys: pytest.CaptureFixture[str]) -> None:
    assert list(told("ab", "spelling")) == ["a", "b"]
    assert capsys.readouterr().err == ""
