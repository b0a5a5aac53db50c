"""Train for a given number of minutes on a machine that has little but JAX: no network, no package, no disk to keep."""

import argparse
import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from elf.config import ElfConfig, FlowConfig, T5Config
from elf.errors import CheckpointError, ElfError, UsageError
from elf.network.model import ELF
from elf.network.modules import abstract, bind, split
from elf.text_file import json_value
from elf.training.objective import decode_errors, denoise_errors, shared_denoising
from elf.training.optimizer import OptimizerConfig, averaged_weights, ema_decay, make_optimizer
from elf.training.step_inputs import FrozenEncoder, draw_decode, draw_denoise, is_decode_step

# --- What is carried to a machine that has little but JAX, and back from it -----------------------------------------
#
# NumPy arrays, JSON, and weights in parts. Nothing in this file needs more than JAX, Flax, Optax and NumPy.

FORMAT = 1
PART_BYTES = 15_000_000
"""Most of one file of weights, which has to fit through narrow doors."""


@dataclass(frozen=True)
class Carried:
    """A training, packed: `elf burst pack` writes it, and it is read there."""

    settings: dict[str, Any]
    """Plain fields of the training's configuration."""
    elf: ElfConfig
    flow: FlowConfig
    optimizer: OptimizerConfig
    encoder: T5Config
    encoder_params: dict[str, np.ndarray]
    mean: np.ndarray
    std: np.ndarray
    ids: np.ndarray
    """(N, L) uint16 or int32, rows as batches have them."""
    length: np.ndarray
    """(N,), tokens of a row that are none of its filling."""
    source_length: np.ndarray
    """(N,)"""
    start: dict[str, np.ndarray] | None
    """Weights to begin with."""


def write_carried(carried: Carried, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # No ids are as small packed as those of one type that just holds them.
    narrow = np.uint16 if carried.elf.vocabulary_size <= 1 << 16 else np.int32
    np.savez_compressed(
        folder / "rows.npz",
        ids=carried.ids.astype(narrow),
        length=carried.length.astype(np.uint16),
        source_length=carried.source_length.astype(np.uint16),
    )
    arrays: dict[str, Any] = {**carried.encoder_params, "mean": carried.mean, "std": carried.std}
    np.savez_compressed(folder / "encoder.npz", **arrays)
    # What was packed here before may have begun with weights.
    shutil.rmtree(folder / "start", ignore_errors=True)
    if carried.start is not None:
        write_weights(folder / "start", carried.start, {})
    settings = {
        "format": FORMAT,
        **{name: vars(getattr(carried, name)) for name in ("elf", "flow", "optimizer", "encoder")},
        "settings": carried.settings,
    }
    (folder / "settings.json").write_text(json.dumps(settings, indent=2) + "\n", encoding="utf-8")


def read_carried(folder: Path) -> Carried:
    """Raises CheckpointError naming what is missing or of another form."""
    try:
        settings = json_value((folder / "settings.json").read_text(encoding="utf-8"))
        if settings["format"] != FORMAT:
            raise CheckpointError(f"{folder} is of form {settings['format']}, not {FORMAT}", "Pack it again.")
        rows = np.load(folder / "rows.npz")
        encoder = dict(np.load(folder / "encoder.npz"))
        return Carried(
            settings["settings"],
            ElfConfig(**settings["elf"]),
            FlowConfig(**settings["flow"]),
            OptimizerConfig(**settings["optimizer"]),
            T5Config(**settings["encoder"]),
            mean=encoder.pop("mean"),
            std=encoder.pop("std"),
            encoder_params=encoder,
            ids=rows["ids"],
            length=rows["length"],
            source_length=rows["source_length"],
            start=read_weights(folder / "start")[0] if (folder / "start").is_dir() else None,
        )
    except CheckpointError:
        raise
    except Exception as error:  # NumPy, and what unpacks its archives, raise many kinds
        raise CheckpointError(f"{folder} cannot be read: {error}", "Pack it again with `elf burst pack`.") from error


def write_weights(folder: Path, params: Mapping[str, np.ndarray], facts: dict[str, Any]) -> None:
    """As float16, one after another, cut into files of at most PART_BYTES; `weights.json`, written last, says where
    each lies and carries the facts. What the folder held before is whole until then."""
    folder.mkdir(parents=True, exist_ok=True)
    places, halves, at = {}, [], 0
    for name, value in params.items():
        half = np.asarray(value).astype(np.float16)
        places[name] = {"at": at, "shape": half.shape}
        halves.append(half.tobytes())
        at += half.nbytes
    stream = b"".join(halves)
    parts = [stream[i : i + PART_BYTES] for i in range(0, len(stream), PART_BYTES)]
    # A machine that is taken away meanwhile leaves the last save: this one takes the other of two names.
    mark = "b" if _mark(folder) == "" else ""
    files = [_part(folder, number, mark) for number in range(1, len(parts) + 1)]
    for file, part in zip(files, parts, strict=True):
        file.write_bytes(part)
    record = {"format": FORMAT, "mark": mark, "parts": len(parts), "bytes": at, "places": places, "facts": facts}
    beside = folder / "weights.json.new"
    beside.write_text(json.dumps(record) + "\n", encoding="utf-8")
    beside.replace(folder / "weights.json")
    for file in {*folder.glob("weights-*.bin")} - {*files}:
        file.unlink()


def _mark(folder: Path) -> str | None:
    """In the names of the parts of the last save; None where there is none."""
    try:
        return json_value((folder / "weights.json").read_text(encoding="utf-8")).get("mark", "")
    except (OSError, ValueError, AttributeError):
        return None


def read_weights(folder: Path) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """Weights as float32, and the facts. Raises CheckpointError for a folder that is not whole."""
    try:
        record = json_value((folder / "weights.json").read_text(encoding="utf-8"))
        mark = record.get("mark", "")
        stream = b"".join(_part(folder, number, mark).read_bytes() for number in range(1, record["parts"] + 1))
        if len(stream) != record["bytes"]:
            raise CheckpointError(f"{folder} has {len(stream):,} of {record['bytes']:,} bytes", "Copy it again.")
        params = {}
        for name, place in record["places"].items():
            count = math.prod(place["shape"])
            half = np.frombuffer(stream, np.float16, count, place["at"])
            params[name] = half.reshape(place["shape"]).astype(np.float32)
        return params, record["facts"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CheckpointError(f"{folder} holds no whole weights: {error}", "Copy the folder again.") from error


def _part(folder: Path, number: int, mark: str) -> Path:
    return folder / f"weights-{number:05}{mark}.bin"


# --- The training ---------------------------------------------------------------------------------------------------
#
#     PYTHONPATH=export/src python -m elf.burst.train FOLDER --minutes 8 --out OUT [--part 2/3]
#
# FOLDER is what `elf burst pack` wrote. Every two minutes, and at the end, the averaged weights lie in OUT as float16;
# a later call with the same OUT goes on from them. The rate of learning follows the clock, not a number of steps: up
# over the first fiftieth, then down as a cosine, so the training ends at rest however fast the machine is. `--part 2/3`
# is the second of three calls that share one such way.

SAVE_SECONDS = 120
LOG_STEPS = 50
WARM_UP = 0.02
"""Share of the way on which the rate rises."""


def main(words: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m elf.burst.train", description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--part", default="1/1", help="which of how many calls this is")
    given = parser.parse_args(words)
    part, parts = read_part(given.part)
    if not given.minutes > 0:
        raise UsageError(f"--minutes is {given.minutes}", "Give a number above 0.")
    carried = read_carried(given.folder)
    start, done, before = carried.start, 0, 0.0
    if (given.out / "weights.json").is_file():
        start, facts = read_weights(given.out)
        done, before = facts["steps"], facts["seconds"]
        say(f"goes on after step {done:,}")
    train(carried, given.out, 60 * given.minutes, start, done, before, (part, parts))


def read_part(text: str) -> tuple[int, int]:
    """ "2/3" → (2, 3). Raises UsageError."""
    words = text.split("/")
    if len(words) != 2 or not all(word.isdecimal() for word in words) or not 1 <= int(words[0]) <= int(words[1]):
        raise UsageError(f"--part is {text!r}", "Give it as 2/3: the second of three.")
    return int(words[0]), int(words[1])


def rate_at(way: float) -> float:
    """The rate as a share of its highest, `way` from 0 to 1."""
    return way / WARM_UP if way < WARM_UP else 0.5 * (1 + math.cos(math.pi * (way - WARM_UP) / (1 - WARM_UP)))


def train(
    carried: Carried,
    out: Path,
    seconds: float,
    start: dict[str, np.ndarray] | None,
    done: int,
    before: float,
    part: tuple[int, int],
) -> None:
    """Trains for `seconds` and writes into `out`; `done` steps and `before` seconds came earlier."""
    settings, flow, elf = carried.settings, carried.flow, carried.elf
    batch_size, seed = settings["batch_size"], settings["seed"]
    dtype = jnp.dtype(settings["compute_dtype"])
    graphdef, _ = abstract(ELF, elf, dtype)
    # A constant rate, which every step scales: Muon's and Adam's changes are proportional to it.
    optimizer = make_optimizer(replace(carried.optimizer, schedule="constant", warmup_steps=0), batch_size, 1, 0)
    encoder = FrozenEncoder(carried.encoder, carried.encoder_params, carried.mean, carried.std)
    weights = jax.tree.map(jnp.asarray, encoder.params)
    rows = [jnp.asarray(of) for of in (carried.ids, carried.length, carried.source_length)]
    conditional = bool(carried.source_length.any())

    @partial(jax.jit, static_argnames="decode", donate_argnums=0)
    def update(state, weights, rows, chosen, step, rate, decode: bool):
        params, average, opt_state = state
        ids, length, source_length = (of[chosen].astype(jnp.int32) for of in rows)
        B, L = ids.shape
        real = jnp.arange(L)[None, :] < length[:, None]
        drop_key, draw_key = jax.random.split(jax.random.fold_in(jax.random.key(seed), step))
        dropped = jax.random.uniform(drop_key, (B,)) < settings["label_drop"] if conditional else None
        x, held = encoder.latents(
            weights,
            ids,
            real,
            source_length if conditional else None,
            dropped,
            see_padding=settings["sees_filling"],
            compute_dtype=dtype,
        )
        x = jax.lax.stop_gradient(x)
        counts = ((real if settings["pad_token"] == "pad" else jnp.ones_like(real)) & ~held).astype(jnp.float32)
        weight = counts / jnp.maximum(counts.sum(), 1.0)
        shape = (B, L, elf.latent_size)

        def loss(params):
            network = bind(graphdef, params)
            if decode:
                draws = draw_decode(draw_key, shape, flow)
                return (decode_errors(network, x, held, ids, draws, flow) * weight).sum()
            denoising = shared_denoising(network, x, held, draw_denoise(draw_key, shape, flow), flow)
            return (denoise_errors(denoising, network) * weight).sum()

        value, gradients = jax.value_and_grad(loss)(params)
        changes, opt_state = optimizer.update(gradients, opt_state, params)
        params = optax.apply_updates(params, jax.tree.map(lambda change: rate * change, changes))
        average = averaged_weights(average, params, ema_decay(step, settings["ema_decay"]))
        return (params, average, opt_state), value

    params = split(ELF(elf, rngs=nnx.Rngs(seed)))[1] if start is None else jax.tree.map(jnp.asarray, start)
    state = (params, jax.tree.map(jnp.copy, params), optimizer.init(params))
    out.mkdir(parents=True, exist_ok=True)
    begin = saved = time.monotonic()
    window: list[tuple[bool, jax.Array]] = []
    step = done
    batches = shuffled(len(carried.ids), batch_size, seed, done)
    while (spent := time.monotonic() - begin) < seconds:
        rate = rate_at((part[0] - 1 + spent / seconds) / part[1])
        decode = is_decode_step(seed, step, flow.decoder_prob)
        state, value = update(state, weights, rows, next(batches), np.int32(step), np.float32(rate), decode=decode)
        window.append((decode, value))
        step += 1
        if len(window) == LOG_STEPS:
            log(out, step, before + time.monotonic() - begin, rate, window)
            window = []
        if time.monotonic() - saved > SAVE_SECONDS:
            # What is no number any more must not take the place of weights that are.
            log(out, step, before + time.monotonic() - begin, rate, window)
            window = []
            save(out, state[1], step, before + time.monotonic() - begin)
            saved = time.monotonic()
    log(out, step, before + time.monotonic() - begin, rate_at(part[0] / part[1]), window)
    save(out, state[1], step, before + time.monotonic() - begin)


def shuffled(rows: int, batch_size: int, seed: int, start: int) -> Iterator[np.ndarray]:
    """Numbers of rows, (batch_size,), without end from batch `start` on: every epoch in an order of its own, without
    what does not fill a batch."""
    in_epoch = max(1, rows // batch_size)
    while True:
        epoch, at = divmod(start, in_epoch)
        order = np.random.default_rng([seed, epoch]).permutation(max(rows, batch_size)) % rows
        for batch in range(at, in_epoch):
            yield order[batch * batch_size : (batch + 1) * batch_size].astype(np.int32)
        start = (epoch + 1) * in_epoch


def log(out: Path, step: int, seconds: float, rate: float, window: list[tuple[bool, jax.Array]]) -> None:
    """Raises UsageError where the loss is no number any more."""
    values = {
        name: [float(value) for decode, value in window if decode == kind]
        for name, kind in (("loss", False), ("decode_loss", True))
    }
    means = {name: round(sum(of) / len(of), 5) for name, of in values.items() if of}
    if not all(math.isfinite(mean) for mean in means.values()):
        raise UsageError(f"the training has left the finite numbers before step {step}", "Lower optimizer.blr.")
    line = {"step": step, **means, "rate": round(rate, 4), "seconds": round(seconds, 1)}
    with (out / "losses.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    say("  ".join(f"{name} {value}" for name, value in line.items()))


def save(out: Path, average: dict[str, jax.Array], step: int, seconds: float) -> None:
    write_weights(
        out, {name: np.asarray(value) for name, value in average.items()}, {"steps": step, "seconds": seconds}
    )


def say(text: str) -> None:
    print(text, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except ElfError as error:
        sys.exit(f"{type(error).__name__}: {error}\n     {error.action}")
