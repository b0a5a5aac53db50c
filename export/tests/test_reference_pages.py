"""The reference of the documentation says what the code says."""

import pytest
from reference_pages import FOLDER, pages

from elf.cli import COMMANDS


@pytest.fixture(scope="module")
def written() -> dict[str, str]:
    return pages()


@pytest.mark.parametrize("name", ["elf.md", "configuration.md", "python-errors.md"])
def test_the_page_is_that_of_the_code(name: str, written: dict[str, str]) -> None:
    assert (FOLDER / name).read_text("utf-8") == written[name], "write it anew: npm run docs -- reference"


def test_every_command_and_every_option_has_a_line(written: dict[str, str]) -> None:
    page = written["elf.md"]
    assert all(f"\n## elf {command}\n" in page for command in COMMANDS)
    assert "| `--max-input-length` integer | `64` | Most tokens of a source." in page


def test_errors_have_what_to_do(written: dict[str, str]) -> None:
    page = written["python-errors.md"]
    assert "\n## EmptyCorpusError\n" in page
    assert "| … holds no text | Give a file with at least one non-empty text. |" in page
