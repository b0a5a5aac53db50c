"""The forms that checkpoints come in, told apart by what is in the file, whatever its name is."""

from pathlib import Path

from elf.checkpoints.flax_msgpack import read_msgpack
from elf.checkpoints.numpy_pickle import read_numpy_pickle
from elf.checkpoints.orbax_folder import orbax_item, read_orbax
from elf.checkpoints.safetensors_file import read_safetensors
from elf.checkpoints.stored import Tree
from elf.checkpoints.torch_archive import read_torch_archive
from elf.errors import CheckpointError

READERS = {
    "Flax msgpack": read_msgpack,
    "Orbax folder": read_orbax,
    "torch archive": read_torch_archive,
    "safetensors": read_safetensors,
    "NumPy pickle": read_numpy_pickle,
}

TORCH_BEFORE_1_6 = b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19."
"""The number that older torch wrote first, as a pickle of its own."""

COPY_AGAIN = "The file may be damaged or cut short: copy or fetch it again."


def format_of(path: Path) -> str:
    """The key in READERS of what `path` is. Raises CheckpointError for what is none of them."""
    if path.is_dir():
        if orbax_item(path) is not None:
            return "Orbax folder"
        raise CheckpointError(f"{path} is a folder without a checkpoint in it", "Give a checkpoint's file or folder.")
    try:
        with path.open("rb") as file:
            start = file.read(64)
        size = path.stat().st_size
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}", "Check the path.") from error
    if start.startswith(b"version https://git-lfs"):
        raise CheckpointError(
            f"{path} is only the pointer of a file kept by Git LFS", "Run `git lfs pull` there, or use `elf fetch`."
        )
    if start.lstrip()[:1] == b"<":
        raise CheckpointError(f"{path} is a web page", "Something answered in place of the file: fetch it again.")
    if start.startswith(b"PK\x03\x04"):
        return "torch archive"
    if start.startswith(TORCH_BEFORE_1_6):
        raise CheckpointError(
            f"{path} was written by a torch before 1.6", "Save it again with a newer torch, or as safetensors."
        )
    if start[:1] == b"\x80" and start[1:2] in (b"\x02", b"\x03", b"\x04", b"\x05"):
        return "NumPy pickle"
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < size:
        return "safetensors"
    if start[:1] and (0x81 <= start[0] <= 0x8F or start[0] in (0xDE, 0xDF)):
        return "Flax msgpack"
    raise CheckpointError(
        f"{path} is {'empty' if not size else 'no checkpoint'}",
        f"Known are: {', '.join(READERS)}. {COPY_AGAIN}",
    )


def read_tree(path: Path) -> tuple[str, Tree]:
    """Format and contents of a checkpoint; tensors stay in their files where the format allows.

    Raises CheckpointError for what is missing, damaged, of no known format, or more than data.
    """
    path = path.absolute()
    kind = format_of(path)
    try:
        return kind, READERS[kind](path)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        reason = str(error) or type(error).__name__
        raise CheckpointError(f"{path} cannot be read as {kind}: {reason}", COPY_AGAIN) from error
