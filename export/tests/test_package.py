"""The package as others get it: a wheel built from the source archive, in an environment where nothing is edited."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
# Called as the standard (PEP 517) has it, by the back end that pyproject.toml names: no other tool is needed.
BUILD = "import sys; from setuptools import build_meta; build_meta.build_{}(sys.argv[1])"


def build(kind: str, source: Path, out: Path) -> Path:
    out.mkdir()
    subprocess.run([sys.executable, "-c", BUILD.format(kind), str(out)], cwd=source, check=True, capture_output=True)
    [built] = out.iterdir()
    return built


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    source = folder / "source"
    # What building leaves behind stays out of the tree that is worked in.
    unwanted = shutil.ignore_patterns(".venv", "__pycache__", "*.egg-info", "build", "tests", ".*_cache")
    shutil.copytree(PROJECT, source, ignore=unwanted)
    return build("sdist", source, folder / "out")


@pytest.fixture(scope="module")
def wheel(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    [source] = folder.iterdir()
    return build("wheel", source, folder / "out")


def environment() -> dict[str, str]:
    """This process's variables without those that would show it the tree."""
    return {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Programs of a fresh environment that the wheel is installed in. The libraries are those that are here already."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False)
    paths = {"base": str(folder), "platbase": str(folder)}
    packages = Path(sysconfig.get_path("purelib", "venv", paths))
    (packages / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = Path(sysconfig.get_path("scripts", "venv", paths)) / "python"
    install = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(install, check=True, capture_output=True, env=environment())
    return python.parent


def test_both_archives_hold_the_package_and_its_licence_and_no_tests(archive: Path, wheel: Path) -> None:
    modules = {path.relative_to(PROJECT / "src").as_posix() for path in (PROJECT / "src" / "elf").rglob("*.py")}
    with zipfile.ZipFile(wheel) as zipped:
        names = set(zipped.namelist())
        [metadata] = [zipped.read(name).decode() for name in names if name.endswith("METADATA")]
    assert {name for name in names if name.endswith(".py")} == modules
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert "License-Expression: MIT" in metadata
    # Its page on an index.
    assert (PROJECT / "README.md").read_text(encoding="utf-8").splitlines()[0] in metadata
    with tarfile.open(archive) as tar:
        packed = {name.split("/", 1)[1] for name in tar.getnames() if "/" in name}
    assert {f"src/{module}" for module in modules} | {"LICENSE", "README.md", "pyproject.toml"} <= packed
    assert not [name for name in packed | names if name.startswith("tests/")]


@pytest.mark.slow("the installed package writes a model and exports it, in processes of their own")
def test_the_installed_command_exports_a_model(programs: Path, tmp_path: Path) -> None:
    def elf(*words: str) -> str:
        ended = subprocess.run(
            [programs / "elf", *words], cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False
        )
        assert ended.returncode == 0, ended.stderr
        return ended.stdout

    where = [programs / "python", "-c", "import elf; print(elf.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=True).stdout
    assert Path(found.strip()).is_relative_to(programs.parent)
    assert "write a model as ONNX, with proof that it is the same model" in elf("--help")
    elf("make-random", "--out", "random")
    elf(
        "export",
        "random",
        "--name",
        "random",
        "--dtype",
        "f32",
        "--ungated",
        "--no-calibrate",
        "--parity-seeds",
        "16",
        "--out",
        "exported",
    )
    assert (tmp_path / "exported" / "manifest.json").exists()
