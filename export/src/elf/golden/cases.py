"""Hold this package's training step to numbers that the official code computed, case by case."""

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from elf.config import FlowConfig
from elf.devices import make_mesh
from elf.errors import GoldenError, UsageError
from elf.golden.folder import COPY_AGAIN, STUDENT, Case, GoldenFolder, open_golden
from elf.network.model import ELF
from elf.network.modules import abstract, bind
from elf.progress import say
from elf.training.distill import distill_objective
from elf.training.distill_config import DistillConfig, Round
from elf.training.distill_objective import DistillDraws, at_the_end, mixed_target
from elf.training.optimizer import OptimizerConfig
from elf.training.step import Examples, Rows, make_train_step
from elf.training.step_inputs import DecodeDraws, DenoiseDraws, FrozenEncoder, StepDraws
from elf.training.train_config import Resolved, TrainConfig


def optimizer_config(config: Mapping[str, Any], batch_size: int) -> OptimizerConfig:
    return OptimizerConfig(
        optimizer=config["optimizer"],
        blr=config["lr"] * 256 / batch_size,
        schedule=config["lr_schedule"],
        warmup_steps=int(config.get("warmup_steps") or 0),
        clip=config["clip_global_norm"],
        weight_decay=config["weight_decay"],
        b1=config.get("adam_b1", 0.9),
        b2=config.get("adam_b2", 0.95),
    )


def flow_config(config: Mapping[str, Any]) -> FlowConfig:
    return FlowConfig(
        noise_scale=config["denoiser_noise_scale"],
        decoder_noise_scale=config["decoder_noise_scale"],
        t_eps=config["t_eps"],
        p_mean=config["denoiser_p_mean"],
        p_std=config["denoiser_p_std"],
        time_schedule=config.get("time_schedule", "logit_normal"),
        decoder_p_mean=config["decoder_p_mean"],
        decoder_p_std=config["decoder_p_std"],
        decoder_prob=config["decoder_prob"],
        self_cond_prob=config["self_cond_prob"],
        self_cond_cfg_min=config["self_cond_cfg_min"],
        self_cond_cfg_max=config["self_cond_cfg_max"],
    )


def frozen_encoder(folder: GoldenFolder, case: Case) -> FrozenEncoder:
    return FrozenEncoder(folder.encoder, folder.encoder_params, case.config["latent_mean"], case.config["latent_std"])


def train_config(case: Case) -> TrainConfig:
    """The official recipe with the case's numbers; its devices are groups of rows here."""
    config, devices = case.config, case.facts["devices"]
    parts = config["grad_accum_steps"]
    batch_size = devices * case.facts["rows_per_device"] * parts
    return TrainConfig(
        name=case.name, data="", encoder="", tokenizer="", out=Path(), steps=1000, recipe="official",
        batch_size=batch_size, accumulation=parts, device_groups=devices, elf=case.elf, flow=flow_config(config),
        optimizer=optimizer_config(config, batch_size), ema_decay=config["ema_decay1"], pad_token=config["pad_token"],
        label_drop=config["label_drop_prob"], compute_dtype="float32", latent_normalisation="official",
    )  # fmt: skip


def training_deviations(folder: GoldenFolder, case: Case, mesh: jax.sharding.Mesh | None = None) -> dict[str, float]:
    """The largest relative deviation of each quantity over the case's steps. `mesh`: one device unless given."""
    config = train_config(case)
    resolved = Resolved(1000, config.optimizer.warmup_steps, None, 1.0, case.conditional)
    mesh = mesh or make_mesh(devices=jax.devices()[:1])
    encoder = frozen_encoder(folder, case)
    step = make_train_step(config, resolved, encoder, mesh, start=folder.weights)
    latents = jax.jit(step.latents)
    measure = jax.jit(lambda params, examples: step.measure(params, None, examples, None))
    learn = jax.jit(lambda state, examples, number: step.learn(state, examples, number, None))

    found: dict[str, list[float]] = {}

    def note(quantity: str, deviation: float) -> None:
        found.setdefault(quantity, []).append(deviation)

    state, parts = step.init(), config.accumulation
    for number in range(case.facts["micro_steps"] // parts):
        micro_steps = range(number * parts, (number + 1) * parts)
        examples = latents(encoder.params, *batch(case, micro_steps))
        note("latents", relative(examples.x, golden_latents(case, micro_steps)))
        for at, micro_step in enumerate(micro_steps):
            losses, gradients = [], []
            for device in range(case.facts["devices"]):
                loss, gradient = measure(state.params, rows_of(case, examples, device, at))
                losses.append(float(loss))
                gradients.append(gradient)
            note("losses_per_device", relative(np.array(losses), case["loss_device"][micro_step]))
            note("loss", relative(np.mean(losses), case["loss"][micro_step]))
            mean = jax.tree.map(lambda *leaves: sum(leaves) / len(leaves), *gradients)
            norm = np.sqrt(sum(float((np.asarray(leaf, np.float64) ** 2).sum()) for leaf in mean.values()))
            note("gradient_norm", relative(norm, case["grad_norm"][micro_step]))
            if f"grad_step{micro_step}" in case.trees("grad_step"):
                note("gradients", case.tree_deviation(f"grad_step{micro_step}", mean))
        state, _ = learn(state, examples, number)
        done = (number + 1) * parts
        if f"params_after{done}" in case.trees("params_after"):
            note(f"params_step{done}", case.tree_deviation(f"params_after{done}", state.params))
        if f"ema_after{done}" in case.trees("ema_after"):
            note("ema", case.tree_deviation(f"ema_after{done}", state.ema_params1))
    return largest(found)


def batch(case: Case, micro_steps: range) -> tuple[Rows, jax.Array | None, StepDraws]:
    """Rows, dropped sources and draws of one update, in the order of the batch: devices, parts, rows."""

    def rows(name: str) -> Any:
        """(parts, devices, rows, …) → (devices · parts · rows, …)"""
        array = np.swapaxes(case[name][micro_steps.start : micro_steps.stop], 0, 1)
        return array.reshape(-1, *array.shape[3:])

    of_device = np.swapaxes(case["draw/decoder_step_active"][micro_steps.start : micro_steps.stop], 0, 1)
    decodes: Any = np.repeat(of_device.reshape(-1).astype(bool), case.facts["rows_per_device"])
    denoise = DenoiseDraws(*(rows(f"draw/{name}") for name in ("t", "w", "noise", "self_cond_uniform")))
    decode = DecodeDraws(*(rows(f"draw/{name}") for name in ("decoder_lambda", "w", "decoder_noise")))
    ids = Rows(
        rows("batch/input_ids").astype(np.int32),
        rows("batch/attention_mask").astype(bool),
        rows("batch/cond_seq_mask").sum(-1).astype(np.int32),
    )
    dropped = rows("batch/label_drop_mask").astype(bool) if case.conditional else None
    return jax.tree.map(jnp.asarray, (ids, dropped, StepDraws(decodes, denoise, decode)))


def golden_latents(case: Case, micro_steps: range) -> np.ndarray:
    """x0 in the batch's order, a dropped source zeroed."""
    part = slice(micro_steps.start, micro_steps.stop)
    hidden = case["batch/label_drop_mask"][part].astype(bool)[..., None] & (case["batch/cond_seq_mask"][part] > 0)
    x0 = np.swapaxes(np.where(hidden[..., None], 0.0, case["x0"][part]), 0, 1)
    return x0.reshape(-1, *x0.shape[3:])


def rows_of(case: Case, examples: Examples, device: int, part: int) -> Examples:
    """Those of one device in one part of an update."""
    devices, rows = case.facts["devices"], case.facts["rows_per_device"]
    return jax.tree.map(lambda array: array.reshape(devices, -1, rows, *array.shape[1:])[device, part], examples)


def relative(ours: Any, golden: Any) -> float:
    """‖ours − golden‖ / ‖golden‖."""
    ours, golden = np.asarray(ours, np.float64), np.asarray(golden, np.float64)
    return float(np.linalg.norm((ours - golden).reshape(-1)) / max(float(np.linalg.norm(golden.reshape(-1))), 1e-30))


def largest(found: Mapping[str, list[float]]) -> dict[str, float]:
    """Of each quantity over the steps. What is no number is the worst of all, at whichever step; max() may lose it."""
    return {quantity: float(np.max(deviations)) for quantity, deviations in found.items()}


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
        rows, draws = distill_batch(case, number)
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
    return largest(found)


def distill_batch(case: Case, number: int) -> tuple[Rows, DistillDraws]:
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


# --- The command ----------------------------------------------------------------------------------------------------

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
    known = [case.name for case in folder.cases]
    if not known:
        raise GoldenError(f"{arguments.folder} holds no case", "Give a folder with a .json and a .npz of a case.")
    if unknown := [name for name in arguments.cases if name not in known]:
        raise UsageError(f"{arguments.folder} has no case {unknown[0]}", f"Choose among {', '.join(known)}.")
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
