"""`elf fetch` with the hub's own client, against a server that stands in for the hub and misbehaves on demand."""

import hashlib
import json
import re
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants

from elf.checkpoints.fetch import Arguments, fetch, fetched, hub_name
from elf.checkpoints.official import ENCODER_REPOSITORY, TOKENIZER_REPOSITORY, read_source
from elf.cli import main
from elf.dev.make_random import TINY, random_model, random_params, small_t5
from elf.dev.random_checkpoint import write_elf_checkpoint, write_t5
from elf.errors import CheckpointError, DiskFullError, HubError
from elf.models.open_model import open_model
from elf.models.run_folder import RunFolder, checkpoint_at
from elf.models.trained_model import save_trained_model
from elf.network.parameters import parameter_shapes
from elf.training.checkpoint import start_weights

COMMIT = "c0ffee" + "0" * 34
ELF = "embedded-language-flows/ELF-B-owt"


class StandIn:
    """What the hub would answer."""

    def __init__(self) -> None:
        self.repositories: dict[str, dict[str, bytes]] = {}
        self.kinds: dict[str, str] = {}
        self.errors: dict[str, tuple[int, str]] = {}
        """Repository → status and the hub's word for it."""
        self.damage: dict[str, bytes] = {}
        """Path → what is sent in place of the file."""
        self.cut: dict[str, list[int]] = {}
        """Path → bytes after which each of the next connections ends."""
        self.elsewhere: str | None = None
        """Address of a server that the files are on."""
        self.tokens: list[str | None] = []
        self.requests: list[tuple[str, str, str | None]] = []

    def put(self, repository: str, kind: str = "model", **files: bytes) -> None:
        self.kinds[repository] = kind
        self.repositories[repository] = {
            name.replace("__", "/").replace("_dot_", "."): data for name, data in files.items()
        }


def handler(hub: StandIn) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            hub.requests.append((self.command, self.path, self.headers["Range"]))
            hub.tokens.append(self.headers["Authorization"])
            path = self.path.split("?")[0]
            if match := re.fullmatch(r"/api/(model|dataset)s/([^/]+/[^/]+)(?:/revision/(.+))?", path):
                self.listing(*match.groups())
            elif match := re.fullmatch(r"/(?:(datasets)/)?([^/]+/[^/]+)/resolve/([^/]+)/(.+)", path):
                self.file(match[2], match[4], body)
            else:
                self.refuse(404, "EntryNotFound")

        def listing(self, kind: str, repository: str, revision: str | None) -> None:
            if repository in hub.errors:
                return self.refuse(*hub.errors[repository])
            if hub.kinds.get(repository) != kind:
                return self.refuse(404, "RepoNotFound")
            if revision not in (None, "main", "v1", COMMIT):
                return self.refuse(404, "RevisionNotFound")
            siblings: list[dict[str, Any]] = []
            for name, data in hub.repositories[repository].items():
                large = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 130}
                blob = hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()
                sibling = {"rfilename": name, "size": len(data), "blobId": blob}
                siblings.append(sibling | ({"lfs": large} if len(data) > 999 else {}))
            card = {"license": "mit"}
            self.send(
                200, json.dumps({"id": repository, "sha": COMMIT, "siblings": siblings, "cardData": card}).encode()
            )

        def file(self, repository: str, name: str, body: bool) -> None:
            data = hub.repositories.get(repository, {}).get(name)
            if data is None:
                return self.refuse(404, "EntryNotFound")
            if hub.elsewhere and not body:
                linked = {"X-Linked-ETag": '"etag"', "X-Linked-Size": str(len(data)), "X-Repo-Commit": COMMIT}
                return self.send(302, b"", {"Location": f"{hub.elsewhere}{self.path}", **linked})
            headers = {
                "X-Repo-Commit": COMMIT,
                "ETag": f'"{hashlib.sha256(data).hexdigest()}"',
                "Accept-Ranges": "bytes",
            }
            data = hub.damage.get(name, data)
            start = int(re.match(r"bytes=(\d+)-", self.headers["Range"] or "bytes=0-")[1])
            if start and body:
                headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
            self.send(
                206 if start and body else 200,
                data[start:],
                headers,
                body,
                hub.cut[name].pop(0) if body and hub.cut.get(name) else None,
            )

        def refuse(self, status: int, word: str) -> None:
            self.send(status, b"{}", {"X-Error-Code": word, "X-Error-Message": word})

        def send(
            self, status: int, data: bytes, headers: dict | None = None, body: bool = True, cut: int | None = None
        ) -> None:
            self.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **(headers or {})}.items():
                self.send_header(name, value)
            self.end_headers()
            if body and self.command != "HEAD":
                self.wfile.write(data[:cut])
            if cut is not None:
                self.close_connection = True

        def log_message(self, *arguments: Any) -> None:
            pass

    return Handler


def ask(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    """Sends the hub's client to `address`, with a token."""
    monkeypatch.setattr(huggingface_hub, "HfApi", partial(huggingface_hub.HfApi, endpoint=address, token="hf_secret"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)


@contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    """Its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(stand_in))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[StandIn]:
    stand_in = StandIn()
    stand_in.put(ELF, checkpoint_900=b"old" * 500, checkpoint_1000=bytes(range(256)) * 40, README_dot_md=b"card")
    stand_in.put(ENCODER_REPOSITORY, "dataset", t5_small_encoder_jax_dot_pkl=b"t5" * 800)
    stand_in.put(TOKENIZER_REPOSITORY, tokenizer_dot_json=b"{}", spiece_dot_model=b"x", tokenizer_config_dot_json=b"{}")
    with served(stand_in) as address:
        ask(monkeypatch, address)
        yield stand_in


def files(folder: Path) -> set[str]:
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {path.as_posix() for path in paths if not path.parts[0].startswith(".")}


def test_an_official_model_comes_with_what_belongs_to_it(hub: StandIn, tmp_path: Path, capsys) -> None:
    out = tmp_path / "elf"
    assert main(["fetch", "ELF-B-owt", "--out", str(out)]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["repository"], report["revision"], report["checkpoint"]) == (ELF, COMMIT, "checkpoint_1000")
    assert files(out) == {
        *("checkpoint_1000", "encoder/t5_small_encoder_jax.pkl", "source.json"),
        *("tokenizer.json", "tokenizer_config.json"),
    }
    assert (out / "checkpoint_1000").read_bytes() == hub.repositories[ELF]["checkpoint_1000"]
    record = read_source(out)
    assert record.encoder == "encoder/t5_small_encoder_jax.pkl" and record.tokenizer == "tokenizer.json"
    assert record.licence == "mit"
    for file in record.files:
        assert file.revision == COMMIT
        assert file.sha256 == hashlib.sha256((out / file.path).read_bytes()).hexdigest()
    # Everything is asked for at the commit, not at a branch that may move meanwhile.
    assert all(f"/resolve/{COMMIT}/" in path for _, path, _ in hub.requests if "/resolve/" in path)
    hub.requests.clear()
    fetch(Arguments(ELF, out))
    assert not [path for _, path, _ in hub.requests if "/resolve/" in path]


def test_a_name_on_the_hub_opens_like_a_path(
    hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tokenizer_file: Path
) -> None:
    monkeypatch.setattr(constants, "HF_HOME", str(tmp_path / "home"))
    small = replace(TINY, depth=1, vocabulary_size=60)
    write_elf_checkpoint(tmp_path / "official", "torch", small, 3)
    write_t5(tmp_path / "t5", "t5-pickle", small_t5(small), 4)
    hub.repositories[ELF]["checkpoint_1000"] = (tmp_path / "official").read_bytes()
    hub.repositories[ENCODER_REPOSITORY]["t5_small_encoder_jax.pkl"] = (tmp_path / "t5").read_bytes()
    hub.repositories[TOKENIZER_REPOSITORY]["tokenizer.json"] = tokenizer_file.read_bytes()
    expected = random_params(parameter_shapes(small), 3)
    for name in ("ELF-B-owt", ELF, f"{ELF}@v1", f"{ELF}/checkpoint_1000"):
        model = open_model(name)
        np.testing.assert_array_equal(model.params["proj_kernel"], expected["proj_kernel"])
        assert (model.name, model.source["revision"], model.encoder) == ("ELF-B-owt", COMMIT, small_t5(small))
    assert start_weights(open_model("ELF-B-owt", weights_only=True), small).keys() == expected.keys()
    assert checkpoint_at(ELF).read_bytes() == hub.repositories[ELF]["checkpoint_1000"]
    # A run of this project that was uploaded: its model to open, its checkpoints to resume from.
    save_trained_model(random_model(small, "own", 5, tokenizer=tokenizer_file), tmp_path / "own")
    uploaded = {f"model/{path.name}": path.read_bytes() for path in (tmp_path / "own").iterdir()}
    hub.put("a/run", config_dot_yml=b"name: own")
    hub.repositories["a/run"] |= uploaded | {"checkpoints/checkpoint_3/default/_METADATA": b"{}"}
    hub.repositories["a/run"] |= {"latents.json": b'{"encoder": "e", "mean": 0.5, "std": 2}'}
    hub.requests.clear()
    assert open_model("a/run").name == "own" and open_model("a/run/model").encoder == small_t5(small)
    # The card of its export names the commit.
    assert open_model("a/run@v1").source == {"repository": "a/run", "revision": COMMIT}
    assert not [path for _, path, _ in hub.requests if "checkpoint_3" in path]
    assert checkpoint_at("a/run").name == "checkpoint_3"
    # With what its latents are normalised with.
    assert RunFolder.of(checkpoint_at("a/run")).statistics() == ("e", (0.5, 2))
    # An exported folder, of whose weights only those are fetched that are wanted.
    manifest = {
        "schemaVersion": 3,
        "defaultDtype": "f16",
        "dtypes": {name: {"shards": [f"onnx/{name}.bin"], "index": f"onnx/{name}.json"} for name in ("f16", "q8")},
    }
    hub.put(
        "a/page", manifest_dot_json=json.dumps(manifest).encode(), **{f"onnx__{n}_dot_bin": b"x" for n in ("f16", "q8")}
    )
    for dtype, wanted in ((None, "onnx/f16.bin"), ("q8", "onnx/q8.bin")):
        folder = fetched(hub_name("a/page"), dtype).folder
        assert files(folder) >= {"manifest.json", wanted}
        assert dtype or "onnx/q8.bin" not in files(folder)
    # A folder of that name is that folder, as `elf fetch ELF-B-owt --out ELF-B-owt` leaves one.
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ELF-B-owt").mkdir()
    assert hub_name("ELF-B-owt") is None and hub_name("ELF-B-owt@v1")
    for name in ("a/nothing", "runs/mistyped/model"):
        with pytest.raises(HubError, match=f"there is no {name} here, and on the hub there is no repository"):
            open_model(name)


def test_of_other_repositories_the_checkpoint_alone(hub: StandIn, tmp_path: Path) -> None:
    hub.put(
        "a/b", checkpoint_7__default___METADATA=b"{}", checkpoint_7__default__d=b"1", checkpoint_6__x=b"2", notes=b"3"
    )
    record = fetch(Arguments("a/b", tmp_path / "b", revision="v1"))
    assert record.revision == COMMIT and record.checkpoint == "checkpoint_7" and record.encoder is None
    assert files(tmp_path / "b") == {"checkpoint_7/default/_METADATA", "checkpoint_7/default/d", "source.json"}
    assert fetch(Arguments("a/b", tmp_path / "n", file="notes")).checkpoint == "notes"
    assert fetch(Arguments(ELF, tmp_path / "alone", companions=False)).tokenizer is None
    hub.put("a/c", a_dot_pt=b"1", b_dot_pt=b"2")
    with pytest.raises(CheckpointError, match=r"a/c holds several checkpoints: a\.pt, b\.pt") as caught:
        fetch(Arguments("a/c", tmp_path / "c"))
    assert "--file" in caught.value.action
    with pytest.raises(HubError, match="a/c has no file z"):
        fetch(Arguments("a/c", tmp_path / "c", file="z"))


def test_a_download_goes_on_where_it_ended(hub: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The client writes whole chunks; it would try again by itself after a while, several times.
    monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 1000)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.cut["checkpoint_1000"] = [4000, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    with pytest.raises(HubError, match="could not be fetched"):
        fetch(Arguments(ELF, tmp_path, companions=False))
    assert files(tmp_path) == {f"checkpoint_1000.{COMMIT[:8]}.partial"}
    hub.cut.clear()
    hub.requests.clear()
    fetch(Arguments(ELF, tmp_path, companions=False))
    assert (tmp_path / "checkpoint_1000").read_bytes() == hub.repositories[ELF]["checkpoint_1000"]
    assert ("GET", "bytes=4000-") in {(command, wanted) for command, _, wanted in hub.requests}


def test_a_small_file_that_changed_at_equal_length_comes_anew(hub: StandIn, tmp_path: Path) -> None:
    hub.put("a/b", checkpoint_5=b"old" * 500, latents_dot_json=b'{"mean": 0.1}')
    fetch(Arguments("a/b", tmp_path))
    hub.put("a/b", checkpoint_5=b"old" * 500, latents_dot_json=b'{"mean": 0.2}')
    fetch(Arguments("a/b", tmp_path))
    assert (tmp_path / "latents.json").read_bytes() == b'{"mean": 0.2}'


def test_of_several_on_one_disk_one_downloads(hub: StandIn, tmp_path: Path) -> None:
    begun = threading.Barrier(2)

    def one() -> None:
        begun.wait()
        fetch(Arguments(ELF, tmp_path, companions=False))

    with ThreadPoolExecutor(2) as both:
        for done in [both.submit(one) for _ in range(2)]:
            done.result()
    asked = [path for command, path, _ in hub.requests if command == "GET" and "checkpoint_1000" in path]
    assert len(asked) == 1 and files(tmp_path) == {"checkpoint_1000", "source.json"}
    assert (tmp_path / "checkpoint_1000").read_bytes() == hub.repositories[ELF]["checkpoint_1000"]
    assert not list(tmp_path.glob(".*lock"))


def test_a_token_is_not_shown_to_other_servers(hub: StandIn, tmp_path: Path) -> None:
    other = StandIn()
    other.repositories = hub.repositories
    with served(other) as hub.elsewhere:
        fetch(Arguments(ELF, tmp_path, companions=False))
    assert (tmp_path / "checkpoint_1000").read_bytes() == hub.repositories[ELF]["checkpoint_1000"]
    assert set(hub.tokens) == {"Bearer hf_secret"} and other.tokens == [None]


def test_what_is_not_as_described_is_not_kept(hub: StandIn, tmp_path: Path) -> None:
    whole = hub.repositories[ELF]["checkpoint_1000"]
    hub.damage["checkpoint_1000"] = b"\0" + whole[1:-1] + b"\1"
    with pytest.raises(HubError, match="did not arrive as the hub describes it"):
        fetch(Arguments(ELF, tmp_path, companions=False))
    assert files(tmp_path) == set()
    hub.damage.clear()
    fetch(Arguments(ELF, tmp_path, companions=False))
    assert (tmp_path / "checkpoint_1000").read_bytes() == whole


@pytest.mark.parametrize(
    ("status", "word", "message", "action"),
    [
        (404, "RepoNotFound", "no repository embedded", "auth login"),
        (403, "GatedRepo", "is gated", "Ask for access"),
        (404, "RevisionNotFound", "has no revision 'v9'", "branch"),
        (500, "Oops", "could not be fetched", "hf download"),
    ],
)
def test_a_hub_that_says_no(
    hub: StandIn, tmp_path: Path, monkeypatch, status: int, word: str, message: str, action: str
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.errors[ELF] = status, word
    with pytest.raises(HubError, match=message) as caught:
        fetch(Arguments(ELF, tmp_path / "out", revision="v9"))
    assert action in caught.value.action and not (tmp_path / "out").exists()


def test_without_a_connection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    ask(monkeypatch, "http://127.0.0.1:9")
    with pytest.raises(HubError, match="could not be fetched") as caught:
        fetch(Arguments(ELF, tmp_path))
    assert "hf download" in caught.value.action
    with pytest.raises(HubError, match="no name of a repository"):
        fetch(Arguments("a/b/c", tmp_path))


def test_a_full_disk_is_told_before_anything_is_fetched(hub: StandIn, tmp_path: Path, monkeypatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=10_000))
    with pytest.raises(DiskFullError, match="MB are free"):
        fetch(Arguments(ELF, tmp_path))
    assert not files(tmp_path) and not [path for _, path, _ in hub.requests if "/resolve/" in path]


def test_names_that_lead_out_of_the_folder_are_not_files(hub: StandIn, tmp_path: Path) -> None:
    hub.repositories["a/b"] = {"../checkpoint_9": b"x", "/checkpoint_8": b"x", "checkpoint_1": b"x"}
    hub.kinds["a/b"] = "model"
    assert fetch(Arguments("a/b", tmp_path / "b")).checkpoint == "checkpoint_1"
