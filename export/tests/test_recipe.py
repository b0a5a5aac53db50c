"""Recipes: what they choose, what a configuration may choose besides, and what is told of it."""

import dataclasses
from pathlib import Path

import jax
import numpy as np
import pytest

from elf.config import FlowConfig
from elf.config_file import build_config
from elf.errors import ConfigError
from elf.training.distill_config import DistillConfig
from elf.training.loop import _not_finite as not_finite
from elf.training.loop import means
from elf.training.objective import Share
from elf.training.optimizer import OptimizerConfig
from elf.training.recipe import CHOICES, DISTILL_CHOICES, NAMED, Choices
from elf.training.step_inputs import draw_coins, draw_times
from elf.training.train_config import TrainConfig

PLACES = {"name": "a", "data": "b", "encoder": "c", "tokenizer": "d", "out": Path("e"), "steps": 1}


def config(**settings) -> TrainConfig:
    return TrainConfig(**PLACES, **settings)


def test_the_official_recipe_makes_every_choice_as_the_official_step_does() -> None:
    official = config(recipe="official", latent_normalisation="official")
    assert official.choices == Choices("device", "device", "literal", "coin", "unseen", False, True, 0.1)
    assert (official.optimizer.muon, official.optimizer.muon_adam_b2) == ("matrices", 0.999)
    assert official.deviations == [] and not dataclasses.replace(official, pad_token="eos").sees_filling


def test_what_is_chosen_besides_is_a_deviation_with_a_reason() -> None:
    chosen = config(
        recipe="official", latent_normalisation="official", coin="batch", ema_decay=0.998,
        optimizer=OptimizerConfig(muon_adam_b2=0.9), flow=FlowConfig(self_cond_start="zero"),
    )  # fmt: skip
    told = {deviation.field: (deviation.value, deviation.official) for deviation in chosen.deviations}
    assert told == {
        "coin": ("batch", "device"),
        "optimizer.muon_adam_b2": (0.9, 0.999),
        "flow.self_cond_start": ("zero", "condition"),
        "ema_decay": (0.998, 0.9999),
    }
    assert all(len(deviation.why.split()) > 4 for deviation in chosen.deviations)


def test_this_projects_own_recipe_deviates_by_name_in_all_that_it_chooses() -> None:
    own = {deviation.field for deviation in config(latent_normalisation="official").deviations}
    adamw = config(optimizer=OptimizerConfig(optimizer="adamw")).deviations
    assert not [deviation.field for deviation in adamw if deviation.field.startswith("optimizer.muon")]
    assert own == {choice.field for choice in CHOICES if choice.official != choice.own}
    assert config(pad_token="eos").sees_filling and not config(pad_token="pad").sees_filling


@pytest.mark.parametrize("choice", [*CHOICES, *DISTILL_CHOICES, *NAMED], ids=lambda choice: choice.field)
def test_every_deviation_has_its_reason(choice) -> None:
    assert choice.own == choice.official or choice.reason(choice.own)


def test_a_distillation_has_an_official_step_of_its_own() -> None:
    def distillation(**settings) -> DistillConfig:
        return DistillConfig(**PLACES, teacher="f", latent_normalisation="official", **settings)

    official = distillation(recipe="official")
    assert (official.coin, official.loss_mean, official.decode_half) == ("example", "row", "source")
    assert official.label_drop == 0.0 and official.deviations == []
    assert {deviation.field for deviation in distillation().deviations} >= {"coin", "decode_half", "label_drop"}
    with pytest.raises(ConfigError, match="does not go together"):
        distillation(coin="device")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"coin": "device", "loss_mean": "batch"}, "loss_mean batch"),
        ({"coin": "share"}, "a distillation's"),
        ({"device_groups": 2}, "device_groups is set"),
        ({"device_groups": 0, "recipe": "official"}, "device_groups is 0"),
        ({"guesses": {"share": 0.5}, "coin": "example"}, "guesses.share is 0.5"),
        ({"guesses": {"share": 1.5}}, "guesses.share is 1.5"),
        ({"guesses": {"cfg": 21}}, "guesses.cfg is 21"),
        ({"optimizer": {"b2": 1.0}}, r"optimizer\.b2"),
        ({"recipe": "secret"}, "Choose one of official, own"),
        ({"flow": {"time_schedule": "cosine"}}, "time_schedule"),
    ],
)
def test_what_does_not_go_together_is_refused(settings: dict, words: str) -> None:
    with pytest.raises(ConfigError) as refused:
        build_config(TrainConfig, {**PLACES, **settings})
    assert words.replace("\\", "") in f"{refused.value} {refused.value.action}"


def test_who_throws_the_coin() -> None:
    flow = FlowConfig(decoder_prob=0.5)
    key = jax.random.key(1)
    by_device = np.asarray(draw_coins(key, 48, flow, "device", groups=4, parts=3)).reshape(4, 3, 4)
    assert (by_device == by_device[..., :1]).all() and len({tuple(row) for row in by_device[..., 0].tolist()}) > 1
    by_batch = np.asarray(draw_coins(key, 48, flow, "batch", groups=4, parts=3)).reshape(4, 3, 4)
    assert (by_batch == by_batch[:1, :, :1]).all() and by_batch.any() and not by_batch.all()
    by_example = np.asarray(draw_coins(key, 4000, flow, "example"))
    assert by_example.mean() == pytest.approx(0.5, abs=0.03)


def test_times_may_be_drawn_evenly() -> None:
    times = np.asarray(draw_times(jax.random.key(0), (4000,), FlowConfig(), uniform=True))
    assert times.mean() == pytest.approx(0.5, abs=0.02) and times.std() == pytest.approx(12**-0.5, abs=0.01)


def test_a_figure_that_some_rows_measured_counts_as_much_as_they_are() -> None:
    window = [
        {"loss": Share(np.float32(2.0), np.float32(1.0)), "norm": np.float32(1.0)},
        {"loss": Share(np.float32(12.0), np.float32(3.0)), "norm": np.float32(3.0)},
        {"loss": Share(np.float32(0.0), np.float32(0.0))},
    ]
    assert means(window) == {"loss": 3.5, "norm": 2.0}
    assert means(window[2:]) == {} and not_finite({"loss": Share(np.float32(np.nan), np.float32(1))}).keys() == {"loss"}
