"""Names of files that stand in files."""

import pytest

from elf.paths import is_name_below


@pytest.mark.parametrize("name", ["model.safetensors", "a/b.bin", "Ä 𝕏", "..a", "C:x"])
def test_names_of_files_below(name: str) -> None:
    assert is_name_below(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "a/../b",
        "/etc/passwd",
        "a//b",
        "a/",
        "a\\b",
        "a\0",
        "x" * 256,
        "ä" * 128,
        "gs://a/b",
        "\ud800",
        None,
        3,
    ],
)
def test_names_that_lead_elsewhere_or_that_no_disk_takes(name: object) -> None:
    assert not is_name_below(name)
