"""What a stranger has written into a file, in the words of an error."""

from elf.errors import MOST_LETTERS, CheckpointError


def test_a_message_is_never_as_long_as_a_file() -> None:
    error = CheckpointError(f"start {'x' * 10**6} end", "a" * 10**6)
    assert len(str(error)) < MOST_LETTERS + 10 and str(error).startswith("start") and str(error).endswith("end")
    assert len(error.action) < MOST_LETTERS + 10


def test_a_message_moves_no_cursor_and_can_be_written() -> None:
    error = CheckpointError("a\x1b[2Jb\rc\u202ed\ud800e\nÄ 𝕏", "x")
    assert str(error) == "a\\x1b[2Jb\\rc\\u202ed\\ud800e\nÄ 𝕏"
