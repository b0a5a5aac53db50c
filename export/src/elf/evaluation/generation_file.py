"""The texts of an evaluation as they are written: row by row, so that a killed run goes on where it was."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from elf.disk import GrowingFile, named_when_full, written_whole
from elf.errors import DiskFullError, OutputExistsError
from elf.evaluation.generations import Id, write_generation
from elf.paths import file_size
from elf.progress import say


class GenerationFile:
    """`all_generated_<epoch>_<step>.jsonl` of one model and one way to sample, rows in the order of `ids`.

    Beside it `settings_<epoch>_<step>.json` holds what the texts depend on, and the seconds they took so far. Rows that
    are already there are kept up to the first that is cut off or out of order. Raises OutputExistsError, naming the
    setting, where the folder holds texts that were made in another way, unless this one `replaces` them.
    """

    def __init__(
        self,
        folder: Path,
        epoch: int,
        step: int,
        settings: dict[str, Any],
        ids: Sequence[Id],
        *,
        replaces: bool = False,
    ):
        self.path = folder / f"all_generated_{epoch}_{step}.jsonl"
        self.record = folder / f"settings_{epoch}_{step}.json"
        self.settings, self.ids = settings, ids
        self.seconds = 0.0
        self.texts: list[str] = []
        """Of the first of `ids`."""
        if replaces:
            self._give_place()
        if self.record.is_file():
            self._check()
        elif self.path.is_file():
            raise OutputExistsError(
                f"{self.path} is there, but not the {self.record.name} that says how it was made",
                "Choose another --out, or move the file away.",
            )
        else:
            folder.mkdir(parents=True, exist_ok=True)
            self._remember()
        self.file = GrowingFile(self.path)
        if self.path.is_file():
            self._keep_whole_rows()

    def append(self, texts: Sequence[str], seconds: float) -> None:
        """The texts of the next ids; `seconds` is what they took. On disk when this returns, in a bucket when `keep`
        does. Raises DiskFullError."""
        ids = self.ids[len(self.texts) : len(self.texts) + len(texts)]
        with named_when_full(self._full):
            rows = io.StringIO()
            for id, text in zip(ids, texts, strict=True):
                write_generation(rows, id, text)
            there = self.file.append(rows.getvalue())
            self.texts += texts
            self.seconds += seconds
            if there:
                self._remember()

    def keep(self) -> None:
        """Returns when all texts so far are where they belong."""
        with named_when_full(self._full):
            self.file.flush()
            self._remember()

    def _full(self, detail: str) -> DiskFullError:
        return DiskFullError(
            f"{self.path} could not be written: {detail}",
            "Make room and run the same command again; it goes on after the last whole row.",
        )

    def _give_place(self) -> None:
        """Removes texts that were made in another way."""
        try:
            self._check()
        except OutputExistsError as error:
            if self.path.is_file() or self.record.is_file():
                say(f"{error}: they are written anew")
            self.path.unlink(missing_ok=True)
            self.record.unlink(missing_ok=True)
            self.seconds = 0.0

    def _check(self) -> None:
        try:
            record = json.loads(self.record.read_text())
            before, self.seconds = record["settings"], record["seconds"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise OutputExistsError(
                f"{self.record} cannot be read: {error}", "Choose another --out, or delete the texts and this file."
            ) from error
        now = json.loads(json.dumps(self.settings))
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                raise OutputExistsError(
                    f"{self.path} was made with {name} {before.get(name)}, not {now.get(name)}",
                    f"Choose another --out, give {name} as before, or delete the folder {self.path.parent}.",
                )

    def _remember(self) -> None:
        record = {"settings": self.settings, "seconds": round(self.seconds, 3)}
        with written_whole(self.record) as file:
            file.write_text(json.dumps(record, indent=2) + "\n")

    def _keep_whole_rows(self) -> None:
        """Reads the rows that are good, and cuts off what follows them if any is still to be written."""
        kept = 0
        with self.path.open("rb") as file:
            for id, line in zip(self.ids, file, strict=False):
                text = _text_of(line, id)
                if text is None:
                    break
                self.texts.append(text)
                kept += len(line)
        if len(self.texts) < len(self.ids) and kept < file_size(self.path):
            say(f"{self.path}: row {len(self.texts) + 1} is cut off or out of order, so it is written anew from there")
            self.file.cut(kept)


def _text_of(line: bytes, id: Id) -> str | None:
    """The text of a whole row with this id; None for any other line."""
    try:
        row = json.loads(line) if line.endswith(b"\n") else None
    except ValueError:
        return None
    text = row.get("generated") if isinstance(row, dict) and row.get("id") == id else None
    return text if isinstance(text, str) else None
