"""Verify the folder of an exported model or judge, its files, its weights in every dtype, its graphs; and upload one
that is sound."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import onnx_ir as ir
import tyro
from safetensors import SafetensorError
from safetensors.numpy import load_file

from elf.errors import ExportedModelError, HubError, first_line
from elf.evaluation.judge import MANIFEST, SCHEMA_VERSION, SIZES
from elf.models.encodings import BITS, DTYPES, Dtype, encoded_bytes
from elf.models.exported_folder import GREATEST_SHARD, StoredWeights
from elf.models.weight_places import PackedSlots, Slot, WeightIndex, read_index
from elf.onnx_export.graphs import SCALES, VALUES, PackedWeights
from elf.onnx_export.manifest import NUMBER, Kind, check_fields, check_file_entries, read_manifest
from elf.paths import sha256
from elf.progress import say, told
from elf.sampling.networks import GraphSession
from elf.text_file import json_value

EXPORT_AGAIN = "Export the model again."


def check_index(folder: Path, dtype: Dtype, entry: dict[str, Any]) -> WeightIndex:
    """The index of `dtype`, whose entry in the manifest is `entry`. Raises ExportedModelError, StoredWeightsError."""
    index, path = read_index(folder / entry["index"]), entry["index"]
    sizes = [(folder / shard).stat().st_size for shard in entry["shards"]]
    if max(sizes) > GREATEST_SHARD:
        raise ExportedModelError(f"{entry['shards'][0]} or another shard is above 64 MB", EXPORT_AGAIN)
    if not index.dtype == dtype or not index.bytes == sum(sizes) == entry["bytes"]:
        raise _wrong(path, f"it is not of {dtype}, or of other shards than those of {sum(sizes)} bytes")
    for tensor in index.tensors:
        if tensor.bytes != encoded_bytes(tensor.shape, tensor.encoding, tensor.block):
            raise _wrong(path, f"{tensor.name} takes {tensor.bytes} bytes")
        if (tensor.encoding in BITS) != bool(tensor.block):
            raise _wrong(path, f"{tensor.name} has a wrong block")
    _check_places(path, "the shards", index.bytes, ((t.offset, t.bytes, t.name) for t in index.tensors))
    for files, places in ((index.files, plain_places(index)), (index.packed_files, packed_places(index))):
        for number, file in enumerate(files):
            inside = ((slot.offset, slot.length, name) for name, slot in places.items() if slot.file == number)
            _check_places(path, file.path, file.bytes, inside)
    return index


def _check_places(path: str, where: str, size: int, places: Iterable[tuple[int, int, str]]) -> None:
    end = 0
    for offset, length, name in sorted(places):
        if offset < end or offset + length > size:
            raise _wrong(path, f"{name} lies over another tensor of {where}, or behind their end")
        end = offset + length


def check_graph(path: Path, graph: str, index: WeightIndex, *, packed: bool) -> None:
    """Whether every tensor that a graph keeps outside lies where the index says. `graph` is its name, without that of
    a variant. Raises ExportedModelError."""
    try:
        model = ir.load(path)
    except Exception as error:  # protobuf raises its own kinds
        raise ExportedModelError(f"{path.name} is no ONNX graph: {error}", EXPORT_AGAIN) from error
    places, files = (packed_places(index), index.packed_files) if packed else (plain_places(index), index.files)
    for name, value in model.graph.initializers.items():
        outside = value.const_value
        if not isinstance(outside, ir.ExternalTensor):
            continue
        slot = places.get(name)
        if slot is None or slot.file >= len(files):
            raise ExportedModelError(f"{path.name} reads {name}, which the index of {index.dtype} lacks", EXPORT_AGAIN)
        file = files[slot.file]
        named = outside.location, outside.offset or 0, outside.length, tuple(outside.shape.numpy())
        if named != (file.path, slot.offset, slot.length, slot.shape) or graph not in file.graphs:
            raise ExportedModelError(
                f"{path.name} looks for {name} elsewhere than the index of {index.dtype} puts it", EXPORT_AGAIN
            )


def plain_places(index: WeightIndex) -> dict[str, Slot]:
    return {tensor.name: tensor.slot for tensor in index.tensors}


def packed_places(index: WeightIndex) -> dict[str, Slot]:
    """The same of packed graphs, which name a kernel's values and scales apart."""
    places: dict[str, Slot] = {}
    for tensor in index.tensors:
        if isinstance(tensor.packed, PackedSlots):
            places |= {f"{tensor.name}{VALUES}": tensor.packed.values, f"{tensor.name}{SCALES}": tensor.packed.scales}
        elif tensor.packed:
            places[tensor.name] = tensor.packed
    return places


def _wrong(path: str, detail: str) -> ExportedModelError:
    return ExportedModelError(f"{path} is wrong: {detail}", EXPORT_AGAIN)


GREATEST_ERROR = 2e-3
"""Of a stored output's largest number, as in the page."""
TIE = 0.01
"""Two tokens whose probabilities are this close may change places."""


@dataclass(frozen=True)
class Arguments:
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of an exported model or judge."""


def main(arguments: Arguments) -> None:
    """Verify a folder that `elf export`, `elf export-judge` or `elf yardstick export` wrote: files, the weights of
    every dtype, and what the graphs compute with them."""
    print(json.dumps(check_folder(arguments.folder), indent=2))


def check_folder(folder: Path) -> dict[str, Any]:
    """What was found: name, files, bytes, and by dtype the worst error of its self-test.

    Raises ExportedModelError or StoredWeightsError, which name the file that is at fault.
    """
    is_judge = (folder / MANIFEST).is_file() and not (folder / "manifest.json").is_file()
    return check_judge(folder) if is_judge else check_model(folder)


def check_model(folder: Path) -> dict[str, Any]:
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
    return report_of(manifest, dtypes)


def report_of(manifest: Mapping[str, Any], dtypes: dict[str, Any]) -> dict[str, Any]:
    """What is told of a sound folder; its files are those of the list, and the list itself."""
    return {
        "name": manifest["name"],
        "files": len(manifest["files"]) + 1,
        "bytes": sum(file["bytes"] for file in manifest["files"]),
        "dtypes": dtypes,
    }


def check_files(folder: Path, files: list[dict[str, Any]], manifest: str = "manifest.json") -> None:
    """Raises ExportedModelError for the first file that is missing, changed, or not listed; `manifest` lists them."""
    for entry in told(files, "reading files"):
        path = folder / entry["path"]
        if not path.is_file():
            raise ExportedModelError(f"{entry['path']} is missing", "Copy it again, or export the model again.")
        if path.stat().st_size != entry["bytes"] or sha256(path) != entry["sha256"]:
            raise ExportedModelError(
                f"{entry['path']} is not the file that the manifest was written for",
                "Copy it again, or export the model again.",
            )
    listed = {entry["path"] for entry in files} | {manifest}
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
    try:
        found = session.run([*expected], {name: tests[f"{graph}.{name}"] for name in names})
        results = zip(expected, found, strict=True)
        errors = {name: output_error(name, value, stored, expected) for name, value in results}
    except Exception as error:  # onnxruntime raises many kinds, and NumPy of numbers that do not fit together
        raise ExportedModelError(
            f"{path} cannot be run on the self-test: {first_line(error)}", "Export the model again."
        ) from error
    # An error that is no number is the worst of all.
    worst = [*errors][int(np.argmax([*errors.values()]))]
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


# --- A judge's folder -------------------------------------------------------------------------------------------------

JUDGE_FIELDS: dict[str, Kind] = {
    **dict.fromkeys(("name", "title", "description", "licence", "corpus", "graph"), str),
    "architecture": dict.fromkeys((*SIZES, "parameters"), int),
    "eos": int,
    "weights": {"dtype": str, "index": str, "shards": list, "bytes": int},
    "realText": {"texts": int, "tokens": int, "perplexity": NUMBER, "entropy": NUMBER, "samples": list},
    "files": list,
}
SOURCE_FIELDS: dict[str, Kind] = {"graph": str, "maxLength": int, "before": int}
READ_TOKENS = 8
"""Of a text that the graph is tried on."""


def check_judge(folder: Path) -> dict[str, Any]:
    """As `check_folder`, of a judge. It brings no self-test: `selfTestError` is how far what it says of a text, read in
    two parts by its memory, is from what it says of it read whole."""
    manifest = read_judge_manifest(folder)
    check_files(folder, manifest["files"], MANIFEST)
    weights, source = manifest["weights"], manifest.get("source")
    paths = [manifest["graph"], *([source["graph"]] if source else [])]
    check_listed(manifest, [weights["index"], *weights["shards"], *paths], MANIFEST)
    index = check_index(folder, weights["dtype"], weights)
    stored = StoredWeights(folder / "onnx", weights["dtype"])
    for path in paths:
        check_graph(folder / path, Path(path).stem, index, packed=False)
    judge, *reader = (open_graph(folder / path, stored) for path in paths)
    tokens = np.arange(2, 2 + READ_TOKENS, dtype=np.int64)[None]
    try:
        given = {"memory": reader[0].run(["memory"], {"tokens": tokens})[0]} if reader else {}
        past = no_past(judge)
        whole, _ = judge.run(["logits", "present"], {"tokens": tokens, "past": past, **given})
        cut = READ_TOKENS // 2
        first, past = judge.run(["logits", "present"], {"tokens": tokens[:, :cut], "past": past, **given})
        rest, _ = judge.run(["logits", "present"], {"tokens": tokens[:, cut:], "past": past, **given})
    except Exception as error:  # onnxruntime raises many kinds
        raise ExportedModelError(f"its graphs cannot be run: {first_line(error)}", EXPORT_AGAIN) from error
    apart = float(np.abs(np.concatenate([first, rest], 1) - whole).max() / max(np.abs(whole).max(), 1e-30))
    if not apart <= GREATEST_ERROR:
        raise ExportedModelError(
            f"{manifest['graph']} says something else of a text read in two parts, off by {apart:.2g} of the largest",
            "Export the judge again; if it stays, onnxruntime computes wrongly here.",
        )
    return report_of(manifest, {weights["dtype"]: {"bytes": index.bytes, "selfTestError": apart}})


def no_past(judge: GraphSession) -> np.ndarray:
    """The memory of one text before its first token."""
    shape = next(value.shape for value in judge.get_inputs() if value.name == "past")
    return np.zeros([size if isinstance(size, int) else int(size == "B") for size in shape], np.float32)


def read_judge_manifest(folder: Path) -> dict[str, Any]:
    """Raises ExportedModelError naming the field that is lacking or wrong."""
    try:
        manifest = json_value((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _wrong(MANIFEST, f"it cannot be read: {error}") from error
    if not isinstance(manifest, dict):
        raise _wrong(MANIFEST, "it is no object")
    if manifest.get("schemaVersion") != SCHEMA_VERSION:
        raise _wrong(MANIFEST, f"its schema version is {manifest.get('schemaVersion')} and not {SCHEMA_VERSION}")
    check_fields(manifest, JUDGE_FIELDS, "")
    if "source" in manifest:
        check_fields(manifest["source"], SOURCE_FIELDS, "source")
    if manifest["weights"]["dtype"] not in DTYPES:
        raise _wrong(MANIFEST, f"weights.dtype is none of {', '.join(DTYPES)}")
    check_file_entries(manifest["files"])
    return manifest


# --- A folder that is sound, uploaded -------------------------------------------------------------------------------


@dataclass(frozen=True)
class PushArguments:
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of an exported model or judge."""
    repository: Annotated[str, tyro.conf.Positional]
    """OWNER/NAME on the hub; made where there is none."""
    private: bool = False
    """Make a new repository that others cannot see."""
    revision: str | None = None
    """Branch to write to; made where there is none. The main branch unless given."""


def push(arguments: PushArguments) -> None:
    """Upload an exported model or judge to a repository of the hub, in one commit; a folder that `elf check` refuses
    stays here.

    Run it again after an interruption: files that have arrived are not sent twice.
    """
    report = check_folder(arguments.folder)
    say(f"{report['name']} is sound: {report['files']} files, {report['bytes'] / 1e6:.0f} MB")
    print(json.dumps({**report, "commit": upload(arguments)}, indent=2))


def upload(arguments: PushArguments) -> str:
    """Uploads the folder; returns the commit's address. Raises HubError."""
    import huggingface_hub

    api = huggingface_hub.HfApi()
    try:
        api.create_repo(arguments.repository, private=arguments.private, exist_ok=True)
        if arguments.revision:
            api.create_branch(arguments.repository, branch=arguments.revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=arguments.repository,
            folder_path=arguments.folder,
            revision=arguments.revision,
            commit_message=f"{arguments.folder.absolute().name}, by elf export",
            ignore_patterns=[".*"],
            # Weights of a dtype that is no longer offered.
            delete_patterns=["onnx/*"],
        )
    except Exception as error:  # the library raises many kinds
        raise HubError(
            f"{arguments.folder.name} could not be uploaded to {arguments.repository}: "
            f"{(str(error).splitlines() or [''])[0]}",
            "Log in with `hf auth login`, check name and connection, and run the same command again: files that have "
            "arrived are not sent twice.",
        ) from error
    return str(commit.commit_url)
