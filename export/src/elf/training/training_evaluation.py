"""Texts and figures of the averaged weights while a training goes on, by what `elf evaluate` is made of.

They lie in `training_evaluation/` of the output folder as `elf evaluate` leaves them, and go to the log. Nothing of the
training is touched: no random number, no batch, no state.
"""

import dataclasses
import hashlib
from collections.abc import Callable, Mapping
from pathlib import Path

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from elf.devices import on_host
from elf.errors import ConfigError, UsageError
from elf.evaluation.evaluate import Evaluation
from elf.evaluation.generator import load_samplings
from elf.models.trained_model import TrainedModel
from elf.network.modules import Params
from elf.training.run_log import RunLog
from elf.training.train_config import EvaluationConfig

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
