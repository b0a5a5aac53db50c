"""An official checkpoint and what belongs to it, as a model that is sampled, evaluated and exported like any other."""

from dataclasses import dataclass, fields, replace
from pathlib import Path

from elf.checkpoints.architecture import elf_config
from elf.checkpoints.elf_in_file import read_elf_weights
from elf.checkpoints.fetched_folder import SOURCE_FILE, STEP, WEIGHTS, SourceRecord, newest_checkpoint, read_source
from elf.checkpoints.official import LATENT_MEAN, LATENT_STD, TASKS, Task, model_name, sampling_of, task_of
from elf.checkpoints.orbax_folder import orbax_item
from elf.config import ElfConfig, T5Config
from elf.data.tokenizer import load_tokenizer
from elf.errors import CheckpointError, CheckpointMismatchError
from elf.models.pretrained import load_encoder, tokenizer_file
from elf.models.trained_model import FlatParams, TrainedModel
from elf.paths import absolute, files_below
from elf.progress import say


@dataclass(frozen=True, kw_only=True)
class CheckpointOptions:
    """Base of the arguments of such commands. Models of this project bring all of it with them."""

    encoder: str | None = None
    """Official checkpoints: the T5 that reads text, t5_small_encoder_jax.pkl or a T5's weights; needed for sources."""
    tokenizer: str | None = None
    """Official checkpoints: tokenizer.json or spiece.model, or their folder. Without one the model works on ids."""
    task: Task | None = None
    """Official checkpoints: what it was trained on, which decides lengths and sampler; owt where nothing says."""
    max_length: int | None = None
    """Official checkpoints: positions, a source's included; the task's unless given."""
    max_input_length: int | None = None
    """Official checkpoints: of them at most for a source; the task's unless given."""
    latent_mean: float | None = None
    """Official checkpoints: subtracted from the encoder's output; 0 unless given."""
    latent_std: float | None = None
    """Official checkpoints: the encoder's output is divided by it; 0.2 unless given."""
    raw: bool = False
    """Take the weights of a checkpoint's last step instead of their moving average."""

    def given_for_official(self) -> list[str]:
        """The options that only make sense with an official checkpoint and were given."""
        names = [field.name for field in fields(CheckpointOptions) if field.name != "raw"]
        return [f"--{name.replace('_', '-')}" for name in names if getattr(self, name) is not None]


def is_official(checkpoint: Path) -> bool:
    """Whether `checkpoint` is for `open_official`: a file, an Orbax folder, or a folder with either, fetched or not."""
    if checkpoint.is_file() or orbax_item(checkpoint) is not None or (checkpoint / SOURCE_FILE).is_file():
        return True
    names = [path.name for path in checkpoint.glob("*") if path.is_file() or orbax_item(path) is not None]
    return any(STEP.match(name) or WEIGHTS.search(name) for name in names)


def open_official(checkpoint: Path, options: CheckpointOptions, weights_only: bool = False) -> TrainedModel:
    """The model of an official checkpoint; its weights stay in the file until they are asked for.

    What no weight tells comes from `options`, else from the record of `elf fetch`, else it is that of the task, by
    default OpenWebText. With `weights_only` no encoder and no tokenizer are looked for. Raises CheckpointError for
    files that cannot be read, CheckpointMismatchError for weights, encoder and tokenizer that do not fit together,
    ConfigError for impossible lengths.
    """
    # A single file may be one of a fetched folder, too.
    folder = checkpoint if checkpoint.is_dir() and orbax_item(checkpoint) is None else checkpoint.parent
    source = read_source(folder)
    file = checkpoint
    if folder == checkpoint:
        name = source.checkpoint if source else newest_checkpoint(_files(folder), str(folder), "Give one of its files.")
        file = folder / name
    found = read_elf_weights(file)
    group, params = found.chosen(options.raw)
    official = model_name(source.repository) if source else None
    task = options.task or task_of(official)
    facts = TASKS[task]
    elf = elf_config(
        params,
        facts.max_length if options.max_length is None else options.max_length,
        facts.max_input_length if options.max_input_length is None else options.max_input_length,
    )
    if weights_only:
        elf = replace(elf, max_input_length=0)
    _check_lengths(elf)
    say(
        f"{file.name}: {found.format}, {elf.depth} blocks of width {elf.hidden_size}, {elf.heads} heads, "
        f"{elf.vocabulary_size:,} tokens; {found.told(options.raw)}"
    )
    if not (official or options.task or weights_only):
        say(f"nothing says what it was trained on, so it is taken for {task}: --task and --max-length say otherwise")

    encoder, encoder_params = (None, {}) if weights_only else _encoder(options, source, folder, elf)
    mean = LATENT_MEAN if options.latent_mean is None else options.latent_mean
    std = LATENT_STD if options.latent_std is None else options.latent_std
    if not std > 0:
        raise CheckpointMismatchError(f"the latents' deviation is {std}", "Give a --latent-std above 0.")
    training: dict[str, object] = {"checkpoint": file.name, "format": found.format, "weights": group}
    training |= {"steps": found.step} if found.step is not None else {}
    training |= {"epoch": round(found.epoch, 3)} if found.epoch is not None else {}
    training |= {"licence": source.licence} if source and source.licence else {}
    return TrainedModel(
        name=official or absolute(checkpoint).name,
        elf=elf,
        flow=facts.flow,
        params=params,  # type: ignore[arg-type]
        encoder=encoder,
        encoder_params=encoder_params,
        latent_mean=mean,
        latent_std=std,
        tokenizer=None if weights_only else _tokenizer(options, source, folder, elf),
        training=training,
        sampling=sampling_of(official, task),
        source={"repository": source.repository, "revision": source.revision} if source else {},
    )


def _files(folder: Path) -> list[str]:
    """All files below, but for those that programs hide."""
    return [name for name in files_below(folder) if not any(part.startswith(".") for part in name.split("/"))]


def _check_lengths(elf: ElfConfig) -> None:
    if elf.max_input_length >= elf.max_length:
        raise CheckpointMismatchError(
            f"a source of {elf.max_input_length} tokens leaves none of {elf.max_length} positions to write",
            "Raise --max-length or lower --max-input-length; --task sets both.",
        )


def _encoder(
    options: CheckpointOptions, source: SourceRecord | None, folder: Path, elf: ElfConfig
) -> tuple[T5Config | None, FlatParams]:
    fetched = str(folder / source.encoder) if source and source.encoder else None
    name = options.encoder or fetched
    if name is None:
        if elf.max_input_length:
            raise CheckpointError(
                "the model writes to a source and has no encoder to read it with",
                "Give --encoder: the official t5_small_encoder_jax.pkl, or the weights of google-t5/t5-small.",
            )
        return None, {}
    config, params = load_encoder(name)
    if config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder's shared/embedding is {config.d_model} wide, the network's proj_kernel {elf.latent_size}",
            "Give the encoder that the network was trained with: T5-small for all official ones.",
        )
    if config.vocabulary_size < elf.vocabulary_size:
        raise CheckpointMismatchError(
            f"the encoder reads {config.vocabulary_size:,} tokens, the network writes {elf.vocabulary_size:,}",
            "Give the encoder that the network was trained with.",
        )
    return config, params


def _tokenizer(options: CheckpointOptions, source: SourceRecord | None, folder: Path, elf: ElfConfig) -> Path | None:
    fetched = str(folder / source.tokenizer) if source and source.tokenizer else None
    name = options.tokenizer or fetched
    if name is None:
        say("there is no tokenizer, so the model works on ids: --tokenizer gives one")
        return None
    file = tokenizer_file(name)
    size = load_tokenizer(file).get_vocab_size()
    if size > elf.vocabulary_size:
        raise CheckpointMismatchError(
            f"the tokenizer has {size:,} tokens, the network's unembed_kernel names {elf.vocabulary_size:,}",
            "Give the tokenizer that the network was trained with: T5's for all official ones.",
        )
    return file
