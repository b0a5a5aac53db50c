"""What every reader of files from strangers is held to, whatever it is given."""

import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from elf.errors import ElfError

CASES = int(os.environ.get("ELF_HOSTILE_CASES", "40"))
"""Of each kind: few in `npm test`, 10⁵ altogether by `npm run hostile`."""

SEED = int(os.environ.get("ELF_HOSTILE_SEED", "7"))
"""Other cases, or those of a report again."""

MOST_SECONDS = 2.0 if "ELF_HOSTILE_CASES" in os.environ else 20.0
"""That one input may be worked on beyond what a right one takes, of the processor's time. In `npm test` ten times as
long: a busy machine must not fail it, and what hangs does so even then."""

MOST_BYTES, MOST_TIMES_ITS_SIZE = 512 * 2**20, 200
"""Of memory that an input may have reserved: so much in any case, and so much for each of its bytes."""

LONGEST_MESSAGE = 2000

Files = Mapping[str, bytes]
"""What lies in a folder: name → content. Names of several parts are joined by '/'."""


class Folder(dict[str, bytes]):
    """Files that a report does not spell out."""

    def __repr__(self) -> str:
        return f"files of {[len(content) for content in self.values()]} bytes"


class Odd(bytes):
    """What stands in the place of a file and is none: a `folder`, a link to `itself` or to `nowhere`."""


ODD = (Odd(b"folder"), Odd(b"itself"), Odd(b"nowhere"))

ACTS = (
    *("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class", "ctypes.dlopen"),
    *("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo", "socket.gethostbyname"),
)
"""Events by which something other than data would be at work. Restricted pickles look up no class at all; a socket that
is only made is one of a loop of `asyncio`, to wake itself."""

CHANGES = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.symlink", "os.link", "os.truncate", "shutil.rmtree")

OUTSIDE = "secret"
"""The name of a file beside the folder, which nothing in it may have opened."""


class Watch:
    """Notes what the program does beside reading, while an input is read. Python lets nobody stop to listen."""

    listens = False

    def __init__(self) -> None:
        self.found: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.listens:
            return
        if event in ACTS or event in CHANGES:
            self.found.append(f"{event} {arguments!r:.200}")
            raise PermissionError(event)
        if event == "open" and isinstance(arguments[0], str | bytes):
            path, _, flags = arguments
            path = os.path.realpath(os.fsdecode(path))
            writes = isinstance(flags, int) and flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)
            if os.path.basename(path) == OUTSIDE or (writes and path != os.devnull):
                self.found.append(f"open {path}")


WATCH = Watch()
sys.addaudithook(WATCH)


@contextmanager
def _bounded(size: int, most: int) -> Iterator[None]:
    """Watches what is done inside, and on Linux bounds its memory: what reserves more gets a MemoryError."""
    if sys.platform == "linux":
        before = resource.getrlimit(resource.RLIMIT_DATA)
        bound = _data_bytes() + max(most, MOST_TIMES_ITS_SIZE * size)
        resource.setrlimit(resource.RLIMIT_DATA, (bound, before[1]))
    WATCH.listens, WATCH.found = True, []
    try:
        yield
    finally:
        WATCH.listens = False
        if sys.platform == "linux":
            resource.setrlimit(resource.RLIMIT_DATA, before)


def _data_bytes() -> int:
    """What the process has reserved to write to."""
    found = re.search(r"VmData:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return 1024 * int(found[1]) if found else 0


@dataclass(frozen=True)
class Refusal:
    """A reader's named error."""

    name: str
    message: str
    action: str


def outcome(read: Callable[[Path], Any], folder: Path) -> Any:
    """What was read, or its Refusal; any other error is a fault, and raised."""
    try:
        return read(folder)
    except ElfError as error:
        assert not any(isinstance(each, MemoryError) for each in causes(error)), (
            "more memory was asked for than is allowed"
        )
        message = str(error)
        assert len(message) < LONGEST_MESSAGE, f"a refusal of {len(message)} letters: {message[:200]}"
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", message), f"a refusal that moves the cursor: {message!r}"
        assert re.search(r"\w", error.action), "it does not say what to do next"
        return Refusal(type(error).__name__, message, error.action)


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error, and what it was raised from or while handling."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


@dataclass
class Withstood:
    read: int = 0
    """How many of the inputs, examples not counted."""
    refusals: set[str] = field(default_factory=set)
    """The names of those that the others got."""


def withstands(
    folder: Path,
    inputs: st.SearchStrategy[Files],
    read: Callable[[Path], Any],
    examples: tuple[Files, ...] = (),
    holds: Callable[[Any], None] | None = None,
    cases: int = CASES,
    most_bytes: int = MOST_BYTES,
) -> Withstood:
    """Holds a reader of a folder to this: each input is read, or refused by name, twice alike, within MOST_SECONDS and
    the bound of memory; nothing but its files is opened, none of them is changed, nothing is called, and nobody is
    asked over a network.

    `examples` are read first: they have to be readable, what reading takes is loaded then, and how long it takes is
    known. `holds` looks at all that was read.
    """
    withstood = Withstood()
    place = folder / "case"
    (folder / OUTSIDE).write_text("nobody reads this\n")
    for example in examples:
        put(place, example)
        found = outcome(read, place)
        assert not isinstance(found, Refusal), found
        if holds is not None:
            holds(found)
    started = time.process_time()
    if examples:
        outcome(read, place)
    usual = time.process_time() - started

    number = 0

    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        # Making what takes seconds smaller takes hours.
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @seed(SEED)
    @given(inputs.map(Folder))
    def one(files: Files) -> None:
        nonlocal number
        files = {**files}
        number += 1
        put(place, files)
        try:
            with _bounded(sum(map(len, files.values())), most_bytes):
                started = time.process_time()
                found = outcome(read, place)
                seconds = time.process_time() - started
                again = outcome(read, place)
            assert not WATCH.found, WATCH.found
            assert seconds < MOST_SECONDS + usual, f"it took {seconds:.1f} s, a right one {usual:.1f} s"
            assert same(found, again), f"read twice: {found!r:.500} and {again!r:.500}"
            assert lies_there(place) == files, "what was read was changed"
            if isinstance(found, Refusal):
                withstood.refusals.add(found.name)
            else:
                withstood.read += 1
                if holds is not None:
                    holds(found)
        except BaseException as error:
            kept = folder / f"fault-{SEED}-{number}"
            shutil.copytree(place, kept, symlinks=True, dirs_exist_ok=True)
            error.add_note(f"Case {number} of seed {SEED} lies in {kept}")
            raise

    one()
    return withstood


def put(place: Path, files: Files) -> None:
    """Makes `place` a folder of these files and nothing else; those that are as they were stay."""
    there = lies_there(place) if place.is_dir() else {}
    if not there.keys() <= files.keys() or any(isinstance(content, Odd) for content in there.values()):
        shutil.rmtree(place)
        there = {}
    place.mkdir(exist_ok=True)
    for name, content in files.items():
        if there.get(name) == content:
            continue
        file = place / name
        file.parent.mkdir(parents=True, exist_ok=True)
        if not isinstance(content, Odd):
            file.write_bytes(content)
            continue
        file.unlink(missing_ok=True)
        if content == b"folder":
            file.mkdir()
        else:
            file.symlink_to(file.name if content == b"itself" else OUTSIDE + "s")


def lies_there(place: Path) -> Files:
    found: dict[str, bytes] = {}
    for path in place.rglob("*"):
        name = path.relative_to(place).as_posix()
        if path.is_symlink():
            found[name] = Odd(b"itself" if path.readlink().name == path.name else b"nowhere")
        elif path.is_file():
            found[name] = path.read_bytes()
        elif not any(path.iterdir()):
            found[name] = Odd(b"folder")
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two things that were read are equal, with NaN the same as NaN; refusals by name, as readers that work in
    parallel find one fault first or another."""
    if isinstance(one, Refusal) and isinstance(other, Refusal):
        return one.name == other.name
    if isinstance(one, np.ndarray) and isinstance(other, np.ndarray):
        return one.shape == other.shape and one.dtype == other.dtype and one.tobytes() == other.tobytes()
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return [*one] == [*other] and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other or repr(one) == repr(other)
