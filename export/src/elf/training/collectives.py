"""Which communication XLA has put into a compiled step, read from its HLO text."""

import math
import re
from dataclasses import dataclass

# `%name = TYPE all-gather(…)`; TYPE is an array or a tuple of arrays, with layouts such as {1,0:T(8,128)} between. An
# asynchronous operation is two instructions: its `-done` has the type of the result and is the one counted.
INSTRUCTION = re.compile(
    r"= (?P<type>\([^=]*?\)|\S+) "
    r"(?:(?P<whole>all-reduce|all-gather|reduce-scatter|all-to-all|collective-permute)"
    r"|(?P<begun>all-reduce|all-gather|collective-permute)-done)\("
)
ARRAY = re.compile(r"\b(?P<kind>pred|bf16|[fsuc]\d+)\w*\[(?P<sizes>[\d,]*)\]")


@dataclass(frozen=True)
class Collective:
    count: int
    bytes: int
    """Of the results on one device."""


def collectives(hlo: str) -> dict[str, Collective]:
    """Name of an operation → how often it stands in the text and what its results hold.

    An operation in a loop stands there once, however often the loop runs.
    """
    found: dict[str, Collective] = {}
    for line in hlo.splitlines():
        # In a long tuple a comment counts: /*index=5*/.
        match = INSTRUCTION.search(re.sub(r"/\*.*?\*/", "", line))
        if match:
            name = match["whole"] or match["begun"]
            before = found.get(name, Collective(0, 0))
            found[name] = Collective(before.count + 1, before.bytes + type_bytes(match["type"]))
    return dict(sorted(found.items()))


def type_bytes(text: str) -> int:
    """Bytes of an HLO type: `bf16[512,128]{1,0}` or a tuple of such."""
    return sum(
        math.prod(int(size) for size in match["sizes"].split(",") if size) * _bits(match["kind"]) // 8
        for match in ARRAY.finditer(text)
    )


def _bits(kind: str) -> int:
    return {"pred": 8, "bf16": 16}.get(kind) or int(kind[1:])
