"""Verify a folder that `elf export` wrote: files, the weights of every dtype, and what the graphs compute with them."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from safetensors import SafetensorError
from safetensors.numpy import load_file

from elf.disk import sha256
from elf.errors import ExportedModelError, first_line
from elf.models.exported.stored_weights import StoredWeights
from elf.onnx_export.check_weights import check_graph, check_index
from elf.onnx_export.manifest_fields import read_manifest
from elf.onnx_export.packed_graphs import PackedWeights
from elf.progress import say, told
from elf.sampling.networks import GraphSession

GREATEST_ERROR = 2e-3
"""Of a stored output's largest number, as in the page."""
TIE = 0.01
"""Two tokens whose probabilities are this close may change places."""


@dataclass(frozen=True)
class Arguments:
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of an exported model."""


def main(arguments: Arguments) -> None:
    print(json.dumps(check_folder(arguments.folder), indent=2))


def check_folder(folder: Path) -> dict[str, Any]:
    """What was found: name, files, bytes, and by dtype the worst error of its self-test.

    Raises ExportedModelError or StoredWeightsError, which name the file that is at fault.
    """
    manifest = read_manifest(folder)
    check_files(folder, manifest["files"])
    dtypes: dict[str, Any] = {}
    for dtype, entry in manifest["dtypes"].items():
        check_listed(manifest, [entry["index"], *entry["shards"], entry["selfTest"]], f"dtypes.{dtype}")
        index = check_index(folder, dtype, entry)
        say(f"opening the graphs with the weights of {dtype}")
        plain, tests = StoredWeights(folder / "onnx", dtype), read_self_test(folder / entry["selfTest"])
        narrow, worst = PackedWeights(plain), 0.0
        for graph, path, packed in graphs_of(manifest, dtype):
            check_listed(manifest, [path], f"graphs.{graph}")
            check_graph(folder / path, graph, index, packed=packed)
            session = open_graph(folder / path, narrow if packed else plain)
            worst = max(worst, check_outputs(path, graph, session, tests))
        dtypes[dtype] = {"bytes": index.bytes, "selfTestError": worst}
    return {
        "name": manifest["name"],
        "files": len(manifest["files"]) + 1,
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "dtypes": dtypes,
    }


def check_files(folder: Path, files: list[dict[str, Any]]) -> None:
    """Raises ExportedModelError for the first file that is missing, changed, or not listed."""
    for entry in told(files, "reading files"):
        path = folder / entry["path"]
        if not path.is_file():
            raise ExportedModelError(f"{entry['path']} is missing", "Copy it again, or export the model again.")
        if path.stat().st_size != entry["bytes"] or sha256(path) != entry["sha256"]:
            raise ExportedModelError(
                f"{entry['path']} is not the file that the manifest was written for",
                "Copy it again, or export the model again.",
            )
    listed = {entry["path"] for entry in files} | {"manifest.json"}
    for path in sorted(file for file in folder.rglob("*") if file.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in listed and not name.startswith("."):
            raise ExportedModelError(f"{name} is no file of the model", "Take it out of the folder.")


def check_listed(manifest: Mapping[str, Any], needed: list[str], field: str) -> None:
    listed = {entry["path"] for entry in manifest["files"]}
    for path in needed:
        if path not in listed:
            raise ExportedModelError(f"{field} needs {path}, which is not among the files", "Export the model again.")


def graphs_of(manifest: Mapping[str, Any], dtype: str) -> Iterator[tuple[str, str, bool]]:
    """Name and path of every graph and variant that a dtype is run with, and whether its kernels stay packed there."""
    for graph, entry in manifest["graphs"].items():
        yield graph, entry["file"], False
        if "fused" in entry:
            yield graph, entry["fused"], False
        if dtype in entry.get("packed", {}):
            yield graph, entry["packed"][dtype], True


def open_graph(path: Path, weights: Mapping[str, np.ndarray]) -> GraphSession:
    try:
        return GraphSession(path, weights)
    except Exception as error:  # onnxruntime raises many kinds
        raise ExportedModelError(
            f"onnxruntime cannot open {path.name}: {first_line(error)}", "Export the model again."
        ) from error


def read_self_test(path: Path) -> dict[str, np.ndarray]:
    """The stored inputs and outputs of a dtype, `graph.name` each."""
    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise ExportedModelError(f"{path.name} cannot be read: {error}", "Export the model again.") from error


def check_outputs(path: str, graph: str, session: GraphSession, tests: Mapping[str, np.ndarray]) -> float:
    """The greatest error of a graph's outputs on its stored inputs. Raises ExportedModelError where it is too great."""
    stored = {output.name: tests.get(f"{graph}.{output.name}") for output in session.get_outputs()}
    expected = {name: value for name, value in stored.items() if value is not None}
    if not expected:
        raise ExportedModelError(f"the self-test has nothing of {path}", "Export the model again.")
    names = [each.name for each in session.get_inputs()]
    if lacking := [name for name in names if f"{graph}.{name}" not in tests]:
        raise ExportedModelError(f"the self-test of {path} lacks {lacking[0]}", "Export the model again.")
    found = session.run([*expected], {name: tests[f"{graph}.{name}"] for name in names})
    errors = {name: output_error(name, value, stored, expected) for name, value in zip(expected, found, strict=True)}
    worst = max(errors, key=lambda name: errors[name])
    if not errors[worst] <= GREATEST_ERROR:
        raise ExportedModelError(
            f"{path} computes another {worst} than was stored, off by {errors[worst]:.2g} of the largest",
            "Export the model again; if it stays, onnxruntime computes wrongly here.",
        )
    return errors[worst]


def output_error(name: str, found: np.ndarray, stored: Any, expected: Mapping[str, np.ndarray]) -> float:
    """max |a − b| / max |b|; of tokens, infinite where a clear best one is another."""
    value = expected[name]
    if found.shape != value.shape:
        return float("inf")
    if name != "top_tokens":
        return float(np.abs(found - value).max() / max(np.abs(value).max(), 1e-30))
    probabilities = stored["top_probabilities"]
    clear = probabilities[..., 0] - probabilities[..., 1] >= TIE if probabilities.shape[-1] > 1 else True
    return float("inf") if ((found[..., 0] != value[..., 0]) & clear).any() else 0.0
