"""Orbax checkpoints of a training, written in the background, whole or not at all; and one from elsewhere that it goes
on from."""

import math
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from elf.checkpoints.elf_in_file import OptimizerState, number_of, read_elf_weights, read_optimizer
from elf.checkpoints.stored_tensors import LazyWeights, StoredTensor, leaves
from elf.config import ElfConfig
from elf.devices import on_mesh
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError, DiskFullError, first_line
from elf.models.open_model import open_model
from elf.models.run_folder import RunFolder, Statistics, checkpoint_at, statistics_of
from elf.models.trained_model import FlatParams, TrainedModel, fingerprint
from elf.network.parameters import check_parameters, parameter_shapes
from elf.paths import absolute, is_address, named_when_full
from elf.progress import say
from elf.training.step import TrainState, TrainStep
from elf.training.train_config import TrainConfig
from elf.training.writers_noise import hush


class Checkpoints:
    """The checkpoints below one output folder. Every process of a run must call its methods alike."""

    def __init__(self, directory: Path, keep: int = 2):
        hush()
        self.directory = absolute(directory)
        self.manager = ocp.CheckpointManager(
            self.directory,
            options=ocp.CheckpointManagerOptions(
                max_to_keep=keep,
                step_prefix="checkpoint",
                create=True,
                enable_async_checkpointing=True,
                # What a killed run had half written.
                cleanup_tmp_directories=True,
            ),
        )
        self.follower = ThreadPoolExecutor(1, "after_checkpoint")
        self.following: Future[None] | None = None
        self.saved: int | None = None
        """The step last given to `save`. The manager forgets the one whose writing fails."""

    def latest_step(self) -> int | None:
        return self.manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Starts writing; returns once the values are copied out of the way of the next step.

        Raises DiskFullError; the checkpoints before this one stay. What followed the last checkpoint has to be done
        with it first; what that raised is raised here, after saving.
        """
        error = self._followed()
        if self.manager.latest_step() != step:
            self.saved = step
            if not is_address(self.directory):
                self._check_room(step, state)
            with named_when_full(partial(self._full, step)):
                self.manager.save(step, args=ocp.args.StandardSave(state))
        if error is not None:
            raise error

    def _check_room(self, step: int, state: Any) -> None:
        """Raises DiskFullError."""
        size = written_bytes(state)
        free = shutil.disk_usage(self.directory).free
        if free < size:
            raise self._full(step, f"it needs {size / 1e6:,.0f} MB, {free / 1e6:,.0f} MB are free")

    def follow(self, step: int, then: Callable[[Path], None]) -> None:
        """Has `then` called with the folder of the checkpoint last saved, in the background, once that is whole.

        What it raises, the next `save` or `wait` raises. Not every process need call this.
        """
        self.following = self.follower.submit(self._follow, step, then)

    def _follow(self, step: int, then: Callable[[Path], None]) -> None:
        try:
            self.manager.wait_until_finished()
        except Exception:  # raised once more to whoever waits for the checkpoint itself
            return
        then(self.directory / f"checkpoint_{step}")

    def _followed(self) -> BaseException | None:
        """Waits for what follows the last checkpoint; its error."""
        following, self.following = self.following, None
        return following.exception() if following else None

    def restore(self, state_like: Any, step: int | None = None) -> Any:
        """The state of `step` (newest by default), shaped and sharded like `state_like`, whose leaves may be abstract.

        Raises CheckpointError when there is none or it is unreadable, CheckpointMismatchError when its shapes differ.
        """
        step = self.latest_step() if step is None else step
        if step is None:
            raise CheckpointError("there is no checkpoint to restore", "Give the output folder of a training run.")
        abstract = jax.tree.map(ocp.utils.to_shape_dtype_struct, state_like)
        try:
            restored = self.manager.restore(step, args=ocp.args.StandardRestore(abstract))
        except ValueError as error:
            raise CheckpointMismatchError(
                f"checkpoint_{step} does not fit this configuration: {first_line(error)}",
                "Train on with the configuration it was started with, or choose another output folder.",
            ) from error
        except (OSError, KeyError) as error:
            raise CheckpointError(
                f"checkpoint_{step} cannot be read: {error}", "Delete its folder; the one before it will be used."
            ) from error
        for wanted, got in zip(jax.tree.leaves(abstract), jax.tree.leaves(restored), strict=True):
            if wanted.shape != got.shape:
                raise CheckpointMismatchError(
                    f"checkpoint_{step} holds an array of shape {got.shape} where {wanted.shape} was expected",
                    "Train on with the configuration it was started with, or choose another output folder.",
                )
        return restored

    def wait(self) -> None:
        """Returns when everything saved is on disk, and what follows it is done. Raises DiskFullError when it does not
        fit there."""
        error = self._followed()
        with named_when_full(partial(self._full, self.saved)):
            self.manager.wait_until_finished()
        if error is not None:
            raise error

    def close(self) -> None:
        try:
            self.wait()
        finally:
            self.follower.shutdown()
        self.manager.close()

    def _full(self, step: int | None, detail: str) -> DiskFullError:
        kept = [number for number in self.manager.all_steps() if number != step]
        stands = f"checkpoint_{max(kept)} stands" if kept else "there is no earlier one"
        return DiskFullError(
            f"checkpoint_{step} could not be written to {self.directory.name}: {detail}; {stands}",
            "Make room, or lower checkpoints.keep, and run the same command again: it goes on from the last one.",
        )


# --- A training that goes on from a checkpoint elsewhere, this project's or not: `resume` of its configuration ------
#
# The checkpoint is brought into the training's own folder once, as `checkpoint_<step>`; from then on that is the newest
# one of the run, and the run goes on from it as it does from any of its own.

PROJECTION = "text_proj"


def written_bytes(state: Any) -> int:
    """What this process writes of a checkpoint: of a part that lies on several devices one copy is written."""
    arrays = [leaf for leaf in jax.tree.leaves(state) if isinstance(leaf, jax.Array)]
    return sum(part.data.nbytes for array in arrays for part in array.addressable_shards if part.replica_id == 0)


def starting_model(config: TrainConfig) -> TrainedModel | None:
    """What `start` names, for the first state of a run; None where it names nothing, or the run is past it. Raises what
    opening it does."""
    if config.start is None:
        return None
    if (own := RunFolder(config.out).checkpoints()) and jax.process_index() == 0:
        say(f"start={config.start} was where this run began; it goes on from its own checkpoint_{max(own)}")
    return None if own else open_model(config.start, weights_only=True)


def start_weights(model: TrainedModel, elf: ElfConfig, seed: int = 0) -> FlatParams:
    """Those of a training that starts from `model`. `seed` is of the directions that a wider bottleneck begins with.

    Raises CheckpointMismatchError where its shapes are not those of `elf`; a narrower bottleneck and fewer blocks than
    `elf`'s are no mismatch.
    """
    params = dict(model.params)
    if model.elf.depth < elf.depth:
        params = deepened(params, model.elf.depth, elf, seed)
    if model.elf.bottleneck_size < elf.bottleneck_size and params.keys() == parameter_shapes(elf).keys():
        params = widened(params, elf.bottleneck_size, seed)
    action = f"Give elf the shapes of {model.name}, or start from another model."
    check_parameters(params, parameter_shapes(elf), "this training", action)
    return params


def deepened(params: FlatParams, depth: int, elf: ElfConfig, seed: int) -> FlatParams:
    """The same function with more blocks, spread evenly among the present ones: what the added ones say is nothing yet.

    They are random but for the two kernels that write, which start at zero, and whose gradients do not."""
    places = np.linspace(0, elf.depth - 1, depth).round().astype(int).tolist()
    generator = np.random.default_rng(seed)
    grown = {name: value for name, value in params.items() if not name.startswith("blocks_")}
    for name, shape in parameter_shapes(elf).items():
        if not name.startswith("blocks_"):
            continue
        block, rest = name.removeprefix("blocks_").split("/", 1)
        if int(block) in places:
            grown[name] = params[f"blocks_{places.index(int(block))}/{rest}"]
        elif len(shape) == 2 and not rest.startswith(("attn/proj", "mlp/w3")):
            bound = math.sqrt(6 / sum(shape))
            grown[name] = generator.uniform(-bound, bound, shape).astype(np.float32)
        else:
            grown[name] = np.full(shape, 1.0 if "norm" in rest else 0.0, np.float32)
    return grown


def widened(params: FlatParams, bottleneck_size: int, seed: int) -> FlatParams:
    """The same function through a wider bottleneck: what the added directions hold, nothing reads yet.

    They are random, as long as the present ones on average; what reads them starts at zero, and its gradient doesn't.
    """
    down, up = params[f"{PROJECTION}/proj1/kernel"], params[f"{PROJECTION}/proj2/kernel"]
    added = bottleneck_size - down.shape[1]
    directions = np.random.default_rng(seed).standard_normal((down.shape[0], added)).astype(np.float32)
    directions *= np.sqrt((down**2).sum() / down.shape[1]) / np.linalg.norm(directions, axis=0)
    nothing = np.zeros((added, up.shape[1]), np.float32)
    return params | {
        f"{PROJECTION}/proj1/kernel": np.concatenate([down, directions], axis=1),
        f"{PROJECTION}/proj2/kernel": np.concatenate([up, nothing], axis=0),
    }


def known_statistics(config: TrainConfig, encoder_params: FlatParams, start: TrainedModel | None) -> Statistics | None:
    """Mean and deviation of the latents that the weights were trained on with which this training goes on or begins:
    its own, those of the run that `resume` names, or of the model `start`. Measured on other texts they would shift all
    that the weights see. None where there are none, or those of another encoder.

    Raises CheckpointMismatchError where the run's own are of another encoder.
    """
    own = RunFolder(config.out)
    if own.checkpoints():
        kept = own.statistics()
        if kept and kept[0] != fingerprint(encoder_params):
            raise CheckpointMismatchError(
                f"encoder {config.encoder} is not the one that {config.out} was trained with",
                "Give the one that it was, or another out.",
            )
        return kept and kept[1]
    if config.resume is None or config.latent_normalisation == "official":
        return start_statistics(config, encoder_params, start)
    return _taken(config.resume, RunFolder.of(checkpoint_at(config.resume)).statistics(), encoder_params)


def start_statistics(config: TrainConfig, encoder_params: FlatParams, start: TrainedModel | None) -> Statistics | None:
    """Those of the model `start` alone, wherever the configuration would have the run lie."""
    if config.start is None or start is None or config.latent_normalisation == "official":
        return None
    return _taken(config.start, statistics_of(start), encoder_params)


def _taken(name: str, found: tuple[str, Statistics] | None, encoder_params: FlatParams) -> Statistics | None:
    same = found is not None and found[0] == fingerprint(encoder_params)
    if jax.process_index() == 0:
        if same:
            say(f"latents are normalised as {name}'s")
        elif found:
            say(f"{name} has another encoder: latents are measured anew")
        else:
            official = "an official checkpoint's are those of latent_normalisation=official"
            say(f"{name} says nothing of its latents: they are measured anew, and {official}")
    return found[1] if found and same else None


def bring_checkpoint(config: TrainConfig, steps: int, step: TrainStep) -> None:
    """Puts the checkpoint that `resume` names into the output folder, unless the run has one of its own.

    Weights, their averages, the optimizer's state and the number of updates are taken over; where the file lacks one of
    them, or has it for another optimizer, that begins anew, which is said. Every process must call it. Raises what
    opening the checkpoint raises, CheckpointMismatchError for weights of another shape, ConfigError for a checkpoint
    that is past the end of the training.
    """
    if config.resume is None:
        return
    main = jax.process_index() == 0
    if own := RunFolder(config.out).checkpoints():
        if main:
            say(f"resume={config.resume} was where this run began; it goes on from its own checkpoint_{max(own)}")
        return
    state, updates, seconds, told = resumed_state(checkpoint_at(config.resume), config, step)
    if updates >= steps:
        raise ConfigError(
            f"{config.resume} has {updates:,} updates behind it, and the training ends at {steps:,}",
            "Raise steps or epochs, which count from the checkpoint's beginning; or give it as start, for its weights.",
        )
    if main:
        say(f"resuming from {config.resume}: {'; '.join(told)}")
    checkpoints = Checkpoints(config.out / "checkpoints", config.checkpoints.keep)
    checkpoints.save(updates, {"state": state, "seconds": np.asarray(seconds)})
    checkpoints.close()


def resumed_state(path: Path, config: TrainConfig, step: TrainStep) -> tuple[TrainState, int, float, list[str]]:
    """The state in a checkpoint as one of this training, its updates, the seconds that its training took as far as it
    says, and what was taken and what not, for people."""
    found = read_elf_weights(path)
    shapes = parameter_shapes(config.elf)
    action = "Train on with the architecture that the checkpoint has, or give it to another training."
    raw = next((each for each in found.sets if not each.averaged), None)
    averaged = next((each for each in found.sets if each.averaged), None)
    of_weights = raw or averaged
    assert of_weights is not None  # a checkpoint without weights has been refused
    told = [f"weights from {of_weights.label} ({of_weights.told()})"]
    for each in (raw, averaged):
        if each is not None:
            check_parameters(each.lazy, shapes, "this training", action)
    told.append(f"averages from {averaged.label}" if averaged else "it has no averages: they begin with its weights")
    if raw is None:
        told.append("it has averages alone, so they are the weights too")

    like = step.init()
    weights, averages = of_weights.lazy, (averaged or of_weights).lazy
    params = {name: on_mesh(weights[name], leaf.sharding) for name, leaf in like.params.items()}
    ema = {name: on_mesh(averages[name], leaf.sharding) for name, leaf in like.ema_params1.items()}
    optimizer = read_optimizer(found, raw) if raw else OptimizerState({}, None)
    updates = optimizer.updates if optimizer.updates is not None else found.step
    if updates is None:
        raise CheckpointMismatchError(
            f"{path} does not say how many updates are behind it", "Give it as start: a training that begins with it."
        )
    opt_state, taken = _filled(like.opt_state, optimizer, updates)
    told.append(taken)
    told.append(f"{updates:,} updates" + (f" (step {found.step:,})" if found.step not in (None, updates) else ""))
    seconds = next((value for name, value in leaves(found.tree) if name == "seconds"), 0.0)
    return TrainState(params, ema, opt_state), updates, number_of(seconds) or 0.0, told


def _filled(like: Any, optimizer: OptimizerState, updates: int) -> tuple[Any, str]:
    """An optimizer's state like `like` with what a checkpoint's has of it, and what was taken, for people."""
    flat, structure = jax.tree_util.tree_flatten_with_path(like)
    places = [_place(path) for path, _ in flat]
    roles: dict[str, set[str]] = {}
    for kind, name in places:
        if name is not None:
            roles.setdefault(name, set()).add(kind)
    # Adam's mean of gradients is nothing to Muon, for one: a weight's state is taken as a whole or not at all.
    taken = {name for name in roles if set(optimizer.moments.get(name, {})) == roles[name]}
    values = []
    for (path, leaf), (kind, name) in zip(flat, places, strict=True):
        value: Any = leaf
        if name in taken:
            value = _read(name, kind, optimizer.moments[name][kind], leaf.shape)  # type: ignore[index, arg-type]
        elif kind == "count":
            # Beside moments it corrects their bias, which those that begin anew have again.
            beside = {places[i][1] for i, (other, _) in enumerate(flat) if other[:-2] == path[:-1] and places[i][1]}
            value = np.asarray(0 if beside and not beside & taken else updates)
        values.append(value if value is leaf else on_mesh(np.asarray(value, leaf.dtype), leaf.sharding))
    if len(taken) == len(roles):
        told = f"the optimizer's state of all {len(roles)} weights"
    elif taken:
        rest = min(roles.keys() - taken)
        told = f"the optimizer's state of {len(taken)} of {len(roles)} weights; it begins anew for {rest} and others"
    elif optimizer.moments:
        told = "its optimizer was another one, so the optimizer begins anew"
    else:
        told = "it has no optimizer's state, so the optimizer begins anew"
    return jax.tree_util.tree_unflatten(structure, values), told


def _place(path: tuple[Any, ...]) -> tuple[str, str | None]:
    """What a leaf of an optimizer's state is: a moment and its weight's name, or `count`, or something else."""
    names = [getattr(key, "name", getattr(key, "key", None)) for key in path]
    if len(names) > 1 and names[-2] in ("mu", "nu"):
        return names[-2], names[-1]
    return str(names[-1]), None


def _read(name: str, kind: str, tensor: StoredTensor, shape: tuple[int, ...]) -> np.ndarray:
    values = LazyWeights({f"{kind} of {name}": tensor})
    if values.shapes[f"{kind} of {name}"] != shape:
        raise CheckpointMismatchError(
            f"{kind} of {name} has the shape {tuple(tensor.shape)}, its weight {shape}", "Give a whole checkpoint."
        )
    return values[f"{kind} of {name}"]
