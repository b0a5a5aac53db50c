"""An exported folder as `elf sample` runs it: its own graphs in ONNX Runtime, its own settings, behind the sampler."""

from dataclasses import dataclass
from pathlib import Path

from elf.errors import CheckpointError, ConfigError, UsageError
from elf.models.exported.encodings import DTYPES, Dtype
from elf.models.exported.folder import EXPORT_AGAIN, MANIFEST, describe_model, read_manifest
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import TrainedModel
from elf.sampling.networks import OnnxEncoder, OnnxNetwork


@dataclass(frozen=True)
class ExportedModel:
    """What a run needs of an exported folder."""

    model: TrainedModel
    """Without weights: they are in the graphs."""
    network: OnnxNetwork
    encoder: OnnxEncoder | None
    length: int
    """Positions of a run unless asked otherwise."""


def open_exported(folder: Path, dtype: str | None = None) -> ExportedModel:
    """The graphs of a folder with its weights in one of its dtypes, the manifest's choice unless given.

    Raises CheckpointError for a folder that is broken or of another version of the format, UsageError for a dtype that
    it does not have.
    """
    manifest = read_manifest(folder)
    try:
        known: dict[str, Dtype] = {name: name for name in DTYPES if name in manifest["dtypes"]}
        chosen = known.get(dtype or manifest["defaultDtype"])
        model, length = describe_model(folder, manifest), int(manifest["defaults"]["length"])
        has_encoder = "encoder" in manifest["graphs"]
    except (KeyError, TypeError, ValueError, ConfigError, UsageError) as error:
        raise CheckpointError(f"{folder / MANIFEST} does not describe a model: {error}", EXPORT_AGAIN) from error
    if chosen is None:
        raise UsageError(f"{folder} has no weights in {dtype}", f"Choose one of {', '.join(known)}.")
    try:
        graphs = folder / "onnx"
        weights = StoredWeights(graphs, chosen)
        network = OnnxNetwork(graphs, weights)
        encoder = OnnxEncoder(graphs, weights) if has_encoder else None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [""])[0]
        raise CheckpointError(f"the graphs of {folder} cannot be opened: {reason}", EXPORT_AGAIN) from error
    return ExportedModel(model, network, encoder, length)
