"""Where a run's numbers go: metrics.jsonl, TensorBoard events, Weights & Biases, and the hub."""

import json
import sys
import types
from concurrent.futures import Future
from pathlib import Path

import huggingface_hub
import pytest
from tensorboardX.proto.event_pb2 import Event

from elf.errors import CheckpointError, ConfigError, HubError, OutputExistsError
from elf.training.run_record import RunLog, encoder_facts
from elf.training.train import HubUpload
from elf.yardstick.teach_encoder import encoder_record

NUMBERS = {"loss": 1.5, "tokens_per_second": 10.0}


def scalars(folder: Path) -> list[tuple[int, str, float]]:
    """What TensorBoard would show: records of length, two checksums around it, and the event."""
    found = []
    for file in sorted(folder.glob("events*")):
        content, at = file.read_bytes(), 0
        while at < len(content):
            length = int.from_bytes(content[at : at + 8], "little")
            event = Event.FromString(content[at + 12 : at + 12 + length])
            found += [(event.step, value.tag, value.simple_value) for value in event.summary.value]
            at += length + 16
    return found


def test_every_line_goes_to_both_files(tmp_path: Path) -> None:
    with RunLog(tmp_path, 0, 4) as log:
        log.write(2, NUMBERS, 3.0)
        log.write(4, NUMBERS | {"loss": 0.5}, 0.0)
    assert [json.loads(line) for line in (tmp_path / "metrics.jsonl").read_text().splitlines()] == [
        {"step": 2, "loss": 1.5, "tokens_per_second": 10.0},
        {"step": 4, "loss": 0.5, "tokens_per_second": 10.0},
    ]
    losses = [(step, value) for step, tag, value in scalars(tmp_path / "tensorboard") if tag == "loss"]
    assert losses == [(2, 1.5), (4, 0.5)]


def test_all_processes_but_the_first_are_silent(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with RunLog(tmp_path, 0, 4, main=False) as log:
        log.write(2, NUMBERS, 3.0)
        log.tell("hello")
    assert not list(tmp_path.iterdir()) and capsys.readouterr().err == ""


def test_a_terminal_gets_a_bar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with RunLog(tmp_path, 1, 4) as log:
        log.write(3, NUMBERS, 3.0)
        log.tell("said beside the bar")
    said = capsys.readouterr().err
    assert "3/4" in said and "loss=1.5" in said and "said beside the bar" in said


def test_weights_and_biases_is_told_too_and_missed_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(ConfigError, match="Weights & Biases is not installed"):
        RunLog(tmp_path, 0, 4, wandb_project="elf")
    calls: list = []
    run = types.SimpleNamespace(
        log=lambda metrics, step: calls.append((step, metrics)), finish=lambda exit_code: calls.append(exit_code)
    )
    fake = types.SimpleNamespace(init=lambda **facts: calls.append(facts) or run)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    with RunLog(tmp_path, 0, 4, wandb_project="elf", settings={"a": 1}) as log:
        log.write(2, NUMBERS, 3.0)
    assert calls[0]["project"] == "elf" and calls[0]["resume"] == "allow" and calls[0]["config"] == {"a": 1}
    assert calls[1:] == [(2, NUMBERS), 0]
    assert calls[0]["name"] == tmp_path.name and "entity" not in calls[0] and "tags" not in calls[0]
    with RunLog(
        tmp_path, 2, 4, wandb_project="elf", wandb_entity="us", wandb_run_name="third try", wandb_tags=("owt", "b")
    ):
        pass
    named = calls[3]
    assert (named["entity"], named["name"], named["tags"]) == ("us", "third try", ["owt", "b"])
    assert named["id"] == calls[0]["id"], "the same plots, whatever the run is called"


class FakeHub:
    """Stands for the hub: keeps what it is asked, and fails as often as it is told."""

    def __init__(self, failures: int = 0, no_access: bool = False):
        self.failures, self.no_access, self.uploads = failures, no_access, []

    def create_repo(self, name, private, exist_ok):
        if self.no_access:
            raise PermissionError("401: who are you?")

    def upload_folder(self, **facts):
        self.uploads.append(facts)
        future: Future = Future()
        if len(self.uploads) <= self.failures:
            future.set_exception(ConnectionError("the line broke"))
        else:
            future.set_result("done")
        return future


def uploading(monkeypatch: pytest.MonkeyPatch, hub: FakeHub, folder: Path) -> HubUpload:
    monkeypatch.setattr(huggingface_hub, "HfApi", lambda: hub)
    return HubUpload("me/elf", folder)


def test_the_folder_is_uploaded_after_every_checkpoint(tmp_path: Path, monkeypatch, capsys) -> None:
    hub = FakeHub(failures=1)
    upload = uploading(monkeypatch, hub, tmp_path)
    upload.start(5)
    upload.start(10)
    upload.finish(12)
    assert [facts["commit_message"] for facts in hub.uploads] == ["step 5", "step 10", "step 12"]
    assert hub.uploads[0]["folder_path"] == tmp_path and "*.orbax-checkpoint-tmp*" in hub.uploads[0]["ignore_patterns"]
    assert "upload to me/elf failed, trying again: the line broke" in capsys.readouterr().err


def test_an_upload_under_way_is_not_doubled(tmp_path: Path, monkeypatch) -> None:
    hub = FakeHub()
    upload = uploading(monkeypatch, hub, tmp_path)
    upload.running = Future()
    upload.start(5)
    assert hub.uploads == []


def test_a_hub_that_refuses_is_named(tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(HubError, match="401"):
        uploading(monkeypatch, FakeHub(no_access=True), tmp_path)
    with pytest.raises(HubError, match="the line broke") as caught:
        uploading(monkeypatch, FakeHub(failures=9), tmp_path).finish(3)
    assert "hub_repo=null" in caught.value.action


@pytest.mark.parametrize("line", ["x", "3", "[]", '{"loss": 1}', '{"step": "a"}', "[" * 100_000])
def test_metrics_that_no_training_wrote_stay_as_they_are(tmp_path: Path, line: str) -> None:
    file = tmp_path / "metrics.jsonl"
    file.write_text(f"{line}\n")
    with pytest.raises(OutputExistsError, match="no training wrote it"):
        RunLog(tmp_path, 0, 10)
    assert file.read_text() == f"{line}\n"


def test_notes_of_an_encoder_that_are_none(tmp_path: Path) -> None:
    (tmp_path / "encoder.json").write_text("{}")
    for line in ("x", "null", '{"loss": "a"}', '{"loss": []}'):
        (tmp_path / "metrics.jsonl").write_text(line)
        with pytest.raises(CheckpointError, match=r"metrics\.jsonl is not what a training wrote"):
            encoder_facts(tmp_path)
    for record in ("[]", "x", '{"translation": 3}'):
        (tmp_path / "encoder.json").write_text(record)
        with pytest.raises(CheckpointError, match=r"encoder\.json"):
            encoder_facts(tmp_path)
        if "translation" not in record:
            with pytest.raises(CheckpointError, match=r"encoder\.json"):
                encoder_record(tmp_path)
