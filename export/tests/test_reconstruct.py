"""The ODE backwards: an exact inverse where the steps are small, and the command."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from elf import cli
from elf.config import FlowConfig, SamplerSettings
from elf.data.tokenizer import EOS
from elf.dev.make_random import TINY, random_model
from elf.models.trained_model import save_trained_model
from elf.sampling.condition import Condition
from elf.sampling.sample import reverse
from elf.sampling.sampler import run_flow

FLOW = FlowConfig(noise_scale=1.0)
CLEAN = np.random.default_rng(0).normal(size=(2, 3, 4)).astype(np.float32)


def pulled(z, x_hat_prev, t, scale):
    """A network that knows a text, but not too well: x̂ = 0.9·text + 0.1·z."""
    return (np.float32(0.9) * CLEAN + np.float32(0.1) * z).astype(np.float32)


def test_one_step_back_by_hand():
    # N = 2, times 0, 0.5, 1: from clean z = c at 0.5, x̂ = 0.9c + 0.1c = c and v = 0, so the start is c as well. Forward
    # from there v is 0 again and the end is c.
    found = reverse(pulled, CLEAN, SamplerSettings(2, "ode", schedule="uniform"), FLOW)
    np.testing.assert_allclose(found.start, CLEAN, rtol=1e-5)
    assert found.error < 1e-6

    # A network that says 0: v = −z/0.5 at 0.5, so half a step back doubles z; forward Euler from t 0 halves it: back at
    # c, and the last step lands on 0. The error is all of it.
    found = reverse(lambda z, *_: np.zeros_like(z), CLEAN, SamplerSettings(2, "ode", schedule="uniform"), FLOW)
    np.testing.assert_allclose(found.start, 2 * CLEAN, rtol=1e-5)
    assert found.error == 1


def test_the_way_back_meets_the_noise_a_run_came_from():
    """Of a run's state shortly before the end, going back gives its start, closer the smaller the steps."""
    errors = []
    for steps in (50, 400):
        settings = SamplerSettings(steps, "ode", schedule="uniform", seed=4)
        states = [*run_flow(pulled, settings, FLOW, CLEAN.shape)]
        found = reverse(pulled, states[-2].z, settings, FLOW)
        errors.append(np.abs(found.start - states[0].z).max())
        np.testing.assert_allclose(found.end, states[-1].z, atol=0.2)
    assert errors[1] < errors[0] / 4


def test_a_condition_stays_where_it_is():
    held = np.arange(3)[None, :, None] < np.asarray([1, 2])[:, None, None]
    condition = Condition(CLEAN + 1, held)
    found = reverse(pulled, CLEAN, SamplerSettings(4, "ode", schedule="uniform"), FLOW, condition)
    for array in (found.start, found.end):
        np.testing.assert_array_equal(array[held[..., 0]], (CLEAN + 1)[held[..., 0]])


def test_command(tmp_path, capsys):
    save_trained_model(random_model(TINY), tmp_path / "model")
    arguments = ["reconstruct", str(tmp_path / "model"), "--steps", "4", "--ids", "5,6,7,8", "--ids", "9"]
    assert cli.main([*arguments, "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["text"] == "5 6 7 8" and 0 <= first["token_agreement"] <= 1
    assert first["error"] > 0 and second["noise_deviation"] > 0
    assert cli.main(arguments) == 0 and "tokens came back" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ([], "there is no text"),
        (["--ids", "5", "--method", "sde"], "the method is sde"),
        (["--text", "a"], "tokenizer"),
        # JAX took the nearest token, and the figures were those of another text.
        (["--ids", "5,6", "--ids", "5,999999"], "holds the token 999999"),
        (["--ids=-1"], "holds the token -1"),
    ],
)
def test_what_cannot_be_is_named(tmp_path, capsys, more, said):
    save_trained_model(random_model(TINY), tmp_path / "model")
    assert cli.main(["reconstruct", str(tmp_path / "model"), *more]) == 2
    assert said in capsys.readouterr().err


def test_a_text_is_as_long_as_it_is(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["reconstruct", str(tmp_path), "--ids", "5,6", "--length", "3"])
    assert stop.value.code == 2 and "--length" in capsys.readouterr().err


FIXTURES = Path(__file__).parents[2] / "test/fixtures"
BACK = [
    # The same commands in TypeScript write the same: src/cli/generate.test.ts.
    (["tiny-model", "--method", "sde", "--gamma", "1"], [49, 49, 30, 81, 30]),
    (
        ["tiny-conditional", "--method", "ode", "--cfg", "2", "--prompt", "a dog"],
        [12, 26, 12, 12, 12, 93, 72, 72, 72, 64],
    ),
]


@pytest.mark.parametrize(("command", "tokens"), BACK)
def test_a_run_starts_from_the_noise_of_a_text_and_is_as_long_as_that(command, tokens, capsys):
    model, *options = command
    again = ["sample", str(FIXTURES / model), *options, "--steps", "5", "--seed", "3", "--json"]
    assert cli.main([*again, "--back", "the cat sat"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["tokens"] == [tokens]
    # The same as tokens, the text's end among them.
    assert report["backIds"][-1] == EOS
    assert cli.main([*again, "--back-ids", ",".join(map(str, report["backIds"]))]) == 0
    assert json.loads(capsys.readouterr().out)["tokens"] == [tokens]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--back", "a", "--back-ids", "5"], "both --back and --back-ids"),
        (["--back", "a", "--towards", "8", "--weight", "1"], "Leave --towards out, or --back"),
        (["--back", "a", "--batch", "2"], "--back starts one run"),
        (["--back-ids", ""], "--back-ids names no token"),
        (["--back-ids", "5,x"], "--back-ids holds no list of tokens"),
        (["--back-ids", "5,6", "--length", "3"], "has 2 tokens, and the run has room for 3"),
        (["--back-ids", "5,999"], "holds the token 999"),
    ],
)
def test_a_start_that_cannot_be_is_refused(options, message, capsys):
    assert cli.main(["sample", str(FIXTURES / "tiny-model"), *options]) == 2
    assert message in capsys.readouterr().err


def test_without_an_encoder_there_is_no_way_back(tmp_path, capsys):
    save_trained_model(replace(random_model(TINY), encoder=None), tmp_path)
    assert cli.main(["sample", str(tmp_path), "--back-ids", "5,6"]) != 0
    assert "no encoder to read a text with" in capsys.readouterr().err
