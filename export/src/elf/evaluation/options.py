"""What decides an evaluation besides the model and where its output goes: of `elf evaluate`, and of a training."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from elf.paths import AnyPath


@dataclass(frozen=True, kw_only=True)
class EvaluationOptions:
    """Which texts are written, and what they are measured by."""

    sampling: AnyPath | None = None
    """YAML of sampling settings, see configs/sampling; the sampler's defaults unless given."""
    samples: int | None = None
    """Texts for each way to sample; 1,000 unless given. For conditional models at most, and unless given, one for each
    row of --data, from its first: a corpus may be sorted, so figures of less than all of it are of a part."""
    data: str | None = None
    """For conditional models: sources and references, JSONL of input and output, or a dataset on disk or the hub.
    Without it a model of source_optional writes freely."""
    split: str | None = None
    """Of --data, where it has several."""
    revision: str | None = None
    """Of --data, where it comes from the hub."""
    batch_size: int | None = None
    """Rows at a time, over all devices; 16 for each unless given. Other sizes draw other random numbers."""
    compute_dtype: Literal["float32", "bfloat16"] = "float32"
    """Of matrix products; sums, norms and softmax are float32."""
    rng_processes: int | None = None
    """Hosts that the official random numbers are derived for; as many as processes run unless given."""
    rng_devices: int | None = None
    """Devices of each such host; as many as this one has unless given."""
    judge: str | None = None
    """The language model for Gen. PPL: a folder of `elf train-judge`, or a GPT-2 on disk or the hub."""
    metrics: str | None = None
    """Some of gen_ppl,bleu,rouge,kept,entropy,distinct,repetition,stutter,unknown,names,memorisation, with commas
    between. Left out: all that the inputs allow."""
    continuation: bool = False
    """The texts go on from their sources: Gen. PPL is of a text's own tokens after its source, how much of the source a
    text takes up is measured (`kept`, with --training), and the references are measured in the same way beside it."""
    held_out: Path | None = None
    """Real text that was not trained on, a corpus file or a dataset, measured in the same way beside the generated: at
    most as many texts, each cut to the length of a generated one. With --continuation the references are that."""
    training: Path | None = None
    """Training text for memorisation, unknown words, names and `kept`, a corpus file or a dataset, which may be larger
    than the memory. Of pairs the target counts."""
    training_texts: int | None = None
    """At most so many of its texts, evenly spread; all unless given. Four million words take some 20 s."""
