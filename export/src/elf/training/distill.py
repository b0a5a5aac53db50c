"""Distil a trained ELF into students of few steps: one YAML over what the teacher decides, `field=value` over that."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh

from elf.data.rows import TokenDataset, open_dataset
from elf.devices import make_mesh
from elf.evaluation.generator import load_samplings
from elf.models.open_model import read_weights
from elf.models.run_folder import RunFolder
from elf.models.text_encoder import tokenizer_file
from elf.models.trained_model import FlatParams, TrainedModel, load_trained_model
from elf.network.model import ELF
from elf.network.modules import Params, abstract, bind
from elf.progress import say
from elf.training.checkpoint import bring_checkpoint, start_weights, starting_model
from elf.training.distill_config import DistillConfig, Round, load_distill_config
from elf.training.distill_objective import (
    Denoiser,
    DistillDraws,
    GuidedTeacher,
    UniformTimes,
    decode_part,
    denoise_part,
    draw_distill,
    kind_weights,
    mean_over_rows,
    mixed_student_errors,
    row_kinds,
    student_errors,
)
from elf.training.objective import Metrics, Objective, branch_shares, decode_errors
from elf.training.run_record import command_line, evaluated_ways, remember_settings, training_facts
from elf.training.step import make_train_step
from elf.training.step_inputs import DecodeDraws, FrozenEncoder
from elf.training.train import HubUpload, Run, RunArguments, check_task, check_vocabularies, make_upload
from elf.training.train_config import Resolved, resolve

Arguments = RunArguments


def main(arguments: Arguments) -> None:
    """Distil a trained ELF into students of few steps: one YAML over what the teacher decides, `field=value` over
    that.

    Each round writes a folder of its own, `round_1_16_steps/` and so on, with checkpoints and a model. A finished
    round is skipped and one that was stopped goes on, so the same command resumes the whole.
    """
    # First of all: to read a teacher may touch a device.
    arguments.join_processes()
    config, teacher = load_distill_config(arguments.config, arguments.overrides)
    mesh = make_mesh(config.fsdp)
    dataset = open_dataset(config.data, config.split, config.revision)
    check_task(dataset, teacher.elf, "teacher")
    assert teacher.encoder is not None  # load_distill_config has seen to it
    check_vocabularies(config, dataset, tokenizer_file(config.tokenizer), teacher.encoder.vocabulary_size)
    if jax.process_index() == 0:
        remember_settings(config)
    upload = make_upload(config)
    command = command_line("distill", arguments.config, arguments.overrides)
    weights: Mapping[str, Any] | None = None
    for turn in config.plan():
        weights = distil(config, turn, teacher, weights, dataset, mesh, command, upload)
    if upload:
        upload.finish(len(config.rounds))


def distil(
    config: DistillConfig,
    turn: Round,
    teacher: TrainedModel,
    before: Mapping[str, Any] | None,
    dataset: TokenDataset,
    mesh: Mesh,
    command: str,
    upload: HubUpload | None,
) -> Mapping[str, Any]:
    """The averaged weights of the student of one round, which starts from those of the student `before`; they are in
    their files."""
    config = replace(
        config,
        name=f"{config.name}-{turn.student_steps}-steps",
        out=config.out / turn.folder,
        # Other batches and other noise in every round.
        seed=config.seed + turn.number,
    )
    resolved = resolve(config, len(dataset), dataset.condition_input_ids is not None)
    finished = finished_model(config, resolved)
    main_process = jax.process_index() == 0
    if finished is not None:
        if main_process:
            say(f"{turn.folder} is finished")
        return finished
    if main_process:
        say(
            f"{turn.folder}: {resolved.steps:,} updates of {config.batch_size} × {config.elf.max_length} tokens, "
            f"{turn.sub_steps} steps of the teacher for one of the student, on {mesh.size} device(s)"
        )
    assert teacher.encoder is not None
    encoder = FrozenEncoder(teacher.encoder, dict(teacher.encoder_params), teacher.latent_mean, teacher.latent_std)
    first = starting_model(config) if before is None else None
    start = before or (start_weights(first, config.elf, config.seed) if first else dict(teacher.params))
    step = make_train_step(
        config, resolved, encoder, mesh, distill_objective(config, turn, dict(teacher.params), mesh.size), start
    )
    if before is None:
        bring_checkpoint(config, resolved.steps, step)

    def facts(done: int, seconds: float) -> dict[str, Any]:
        return student_facts(config, turn, teacher, command, done, seconds)

    run = Run(config, resolved, dataset, tokenizer_file(config.tokenizer), encoder, facts, upload)
    run.carry_out(step)
    checkpoints = RunFolder(config.out).checkpoints()
    return read_weights(checkpoints[max(checkpoints)], config.elf)


def distill_objective(config: DistillConfig, turn: Round, teacher_params: FlatParams, devices: int = 1) -> Objective:
    """Of the round `turn`: most rows learn from the teacher, the others to decode as in training."""
    flow, elf, dtype = config.flow, config.elf, jnp.dtype(config.compute_dtype)
    student_graph, _ = abstract(ELF, elf, dtype, remat=config.remat, scan=config.scan_blocks)
    teacher_graph, _ = abstract(ELF, elf, dtype, scan=config.scan_blocks)

    def taught_by(frozen: Params) -> Denoiser:
        teacher = bind(teacher_graph, frozen)
        if config.teacher_guidance == 1:
            return teacher
        blind_graph, _ = abstract(ELF, elf, dtype, blind_blocks=config.blind_blocks)
        blind = bind(blind_graph, frozen)
        return GuidedTeacher(teacher, blind, config.teacher_guidance, config.teacher_guidance_until)

    evenly = UniformTimes(config.student_times == "uniform", config.teacher_times == "uniform")

    def draw(key: jax.Array, shape: tuple[int, int, int], decode: bool | None) -> DistillDraws:
        return draw_distill(key, shape, 1 / turn.student_steps, turn.sub_steps, flow, evenly)

    def loss_of_coins(params: Params, frozen: Params, x, held, ids, draws: DistillDraws, weight, decode: bool | None):
        student, teacher = bind(student_graph, params), taught_by(frozen)
        assert config.decode_half is not None  # the recipe has seen to it
        errors = mixed_student_errors(student, teacher, x, held, ids, draws, flow, config.decode_half) * weight
        decoding, counted = draws.decodes[:, None] * errors, draws.decodes[:, None] * weight
        shares = branch_shares((errors - decoding).sum(), decoding.sum(), (weight - counted).sum(), counted.sum())
        return errors.sum(), shares

    if config.coin == "example":
        # Rows of all kinds are everywhere, so a batch may be taken in parts anyhow.
        return Objective(draw, loss_of_coins, mean_over_rows, 1, None, frozen=teacher_params)

    kinds = row_kinds(flow, config.batch_size // config.accumulation, devices)

    def loss(
        params: Params, frozen: Params, x, held, ids, draws: DistillDraws, weight, decode: bool | None
    ) -> tuple[jax.Array, Metrics]:
        student, teacher = bind(student_graph, params), taught_by(frozen)
        own_x, own_held, own_weight, start, times = jax.tree.map(
            partial(denoise_part, kinds=kinds), (x, held, weight, draws.start, draws.times)
        )
        errors = student_errors(student, teacher, own_x, own_held, start, times, kinds, flow)
        denoise = (errors * own_weight).sum()
        if not kinds.decode:
            return denoise, {"loss": denoise}
        mix = DecodeDraws(draws.clean, draws.start.w, draws.start.noise)
        own_x, own_held, own_ids, own_weight, mix = jax.tree.map(
            partial(decode_part, kinds=kinds), (x, held, ids, weight, mix)
        )
        decoding = (decode_errors(student, own_x, own_held, own_ids, mix, flow) * own_weight).sum()
        # Each branch by itself is logged as the mean over its positions, as in training.
        means = {"loss": denoise / (1 - flow.decoder_prob), "decode_loss": decoding / flow.decoder_prob}
        return denoise + decoding, means

    return Objective(draw, loss, partial(kind_weights, kinds=kinds, flow=flow), kinds.group, frozen=teacher_params)


def finished_model(config: DistillConfig, resolved: Resolved) -> Mapping[str, Any] | None:
    """The weights of the round in `config.out`, if it has been trained to its end and evaluated there."""
    run = RunFolder(config.out)
    if not run.has_model:
        return None
    model = load_trained_model(run.model)
    if model.training.get("steps", 0) < resolved.steps or stopped_in_its_evaluation(config, resolved):
        return None
    return model.params


def stopped_in_its_evaluation(config: DistillConfig, resolved: Resolved) -> bool:
    """Whether a round's last evaluation is still to be made of the checkpoint at its end. Once that is thrown
    away it is not: the round would be trained anew."""
    every = config.evaluation.steps_between(resolved.steps_per_epoch)
    if every is None or resolved.steps not in RunFolder(config.out).checkpoints():
        return False
    ways = {way.name(position) for position, way in enumerate(load_samplings(config.evaluation.sampling))}
    return not ways <= evaluated_ways(config.out / "metrics.jsonl", resolved.steps)


def student_facts(
    config: DistillConfig, turn: Round, teacher: TrainedModel, command: str, done: int, seconds: float
) -> dict[str, Any]:
    facts = training_facts(config, command, teacher.training.get("encoder", {}), done, seconds)
    return facts | {
        "student": {"steps": turn.student_steps, "teacher": teacher.name, "teacher_steps": turn.sub_steps}
        | guidance_facts(config),
        "sampler": recommended_sampler(turn.student_steps),
    }


def guidance_facts(config: DistillConfig) -> dict[str, Any]:
    """How the teacher was carried away from what it says; empty where it was not."""
    if config.teacher_guidance == 1:
        return {}
    until = config.teacher_guidance_until
    return {
        "teacher_guidance": config.teacher_guidance,
        **({"teacher_guidance_until": until} if until < 1 else {}),
        "blind_blocks": [*config.blind_blocks],
    }


def recommended_sampler(steps: int) -> dict[str, Any]:
    """Options of `elf sample` for a student of so many steps (spec section 3, *Few-step students*)."""
    gamma, scale = (1.5, 2.5) if steps <= 8 else (2.0, 2.0)
    return {"steps": steps, "method": "sde", "gamma": gamma, "self_cond_cfg": scale}
