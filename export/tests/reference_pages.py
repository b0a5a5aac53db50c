"""The pages of the documentation's reference that are read off this package: `docs/reference/…`.

`python export/tests/reference_pages.py` writes them (`npm run docs -- reference`); a test compares.
"""

import ast
import dataclasses
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import tyro

import elf
from elf.cli import COMMANDS, command
from elf.training.distill_config import DistillConfig
from elf.training.train_config import TrainConfig

FOLDER = Path(__file__).parents[2] / "docs" / "reference"
SOURCES = Path(elf.__file__).parent


def pages() -> dict[str, str]:
    """Text of each page by the name of its file."""
    return {
        "elf.md": commands_page(),
        "configuration.md": configuration_page(),
        "python-errors.md": errors_page(),
    }


# --- Fields of a dataclass ----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Field:
    name: str
    kind: Any
    default: Any
    """`dataclasses.MISSING` where there is none."""
    help: str
    marks: tuple[Any, ...]
    """What tyro was told of it."""


def fields_of(kind: type) -> Iterator[Field]:
    hints = get_type_hints(kind, include_extras=True)
    docs = docstrings(kind)
    for field in dataclasses.fields(kind):
        hint, marks = hints[field.name], []
        while get_origin(hint) is Annotated:
            hint, *more = get_args(hint)
            marks += more
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        yield Field(field.name, hint, default, docs.get(field.name, ""), tuple(marks))


def docstrings(kind: type) -> dict[str, str]:
    """The text below each field, those of the classes it stands on too."""
    found: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0].body  # type: ignore[attr-defined]
        for field, doc in itertools.pairwise(body):
            if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
                found.pop(field.target.id, None)
                if isinstance(doc, ast.Expr) and isinstance(doc.value, ast.Constant):
                    found[field.target.id] = " ".join(str(doc.value.value).split())
    return found


def said(kind: Any) -> str:
    """A type as a person gives it."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return said(inner[0])
    if origin is Literal:
        return " or ".join(f"`{choice}`" for choice in inner)
    if origin is tuple:
        return f"{said(inner[0])} …" if inner[-1] is Ellipsis else ", ".join(map(said, inner))
    if origin is Union or type(None) in inner:
        return " or ".join("`null`" if each is type(None) else said(each) for each in inner)
    return {"str": "text", "int": "integer", "float": "number", "bool": "true or false"}.get(kind.__name__, "path")


def shown(default: Any) -> str:
    if default is dataclasses.MISSING:
        return "must be given"
    if default is None or default in ((), ""):
        return "–"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return f"`{' '.join(map(str, default))}`"
    return f"`{default}`"


# --- Markdown -----------------------------------------------------------------------------------------------------


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell(text) for text in row)} |\n" for row in lines)


def cell(text: str) -> str:
    """A text in a table: code in backticks as it is, elsewhere nothing that could be a tag or a placeholder."""
    parts = " ".join(text.split()).split("`")
    for at in range(0, len(parts), 2):
        parts[at] = parts[at].replace("<", "&lt;").replace("{{", "&#123;{").replace("*", "\\*")
    return "`".join(parts).replace("|", "\\|")


def prose(doc: str | None) -> str:
    paragraphs = inspect.cleandoc(doc or "").split("\n\n")
    return "\n\n".join(cell(paragraph) for paragraph in paragraphs)


def page(title: str, lead: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", f"{lead}\n", *parts]).rstrip() + "\n"


# --- Commands -----------------------------------------------------------------------------------------------------


def commands_page() -> str:
    lead = """\
Every command of the Python package, read off its code. Here `npm run elf -- COMMAND` runs one, elsewhere, after
`pip install ./export`, `elf COMMAND`; `elf COMMAND --help` says the same. A command that takes a configuration takes
bare `field=value` words over it. Exit code 2 says that something asked for cannot be, with
[what to do](./python-errors.md)."""
    return page("The command elf", lead, *(command_part(name, does) for name, (_, does) in COMMANDS.items()))


def command_part(name: str, does: str) -> str:
    _, arguments, description = command(name)
    positional, options = [], []
    for field in fields_of(arguments):
        if field.name == "overrides":
            positional.append(("`field=value …`", "–", field.help))
        elif tyro.conf.Positional in field.marks:
            positional.append((f"`{field.name.upper()}`, {said(field.kind)}", shown(field.default), field.help))
        else:
            options.append((option(field), shown(field.default), field.help))
    rows = [*positional, *options]
    parts = [f"## elf {name}\n", f"*{does[0].upper()}{does[1:]}.*\n", f"{prose(description)}\n"]
    return "\n".join([*parts, table(("option", "unless given", ""), rows) if rows else ""])


def option(field: Field) -> str:
    name = field.name.replace("_", "-")
    if field.kind is bool:
        return f"`--{name}`, `--no-{name}`"
    kind = said(field.kind).replace(" or `null`", "")
    again = ", may repeat" if tyro.conf.UseAppendAction in field.marks else ""
    return f"`--{name}` {kind.replace(' …', '') if again else kind}{again}"


# --- Configuration ------------------------------------------------------------------------------------------------


def configuration_page() -> str:
    lead = """\
The fields of a training's YAML, read off the code: `elf train --config FILE field=value …`. A field in a group is
written `group.field=value` in the shell. What is not there, has the wrong type or cannot be is refused by its name."""
    kinds = {"elf train": TrainConfig, "elf distill": DistillConfig}
    return page("Configuration", lead, *(configuration_part(name, kind) for name, kind in kinds.items()))


def configuration_part(name: str, kind: type) -> str:
    own, groups = [], []
    for field in fields_of(kind):
        if dataclasses.is_dataclass(field.kind) and isinstance(field.kind, type):
            groups.append((field.name, field.kind, field.help))
        else:
            own.append(configuration_row(field))
    parts = [f"## {name}\n", table(("field", "type", "unless set", ""), own)]
    for group, inner, help_text in groups:
        doc = help_text or (inner.__doc__ or "").split("\n\n")[0]
        parts += [f"### {group}: of {name}\n", *([] if doc.startswith(f"{inner.__name__}(") else [f"{prose(doc)}\n"])]
        parts.append(table(("field", "type", "unless set", ""), [configuration_row(each) for each in fields_of(inner)]))
    return "\n".join(parts)


def configuration_row(field: Field) -> tuple[str, ...]:
    return f"`{field.name}`", said(field.kind), shown(field.default), field.help


# --- Errors -------------------------------------------------------------------------------------------------------


def errors_page() -> str:
    trees = [ast.parse(file.read_text("utf-8")) for file in sorted(SOURCES.rglob("*.py"))]
    nodes = [node for tree in trees for node in ast.walk(tree)]
    names = {"ElfError"}
    classes: dict[str, ast.ClassDef] = {}
    while more := {
        node.name: node
        for node in nodes
        if isinstance(node, ast.ClassDef)
        and node.name not in names
        and any(isinstance(base, ast.Name) and base.id in names for base in node.bases)
    }:
        names |= set(more)
        classes |= more
    lead = f"""\
Every error of `elf` that has a name, with what it says and what it advises, read off the code. `…` stands for what
differs from case to case. `elf` prints both and exits with code 2; in Python they are subclasses of `ElfError`, with
the advice as `action`. There are {len(classes)} of them."""
    parts = []
    for name, node in classes.items():
        rows = sorted(set(cases(name, nodes)))
        body = table(("it says", "what to do"), rows) if rows else ""
        parts.append("\n".join([f"## {name}\n", f"{prose(ast.get_docstring(node))}\n", body]))
    return page("Errors of elf", lead, *parts)


def cases(name: str, nodes: list[ast.AST]) -> Iterator[tuple[str, str]]:
    for node in nodes:
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name):
            continue
        if len(node.args) != 2:
            continue
        for message in texts(node.args[0]):
            for action in texts(node.args[1]):
                if message != "…" or action != "…":
                    yield message, action


def texts(node: ast.expr) -> list[str]:
    """What an expression may say; `…` for what only a run knows."""
    match node:
        case ast.Constant(value=str(value)):
            return [value]
        case ast.JoinedStr(values=values):
            text = "".join(part.value if isinstance(part, ast.Constant) else "…" for part in values)
            return [re.sub(r"…(\s*…)+", "…", text)]
        case ast.IfExp(body=body, orelse=other):
            return [*texts(body), *texts(other)]
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return [one + two for one in texts(left) for two in texts(right)]
    return ["…"]


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text, "utf-8")
