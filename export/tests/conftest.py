"""Small things that several tests need: a tokenizer and a dataset made from sentences written here."""

import gc
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path

# A process that finds no compiled modules spends four seconds on compiling JAX's and its own: they are kept, also where
# the environment asks for none, as containers do, in which a program runs once.
sys.dont_write_bytecode = False
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# Tests compile the same small graphs again and again: one cache for all, for subprocesses and for the next run, too.
# `pytest --cache-clear` empties it. Set before JAX loads.
CACHE = Path(__file__).parents[1] / ".pytest_cache/d/jax"
A_WEEK = 7 * 24 * 3600
CACHE.mkdir(parents=True, exist_ok=True)
for entry in CACHE.iterdir():
    if time.time() - entry.stat().st_mtime > A_WEEK:
        entry.unlink(missing_ok=True)
os.environ["JAX_COMPILATION_CACHE_DIR"] = str(CACHE)
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
os.environ["JAX_PLATFORMS"] = "cpu"
# Which lines of Python an operation comes from is found out for every one of them, and no test reads it.
os.environ["JAX_TRACEBACK_IN_LOCATIONS_LIMIT"] = "0"
# Most programs here run a few times on a handful of numbers: making them fast takes longer than all their runs.
os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = "1"
# The older of XLA's two ways to write a fused operation, in one piece: less than half the time of compiling.
os.environ["XLA_FLAGS"] = (
    "--xla_cpu_use_fusion_emitters=false --xla_cpu_parallel_codegen_split_count=1"
    # Handing a few numbers to other threads costs more than computing with them.
    " --xla_cpu_multi_thread_eigen=false"
)

# Tracing makes millions of small things that live on: looking through all of them for garbage that often is a tenth of
# the time.
gc.set_threshold(100_000, 50, 100)

import pytest
from tiny_training import write_experiment

from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.train_tokenizer import train_tokenizer
from elf.evaluation.scores import confidence_interval, mean_interval
from elf.training.optimizer import OptimizerConfig
from elf.training.pretrain_encoder import Arguments as EncoderArguments
from elf.training.pretrain_encoder import main as pretrain_encoder

NAMES = ("Mia", "Ben", "Tom", "Ada", "Sam", "Lea")
THINGS = ("kite", "boat", "lamp", "drum", "frog", "pear", "coat", "bell")
ENDINGS = ("laughed all day.", "went home to sleep.", "sang a quiet song.", "gave it to a friend.")


def stories() -> list[str]:
    """Two hundred short stories, each of three sentences."""
    return [
        f"{name} found a {thing} by the old {place}. Was it lost? {name} {ending}"
        for name in NAMES
        for thing in THINGS
        for place, ending in zip(("mill", "gate", "pond", "tree"), ENDINGS, strict=True)
    ]


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(stories(), vocabulary_size=60, sentinels=2).save(str(path))
    return path


@pytest.fixture(scope="session")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import json

    path = tmp_path_factory.mktemp("corpus") / "stories.json"
    path.write_text(json.dumps(stories()))
    return path


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory, corpus_file: Path, tokenizer_file: Path) -> Path:
    out = tmp_path_factory.mktemp("prepared")
    prepare(PrepareArguments(corpus=corpus_file, tokenizer=tokenizer_file, out=out, max_length=32, held_out=0.1))
    return out


@pytest.fixture(scope="session")
def encoder(tmp_path_factory: pytest.TempPathFactory, prepared: Path, tokenizer_file: Path) -> Path:
    out = tmp_path_factory.mktemp("encoder")
    pretrain_encoder(
        EncoderArguments(
            data=(prepared / "train",),
            tokenizer=tokenizer_file,
            out=out,
            steps=60,
            batch_size=16,
            length=32,
            d_model=16,
            d_kv=8,
            d_ff=32,
            layers=1,
            heads=2,
            optimizer=OptimizerConfig(blr=0.1, warmup_steps=2, schedule="cosine"),
            compute_dtype="float32",
        )
    )
    return out


@pytest.fixture(scope="module")
def few_resamples() -> Iterator[None]:
    """Confidence intervals of 20 resampled sets instead of 1,000, where they only have to be there."""
    with pytest.MonkeyPatch.context() as patch:
        for interval in (confidence_interval, mean_interval):
            patch.setattr(interval, "__defaults__", (20, 0))
        yield


@pytest.fixture
def experiment(tmp_path: Path, prepared: Path, tokenizer_file: Path, encoder: Path) -> Path:
    """A training configuration; its output folder is `tmp_path / "out"`."""
    return write_experiment(tmp_path / "test.yml", prepared, tokenizer_file, encoder)
