"""Write rows of token ids, as they come, in the form of `datasets.save_to_disk`."""

import errno
from pathlib import Path
from types import TracebackType

import pyarrow as pa

from elf.errors import DiskFullError

# int32: a vocabulary fits, and the files are half as large.
IDS = pa.list_(pa.int32())


class RowWriter:
    """Appends rows to a file beside `folder`; `save` makes the folder of it. A context that leaves no such file behind.

    Until `save` returns, what was in `folder` before is untouched, and twice the data's size is needed on disk.
    """

    def __init__(self, folder: Path, columns: tuple[str, ...]):
        self.folder = folder
        self.examples = self.tokens = 0
        self._schema = pa.schema([(name, IDS) for name in columns])
        self._file = folder.with_name(f".{folder.name}.arrow")
        folder.parent.mkdir(parents=True, exist_ok=True)
        self._stream = pa.ipc.new_stream(pa.OSFile(str(self._file), "wb"), self._schema)

    def __enter__(self) -> "RowWriter":
        return self

    def write(self, rows: list[tuple[list[int], ...]]) -> None:
        """`rows` have one list of ids per column. Raises DiskFullError."""
        if not rows:
            return
        columns = [pa.array(column, IDS) for column in zip(*rows, strict=True)]
        try:
            self._stream.write_batch(pa.record_batch(columns, schema=self._schema))
        except OSError as error:
            raise self._named(error) from error
        self.examples += len(rows)
        self.tokens += sum(len(row[0]) for row in rows)

    def save(self) -> None:
        """Raises DiskFullError."""
        from datasets import Dataset

        try:
            self._stream.close()
            Dataset.from_file(str(self._file)).save_to_disk(str(self.folder))
        except OSError as error:
            raise self._named(error) from error

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.unlink(missing_ok=True)

    def _named(self, error: OSError) -> Exception:
        if error.errno != errno.ENOSPC:
            return error
        return DiskFullError(
            f"{self.folder} does not fit on the disk after {self.examples:,} rows", "Make room, or give another --out."
        )
