"""Upload an exported model to a repository of the hub, in one commit; a folder that `elf check` refuses stays here."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from elf.errors import HubError
from elf.onnx_export.check import check_folder
from elf.progress import say


@dataclass(frozen=True)
class Arguments:
    folder: Annotated[Path, tyro.conf.Positional]
    """Folder of an exported model."""
    repository: Annotated[str, tyro.conf.Positional]
    """OWNER/NAME on the hub; made where there is none."""
    private: bool = False
    """Make a new repository that others cannot see."""
    revision: str | None = None
    """Branch to write to; made where there is none. The main branch unless given."""


def main(arguments: Arguments) -> None:
    """Upload an exported model to a repository of the hub, in one commit; a folder that `elf check` refuses stays
    here.

    Run it again after an interruption: files that have arrived are not sent twice.
    """
    report = check_folder(arguments.folder)
    say(f"{report['name']} is sound: {report['files']} files, {report['bytes'] / 1e6:.0f} MB")
    print(json.dumps({**report, "commit": push(arguments)}, indent=2))


def push(arguments: Arguments) -> str:
    """Uploads the folder; returns the commit's address. Raises HubError."""
    import huggingface_hub

    api = huggingface_hub.HfApi()
    try:
        api.create_repo(arguments.repository, private=arguments.private, exist_ok=True)
        if arguments.revision:
            api.create_branch(arguments.repository, branch=arguments.revision, exist_ok=True)
        commit = api.upload_folder(
            repo_id=arguments.repository,
            folder_path=arguments.folder,
            revision=arguments.revision,
            commit_message=f"{arguments.folder.absolute().name}, by elf export",
            ignore_patterns=[".*"],
            # Weights of a dtype that is no longer offered.
            delete_patterns=["onnx/*"],
        )
    except Exception as error:  # the library raises many kinds
        raise HubError(
            f"{arguments.folder.name} could not be uploaded to {arguments.repository}: "
            f"{(str(error).splitlines() or [''])[0]}",
            "Log in with `hf auth login`, check name and connection, and run the same command again: files that have "
            "arrived are not sent twice.",
        ) from error
    return str(commit.commit_url)
