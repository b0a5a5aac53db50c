"""The dtypes of an exported model: each written, measured, and offered where it keeps the text."""

from typing import Any

from elf.errors import ConfigError, ParityError
from elf.models.exported.encodings import BITS, DTYPES, Dtype
from elf.models.exported.stored_weights import StoredWeights, remove_weights
from elf.onnx_export.check import check_outputs, open_graph, read_self_test
from elf.onnx_export.manifest import describe_dtype, describe_packed
from elf.onnx_export.mixed_precision import Trial, write_dtype
from elf.onnx_export.packed_graphs import PackedWeights, write_packed_graphs
from elf.onnx_export.self_test import self_test_name, write_self_test
from elf.onnx_export.storage_gate import APPROXIMATE, StorageFigures
from elf.progress import say


def dtypes_of(text: str) -> list[Dtype]:
    """The dtypes of the option, in its order. Raises ConfigError for what is none."""
    known: dict[str, Dtype] = {name: name for name in DTYPES}
    words = [word.strip() for word in text.split(",")]
    if unknown := [word for word in words if word not in known]:
        raise ConfigError(f"there is no dtype {unknown[0]!r}", f"Choose from {', '.join(DTYPES)}.")
    return [*dict.fromkeys(known[word] for word in words)]


def offer_dtypes(
    trial: Trial, dtypes: list[Dtype], manifest: dict[str, Any], *, calibrated: bool, gated: bool
) -> dict[Dtype, StorageFigures]:
    """Writes the dtypes into the trial's folder and enters those that may be offered in the manifest, the first of them
    as its default; returns the figures of all. Not `gated`, all may.

    Raises ParityError where none may, and ExportedModelError where a variant of a graph computes something else.
    """
    measured: dict[Dtype, StorageFigures] = {}
    manifest["dtypes"] = {}
    for dtype in dtypes:
        shards, figures = write_dtype(trial, dtype, calibrated, gated)
        measured[dtype] = figures
        if gated and not figures.passes and dtype not in APPROXIMATE:
            remove_weights(trial.folder, dtype)
            say(
                f"{dtype} is not offered: it keeps {figures.token_agreement:.4f} of the tokens that float32 writes, at "
                f"a normalised edit distance of {figures.edit_distance:.4f}"
            )
            continue
        self_test = write_self_test(trial.model, trial.folder, StoredWeights(trial.folder, dtype), dtype)
        manifest["dtypes"][dtype] = describe_dtype(trial.folder, dtype, shards, self_test, figures)
        manifest.setdefault("defaultDtype", dtype)
        if dtype in BITS:
            describe_packed(manifest, dtype, write_packed(trial, dtype))
    if not manifest["dtypes"]:
        raise ParityError(
            f"the weights stored as {', '.join(dtypes)} write another text than the trained ones",
            "Nothing was written. Add f32 to --dtype, or offer it as approximate with --ungated.",
        )
    return measured


def write_packed(trial: Trial, dtype: Dtype) -> dict[str, str]:
    """Writes the graphs whose kernels stay packed; their file names, by graph. Raises ExportedModelError where one of
    them fails the self-test of its dtype."""
    names = write_packed_graphs(trial.graphs.models, StoredWeights(trial.folder, dtype).index, trial.folder)
    weights, tests = (
        PackedWeights(StoredWeights(trial.folder, dtype)),
        read_self_test(trial.folder / self_test_name(dtype)),
    )
    for graph, name in names.items():
        check_outputs(name, graph, open_graph(trial.folder / name, weights), tests)
    return names
