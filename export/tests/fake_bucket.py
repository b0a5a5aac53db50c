"""A bucket for tests, held in memory, with what makes a bucket unlike a disk: objects are written whole, none is ever
appended to or changed in its middle, and a folder is there as long as an object lies in it.

TensorStore, which Orbax writes arrays with, speaks to it by HTTP as to Google's own; everything else by fsspec.
"""

import json
import threading
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any
from urllib.error import HTTPError
from urllib.parse import parse_qs, quote, unquote, urlsplit
from urllib.request import Request, urlopen

import fsspec
import pytest
from etils.epath import backend
from orbax.checkpoint._src.path import gcs_utils

ONLY = "bucket"
"""The name of the one bucket there is: gs://bucket."""


class Bucket:
    """Objects by their names, `bucket/folder/file`, and how often each was written."""

    def __init__(self, objects: MutableMapping[str, bytes] | None = None) -> None:
        self.objects: MutableMapping[str, bytes] = {} if objects is None else objects
        self.address = ""
        self.writes: dict[str, int] = {}
        self.lock = threading.Lock()

    def put(self, name: str, content: bytes) -> int:
        """Its generation, which no other content of it has."""
        with self.lock:
            self.objects[name] = content
            self.writes[name] = self.writes.get(name, 0) + 1
            return self.writes[name]

    def names(self, below: str = "") -> list[str]:
        with self.lock:
            return sorted(name for name in self.objects if name.startswith(below))


class BucketFiles(fsspec.AbstractFileSystem):
    """The bucket as fsspec has it."""

    protocol = ("gs", "gcs")
    cachable = False

    def __init__(self, bucket: Bucket, **_: Any):
        super().__init__()
        self.bucket = bucket

    def ls(self, path: str, detail: bool = True, **_: Any) -> list[Any]:
        path = self._strip_protocol(path)
        found: dict[str, dict[str, Any]] = {}
        if path in self.bucket.objects:
            found[path] = {"name": path, "size": len(self.bucket.objects[path]), "type": "file"}
        for name in self.bucket.names(f"{path}/"):
            child, _, rest = name[len(path) + 1 :].partition("/")
            whole = f"{path}/{child}"
            size = 0 if rest else len(self.bucket.objects[whole])
            found[whole] = {"name": whole, "size": size, "type": "directory" if rest else "file"}
        if not found:
            raise FileNotFoundError(path)
        return [*found.values()] if detail else [*found]

    def _open(self, path: str, mode: str = "rb", **_: Any) -> BytesIO:
        if mode == "rb":
            if path not in self.bucket.objects:
                raise FileNotFoundError(path)
            return BytesIO(self.bucket.objects[path])
        if mode != "wb":
            raise NotImplementedError(f"{path} cannot be opened as {mode!r}: objects are written whole")
        return _Upload(self.bucket, path)

    def cp_file(self, path1: str, path2: str, **_: Any) -> None:
        source, target = self._strip_protocol(path1), self._strip_protocol(path2)
        self.bucket.put(target, self.bucket.objects[source])

    def rm_file(self, path: str) -> None:
        self._rm(path)

    def _rm(self, path: str) -> None:
        with self.bucket.lock:
            self.bucket.objects.pop(self._strip_protocol(path), None)

    def mkdir(self, path: str, create_parents: bool = True, **_: Any) -> None:
        """Nothing: folders come with their objects."""

    def makedirs(self, path: str, exist_ok: bool = False) -> None:
        """As above."""


class _Upload(BytesIO):
    """What was written becomes the object when it is closed."""

    def __init__(self, bucket: Bucket, name: str):
        super().__init__()
        self.bucket, self.name = bucket, name

    def close(self) -> None:
        if not self.closed:
            self.bucket.put(self.name, self.getvalue())
        super().close()


def _handler(bucket: Bucket) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def _place(self) -> tuple[str, dict[str, str]]:
            """The object's name, `bucket/…`, and the query."""
            split = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(split.query, keep_blank_values=True).items()}
            _, _, rest = split.path.partition("/b/")
            name, _, path = rest.partition("/o")
            return f"{name}/{unquote(path[1:] or query.get('name', ''))}", query

        def _answer(self, code: int, body: bytes, headers: dict[str, str] | None = None) -> None:
            self.send_response(code)
            for key, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
                self.send_header(key, value)
            self.end_headers()
            self.wfile.write(body)

        def _facts(self, name: str) -> dict[str, str]:
            return {
                "name": name.partition("/")[2],
                "generation": str(bucket.writes[name]),
                "size": str(len(bucket.objects[name])),
            }

        def do_GET(self) -> None:
            name, query = self._place()
            if urlsplit(self.path).path.endswith("/o"):
                start = name.partition("/")[0] + "/"
                found = [self._facts(each) for each in bucket.names(start + query.get("prefix", ""))]
                self._answer(200, json.dumps({"items": found}).encode(), {"Content-Type": "application/json"})
                return
            content = bucket.objects.get(name)
            if content is None:
                self._answer(404, b"{}")
                return
            headers = {"x-goog-generation": str(bucket.writes[name])}
            wanted = self.headers.get("Range")
            if not wanted or not content:
                self._answer(200, content, headers)
                return
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            begin = int(first) if first else max(0, len(content) - int(last))
            end = min(int(last), len(content) - 1) if first and last else len(content) - 1
            headers["Content-Range"] = f"bytes {begin}-{end}/{len(content)}"
            self._answer(206, content[begin : end + 1], headers)

        def do_POST(self) -> None:
            name, _ = self._place()
            bucket.put(name, self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(200, json.dumps(self._facts(name)).encode(), {"Content-Type": "application/json"})

        def do_DELETE(self) -> None:
            name, _ = self._place()
            with bucket.lock:
                found = bucket.objects.pop(name, None)
            self._answer(404 if found is None else 204, b"")

    return Handler


class ObjectsElsewhere(MutableMapping[str, bytes]):
    """The objects of a bucket that another process holds, asked for one by one."""

    def __init__(self, address: str):
        self.address = address

    def _ask(self, method: str, path: str, content: bytes | None = None) -> bytes:
        with urlopen(Request(self.address + path, content, method=method)) as answer:
            return answer.read()

    def _at(self, method: str, name: str) -> bytes:
        bucket, _, path = name.partition("/")
        try:
            return self._ask(method, f"/storage/v1/b/{bucket}/o/{quote(path, safe='')}")
        except HTTPError as error:
            if error.code == 404:
                raise KeyError(name) from error
            raise

    def __getitem__(self, name: str) -> bytes:
        return self._at("GET", name)

    def __setitem__(self, name: str, content: bytes) -> None:
        bucket, _, path = name.partition("/")
        self._ask("POST", f"/upload/storage/v1/b/{bucket}/o?name={quote(path, safe='')}", content)

    def __delitem__(self, name: str) -> None:
        self._at("DELETE", name)

    def __iter__(self) -> Iterator[str]:
        found = json.loads(self._ask("GET", f"/storage/v1/b/{ONLY}/o"))["items"]
        return iter([f"{ONLY}/{each['name']}" for each in found])

    def __len__(self) -> int:
        return sum(1 for _ in self)


def reach(monkeypatch: pytest.MonkeyPatch, bucket: Bucket, address: str) -> None:
    """From now on everything at gs:// is in `bucket`, which is served at `address`."""
    monkeypatch.setenv("TENSORSTORE_GCS_HTTP_URL", address)
    monkeypatch.setenv("GOOGLE_AUTH_TOKEN_FOR_TESTING", "a-token")
    files = BucketFiles(bucket)
    monkeypatch.setattr(type(backend.fsspec_backend), "fs", lambda self, path: files)
    monkeypatch.setattr(fsspec, "get_filesystem_class", lambda protocol: BucketFiles)
    # Asking for its kind takes Google's own library, with an account.
    monkeypatch.setattr(gcs_utils, "get_bucket", lambda name: None)


def reach_from_another_process(address: str) -> None:
    """As above, for the whole of a process that did not make the bucket."""
    reach(pytest.MonkeyPatch(), Bucket(ObjectsElsewhere(address)), address)


@contextmanager
def fake_bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Bucket]:
    """Everything at gs:// is in this bucket. Other processes reach it by its `address`."""
    bucket = Bucket()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(bucket))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    bucket.address = f"http://127.0.0.1:{server.server_port}"
    reach(monkeypatch, bucket, bucket.address)
    try:
        yield bucket
    finally:
        server.shutdown()
        server.server_close()
