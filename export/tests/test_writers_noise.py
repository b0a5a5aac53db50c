"""What the writers of checkpoints print of a full disk besides their error is not printed, and all else is."""

import logging
import sys
from types import SimpleNamespace

import pytest

from elf.training.writers_noise import hush


@pytest.fixture(autouse=True)
def hushed(monkeypatch: pytest.MonkeyPatch) -> list[BaseException]:
    """Hushed over a hook that keeps what reaches it; as before afterwards."""
    seen: list[BaseException] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda unraisable: seen.append(unraisable.exc_value))
    for name in ("absl", "asyncio"):
        monkeypatch.setattr(logging.getLogger(name), "filters", [])
    hush()
    return seen


def error_of(message: str) -> tuple[type[BaseException], BaseException, None]:
    error = ValueError(message)
    return type(error), error, None


@pytest.mark.parametrize("logger", ["absl", "asyncio"])
def test_only_records_of_a_full_disk_are_dropped(logger: str, caplog: pytest.LogCaptureFixture) -> None:
    log = logging.getLogger(logger)
    log.error("saving failed", exc_info=error_of("OUT_OF_RANGE: Failed to write 5 bytes: No space left on device"))
    log.error("Failed to write: File too large [os_error_code='27']")
    log.error("saving failed", exc_info=error_of("the bucket is gone"))
    log.warning("something else")
    assert [record.getMessage() for record in caplog.records] == ["saving failed", "something else"]
    assert str(caplog.records[0].exc_info[1]) == "the bucket is gone"


def test_only_writes_that_end_after_their_loop_are_dropped(hushed: list[BaseException]) -> None:
    late, other, same_words = (
        RuntimeError("Event loop is closed"),
        RuntimeError("x"),
        ValueError("Event loop is closed"),
    )
    for error in (late, other, same_words):
        sys.unraisablehook(SimpleNamespace(exc_value=error))
    assert hushed == [other, same_words]


def test_twice_is_as_once(hushed: list[BaseException]) -> None:
    hook = sys.unraisablehook
    hush()
    assert sys.unraisablehook is hook
    assert len(logging.getLogger("absl").filters) == 1
