"""Train an ELF: one YAML per experiment, `field=value` over it, resumed from the newest checkpoint of its folder.

`python -m elf.training.train CONFIG field=value …` is the same from source, for a machine without tyro and datasets.
"""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx
from safetensors.numpy import load_file

from elf.config import ElfConfig, FlowConfig, T5Config
from elf.config_file import load_config
from elf.data.dataset import TokenDataset, batch_rows, check_vocabulary, collate, load_dataset
from elf.data.tokenizer import EOS, PAD
from elf.errors import CheckpointError, CheckpointMismatchError, ConfigError
from elf.network.encoder import abstract_encoder, conditional_visibility
from elf.network.model import ELF
from elf.network.modules import Params, bind, split
from elf.network.parameters import check_parameters, encoder_parameter_shapes
from elf.network.trained_model import FlatParams, TrainedModel, save_trained_model
from elf.training.latent_statistics import latent_statistics
from elf.training.loop import LoopConfig, run_loop
from elf.training.objective import decode_loss, denoise_loss
from elf.training.optimizer import OptimizerConfig, ema_decay, make_optimizer


@dataclass(frozen=True)
class TrainConfig:
    """Everything that decides a run's numbers, and where it reads and writes."""

    name: str
    data: Path
    """Folder of a prepared dataset."""
    encoder: Path
    """Output folder of `elf pretrain-encoder`: encoder.json and encoder.safetensors."""
    tokenizer: Path
    out: Path
    """Output folder: checkpoints/, metrics.jsonl, model/."""
    steps: int
    batch_size: int = 512
    elf: ElfConfig = field(default_factory=ElfConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)
    optimizer: OptimizerConfig = field(default_factory=OptimizerConfig)
    ema_decay: float = 0.9999
    """Longest memory of the averaged weights; early updates use (1 + i) / (10 + i)."""
    pad_token: Literal["pad", "eos"] = "pad"
    """`eos`: rows are filled with the end token and all positions count, so the model learns to end."""
    label_drop: float = 0.1
    """Conditional data: share of examples whose source is hidden, so that CFG has something to guide from."""
    latent_normalisation: Literal["measured", "official"] = "measured"
    """`measured`: per-dimension mean and common std of this encoder; `official`: 0.0 and 0.2, T5-small's."""
    compute_dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Of matrix products; sums, norms, softmax and weights are float32."""
    checkpoint_minutes: float = 5.0
    log_every: int = 20
    seed: int = 0
    corpus: str = ""
    """For the model card: what the data are."""
    licence: str = ""

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch_size < 2:
            raise ConfigError("steps must be at least 1 and batch_size at least 2", "Raise them.")
        if not 0 <= self.ema_decay < 1 or not 0 <= self.label_drop <= 1:
            raise ConfigError("ema_decay must lie in [0, 1) and label_drop in [0, 1]", "Correct the value.")


@dataclass(frozen=True)
class Arguments:
    config: Path
    """YAML of an experiment, see configs/."""
    overrides: tuple[str, ...] = ()
    """Given bare on the command line: steps=100 flow.noise_scale=0.7 …"""


def load_encoder(directory: Path) -> tuple[T5Config, FlatParams]:
    """The frozen encoder of `elf pretrain-encoder`. Raises CheckpointError when it is missing or broken."""
    try:
        config = T5Config(**json.loads((directory / "encoder.json").read_text())["config"])
        return config, load_file(directory / "encoder.safetensors")
    except Exception as error:
        raise CheckpointError(
            f"{directory} holds no readable encoder: {error}", "Give the output folder of `elf pretrain-encoder`."
        ) from error


def make_step(
    config: TrainConfig,
    dataset: TokenDataset,
    encoder_config: T5Config,
    encoder_params: FlatParams,
    mean: float | np.ndarray,
    std: float | np.ndarray,
):
    """The initial state and `step_function(state, step)` of a run. The state is (params, ema, optimizer state);
    latents are (encoder output − mean) / std."""
    elf = config.elf
    if encoder_config.d_model != elf.latent_size:
        raise CheckpointMismatchError(
            f"the encoder is {encoder_config.d_model} wide, elf.latent_size is {elf.latent_size}",
            f"Set elf.latent_size={encoder_config.d_model}.",
        )
    check_vocabulary(dataset, min(elf.vocabulary_size, encoder_config.vocabulary_size))
    dtype = jnp.dtype(config.compute_dtype)
    check_parameters(encoder_params, encoder_parameter_shapes(encoder_config), "the encoder")
    encoder_graphdef, _ = abstract_encoder(encoder_config, dtype)
    # An argument of the step, not a constant in it: T5-small's 140 MB would be copied into each compiled branch.
    frozen = jax.device_put(encoder_params)
    graphdef, params = split(ELF(elf, rngs=nnx.Rngs(config.seed), compute_dtype=dtype))
    optimizer = make_optimizer(config.optimizer, config.batch_size, config.steps)
    key = jax.random.key(config.seed)

    def encode(frozen: Params, ids, source_length, drop_key):
        """Latents (B, L, D) and which positions hold the condition (B, L); a dropped condition is zero and unseen."""
        B, L = ids.shape
        encoder = bind(encoder_graphdef, frozen)
        if dataset.condition_input_ids is None:
            return (encoder(ids) - mean) / std, jnp.zeros((B, L), bool)
        is_source = jnp.arange(L)[None, :] < source_length[:, None]
        dropped = (jax.random.uniform(drop_key, (B,)) < config.label_drop)[:, None]
        visible = conditional_visibility(source_length, L)
        visible = visible & ~(dropped[:, :, None] & ~is_source[:, :, None] & is_source[:, None, :])
        x = (encoder(ids, visible) - mean) / std
        return jnp.where((is_source & dropped)[..., None], 0.0, x), is_source

    def loss_of(params: Params, frozen: Params, ids, real, source_length, key, decode: bool):
        drop_key, key = jax.random.split(key)
        x, is_source = encode(frozen, ids, source_length, drop_key)
        counts = jnp.where(is_source, False, real if config.pad_token == "pad" else True)
        loss_mask = counts.astype(jnp.float32)
        network = bind(graphdef, params)
        if decode:
            return decode_loss(network, x, ids, loss_mask, key, config.flow)
        return denoise_loss(network, x, loss_mask, is_source, key, config.flow)

    def update(state, frozen, ids, real, source_length, step, decode: bool):
        params, ema, opt_state = state
        loss, gradients = jax.value_and_grad(loss_of)(
            params, frozen, ids, real, source_length, jax.random.fold_in(key, step), decode
        )
        changes, opt_state = optimizer.update(gradients, opt_state, params)
        params = optax.apply_updates(params, changes)
        decay = ema_decay(step, config.ema_decay)
        ema = jax.tree.map(lambda average, new: decay * average + (1 - decay) * new, ema, params)
        metrics = {"decode_loss" if decode else "loss": loss, "gradient_norm": optax.tree.norm(gradients)}
        return (params, ema, opt_state), metrics

    jitted = jax.jit(update, static_argnames="decode", donate_argnums=0)

    def step_function(state, step):
        batch = collate(
            dataset,
            batch_rows(len(dataset), config.batch_size, step, config.seed),
            elf.max_length,
            EOS if config.pad_token == "eos" else PAD,
        )
        # One coin for the whole batch, a function of the step so that a resumed run throws the same.
        coin = np.random.default_rng([config.seed, step, 1]).random()
        decode = bool(coin < config.flow.decoder_prob)
        return jitted(state, frozen, batch.ids, batch.real, batch.source_length, step, decode=decode)

    # Copies, because the first step may reuse the memory of what it is given.
    ema = jax.tree.map(jnp.copy, params)
    return (params, ema, optimizer.init(params)), step_function


def normalisation(
    config: TrainConfig, dataset: TokenDataset, encoder_config: T5Config, encoder_params: FlatParams
) -> tuple[float | np.ndarray, float | np.ndarray]:
    """Mean and std by which latents are normalised (spec section 1)."""
    if config.latent_normalisation == "official":
        return 0.0, 0.2
    return latent_statistics(encoder_config, encoder_params, dataset, config.elf.max_length)


def main(arguments: Arguments) -> None:
    config = load_config(TrainConfig, arguments.config, arguments.overrides)
    dataset = load_dataset(config.data)
    encoder_config, encoder_params = load_encoder(config.encoder)
    mean, std = normalisation(config, dataset, encoder_config, encoder_params)
    state, step_function = make_step(config, dataset, encoder_config, encoder_params, mean, std)

    def write_model(state, step: int, seconds: float) -> None:
        _, ema, _ = state
        facts = {
            "command": " ".join(["elf train --config", arguments.config.name, *public_overrides(arguments)]),
            "corpus": config.corpus,
            "licence": config.licence,
            "steps": step,
            "batch_size": config.batch_size,
            "seconds": round(seconds),
            "losses": last_losses(config.out / "metrics.jsonl"),
            "encoder": encoder_facts(config.encoder),
            "config": json.loads(json.dumps(asdict(config), default=lambda path: path.name)),
        }
        model = TrainedModel(
            name=config.name,
            elf=config.elf,
            flow=config.flow,
            params={name: np.asarray(value) for name, value in ema.items()},
            encoder=encoder_config,
            encoder_params=encoder_params,
            latent_mean=mean,
            latent_std=std,
            tokenizer=config.tokenizer,
            training=facts,
        )
        save_trained_model(model, config.out / "model")

    run_loop(
        LoopConfig(config.steps, config.checkpoint_minutes, config.log_every),
        config.out,
        state,
        step_function,
        config.batch_size * config.elf.max_length,
        on_checkpoint=write_model,
    )


def last_losses(metrics: Path, rows: int = 10) -> dict[str, float]:
    """Means of the newest rows of metrics.jsonl."""
    lines = [json.loads(line) for line in metrics.read_text().splitlines()[-rows:]] if metrics.is_file() else []
    means = {}
    for name in ("loss", "decode_loss"):
        values = [line[name] for line in lines if name in line]
        if values:
            means[name] = round(sum(values) / len(values), 4)
    return means


def public_overrides(arguments: Arguments) -> list[str]:
    """Overrides that change numbers; where a machine keeps its files is nobody's business."""
    places = {name for name, hint in TrainConfig.__annotations__.items() if hint is Path}
    return [override for override in arguments.overrides if override.partition("=")[0] not in places]


def encoder_facts(directory: Path) -> dict[str, float]:
    """How the encoder came to be: steps, seconds and last loss of its pre-training."""
    record = json.loads((directory / "encoder.json").read_text())
    facts = {name: record[name] for name in ("steps", "seconds") if name in record}
    losses = last_losses(directory / "metrics.jsonl")
    return facts | ({"masked-token loss": losses["loss"]} if "loss" in losses else {})


if __name__ == "__main__":
    main(Arguments(Path(sys.argv[1]), tuple(sys.argv[2:])))
