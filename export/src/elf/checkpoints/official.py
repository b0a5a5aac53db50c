"""What is known of the official models besides their weights (spec sections 2, 3 and 5), and what a fetched folder
records."""

import json
import re
import uuid
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

from elf.config import FlowConfig, SamplerSettings
from elf.config_file import build_config
from elf.errors import CheckpointError, ConfigError
from elf.paths import is_name_below
from elf.text_file import json_value

OWNER = "embedded-language-flows"

Task = Literal["owt", "de-en", "xsum"]


@dataclass(frozen=True)
class TaskFacts:
    """What a network was trained on decides its lengths and how it is sampled; no weight tells either."""

    max_length: int
    """Positions, a source's included."""
    max_input_length: int
    """Of them at most for the source; 0 where it writes freely."""
    sampling: SamplerSettings
    flow: FlowConfig


UNCONDITIONAL = SamplerSettings(steps=32, method="sde", gamma=1.5, self_cond_scale=3.0)
CONDITIONAL = SamplerSettings(steps=64, method="ode", self_cond_scale=1.0, cfg_scale=2.0)

TASKS: dict[Task, TaskFacts] = {
    "owt": TaskFacts(1024, 0, UNCONDITIONAL, FlowConfig(decoder_noise_scale=5.0)),
    "de-en": TaskFacts(128, 64, CONDITIONAL, FlowConfig(decoder_noise_scale=1.0)),
    "xsum": TaskFacts(1088, 1024, CONDITIONAL, FlowConfig(decoder_noise_scale=1.0)),
}

LATENT_MEAN, LATENT_STD = 0.0, 0.2
"""Of T5-small's embeddings, as all official models normalise them."""

SAMPLING = {
    "ELF-M-owt": replace(UNCONDITIONAL, steps=64, gamma=1.0),
    "ELF-L-owt": replace(UNCONDITIONAL, steps=64, gamma=1.0),
    "ELF-B-PD-owt": replace(UNCONDITIONAL, steps=8, self_cond_scale=2.5),
}
"""Where the published settings are others than the task's."""

CHECKPOINTS = (
    *("ELF-B-owt", "ELF-M-owt", "ELF-L-owt", "ELF-B-de-en", "ELF-B-xsum"),
    *("ELF-B-owt-torch", "ELF-M-owt-torch", "ELF-L-owt-torch", "ELF-B-de-en-torch", "ELF-B-xsum-torch"),
    "ELF-B-PD-owt-torch",
)
"""The repositories of OWNER that hold a model."""

ENCODER_REPOSITORY, ENCODER_FILE = f"{OWNER}/t5_small_encoder_jax", "t5_small_encoder_jax.pkl"
TOKENIZER_REPOSITORY, TOKENIZER_FILE = "google-t5/t5-small", "tokenizer.json"


def model_name(repository: str) -> str | None:
    """The official model in a repository, its name without `-torch`; None for other repositories."""
    owner, _, name = repository.partition("/")
    return name.removesuffix("-torch") if owner == OWNER and name in CHECKPOINTS else None


def task_of(name: str | None) -> Task:
    """What an official model was trained on; OpenWebText where nothing is known."""
    match = re.search(r"(owt|de-en|xsum)$", name or "")
    return match[1] if match else "owt"  # type: ignore[return-value]


def sampling_of(name: str | None, task: Task) -> SamplerSettings:
    """The published settings of a model, or of its task."""
    return SAMPLING.get(name or "", TASKS[task].sampling)


# --- A folder of fetched files: which of them is the checkpoint, and where they came from ---------------------------

STEP = re.compile(r"^((?:.*/)?checkpoint_(\d+)(?:\.\w+)?)(?:/.*)?$")
"""`checkpoint_95000`, a file or a folder with files in it; -torch files may have an ending."""

INDEX = re.compile(r"^(.*)\.(\w+)\.index\.json$")
"""Of weights in several files: `model.safetensors.index.json` is that of `model-00001-of-00002.safetensors` and on."""

WEIGHTS = re.compile(r"\.(pt|pth|ckpt|bin|msgpack|safetensors|pkl)$")


def newest_checkpoint(paths: Iterable[str], where: str, action: str) -> str:
    """The file, or the folder, of the latest step among `paths`; the only file of weights where none says its step, or
    the only index of several.

    Raises CheckpointError with `action` where there is none, or several to choose from.
    """
    paths = sorted(paths)
    steps = [(int(match[2]), match[1]) for path in paths if (match := STEP.match(path))]
    if steps:
        latest = max(step for step, _ in steps)
        found = sorted({name for step, name in steps if step == latest})
    else:
        parts = {part for path in paths if INDEX.match(path) for part in parts_of(path, paths)}
        found = [path for path in paths if path not in parts and (WEIGHTS.search(path) or INDEX.match(path))]
    if len(found) == 1:
        return found[0]
    what = f"several checkpoints: {', '.join(found)}" if found else "no checkpoint"
    raise CheckpointError(f"{where} holds {what}", action)


def parts_of(index: str, paths: Iterable[str]) -> list[str]:
    """Which of `paths` are the files that an index is of, by their names; none where it is no index."""
    match = INDEX.match(index)
    if not match:
        return []
    part = re.compile(rf"{re.escape(match[1])}-\d+-of-\d+\.{match[2]}")
    return [path for path in paths if part.fullmatch(path)]


LATENTS = "latents.json"
"""In the output folder of a training of this project: what its latents are normalised with."""


def latents_beside(checkpoint: str) -> str:
    """Where it lies, if such a training made the checkpoint."""
    return (PurePosixPath(checkpoint).parent.parent / LATENTS).as_posix()


SOURCE_FILE = "source.json"


@dataclass(frozen=True)
class FetchedFile:
    path: str
    """Below the folder, with `/`."""
    bytes: int
    sha256: str
    repository: str
    revision: str
    """Commit it was taken from."""


@dataclass(frozen=True)
class SourceRecord:
    repository: str
    revision: str
    """The commit, however it was asked for."""
    checkpoint: str
    """Which file or folder of it is the checkpoint."""
    files: tuple[FetchedFile, ...]
    encoder: str | None = None
    tokenizer: str | None = None
    """Which files are the encoder and the tokenizer, where they were fetched too."""
    licence: str | None = None
    """What the repository's card says."""

    def write(self, folder: Path) -> None:
        # Of this process: others that share the disk may write the same record.
        partial = folder / f"{SOURCE_FILE}.{uuid.uuid4().hex}.partial"
        partial.write_text(json.dumps(asdict(self), indent=2) + "\n", encoding="utf-8")
        partial.replace(folder / SOURCE_FILE)


def read_source(folder: Path) -> SourceRecord | None:
    """The record in a folder; None where there is none. Raises CheckpointError for a broken one."""
    file = folder / SOURCE_FILE
    if not file.is_file():
        return None
    try:
        record = build_config(SourceRecord, {**json_value(file.read_text(encoding="utf-8"))})
        named = (record.checkpoint, record.encoder, record.tokenizer)
        if wrong := [name for name in named if name is not None and not is_name_below(name)]:
            raise ValueError(f"{wrong[0]!r} is no file of its folder")
        return record
    except (OSError, ValueError, TypeError, ConfigError) as error:
        raise CheckpointError(f"{file} cannot be read: {error}", "Run `elf fetch` again.") from error
