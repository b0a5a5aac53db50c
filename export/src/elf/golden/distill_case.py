"""A distillation case held to this package's own step: the same batch and draws, and every quantity's deviation."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from elf.devices import make_mesh
from elf.errors import GoldenError
from elf.golden.folder import COPY_AGAIN, STUDENT, Case, GoldenFolder
from elf.golden.training_case import flow_config, frozen_encoder, optimizer_config, relative
from elf.network.model import ELF
from elf.network.modules import abstract, bind
from elf.training.distill import distill_objective
from elf.training.distill_config import DistillConfig, Round
from elf.training.distill_objective import DistillDraws, at_the_end, mixed_target
from elf.training.draws import DenoiseDraws
from elf.training.step import Rows, make_train_step
from elf.training.train_config import Resolved


def distill_config(case: Case) -> DistillConfig:
    """The official recipe with the case's numbers."""
    config, rows = case.config, case.facts["rows"]
    return DistillConfig(
        name=case.name, data="", encoder="", tokenizer="", out=Path(), teacher="", steps=1000, recipe="official",
        batch_size=rows * config["grad_accum_steps"], accumulation=config["grad_accum_steps"], elf=case.elf,
        flow=flow_config(config), optimizer=optimizer_config(config, rows * config["grad_accum_steps"]),
        ema_decay=config["ema_decay1"], pad_token=config["pad_token"], compute_dtype="float32",
        latent_normalisation="official", student_times=config["pd_student_schedule"],
        teacher_times=config["pd_teacher_schedule"],
    )  # fmt: skip


def distill_deviations(folder: GoldenFolder, case: Case) -> dict[str, float]:
    """The largest relative deviation of each quantity over the case's steps."""
    if folder.student is None:
        raise GoldenError(f"{case.name} needs {STUDENT}", COPY_AGAIN)
    config, span = distill_config(case), case.config["pd_step_size"]
    turn = Round(1, round(1 / span), case.config["pd_teacher_steps"])
    encoder = frozen_encoder(folder, case)
    objective = distill_objective(config, turn, folder.weights)
    resolved = Resolved(1000, config.optimizer.warmup_steps, None, 1.0, case.conditional)
    mesh = make_mesh(devices=jax.devices()[:1])
    step = make_train_step(config, resolved, encoder, mesh, objective, folder.student)
    latents = jax.jit(step.latents)
    measure = jax.jit(lambda params, examples: step.measure(params, folder.weights, examples, None))
    learn = jax.jit(lambda state, examples, number: step.learn(state, examples, number, None, folder.weights))
    graph, _ = abstract(ELF, case.elf)

    @jax.jit
    def taught(examples):
        teacher = bind(graph, {name: jnp.asarray(value) for name, value in folder.weights.items()})
        return mixed_target(teacher, examples.x, examples.held, at_the_end(examples.draws), config.flow)

    found: dict[str, list[float]] = {}

    def note(quantity: str, deviation: float) -> None:
        found.setdefault(quantity, []).append(deviation)

    state = step.init()
    for number in range(case.facts["steps"]):
        rows, draws = batch(case, number)
        examples = latents(encoder.params, rows, None, draws)
        note("latents", relative(examples.x, case["x0"][number]))
        target, learns = taught(examples), ~np.asarray(draws.decodes)
        # Decode rows have no target, and what the teacher would guess for them nobody reads. Nor what it guesses at the
        # source's places, where ours holds the source.
        free = learns[:, None] & ~np.asarray(examples.held)
        note("distill_first", relative(target.first[free], case["value/teacher_first_x_hat"][number][free]))
        note("distill_target", relative(target.x_tilde[learns], case["value/target"][number][learns]))
        loss, gradient = measure(state.params, examples)
        note("loss", relative(loss, case["loss"][number]))
        norm = np.sqrt(sum(float((np.asarray(leaf, np.float64) ** 2).sum()) for leaf in gradient.values()))
        note("gradient_norm", relative(norm, case["grad_norm"][number]))
        if f"grad_step{number}" in case.trees("grad_step"):
            note("gradients", case.tree_deviation(f"grad_step{number}", gradient))
        state, _ = learn(state, examples, number)
        done = number + 1
        if f"params_after{done}" in case.trees("params_after"):
            note(f"params_step{done}", case.tree_deviation(f"params_after{done}", state.params))
        if f"ema_after{done}" in case.trees("ema_after"):
            note("ema", case.tree_deviation(f"ema_after{done}", state.ema_params1))
    return {quantity: max(deviations) for quantity, deviations in found.items()}


def batch(case: Case, number: int) -> tuple[Rows, DistillDraws]:
    """Rows and draws of a step. A row that decodes has no coin for self-conditioning, see `mixed_target`."""

    def rows(name: str) -> Any:
        return case[name][number]

    # Our coin is uniform, below self_cond_prob where the row self-conditions.
    coin: Any = np.where(rows("draw/self_cond_coin") > 0, -1.0, 1.0).astype(np.float32)
    start = DenoiseDraws(rows("value/t_s"), rows("value/w"), rows("draw/noise"), coin)
    draws = DistillDraws(
        start,
        rows("value/sub_step_times"),
        rows("value/decoder_lambda"),
        rows("draw/decoder_noise"),
        rows("draw/decoder_mask") > 0,
    )
    ids = Rows(
        rows("batch/input_ids").astype(np.int32),
        rows("batch/attention_mask").astype(bool),
        rows("batch/cond_seq_mask").sum(-1).astype(np.int32),
    )
    return jax.tree.map(jnp.asarray, (ids, draws))
