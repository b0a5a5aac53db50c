"""The reference runs that `npm run parity` repeats."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elf.config import settings_of
from elf.dev import whole_runs
from elf.dev.make_random import TINY, TINY_CONDITIONAL, random_model
from elf.dev.whole_runs import Arguments, close, main
from elf.models.trained_model import save_trained_model
from elf.sampling.condition import encode_sources
from elf.sampling.networks import JaxEncoder, JaxNetwork
from elf.sampling.sampler import sample


def test_notes_the_positions_where_two_tokens_are_nearly_as_good():
    logits = np.asarray([[3.0, 1.0, 2.95], [0.0, 5.0, 1.0], [-1.0, -1.0, -2.0]], np.float32)
    assert close(logits) == {0: pytest.approx(0.05), 2: 0.0}


def test_writes_every_kind_of_run_for_every_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(whole_runs, "STEPS", (1, 2))
    model = random_model(TINY)
    save_trained_model(model, tmp_path / "model")
    main(Arguments(checkpoint=tmp_path / "model", out=tmp_path / "runs.json", seeds=2, length=5))

    runs = json.loads((tmp_path / "runs.json").read_text())["runs"]
    kinds = [(run["settings"]["method"], run["settings"]["steps"], run["settings"]["seed"]) for run in runs]
    assert kinds == [(method, steps, seed) for method in ("ode", "sde") for steps in (1, 2) for seed in (0, 1)]
    for run in runs:
        assert run["settings"]["length"] == 5
        again = sample(JaxNetwork(model), settings_of(run["settings"]), model.flow, (1, 5, model.elf.latent_size))
        assert run["tokens"] == again.tokens[0].tolist()


@pytest.mark.parametrize("optional", [False, True])
def test_a_conditional_model_gets_prompts_and_one_that_may_do_without_every_other_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, optional: bool
):
    monkeypatch.setattr(whole_runs, "STEPS", (2,))
    model = random_model(replace(TINY_CONDITIONAL, source_optional=optional))
    save_trained_model(model, tmp_path / "model")
    main(Arguments(checkpoint=tmp_path / "model", out=tmp_path / "runs.json", seeds=2, cfg=2.0))

    runs = json.loads((tmp_path / "runs.json").read_text())["runs"]
    assert [("promptIds" in run, run["settings"]["cfgScale"]) for run in runs] == [
        (not optional, 2 - optional),
        (True, 2),
    ] * 2
    for run in runs:
        sources = [run["promptIds"]] if "promptIds" in run else []
        condition = encode_sources(JaxEncoder(model), sources, 16) if sources else None
        again = sample(JaxNetwork(model), settings_of(run["settings"]), model.flow, (1, 16, 16), condition)
        assert run["tokens"] == again.tokens[0].tolist()
