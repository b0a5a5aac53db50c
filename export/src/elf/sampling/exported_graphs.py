"""An exported folder as `elf sample` runs it: its own graphs in ONNX Runtime, behind the sampler."""

from typing import cast

from elf.errors import CheckpointError, first_line
from elf.models.exported.encodings import Dtype
from elf.models.exported.folder import EXPORT_AGAIN
from elf.models.exported.stored_weights import StoredWeights
from elf.models.trained_model import TrainedModel
from elf.sampling.networks import OnnxEncoder, OnnxNetwork


def open_graphs(model: TrainedModel) -> tuple[OnnxNetwork, OnnxEncoder | None]:
    """The graphs of a model that was opened from an exported folder. Raises CheckpointError for broken ones."""
    assert model.exported is not None
    folder = model.exported.folder
    graphs = folder / "onnx"
    try:
        weights = StoredWeights(graphs, cast(Dtype, model.exported.dtype))
        return OnnxNetwork(graphs, weights), OnnxEncoder(graphs, weights) if model.encoder else None
    except (OSError, KeyError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"the graphs of {folder} cannot be opened: {first_line(error)}", EXPORT_AGAIN) from error
