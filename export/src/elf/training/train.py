"""Train an ELF: one YAML per experiment, `field=value` over it, resumed from the newest checkpoint of its folder."""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from elf.config import ElfConfig
from elf.config_file import load_config
from elf.data.rows import Shard, TokenDataset, check_vocabulary, open_dataset, training_batches
from elf.data.tokenizer import EOS, PAD, load_tokenizer
from elf.devices import ProcessArguments, make_mesh, on_host
from elf.errors import CheckpointMismatchError, ConfigError, HubError, UsageError, first_line
from elf.evaluation.evaluate import Evaluation
from elf.evaluation.generator import load_samplings
from elf.models.open_model import read_weights
from elf.models.run_folder import RunFolder
from elf.models.text_encoder import load_encoder, tokenizer_file
from elf.models.trained_model import TrainedModel, save_trained_model
from elf.network.modules import Params
from elf.paths import AnyPath, is_address, path_of
from elf.progress import say
from elf.training.checkpoint import bring_checkpoint, known_statistics, start_weights, starting_model
from elf.training.loop import LoopConfig, run_loop
from elf.training.run_record import RunLog, command_line, encoder_facts, plain, remember_settings, training_facts
from elf.training.step import TrainState, TrainStep, make_train_step
from elf.training.step_inputs import FrozenEncoder
from elf.training.train_config import EvaluationConfig, Resolved, TrainConfig, resolve

# Half-written checkpoints are nobody's business.
LEFT_OUT = ["*.orbax-checkpoint-tmp*", "*.partial"]


class HubUpload:
    """One upload at a time. A failed one is told and tried again with the next checkpoint: training is worth more."""

    def __init__(self, repository: str, folder: Path):
        """Raises HubError when the repository can neither be found nor made, before any training is done."""
        import huggingface_hub

        self.repository, self.folder = repository, folder
        self.api = huggingface_hub.HfApi()
        self.running: Future[Any] | None = None
        try:
            self.api.create_repo(repository, private=True, exist_ok=True)
        except Exception as error:  # the library raises many kinds
            raise self._error(error) from error

    def start(self, step: int) -> None:
        """Uploads what the folder holds now, unless the last upload is still under way."""
        if self.running is not None and not self.running.done():
            return
        self._tell_failure()
        self.running = self.api.upload_folder(
            repo_id=self.repository,
            folder_path=self.folder,
            commit_message=f"step {step}",
            ignore_patterns=LEFT_OUT,
            run_as_future=True,
        )

    def finish(self, step: int) -> None:
        """Waits, then uploads the folder once more, as it ended. Raises HubError when that fails."""
        if self.running is not None:
            self.running.exception()
        self.start(step)
        assert self.running is not None
        if (error := self.running.exception()) is not None:
            raise self._error(error) from error

    def _tell_failure(self) -> None:
        if self.running is not None and (error := self.running.exception()) is not None:
            say(f"upload to {self.repository} failed, trying again: {first_line(error)}")

    def _error(self, error: BaseException) -> HubError:
        return HubError(
            f"{self.folder.name} could not be uploaded to {self.repository}: {(str(error).splitlines() or [''])[0]}",
            "Log in with `hf auth login` and check the name, or set hub_repo=null. Nothing on disk is lost.",
        )


@dataclass(frozen=True)
class RunArguments(ProcessArguments):
    """The arguments of both commands."""

    config: AnyPath
    """YAML of an experiment, see configs/."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: steps=100 flow.noise_scale=0.7 …"""


@dataclass(frozen=True)
class Run:
    """One training, with everything open that it reads."""

    config: TrainConfig
    resolved: Resolved
    dataset: TokenDataset
    tokenizer: Path
    encoder: FrozenEncoder
    facts: Callable[[int, float], dict[str, Any]]
    """(steps done, seconds) → what the written model says of its training."""
    upload: HubUpload | None = None

    def batches(self, start: int):
        """This process's rows of the global batches from number `start` on."""
        elf = self.config.elf
        return training_batches(
            self.dataset,
            batch_size=self.config.batch_size,
            length=elf.max_length,
            max_input_length=elf.max_input_length or None,
            pad_token=EOS if self.config.pad_token == "eos" else PAD,
            vocabulary_size=min(elf.vocabulary_size, self.encoder.config.vocabulary_size),
            seed=self.config.seed,
            start=start,
            shard=Shard(jax.process_index(), jax.process_count()),
        )

    def model_writer(self, done: int, seconds: float) -> Callable[[Path], None] | None:
        """What writes the averaged weights of a checkpoint as the run's model, into `model/` of the output folder.

        From the checkpoint's files, to which every process has written its parts, and on the first process alone:
        no process ever gathers the weights.
        """
        if jax.process_index() != 0:
            return None
        training = self.facts(done, seconds) | {"epoch": self._epoch(done)}

        def write(checkpoint: Path) -> None:
            model = self._model(read_weights(checkpoint, self.config.elf))
            save_trained_model(replace(model, training=training), RunFolder(self.config.out).model)
            if self.upload:
                self.upload.start(done)

        return write

    def _model(self, params: Mapping[str, Any]) -> TrainedModel:
        return TrainedModel(
            name=self.config.name,
            elf=self.config.elf,
            flow=self.config.flow,
            params=params,
            encoder=self.encoder.config,
            encoder_params=self.encoder.params,
            latent_mean=self.encoder.mean,
            latent_std=self.encoder.std,
            tokenizer=self.tokenizer,
        )

    def _evaluation(self, step: TrainStep) -> "TrainingEvaluation":
        # Weights of its own to check with, which are gone before the training makes its first ones.
        model = self._model(step.init().ema_params1)
        return TrainingEvaluation(self.config.evaluation, model, step.mesh, self.config.out)

    def _epoch(self, done: int) -> float:
        return round(done / self.resolved.steps_per_epoch, 4)

    def carry_out(self, step: TrainStep) -> TrainState:
        """Trains to the end, from the newest checkpoint of the output folder; then its model is written, too.

        Raises what `run_loop` does, and what writing the model raises.
        """
        config, resolved = self.config, self.resolved
        every = config.evaluation.steps_between(resolved.steps_per_epoch)
        evaluation = self._evaluation(step) if every else None

        def evaluate(state: TrainState, done: int, log: RunLog, stopping: Callable[[], bool]) -> None:
            if evaluation:
                evaluation.carry_out(state.ema_params1, done, self._epoch(done), log, stopping)

        state, _ = run_loop(
            LoopConfig(
                resolved.steps,
                checkpoint_minutes=config.checkpoints.minutes,
                checkpoint_steps=resolved.save_steps,
                log_every=config.log_every,
                keep=config.checkpoints.keep,
                steps_per_epoch=resolved.steps_per_epoch,
                evaluation_steps=every,
                wandb={name: value for name, value in vars(config).items() if name.startswith("wandb_")},
                settings=plain(config),
                profile=config.profile,
            ),
            config.out,
            step.init(),
            self.batches,
            step.update,
            config.batch_size * config.elf.max_length,
            on_checkpoint=lambda state, done, seconds: self.model_writer(done, seconds),
            on_evaluation=evaluate,
        )
        return state


def make_upload(config: TrainConfig) -> HubUpload | None:
    """For the first process of a run that is to be uploaded. Raises HubError, and ConfigError for a run in a bucket."""
    if config.hub_repo and is_address(config.out):
        raise ConfigError(
            f"hub_repo is {config.hub_repo}, but the run lies at {config.out}, and only a folder here is uploaded",
            "Set hub_repo=null, and upload a copy of the folder when the training has ended: hf upload.",
        )
    return HubUpload(config.hub_repo, config.out) if config.hub_repo and jax.process_index() == 0 else None


def check_vocabularies(config: TrainConfig, dataset: TokenDataset, tokenizer: Path, encoder_vocabulary: int) -> None:
    """Raises CheckpointMismatchError where tokenizer, encoder and model do not speak of the same ids, and DatasetError
    where the dataset holds ids beyond them."""
    model = config.elf.vocabulary_size
    known = load_tokenizer(tokenizer).get_vocab_size()
    if known > model:
        raise CheckpointMismatchError(
            f"the tokenizer has {known:,} ids, elf.vocabulary_size is {model:,}",
            f"Set elf.vocabulary_size={known}, or give the tokenizer that the dataset was prepared with.",
        )
    if known > encoder_vocabulary:
        raise CheckpointMismatchError(
            f"the tokenizer has {known:,} ids, the encoder knows {encoder_vocabulary:,}",
            "Give the tokenizer that the encoder was trained with.",
        )
    check_vocabulary(dataset, min(model, encoder_vocabulary))


def check_task(dataset: TokenDataset, elf: ElfConfig, who: str = "model") -> None:
    """Raises CheckpointMismatchError where one of the two knows sources and the other does not. A model that writes
    without a source, too, may learn from texts alone."""
    has_sources = dataset.condition_input_ids is not None
    if elf.needs_source if not has_sources else elf.max_input_length == 0:
        has, knows = ("sources", "has no use") if has_sources else ("no sources", "needs them")
        raise CheckpointMismatchError(
            f"the dataset has {has} (column condition_input_ids), the {who} {knows}",
            f"Give a dataset of the {who}'s task, or correct elf.max_input_length, which is {elf.max_input_length}.",
        )


Arguments = RunArguments


def main(arguments: Arguments) -> None:
    """Train an ELF: one YAML per experiment, `field=value` over it, resumed from the newest checkpoint of its
    folder.

    The same command trains on one CPU, on the GPUs of a machine, and, run on every host, on a TPU pod or a cluster.
    """
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    arguments.join_processes()
    mesh = make_mesh(config.fsdp)

    dataset = open_dataset(config.data, config.split, config.revision)
    check_task(dataset, config.elf)
    tokenizer = tokenizer_file(config.tokenizer)
    encoder_config, encoder_params = load_encoder(config.encoder)
    check_vocabularies(config, dataset, tokenizer, encoder_config.vocabulary_size)
    start = starting_model(config)
    encoder = FrozenEncoder.make(
        encoder_config,
        encoder_params,
        config.latent_normalisation,
        dataset,
        config.elf.max_length,
        config.elf.max_input_length or None,
        see_padding=config.sees_filling,
        known=known_statistics(config, encoder_params, start),
    )
    resolved = resolve(config, len(dataset), dataset.condition_input_ids is not None)
    weights = start_weights(start, config.elf, config.seed) if start else None
    step = make_train_step(config, resolved, encoder, mesh, start=weights)
    if jax.process_index() == 0:
        RunFolder(config.out).keep_statistics(encoder_params, (encoder.mean, encoder.std))
    bring_checkpoint(config, resolved.steps, step)
    if jax.process_index() == 0:
        remember_settings(config)
        say(
            f"{config.name}: {resolved.steps:,} steps of {config.batch_size} × {config.elf.max_length} tokens, "
            f"{resolved.steps / resolved.steps_per_epoch:.3g} epochs, on {mesh.size} device(s)"
        )
    upload = make_upload(config)
    command = command_line("train", arguments.config, arguments.overrides)
    facts = partial(training_facts, config, command, encoder_facts(path_of(config.encoder)))
    Run(config, resolved, dataset, tokenizer, encoder, facts, upload).carry_out(step)
    if upload:
        upload.finish(resolved.steps)


# --- Texts and figures of the averaged weights while a training goes on, by what `elf evaluate` is made of ----------
#
# They lie in `training_evaluation/` of the output folder as `elf evaluate` leaves them, and go to the log. Nothing of
# the training is touched: no random number, no batch, no state.

FOLDER = "training_evaluation"


class TrainingEvaluation:
    """Everything open that the evaluations of a training read; every process must use it alike."""

    def __init__(self, config: EvaluationConfig, model: TrainedModel, mesh: Mesh, out: Path):
        """`model` with the weights of any step, on the devices; they are let go again.

        Raises ConfigError for settings that do not suit it, before anything is trained, and what opening data and judge
        raises.
        """
        try:
            self.samplings = load_samplings(config.sampling)
            self.evaluation = Evaluation(model, config, mesh, out / FOLDER, weights="", replaces=True)
            for sampling in self.samplings:
                self.evaluation.generator.check(sampling)
        except UsageError as error:
            raise ConfigError(
                f"evaluation while training: {error}",
                f"{error.action} Options are the fields of the group `evaluation` here.",
            ) from error
        self.evaluation.generator.release()
        self.model = dataclasses.replace(model, params={})

    def carry_out(self, params: Params, step: int, epoch: float, log: RunLog, stopping: Callable[[], bool]) -> None:
        """Evaluates the weights of `step`, as far as that is not done. Raises StoppedError where `stopping` says so."""
        generator = self.evaluation.generator
        facts = {"steps": step, "epoch": epoch}
        # The sampler takes arrays that lie on the devices as well as NumPy's.
        model = dataclasses.replace(self.model, params=params, training=facts)  # type: ignore[arg-type]
        generator.take(model, fingerprint_on_devices(params))
        try:
            for position, sampling in enumerate(self.samplings):
                evaluated = self.evaluation.carry_out(sampling, position, stopping)
                texts = list(zip(evaluated.ids, evaluated.texts, strict=True))
                log.write_evaluation(step, sampling.name(position), evaluated.figures, texts)
        finally:
            # The next step takes the memory of these weights.
            generator.release()


def fingerprint_on_devices(params: Mapping[str, jax.Array]) -> str:
    """Sixteen hexadecimal digits that tell one set of weights from another, computed where they lie.

    Sums of whole numbers do not depend on their order, so any number of devices finds the same.
    """
    names = sorted(params)
    sums = on_host(_checksums([params[name] for name in names]))
    return hashlib.sha256(repr((names, sums.tolist())).encode()).hexdigest()[:16]


@jax.jit
def _checksums(arrays: list[jax.Array]) -> jax.Array:
    """(arrays, 2) uint32: sums of the bits of all elements times numbers that depend on their places."""

    def of(array: jax.Array) -> jax.Array:
        bits = jax.lax.bitcast_convert_type(array.astype(jnp.float32), jnp.uint32)
        place = jnp.zeros(array.shape, jnp.uint32)
        for axis, size in enumerate(array.shape):
            place = place * jnp.uint32(size) + jax.lax.broadcasted_iota(jnp.uint32, array.shape, axis)
        # Odd numbers, so that no bit is lost: of the place itself, and of the place well mixed (Knuth's 2654435761).
        mixed = (place * jnp.uint32(2654435761)) ^ (place >> 7)
        return jnp.stack([(bits * (2 * place + 1)).sum(), ((bits ^ (bits >> 13)) * (2 * mixed + 1)).sum()])

    return jnp.stack([of(array) for array in arrays])
