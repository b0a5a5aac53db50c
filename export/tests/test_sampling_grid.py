"""Sampling files: every combination, and the shipped ones are the official settings."""

from pathlib import Path

import pytest

from elf.errors import ConfigError, UsageError
from elf.evaluation.generator import Sampling, load_samplings

CONFIGS = Path(__file__).parents[1] / "configs" / "sampling"


def load(tmp_path: Path, text: str, *overrides: str) -> list[Sampling]:
    path = tmp_path / "sampling.yml"
    path.write_text(text)
    return load_samplings(path, overrides)


def test_every_combination_of_every_entry_in_order(tmp_path: Path) -> None:
    text = "- {steps: [4, 8], gamma: [0.5, 1e0], seed: 5}\n- {method: ode, steps: 2}\n"
    samplings = load(tmp_path, text)
    assert [(s.method, s.steps, s.gamma, s.seed) for s in samplings] == [
        ("sde", 4, 0.5, 5),
        ("sde", 4, 1.0, 5),
        ("sde", 8, 0.5, 5),
        ("sde", 8, 1.0, 5),
        ("ode", 2, 1.5, 7),
    ]
    names = [s.name(position) for position, s in enumerate(samplings)]
    assert names[1] == "01_sde_4_gamma1_w3_seed5" and names[4] == "04_ode_2_w3_seed7" and len({*names}) == 5


def test_overrides_hold_in_every_entry_and_what_comes_out_twice_is_kept_once(tmp_path: Path) -> None:
    text = "- {steps: [4, 8], seed: 5}\n- {gamma: 1, steps: 2}\n"
    samplings = load(tmp_path, text, "steps=3", "cfg=[1.0,2]")
    assert [(s.steps, s.seed, s.gamma, s.cfg) for s in samplings] == [
        (3, 5, 1.5, 1.0),
        (3, 5, 1.5, 2.0),
        (3, 7, 1.0, 1.0),
        (3, 7, 1.0, 2.0),
    ]
    [second] = load(tmp_path, "steps: 4", "method=ode", "solver=multistep")
    assert second.name(0) == "00_ode_4_multistep_w3_seed7"
    assert load(tmp_path, "steps: 4", "length=16") == [Sampling(steps=4, length=16)]
    assert load_samplings(None, ("steps=[1,2]",)) == [Sampling(steps=1), Sampling(steps=2)]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- {steps: 4}\n- {stepz: 4}\n", r"no field \[1\].stepz"),
        ("steps: many", "steps is 'many'"),
        ("method: euler", "method is 'euler'"),
        ("steps: []", "steps is an empty list"),
        ("steps: [4, 0]", "steps is 0"),
        ("cfg: .inf", "cfg is inf"),
        ("just words", "holds no sampling settings"),
        ("- 4\n", "holds no sampling settings"),
        ("steps: [4", "cannot be read"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises((ConfigError, UsageError), match=said):
        load(tmp_path, text)


def test_shipped_files_hold_the_official_settings_and_those_of_the_shipped_models() -> None:
    """Spec section 3, "Official settings"; the others are the defaults of the models' manifests."""

    def shipped(name: str) -> list[tuple]:
        return [
            (s.method, s.steps, s.gamma if s.method == "sde" else None, s.self_cond_cfg, s.cfg, s.schedule, s.rng)
            for s in load_samplings(CONFIGS / f"{name}.yml")
        ]

    drawn = ("logit_normal", "original")
    assert shipped("owt") == [("sde", 32, 1.5, 3.0, 1.0, *drawn), ("sde", 64, 1.0, 3.0, 1.0, *drawn)]
    for name in ("de-en", "xsum"):
        assert shipped(name) == [("ode", 64, None, 1.0, 2.0, *drawn)]
    few = [("sde", steps, 1.5, 2.5, 1.0, *drawn) for steps in (1, 2, 4, 8)]
    assert shipped("few-step") == few + [("sde", steps, 2.0, 2.0, 1.0, *drawn) for steps in (16, 32)]
    assert shipped("stories-mini") == [("sde", 32, 0.5, 3.0, 1.0, *drawn)]
    assert shipped("stories") == [("sde", 64, 3.0, 2.5, 1.0, "quantile", "original")]
    assert shipped("translate-de-en") == [("sde", 8, 6.5, 1.0, 3.0, "uniform", "original")]
