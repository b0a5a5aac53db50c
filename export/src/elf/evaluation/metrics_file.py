"""`metrics.jsonl` of an evaluation: one row for each way to sample and each checkpoint."""

import json
from pathlib import Path
from typing import Any

from elf.disk import written_whole
from elf.errors import GenerationsError, OutputExistsError

Row = dict[str, Any]

KEY = ("combination", "epoch", "step")
"""What makes two rows the same one, measured again."""


def read_metrics(path: Path) -> list[Row]:
    """The rows of an evaluation's metrics.jsonl, or of the one in the folder. Raises GenerationsError for others."""
    file = path / "metrics.jsonl" if path.is_dir() else path
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").split("\n") if line.strip()]
        for row in rows:
            setting_of(row)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise GenerationsError(
            f"{file} cannot be read as an evaluation: {type(error).__name__}: {error}",
            "Give the metrics.jsonl of `elf evaluate`, or its folder.",
        ) from error
    return rows


def setting_of(row: Row) -> str:
    """How its texts were sampled, for people: "SDE 32, γ 0.5, w 3, ω 2"; what is as usual is left out."""
    parts = [f"{row['method'].upper()} {row['steps']}"]
    parts += [f"γ {row['gamma']:g}"] if row["method"] == "sde" else []
    parts += [f"w {row['self_cond_cfg']:g}"]
    parts += [f"ω {row['cfg']:g}"] if row["cfg"] != 1 else []
    parts += [row["schedule"].replace("_", "-")] if row["schedule"] != "logit_normal" else []
    parts += [row["solver"]] if row.get("solver", "euler") != "euler" else []
    return ", ".join(parts)


class MetricsFile:
    """Raises OutputExistsError for a file that is none of an evaluation, such as a training's own metrics.jsonl."""

    def __init__(self, path: Path):
        self.path = path
        self.rows: list[Row] = []
        if path.is_file():
            try:
                self.rows = [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
                known = all(name in row for row in self.rows for name in KEY)
            except (OSError, ValueError, TypeError):
                known = False
            if not known:
                raise OutputExistsError(
                    f"{path} is there, and no evaluation wrote it", "Choose another --out: a folder for evaluations."
                )

    def find(self, like: Row) -> Row | None:
        """The row that agrees with `like` in everything that `like` names."""
        like = json.loads(json.dumps(like))
        return next((row for row in self.rows if all(row.get(name) == value for name, value in like.items())), None)

    def put(self, row: Row) -> None:
        """In place of the row of the same key, or at the end."""
        before = self.find({name: row[name] for name in KEY})
        if before is None:
            self.rows.append(row)
        else:
            self.rows[self.rows.index(before)] = row
        with written_whole(self.path) as file:
            file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in self.rows), encoding="utf-8")
