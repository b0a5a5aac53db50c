"""Hold this package's training step to numbers that the official code computed, case by case."""

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro

from elf.golden.cases import distill_deviations, training_deviations
from elf.golden.folder import open_golden
from elf.progress import say

LARGEST = 1e-4
"""Relative deviation above which a case fails."""


@dataclass(frozen=True)
class Arguments:
    folder: Annotated[Path, tyro.conf.Positional]
    """Of golden numbers: cases of a .json and a .npz, weights, and the encoder."""
    cases: tuple[str, ...] = ()
    """Only these, by name."""
    json: bool = False
    """One object instead of a table."""


def main(arguments: Arguments) -> None:
    folder = open_golden(arguments.folder)
    table: dict[str, dict[str, float]] = {}
    for case in folder.cases:
        if arguments.cases and case.name not in arguments.cases:
            continue
        say(f"{case.name}: {case.kind}")
        measured = training_deviations if case.kind == "training" else distill_deviations
        table[case.name] = measured(folder, case)
    # A figure that is no number is the worst of all.
    worst = float(np.max([value for row in table.values() for value in row.values()], initial=0.0))
    if arguments.json:
        print(json.dumps({"cases": table, "worst": worst, "largest_allowed": LARGEST}, indent=2))
    else:
        for name, row in table.items():
            print(name)
            for quantity, value in row.items():
                print(f"  {quantity:20} {value:.2e}")
        print(f"worst {worst:.2e}, allowed {LARGEST:.0e}")
    if not worst <= LARGEST:
        sys.exit(1)
