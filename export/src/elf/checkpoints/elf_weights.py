"""The weights of an official ELF checkpoint under their official names, whichever code wrote them."""

import re
from dataclasses import dataclass
from pathlib import Path

from elf.checkpoints.formats import read_tree
from elf.checkpoints.lazy_weights import LazyWeights, StoredTensor
from elf.checkpoints.stored import Transposed, leaves, tensors
from elf.errors import CheckpointError

RAW = "params"
GROUPED = re.compile(r"(?:state/)?(params|ema\w*)[/.](?:params[/.])?(.+)")
"""A set of weights and the name in it: the raw ones, or an exponential moving average, officially `ema_params1`. This
project's trainings keep both in `state`; Flax may wrap the tree of a network in `params` once more."""

NUMBERED = re.compile(r"^(blocks)\.(\d+)\.")


@dataclass(frozen=True)
class ElfWeights:
    """What a checkpoint has."""

    format: str
    groups: dict[str, LazyWeights]
    """`params`, `ema_params1`: name → weight, by official names."""
    step: int | None
    epoch: float | None

    def chosen(self, raw: bool) -> tuple[str, LazyWeights]:
        """The averaged weights, or with `raw` the ones of the last step; the only ones where there are no others.

        Raises CheckpointError for raw weights that the file does not have.
        """
        averaged = sorted((name for name in self.groups if name != RAW), key=lambda name: (name != "ema_params1", name))
        if raw:
            if RAW not in self.groups:
                raise CheckpointError(f"the checkpoint has no {RAW}, only {', '.join(averaged)}", "Leave --raw out.")
            return RAW, self.groups[RAW]
        name = averaged[0] if averaged else RAW
        return name, self.groups[name]


def read_elf_weights(path: Path) -> ElfWeights:
    """Opens an official checkpoint; reads names and shapes. Raises CheckpointError for what has no ELF's weights."""
    kind, tree = read_tree(path)
    groups: dict[str, dict[str, StoredTensor]] = {}
    stored = tensors(tree)
    grouped = {name: match for name in stored if (match := GROUPED.match(name))}
    for name, tensor in stored.items():
        if grouped and name not in grouped:
            continue
        group, rest = grouped[name].groups() if grouped else (RAW, name)
        official, laid_out = _official(rest, tensor)
        groups.setdefault(group, {})[official] = laid_out
    # A T5, an optimizer's state and much else have tensors, too.
    found = {name: LazyWeights(weights) for name, weights in groups.items() if "unembed_kernel" in weights}
    if not found:
        some = ", ".join(sorted(name for name in tree)[:6])
        raise CheckpointError(
            f"{path} holds no weights of an ELF; it has {some or 'nothing'}",
            "Give an official checkpoint, or a model of this project.",
        )
    numbers = {name.rsplit("/", 1)[-1]: value for name, value in leaves(tree) if name in ("step", "epoch")}
    step, epoch = _number(numbers.get("step")), _number(numbers.get("epoch"))
    return ElfWeights(kind, found, None if step is None else int(step), epoch)


def _official(name: str, tensor: StoredTensor) -> tuple[str, StoredTensor]:
    """Torch's names and (out, in) matrices as Flax's: blocks.0.attn.qkv.weight → blocks_0/attn/qkv/kernel.

    Vectors called weight are gains and stay; parameters without a layer around them keep name and layout.
    """
    if "." not in name:
        return name, tensor
    name = NUMBERED.sub(r"\1_\2.", name)
    *path, last = name.split(".")
    if last == "weight" and len(tensor.shape) == 2:
        return "/".join([*path, "kernel"]), Transposed(tensor)
    return "/".join([*path, last]), tensor


def _number(value: object) -> float | None:
    """A number, alone or as a tensor without axes."""
    if isinstance(value, int | float):
        return value
    read = getattr(value, "read", None)
    return float(read()) if read and not getattr(value, "shape", None) else None
