"""Imports point one way: nothing imports what stands above it in the order of the package, `elf.__doc__`."""

import ast
import dataclasses
import graphlib
import importlib.metadata
import inspect
import re
import sys
import tomllib
from pathlib import Path

import pytest

import elf
from elf import cli

ROOT = Path(elf.__file__).parent

ORDER = (
    ("errors",),
    ("paths",),
    ("text_file",),
    ("config", "config_file", "devices", "progress"),
    ("data",),
    ("network",),
    ("checkpoints",),
    ("models",),
    ("sampling",),
    ("evaluation",),
    ("training",),
    ("onnx_export", "burst"),
    ("yardstick",),
    ("dev",),
    ("bench", "golden"),
    ("cli",),
)
"""From the bottom up; what stands on one level does not know each other."""

MOST_LINES = 400
"""Of a file."""

PROJECT = ROOT.parents[1]

BESIDE = {"torch"}
"""Installed beside this package by whoever wants it."""

LEVEL = {part: level for level, parts in enumerate(ORDER) for part in parts}


def imported(source: str, inside: str) -> set[str]:
    """The modules of this package that a file names in its imports, wherever in it they stand; `inside` is its own
    package, which relative imports start from."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            start = ".".join(inside.split(".")[: len(inside.split(".")) + 1 - node.level]) if node.level else ""
            module = ".".join(filter(None, (start, node.module)))
            found |= {f"{module}.{alias.name}" for alias in node.names} if module == "elf" else {module}
    return {name for name in found if name.startswith("elf.")}


def breaches(root: Path) -> list[str]:
    """The imports below `root`, the folder of the package, that point up or sideways."""
    found = []
    for path in sorted(root.rglob("*.py")):
        parts = path.relative_to(root).with_suffix("").parts
        if parts == ("__init__",):
            continue
        for module in sorted(imported(path.read_text(), ".".join(("elf", *parts[:-1])))):
            other = module.split(".")[1]
            if other != parts[0] and LEVEL[other] >= LEVEL[parts[0]]:
                found.append(f"{'/'.join(parts)}.py imports {module}")
    return found


def test_nothing_imports_what_stands_above_it() -> None:
    assert breaches(ROOT) == []


def test_every_part_of_the_package_has_its_place() -> None:
    parts = {path.stem for path in ROOT.iterdir() if path.suffix == ".py" or (path / "__init__.py").is_file()}
    assert parts - {"__init__"} == LEVEL.keys()
    # The order that people read is this one.
    told = [line.split()[0] for line in inspect.cleandoc(elf.__doc__ or "").splitlines()[2:]]
    assert told == [part for parts in reversed(ORDER) for part in parts]


def mapped(readme: str) -> dict[str, list[str]]:
    """Part → its files, in the order in which the package's README lists them: `part` on a line of its own, what is in
    it below, further in."""
    listed = readme.partition("## The package")[2].partition("```\n")[2].partition("```")[0]
    parts: dict[str, list[str]] = {}
    for line in listed.splitlines():
        if line.startswith(" "):
            parts[next(reversed(parts))] += line.split()
        else:
            parts[line.split()[0]] = []
    return parts


def test_the_map_in_the_readme_is_the_tree() -> None:
    parts = mapped((PROJECT / "README.md").read_text(encoding="utf-8"))
    assert [*parts] == [part for level in ORDER for part in level]
    for part, files in parts.items():
        found = (path.relative_to(ROOT / part).with_suffix("").as_posix() for path in (ROOT / part).rglob("*.py"))
        assert sorted(files) == sorted(name for name in found if not name.endswith("__init__")), part


def test_no_two_files_need_each_other() -> None:
    """Also within a part the imports point one way."""
    needed = {".".join(("elf", *path.relative_to(ROOT).with_suffix("").parts)): path for path in ROOT.rglob("*.py")}
    arrows = {
        module: [other for other in imported(path.read_text(), module.rpartition(".")[0]) if other in needed]
        for module, path in needed.items()
    }
    graphlib.TopologicalSorter(arrows).prepare()  # raises CycleError, which names the files


def test_texts_are_read_in_an_encoding_that_is_said() -> None:
    """Ruff's rule does not see the paths that others hand over."""
    assert not [path for path in ROOT.rglob("*.py") if ".read_text()" in path.read_text(encoding="utf-8")]


def is_one_sentence(doc: str) -> bool:
    return bool(re.fullmatch(r"\S[^\n]*(\n[^\n]+)*[.]", doc)) and not re.search(r"[.!?]\s+[A-Z`“]", doc)


def test_every_file_can_be_read_in_one_sitting_and_says_in_a_sentence_what_it_is_for() -> None:
    for path in ROOT.rglob("*.py"):
        source = path.read_text(encoding="utf-8")
        assert len(source.splitlines()) <= MOST_LINES, path
        doc = ast.get_docstring(ast.parse(source)) or ""
        if path == ROOT / "__init__.py":
            # Behind its sentence stands the order of the package.
            doc = doc.partition(":\n\n")[0] + "."
        assert is_one_sentence(doc), path


@pytest.mark.parametrize("doc", ["", "No end", "One. Two.", "One.\n\nTwo.", "One, of `this`. `That` is two.", " Late."])
def test_what_is_not_one_sentence_is_found(doc: str) -> None:
    assert not is_one_sentence(doc)
    assert is_one_sentence("What there is, e.g. this (Lu et al. 2022), in\ntwo lines.")


def test_every_library_that_is_imported_is_declared_and_locked() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    optional = (each for of in project["optional-dependencies"].values() for each in of)
    declared = {canonical(each) for each in (*project["dependencies"], *optional)}
    locked = {canonical(line) for line in (PROJECT / "requirements.txt").read_text().splitlines() if "==" in line}
    assert {canonical(each) for each in project["dependencies"]} <= locked
    libraries = importlib.metadata.packages_distributions()
    for path in ROOT.rglob("*.py"):
        for name in imported_libraries(path.read_text(encoding="utf-8")) - BESIDE:
            assert {canonical(each) for each in libraries.get(name, [name])} & declared, (path, name)


def canonical(requirement: str) -> str:
    """The name in a requirement, as an index knows it."""
    return re.sub(r"[-_.]+", "-", re.split(r"[^\w.-]", requirement.strip())[0]).lower()


def imported_libraries(source: str) -> set[str]:
    """Top-level names of what is imported and is neither Python's own nor this package."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"elf"}


def test_commands_are_where_the_command_line_looks_for_them() -> None:
    for name in cli.COMMANDS:
        _, arguments, description = cli.command(name)
        assert dataclasses.is_dataclass(arguments) and description, name


@pytest.mark.parametrize(
    "line",
    [
        "from elf.training.step import TrainStep",
        "import elf.onnx_export.export",
        "from elf import evaluation",
        "from ..sampling import sampler",
        "def later():\n    from elf.cli import main",
        "if True:\n    import elf.bench.machine as machine",
    ],
)
def test_a_breach_is_found(tmp_path: Path, line: str) -> None:
    for name in ("models", "network"):
        (tmp_path / name).mkdir()
    (tmp_path / "network" / "model.py").write_text(
        "import numpy\nfrom elf.network import modules\nfrom . import encoder\n"
    )
    (tmp_path / "models" / "open_model.py").write_text("from elf.network.model import ELF\n")
    assert breaches(tmp_path) == []
    (tmp_path / "models" / "planted.py").write_text(f"{line}\n")
    [breach] = breaches(tmp_path)
    assert breach.startswith("models/planted.py imports elf.")
