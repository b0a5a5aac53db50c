"""The shipped experiments: readable, and with the values of spec sections 2 and 4."""

import shlex
from itertools import pairwise, takewhile
from pathlib import Path
from typing import Any

import pytest

from elf.config import PRESETS, ElfConfig, FlowConfig, SamplerSettings, T5Config
from elf.config_file import load_config
from elf.errors import ConfigError, UsageError
from elf.evaluation.generator import load_samplings
from elf.training.train_config import TrainConfig, resolve
from elf.yardstick.translator import TranslatorConfig

CONFIGS = Path(__file__).parents[1] / "configs"
PUBLISHED = {
    "owt-elf-b": (5, 1024, 0, 5.0, 0.5),
    "owt-elf-m": (4, 1024, 0, 5.0, 0.5),
    "owt-elf-l": (3, 1024, 0, 5.0, 0.5),
    "wmt14-de-en": (100, 128, 64, 1.0, None),
    "xsum": (100, 1088, 1024, 1.0, None),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_experiments_have_the_published_values(name: str) -> None:
    config = load_config(TrainConfig, CONFIGS / f"{name}.yml")
    epochs, length, source, decoder_noise, warmup = PUBLISHED[name]
    assert (config.epochs, config.elf.max_length, config.elf.max_input_length) == (epochs, length, source)
    assert (config.flow.noise_scale, config.flow.decoder_noise_scale) == (2.0, decoder_noise)
    # global_batch_size of the official training_configs/, at commit 346f00b.
    batch_size = 64 if name == "xsum" else 512
    assert (config.batch_size, config.optimizer.blr, config.ema_decay) == (batch_size, 0.001, 0.9999)
    assert config.optimizer.warmup_epochs == warmup and (warmup or config.optimizer.warmup_steps == 5000)
    assert config.latent_normalisation == "official" and config.checkpoints.keep == 10
    assert config.recipe == "official" and config.deviations == []
    preset = PRESETS[name.upper().removeprefix("OWT-") if name.startswith("owt") else "ELF-B"]
    evaluation, owt = config.evaluation, name.startswith("owt")
    assert (evaluation.every_epochs, evaluation.samples) == ((1, 1000) if owt else (10, {"xsum": 100}.get(name, 5000)))
    assert evaluation.judge == ("openai-community/gpt2-large" if owt else None) and bool(evaluation.data) != owt
    assert evaluation.sampling and (CONFIGS / "sampling" / evaluation.sampling.name).is_file()
    shape = ("depth", "hidden_size", "heads", "latent_size", "bottleneck_size", "vocabulary_size")
    assert all(getattr(config.elf, field) == getattr(preset, field) for field in shape)


@pytest.mark.parametrize("name", ["owt", "de-en", "xsum", "few-step"])
def test_published_ways_to_sample_begin_at_the_official_seed(name: str) -> None:
    samplings = load_samplings(CONFIGS / f"sampling/{name}.yml")
    assert samplings and {sampling.seed for sampling in samplings} == {42}
    assert {(sampling.schedule, sampling.rng) for sampling in samplings} == {("logit_normal", "original")}


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_experiment_says_its_command_its_time_and_what_to_expect(path: Path) -> None:
    head = path.read_text().split("\nname:")[0]
    assert f"--config export/configs/{path.name}" in head
    assert "# Time" in head and "# Expect" in head


def test_the_commands_of_the_readme_make_what_they_train_from() -> None:
    """Each option names a file that a command above has written, and the training the same ones."""
    readme = (CONFIGS.parent / "README.md").read_text(encoding="utf-8")
    block = readme.partition("## Train\n")[2].partition("```sh\n")[2].partition("```")[0]
    *commands, training = (shlex.split(line) for line in block.splitlines())
    names = [" ".join(takewhile(lambda word: word[0] != "-", words[1:])) for words in commands]
    assert names == ["tokenizer train", "prepare", "pretrain-encoder"]
    tokenizer, data, encoder = (dict(pairwise(words)) for words in commands)
    config_file, *overrides = training[training.index("--config") + 1 :]
    config = load_config(TrainConfig, CONFIGS / Path(config_file).name, tuple(overrides))
    assert {str(config.tokenizer)} == {tokenizer["--out"], data["--tokenizer"], encoder["--tokenizer"]}
    assert str(config.data) == encoder["--data"] == f"{data['--out']}/train"
    assert str(config.encoder) == encoder["--out"]
    assert config.elf.vocabulary_size == int(tokenizer["--vocabulary-size"])
    assert config.elf.max_length == int(data["--max-length"])


def test_epochs_become_steps() -> None:
    config = load_config(TrainConfig, CONFIGS / "owt-elf-b.yml")
    resolved = resolve(config, rows=9_728_000, conditional=False)
    assert resolved.steps == 95_000 and resolved.warmup_steps == 9_500 and resolved.save_steps == 4_750
    by_steps = load_config(TrainConfig, CONFIGS / "stories-mini.yml", ("checkpoints.steps=7", "checkpoints.epochs=1"))
    resolved = resolve(by_steps, rows=640, conditional=False)
    assert resolved.steps == 4000 and resolved.warmup_steps == 100 and resolved.save_steps == 7


ALIASES = "a: &a [x, x, x, x, x, x, x, x]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (ALIASES, "line 2 has an alias"),
        ("a: &a [*a]", "line 1 has an alias"),
        ("<<: &a {b: 1}\nc: {<<: *a}", "has an alias"),
        ("name: 2001-99-99", "month must be"),
        ("steps: !!int ''", "string index"),
        ("steps: !!timestamp x", "cannot be read"),
        (f"steps: {'9' * 5000}", "cannot be read"),
        ("{" * 5000, "cannot be read"),
        ("[" * 10**6, "it has 1,000,000 letters"),
        ("name: !!python/object/apply:os.system ['x']", "could not determine a constructor"),
        ("? 2001-01-01\n: 1", "there is no field 2001-01-01"),
        ("5: 1", "there is no field 5"),
        ('"\\ud800": 1', "half of a character"),
    ],
)
def test_what_yaml_can_say_and_no_configuration_means(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "run.yml").write_text(text)
    with pytest.raises(ConfigError, match=message):
        load_config(TrainConfig, tmp_path / "run.yml")


def test_an_override_that_is_no_value() -> None:
    with pytest.raises(ConfigError, match="no YAML value"):
        load_config(TrainConfig, None, ("steps=2001-99-99",))


@pytest.mark.parametrize(
    ("kind", "field", "value"),
    [
        *((ElfConfig, "depth", value) for value in (1001, 2**40, 1.5, "2")),
        *((ElfConfig, field, 2**20 + 1) for field in ("vocabulary_size", "max_length", "time_tokens")),
        *((T5Config, field, 2**30) for field in ("layers", "d_model", "relative_max_distance")),
        *((TranslatorConfig, field, 2**30) for field in ("encoder_layers", "decoder_layers", "feed_forward_size")),
        *((TranslatorConfig, "heads", value) for value in ("4", 0.5)),
        *((FlowConfig, "p_mean", value) for value in (float("nan"), float("inf"), 10**400, None, True)),
    ],
)
def test_sizes_that_only_fill_the_memory_and_what_is_no_number(kind: Any, field: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{field} is {value!r}"):
        kind(**{field: value})


@pytest.mark.parametrize("change", [{"steps": 1.5}, {"steps": "2"}, {"seed": 0.5}])
def test_settings_of_a_sampler_that_are_no_whole_numbers(change: dict) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(change))} is"):
        SamplerSettings(**change)
