"""Configurations from strangers, and what a training's folder remembers."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import strategies as st
from inputs import alone, byte_files, changed, text_files
from withstands import withstands

from elf.config_file import load_config, read_override
from elf.models.run_folder import read_run_settings
from elf.training.distill_config import DistillConfig
from elf.training.train_config import TrainConfig

REFUSALS = {"ConfigError", "UsageError"}
CONFIGURATIONS = sorted((Path(__file__).parents[2] / "configs").glob("*.yml"))
EXAMPLES = tuple(file.read_bytes() for file in CONFIGURATIONS[:4])

RUN = b"name: a\ndata: b\nencoder: c\ntokenizer: d\nbatch_size: 8\nelf: {depth: 2}\nflow: {noise_scale: 1.5}\n"

BOMB = b"a: &a [x, x, x, x, x, x, x, x, x]\n" + b"".join(
    b"%c: &%c [*%c, *%c, *%c, *%c, *%c, *%c, *%c, *%c]\n" % (98 + i, 98 + i, *([97 + i] * 8)) for i in range(20)
)
"""A few hundred bytes that say 8²⁰ things."""

TAGS = (
    b"name: !!python/object/apply:os.system ['echo hostile > canary']\n",
    b"name: !!python/name:os.system\n",
    b"steps: !!int ''\n",
    b"steps: !!timestamp x\n",
    b"name: 2001-99-99\n",
    b"steps: " + b"9" * 5000 + b"\n",
    b"steps: 0b\nname: 0x\n",
    b"out: 190:20:30.15\nseed: 1__0_\n",
    b"<<: [1, 2]\n",
    b"a: &a {<<: *a}\n",
    b"a: &a\n- *a\n",
    b"? [a, b]\n: 1\n",
    b"? {a: 1}\n: 1\n",
    b"name: !!binary x\n",
    b"name: !!set {a, b}\nsteps: !!omap [a: 1]\n",
    b"---\na: 1\n---\nb: 2\n",
    b"%YAML 9.9\n---\na\n",
    b"{" * 3000,
    b"a:\n" * 10 + b" - " * 3000,
    BOMB,
    BOMB + b"name: *m\n",
)


def yaml_files(*examples: bytes) -> st.SearchStrategy[bytes]:
    """Files in YAML: changed as values, as texts and as bytes; and what YAML alone can say."""
    values = changed(*map(yaml.safe_load, examples)).map(
        lambda value: yaml.dump(value, allow_unicode=True, default_flow_style=None).encode("utf-8", "surrogatepass")
    )
    return st.one_of(
        values,
        values,
        text_files(*examples),
        byte_files(*examples),
        st.sampled_from(TAGS),
        st.tuples(st.sampled_from(examples), st.sampled_from(TAGS)).map(b"\n".join),
    )


@pytest.mark.parametrize("kind", [TrainConfig, DistillConfig])
def test_a_configuration_is_read_or_refused_by_name(tmp_path: Path, kind: Any) -> None:
    withstood = withstands(
        tmp_path, alone("run.yml", yaml_files(*EXAMPLES)), lambda folder: load_config(kind, folder / "run.yml")
    )
    assert withstood.refusals <= REFUSALS


def test_what_a_run_remembers_is_read_or_refused_by_name(tmp_path: Path) -> None:
    withstood = withstands(
        tmp_path,
        alone("config.yml", yaml_files(RUN)),
        lambda folder: read_run_settings(folder / "config.yml", remembered=True),
        ({"config.yml": RUN},),
    )
    assert withstood.refusals <= REFUSALS


def test_overrides(tmp_path: Path) -> None:
    withstands(
        tmp_path,
        alone(
            "override",
            st.one_of(
                text_files(b"elf.depth=12", b"name=a", b"lengths=[1, 2]"),
                st.sampled_from(TAGS).map(lambda tag: b"steps=" + tag),
            ),
        ),
        lambda folder: load_config(TrainConfig, None, (read_it(folder),)) if read_override(read_it(folder)) else None,
    )


def read_it(folder: Path) -> str:
    return (folder / "override").read_bytes().decode("utf-8", "replace")
