"""The command `elf`: finds the module of a subcommand, lets tyro read its arguments, and reports named errors."""

import dataclasses
import importlib
import inspect
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

from elf.errors import ElfError, OutputExistsError, UsageError, shown
from elf.paths import MAY_BE_ADDRESS, path_of, refuse_address
from elf.text_file import describe_half, half_character

# Command → (module, what it does). A module is imported only when its command runs: JAX takes seconds to load.
# The command is the module's `main`, or the function named after a colon. It takes a frozen dataclass, read by tyro;
# its docstring, or its module's where it has none, is what --help says.
COMMANDS = {
    "tokenizer train": ("elf.data.train_tokenizer", "train a T5-style unigram tokenizer"),
    "prepare": ("elf.data.prepare", "turn texts into an Arrow dataset of token ids"),
    "pretrain-encoder": ("elf.training.pretrain_encoder", "pre-train a small T5 encoder by masked denoising"),
    "teach-encoder": ("elf.yardstick.teach_encoder", "go on with an encoder by supervised translation"),
    "train": ("elf.training.train", "train an ELF"),
    "burst pack": ("elf.burst.pack:pack", "pack a training to be carried to a GPU for half an hour"),
    "burst unpack": ("elf.burst.pack:unpack", "make a model of what came back"),
    "distill": ("elf.training.distill", "distil an ELF into students of few steps"),
    "golden": ("elf.golden.cases", "hold the training step to numbers that the official code computed"),
    "plan": ("elf.training.plan", "check on paper that a training fits its devices"),
    "sample": ("elf.sampling.sample", "write text with the reference sampler"),
    "reconstruct": ("elf.sampling.sample:reconstruct", "take a text back to noise by the ODE, and forward again"),
    "evaluate": ("elf.evaluation.evaluate", "write texts in many ways and measure them"),
    "compare-metrics": ("elf.evaluation.sweep:compare_metrics", "compare two ways to sample text by text"),
    "plot-sweep": ("elf.evaluation.sweep:plot_sweep", "draw quality against entropy and passes of many ways to sample"),
    "score": ("elf.evaluation.metrics:score", "score generated texts without a model"),
    "train-judge": ("elf.training.train_judge", "train a small language model to judge generated texts"),
    "yardstick train": ("elf.yardstick.train", "train a plain Transformer that ELF's translations are held to"),
    "yardstick evaluate": ("elf.yardstick.translate:evaluate", "translate held-out pairs with it, and measure"),
    "yardstick translate": (
        "elf.yardstick.translate:translate",
        "write pairs whose targets are its translations, to train on",
    ),
    "yardstick export": ("elf.yardstick.export", "write it as ONNX for the page, with the proof of `export-judge`"),
    "bench train-step": ("elf.bench.train_step", "time and FLOPs of a training step against the literal formulation"),
    "bench sample": ("elf.bench.sample", "sampling throughput, time and memory of an evaluation"),
    "bench solvers": ("elf.bench.sample:solvers", "token agreement of few steps of the ODE with very many"),
    "bench peers": ("elf.bench.peers", "one run by ONNX Runtime, JAX and torch, and how time grows"),
    "bench cost-model": ("elf.bench.cost_model", "what training costs on paper"),
    "fetch": ("elf.checkpoints.fetch", "fetch a checkpoint from the hub, pinned and recorded"),
    "export": ("elf.onnx_export.export", "write a model as ONNX, with proof that it is the same model"),
    "export-judge": ("elf.onnx_export.export_judge", "write a judge as ONNX for the page, with the same proof"),
    "renew": ("elf.onnx_export.renew", "bring an exported model to the present format, or to other defaults"),
    "check": ("elf.onnx_export.check", "verify an exported model, file by file and graph by graph"),
    "push": ("elf.onnx_export.check:push", "upload an exported model to the hub"),
    "make-random": ("elf.dev.make_random", "write a model with random weights, for tests"),
    "fixtures": ("elf.dev.fixtures", "write the sampler's reference numbers for the TypeScript tests"),
    "whole-runs": ("elf.dev.whole_runs", "write a model's runs for many seeds, for npm run parity"),
}


OVERRIDE = re.compile(r"[a-z_][\w.]*=")


def command(name: str) -> tuple[Callable[[Any], None], type, str]:
    """What runs the command `name`, the dataclass of its arguments, and what it says of itself."""
    place, _, function = COMMANDS[name][0].partition(":")
    module = importlib.import_module(place)
    run = getattr(module, function or "main")
    return run, get_type_hints(run)["arguments"], inspect.getdoc(run) or module.__doc__ or ""


def usage() -> str:
    lines = ["usage: elf COMMAND [OPTIONS]", "", "commands:"]
    lines += [f"  {name:18} {text}" for name, (_, text) in COMMANDS.items()]
    return "\n".join([*lines, "", "elf COMMAND --help lists the options of one."])


def texts_joined(words: list[str], arguments: type) -> list[str]:
    """The words after a command, each option that takes a text in one word with it: a text may begin with a dash, and a
    parser would take it for an option. What is the name of an option is none."""
    import tyro

    types = get_type_hints(arguments, include_extras=True)
    names = {field.name.replace("_", "-"): types[field.name] for field in dataclasses.fields(arguments)}
    options = {"-h", "--help", *(f"--{no}{name}" for name in names for no in ("", "no-"))}
    # An option that may repeat takes one text each time.
    kinds = (str, str | None, Annotated[tuple[str, ...], tyro.conf.UseAppendAction])
    texts = {f"--{name}" for name, kind in names.items() if kind in kinds}
    joined: list[str] = []
    for word in words:
        is_option = word in options or (word.split("=")[0] in options and not re.search(r"\s", word))
        if joined and joined[-1] in texts and word.startswith("-") and not is_option:
            joined[-1] += f"={word}"
        else:
            joined.append(word)
    return joined


def with_addresses(arguments: Any) -> Any:
    """The arguments, what names something in a bucket as its address: tyro has made a path of this machine of it.

    Raises UsageError where an option takes none.
    """
    kinds = get_type_hints(type(arguments), include_extras=True)
    for field in dataclasses.fields(arguments):
        if not isinstance(path := getattr(arguments, field.name), Path):
            continue
        kind = kinds[field.name]
        if any(MAY_BE_ADDRESS in getattr(each, "__metadata__", ()) for each in (kind, *get_args(kind))):
            arguments = dataclasses.replace(arguments, **{field.name: path_of(path)})
        else:
            refuse_address(path, f"--{field.name.replace('_', '-')}")
    return arguments


def main(argv: list[str] | None = None) -> int:
    argv = list(sys.argv[1:] if argv is None else argv)
    if not argv or argv[0] in ("-h", "--help"):
        print(usage())
        return 0 if argv else 2
    # A command's name is one word or two (`tokenizer train`).
    words = next((n for n in (1, 2) if " ".join(argv[:n]) in COMMANDS), 0)
    if not words:
        print(f"elf: there is no command {argv[0]!r}\n\n{usage()}", file=sys.stderr)
        return 2
    try:
        run_command(" ".join(argv[:words]), argv[words:])
    except ElfError as error:
        return told(error)
    except BrokenPipeError:
        # The reader of our output (head, less) has left; nothing is wrong.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except KeyboardInterrupt:
        sys.stderr.write("elf: stopped by Ctrl-C\n")
        return 128 + signal.SIGINT
    except OSError as error:
        # One without a number is a library's own, of a connection say, and no sentence of the system's.
        if error.errno is None:
            raise
        if file := file_in_the_way(error):
            return told(OutputExistsError(f"{file} is a file, not a folder", "Give another path, or move it away."))
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
        sys.stderr.write(f"elf: {shown(': '.join(filter(None, (path, error.strerror))))}\n")
        return 1
    return 0


def run_command(name: str, rest: list[str]) -> None:
    """Runs the command `name` with the words after it."""
    import tyro

    run, kind, description = command(name)
    # Commands with a configuration file take bare `field=value` words over it.
    takes_overrides = "overrides" in {field.name for field in dataclasses.fields(kind)}
    overrides = tuple(word for word in rest if takes_overrides and OVERRIDE.match(word))
    rest = [word for word in rest if word not in overrides]
    for word in rest:
        # Bytes that are no UTF-8 arrive as halves of characters. Names of files may have them, texts may not.
        if (at := half_character(word)) is not None and not Path(word).exists():
            raise UsageError(describe_half(word, at), "Give the text as UTF-8.")
    rest = texts_joined(rest, kind)
    arguments: Any = tyro.cli(kind, args=rest, prog=f"elf {name}", description=description)
    arguments = with_addresses(arguments)
    if overrides:
        arguments = dataclasses.replace(arguments, overrides=overrides)
    run(arguments)


def told(error: ElfError) -> int:
    """Prints a named error; the exit code."""
    # In one piece with its end: a library's thread that goes on may speak in between.
    sys.stderr.write(f"elf: {type(error).__name__}: {error}\n     {error.action}\n")
    return 2


def file_in_the_way(error: OSError) -> Path | None:
    """The file that stands where a folder is needed, if that is what `error` tells of."""
    if not isinstance(error, FileExistsError | NotADirectoryError) or not isinstance(error.filename, str | bytes):
        return None
    path = Path(os.fsdecode(error.filename))
    return next((each for each in (path, *path.parents) if each.is_file()), None)


if __name__ == "__main__":
    sys.exit(main())
