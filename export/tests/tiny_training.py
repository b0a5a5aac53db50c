"""The smallest training that shows everything: one block, sixteen wide, on the stories of conftest.py."""

import json
from pathlib import Path

EXPERIMENT = """
name: test
data: {data}
encoder: {encoder}
tokenizer: {tokenizer}
out: {out}
steps: 12
batch_size: 8
elf: {{depth: 1, hidden_size: 16, heads: 2, latent_size: 16, bottleneck_size: 8, vocabulary_size: 60, max_length: 32}}
flow: {{noise_scale: 1.0, decoder_prob: 0.4}}
optimizer: {{blr: 0.3, warmup_steps: 2}}
ema_decay: 0.99
pad_token: eos
compute_dtype: float32
log_every: 1
"""


ONE_BRANCH = "flow.decoder_prob=0"
"""For trainings of which only the course matters: no step decodes, so one program is compiled instead of two."""

PLAIN = (ONE_BRANCH, "optimizer.optimizer=adamw")
"""For those to which the optimizer is all the same, too: Muon's iterations take most of the time of compiling."""


def write_experiment(path: Path, prepared: Path, tokenizer: Path, encoder: Path) -> Path:
    """The experiment as a file; its output goes to `out` beside it."""
    text = EXPERIMENT.format(data=prepared / "train", encoder=encoder, tokenizer=tokenizer, out=path.parent / "out")
    path.write_text(text)
    return path


def rows(out: Path) -> list[dict[str, float]]:
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]


def losses(out: Path) -> list[tuple[float | None, float | None]]:
    return [(row.get("loss"), row.get("decode_loss")) for row in rows(out) if "evaluation" not in row]
