"""What training costs on paper: FLOPs of a step, hours an epoch, and the utilisation that a published time implies."""

import json
import math
from dataclasses import dataclass
from typing import Literal

from jax.sharding import Mesh

from elf.config import PRESETS, ElfConfig, FlowConfig, T5Config
from elf.errors import UsageError
from elf.network.parameters import TIMESTEP_FEATURES, parameter_shapes
from elf.training.memory_estimate import paper_mesh
from elf.training.optimizer import takes_muon
from elf.training.shared_newton_schulz import flops_of_a_device, turning_flops


def product(rows: int, inner: int, columns: int) -> int:
    """FLOPs of (rows, inner) · (inner, columns)."""
    return 2 * rows * inner * columns


def trunk_flops(config: ElfConfig, batch: int, length: int) -> int:
    """Everything but the heads, for `batch` rows of `length` text tokens; the prefix tokens come on top."""
    D, H, S = config.latent_size, config.hidden_size, length + config.prefix_length
    halves = product(1, 2 * D, D) if config.self_conditioning else 0
    text = length * (halves + product(1, D, config.bottleneck_size) + product(1, config.bottleneck_size, H))
    embedders = 1 + bool(config.self_cond_cfg_tokens)
    numbers = embedders * (product(1, TIMESTEP_FEATURES, H) + product(1, H, H))
    attention = product(S, H, 3 * H) + 2 * product(S, H, S) + product(S, H, H)
    feed_forward = product(S, H, 2 * config.swiglu_size) + product(S, config.swiglu_size, H)
    return batch * (text + numbers + config.depth * (attention + feed_forward))


def denoise_flops(config: ElfConfig, batch: int, length: int) -> int:
    """One forward of the denoise branch: the unit of "forward-equivalents"."""
    return trunk_flops(config, batch, length) + batch * product(length, config.hidden_size, config.latent_size)


def decode_flops(config: ElfConfig, batch: int, length: int) -> int:
    """One forward of the decode branch, vocabulary head included."""
    D, H, V = config.latent_size, config.hidden_size, config.vocabulary_size
    return trunk_flops(config, batch, length) + batch * (product(length, H, D) + product(length, D, V))


def encoder_flops(config: T5Config, batch: int, length: int) -> int:
    """One pass of the frozen encoder."""
    D, inner = config.d_model, config.heads * config.d_kv
    attention = 3 * product(length, D, inner) + 2 * product(length, inner, length) + product(length, inner, D)
    return batch * config.layers * (attention + 2 * product(length, D, config.d_ff))


def muon_flops(
    config: ElfConfig, matrices: Literal["matrices", "kernels"] = "matrices", mesh: Mesh | None = None
) -> int:
    """Newton–Schulz of one update, whole, or on the device of `mesh` that has most to do. Independent of the batch.

    matrices: what Muon takes, as in OptimizerConfig."""
    shapes = [shape for name, shape in parameter_shapes(config).items() if takes_muon(name, len(shape), matrices)]
    return sum(map(turning_flops, shapes)) if mesh is None else flops_of_a_device(shapes, mesh)


def parameter_count(config: ElfConfig) -> int:
    return sum(math.prod(shape) for shape in parameter_shapes(config).values())


TERA = 1e12

OFFICIAL_HOURS = 1.5
"""An epoch of ELF-B on OpenWebText on a TPU v5p-64, as published (spec section 4)."""

LITERAL_FORWARDS = 5.0
"""Self-conditioning pass (and v₀, the same), v₁, and the training pass with its gradient: 1 + 1 + 3."""


def shared_forwards(self_cond_prob: float) -> float:
    """The self-conditioning pass of that share of the rows, and the training pass with its gradient."""
    return self_cond_prob + 3.0


@dataclass(frozen=True)
class Arguments:
    preset: str = "ELF-B"
    batch_size: int = 512
    length: int = 1024
    """Text tokens of a row; the prefix tokens come on top."""
    chips: int = 32
    chip_tflops: float = 459.0
    """Peak of one chip in bfloat16."""
    steps_per_epoch: int = 19_000
    published_hours: float | None = None
    """An epoch's time to take the utilisation from; for ELF-B the official 1.5 unless given."""
    mfu: tuple[float, ...] = (0.2, 0.3, 0.4, 0.5)
    """Utilisations to give the hours of."""
    json: bool = False
    """Print one JSON object instead of lines to read."""


def cost_model(arguments: Arguments) -> dict:
    """The numbers as a dict of plain values; TFLOPs are those of a whole step over all chips."""
    if arguments.preset not in PRESETS:
        raise UsageError(f"there is no preset {arguments.preset!r}", f"Choose one of {', '.join(PRESETS)}.")
    published = arguments.published_hours
    if published is None and arguments.preset == "ELF-B":
        published = OFFICIAL_HOURS
    quantities = {name: value for name, value in vars(arguments).items() if isinstance(value, int | float)}
    for name, value in quantities.items():
        if name != "json" and not value > 0:
            raise UsageError(f"{name} is {value}", "Give a number above 0.")
    if not all(mfu > 0 for mfu in arguments.mfu):
        raise UsageError(f"mfu is {arguments.mfu}", "Give shares of the peak above 0, such as 0.4.")
    config, flow = PRESETS[arguments.preset], FlowConfig()
    B, L = arguments.batch_size, arguments.length
    forward = denoise_flops(config, B, L) / TERA
    decode = decode_flops(config, B, L) / TERA
    encoder = encoder_flops(T5Config(), B, L) / TERA
    muon = muon_flops(config) / TERA
    muon_shared = muon_flops(config, mesh=paper_mesh(arguments.chips, 1)) / TERA
    peak = arguments.chips * arguments.chip_tflops

    def formulation(forwards: float) -> dict:
        denoise_step = forwards * forward + encoder
        decode_step = 3 * decode + encoder
        mean = (1 - flow.decoder_prob) * denoise_step + flow.decoder_prob * decode_step
        seconds = mean / peak
        return {
            "forward_equivalents": forwards,
            "denoise_step_tflop": denoise_step,
            "decode_step_tflop": decode_step,
            "mean_step_tflop": mean,
            "epoch_hours_at_full_peak": arguments.steps_per_epoch * seconds / 3600,
            "epoch_hours_at_mfu": {str(mfu): arguments.steps_per_epoch * seconds / mfu / 3600 for mfu in arguments.mfu},
            "mfu_of_published_hours": published and arguments.steps_per_epoch * seconds / 3600 / published,
        }

    literal, shared = formulation(LITERAL_FORWARDS), formulation(shared_forwards(flow.self_cond_prob))
    return {
        "model": {"preset": arguments.preset, "parameters": parameter_count(config)},
        "step": {"batch_size": B, "length": L, "prefix_length": config.prefix_length},
        "machine": {"chips": arguments.chips, "chip_tflops": arguments.chip_tflops, "peak_tflops": peak},
        "forward_tflop": forward,
        "decode_forward_tflop": decode,
        "encoder_tflop": encoder,
        "encoder_share_of_step": encoder / shared["mean_step_tflop"],
        "muon_tflop": muon,
        # What a step would be longer by if every chip turned all matrices, and is longer by where they are shared out.
        "muon_share_of_step_unshared": muon * arguments.chips / (shared["mean_step_tflop"] + muon * arguments.chips),
        "muon_tflop_of_a_chip": muon_shared,
        "muon_share_of_step": muon_shared
        * arguments.chips
        / (shared["mean_step_tflop"] + muon_shared * arguments.chips),
        "steps_per_epoch": arguments.steps_per_epoch,
        "literal": literal,
        "shared": shared,
        "flops_ratio": literal["mean_step_tflop"] / shared["mean_step_tflop"],
        "published_hours_per_epoch": published,
        # At the utilisation that the published time implies for the literal formulation.
        "shared_epoch_hours_at_published_mfu": published
        and published * shared["mean_step_tflop"] / literal["mean_step_tflop"],
    }


def main(arguments: Arguments) -> None:
    """What training costs on paper: FLOPs of a step, hours an epoch, and the utilisation that a published time
    implies.

    The defaults are ELF-B on OpenWebText on a TPU v5p-64: 64 TensorCores are 32 chips of 459 TFLOP/s in bfloat16.
    Matrix products are counted, nothing else; an MFU is these model FLOPs over what the chips could do in the time.
    What the TPU's own compiler predicts of a configuration, memory traffic included, `elf plan --topology` tells.
    """
    cost = cost_model(arguments)
    if arguments.json:
        print(json.dumps(cost))
        return
    B, L, published = arguments.batch_size, arguments.length, cost["published_hours_per_epoch"]
    print(f"{arguments.preset}, {B} × {L} tokens a step, {arguments.chips} chips of {arguments.chip_tflops:g} TFLOP/s")
    print(f"  one forward {cost['forward_tflop']:.0f} TFLOP, the encoder {cost['encoder_tflop']:.0f}")
    for name in ("literal", "shared"):
        row = cost[name]
        hours = ", ".join(f"{value:.2f} h at {float(mfu):.0%}" for mfu, value in row["epoch_hours_at_mfu"].items())
        print(f"  {name}: {row['mean_step_tflop']:.0f} TFLOP a step on average; an epoch takes {hours}")
        if published:
            print(f"    the published {published:g} h an epoch are an MFU of {row['mfu_of_published_hours']:.1%}")
    if published:
        shared_hours = cost["shared_epoch_hours_at_published_mfu"]
        print(f"  at the literal formulation's utilisation, the shared one takes {shared_hours:.2f} h")
    print(
        f"  Muon's products: {cost['muon_tflop_of_a_chip']:.3g} TFLOP on a chip, {cost['muon_share_of_step']:.1%} of "
        f"the shared step; not shared out {cost['muon_tflop']:.3g}, {cost['muon_share_of_step_unshared']:.0%}"
    )
