"""What `npm test` leaves out, the tests marked `slow`: few of them, each with a reason, and no file as a whole."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MOST = 0.05
"""Of all test functions, this share may be slow in any of its cases."""


def functions(file: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"))


def slow_marks(tree: ast.AST) -> list[ast.AST]:
    """Every `pytest.mark.slow` within, called or not."""
    return [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr == "slow"]


def always_slow(function: ast.FunctionDef) -> bool:
    """Whether the whole test is: some cases of one may be, and the others not."""
    return any(
        isinstance(each, ast.Call) and isinstance(each.func, ast.Attribute) and each.func.attr == "slow"
        for each in function.decorator_list
    )


FILES = sorted(TESTS.glob("test_*.py"))


def test_the_mark_is_known_and_an_unknown_one_is_an_error(pytestconfig: pytest.Config) -> None:
    assert any(line.startswith("slow(why)") for line in pytestconfig.getini("markers"))
    assert "--strict-markers" in pytestconfig.getini("addopts")


def test_few_tests_are_slow() -> None:
    every = [function for file in FILES for function in functions(file)]
    slow = [function.name for function in every if any(map(slow_marks, function.decorator_list))]
    assert 0 < len(slow) <= MOST * len(every), slow


def test_no_file_is_slow_as_a_whole() -> None:
    found = {file.stem: [*map(always_slow, functions(file))] for file in FILES}
    assert not [name for name, slow in found.items() if all(slow)]


def test_each_mark_says_why() -> None:
    for file in FILES:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
        said = {node.func: len(node.args) for node in calls}
        assert all(said.get(mark) == 1 for mark in slow_marks(tree)), file.name
