"""One stream of bytes cut into files of at most 64 MB: what a hub, a browser's store and a broken line cope with."""

from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from elf.errors import StoredWeightsError

GREATEST_SHARD = 64_000_000
"""Bytes."""


def shard_name(stem: str, number: int) -> str:
    """Of the shard of this number, from 1 on."""
    return f"{stem}-{number:05}.bin"


class ShardWriter:
    """Writes a stream as `<stem>-00001.bin`, … in `folder`, each full but the last. A context manager."""

    def __init__(self, folder: Path, stem: str, greatest: int = GREATEST_SHARD):
        self.folder, self.stem, self.greatest = folder, stem, greatest
        self.names: list[str] = []
        self.written = 0
        self._file: BinaryIO | None = None

    def write(self, data: bytes) -> None:
        rest = memoryview(data)
        while len(rest):
            room = self.greatest - self.written % self.greatest
            if room == self.greatest:
                self._open_next()
            assert self._file is not None
            self._file.write(rest[:room])
            self.written += min(room, len(rest))
            rest = rest[room:]

    def _open_next(self) -> None:
        self._close()
        self.names.append(shard_name(self.stem, len(self.names) + 1))
        self._file = (self.folder / self.names[-1]).open("wb")

    def _close(self) -> None:
        if self._file:
            self._file.close()
        self._file = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._close()


class ShardReader:
    """The stream again. Raises StoredWeightsError for a shard that is missing or ends early."""

    def __init__(self, folder: Path, stem: str):
        self.shards = sorted(folder.glob(f"{stem}-[0-9][0-9][0-9][0-9][0-9].bin"))
        self.sizes = [shard.stat().st_size for shard in self.shards]
        if not self.shards:
            raise StoredWeightsError(f"{folder} has no {stem}-00001.bin", "Export the model again.")

    def read(self, offset: int, count: int) -> bytes:
        """`count` bytes from `offset` of the stream on."""
        parts, start = [], 0
        for shard, size in zip(self.shards, self.sizes, strict=True):
            first, last = max(offset, start), min(offset + count, start + size)
            if first < last:
                with shard.open("rb") as file:
                    file.seek(first - start)
                    parts.append(file.read(last - first))
            start += size
        data = b"".join(parts)
        if len(data) != count:
            raise StoredWeightsError(
                f"the shards {self.shards[0].name} … end at byte {start}, before {offset + count}",
                "Copy the missing shards, or export the model again.",
            )
        return data
