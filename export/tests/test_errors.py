"""What a stranger has written into a file, in the words of an error."""

from elf.errors import MOST_LETTERS, CheckpointError, first_line


def test_a_message_is_never_as_long_as_a_file() -> None:
    error = CheckpointError(f"start {'x' * 10**6} end", "a" * 10**6)
    assert len(str(error)) < MOST_LETTERS + 10 and str(error).startswith("start") and str(error).endswith("end")
    assert len(error.action) < MOST_LETTERS + 10


def test_a_message_moves_no_cursor_and_can_be_written() -> None:
    error = CheckpointError("a\x1b[2Jb\rc\u202ed\ud800e\nÄ 𝕏", "x")
    assert str(error) == "a\\x1b[2Jb\\rc\\u202ed\\ud800e\nÄ 𝕏"


def test_of_a_library_s_error_the_first_line_is_told_without_its_settings() -> None:
    error = ValueError("No space left [os_error_code='28'] [tensorstore_spec='{\"driver\": \"zarr\"}']\nTraceback")
    assert first_line(error) == "No space left [os_error_code='28']"
    assert first_line(ValueError()) == "ValueError"
