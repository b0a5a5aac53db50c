"""The files beside the graphs that users of the hub expect, snake_case as theirs are."""

from typing import Any

from elf.data.clean_up import FIELD, cleans_up
from elf.data.tokenizer import EOS, PAD, UNK
from elf.models.trained_model import TrainedModel, plain_statistic
from elf.sampler_settings import SamplerSettings


def hub_config(model: TrainedModel) -> dict[str, Any]:
    """`config.json` with the names that hub users expect."""
    config, flow = model.elf, model.flow
    return {
        "model_type": "elf",
        "architectures": ["ElfModel"],
        "num_hidden_layers": config.depth,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.heads,
        "head_dim": config.head_dim,
        "intermediate_size": config.swiglu_size,
        "latent_size": config.latent_size,
        "bottleneck_size": config.bottleneck_size,
        "vocab_size": config.vocabulary_size,
        "max_position_embeddings": config.max_length,
        "max_input_length": config.max_input_length,
        "source_optional": config.source_optional,
        "num_time_tokens": config.time_tokens,
        "num_self_cond_cfg_tokens": config.self_cond_cfg_tokens,
        "num_mode_tokens": config.mode_tokens,
        "noise_scale": flow.noise_scale,
        "t_eps": flow.t_eps,
        "self_cond_start": flow.self_cond_start,
        "schedule_mean": flow.p_mean,
        "schedule_std": flow.p_std,
        "latent_mean": plain_statistic(model.latent_mean),
        "latent_std": plain_statistic(model.latent_std),
        "pad_token_id": PAD,
        "eos_token_id": EOS,
        "unk_token_id": UNK,
    }


def hub_generation_config(settings: SamplerSettings, length: int) -> dict[str, Any]:
    """`generation_config.json`: the sampler's defaults."""
    return {**vars(settings), "max_length": length, "pad_token_id": PAD, "eos_token_id": EOS}


def hub_tokenizer_config(model: TrainedModel) -> dict[str, Any]:
    """`tokenizer_config.json`: what transformers.js needs to pick its class, and to decode as the model's own says."""
    assert model.tokenizer is not None  # export writes this beside a tokenizer.json
    return {
        "tokenizer_class": "T5Tokenizer",
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": model.elf.max_length,
        FIELD: cleans_up(model.tokenizer),
    }
