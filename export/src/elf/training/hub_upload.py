"""A run's output folder, copied to a repository of the hub in the background while the training goes on."""

from concurrent.futures import Future
from pathlib import Path
from typing import Any

from elf.errors import HubError, first_line
from elf.progress import say

# Half-written checkpoints are nobody's business.
LEFT_OUT = ["*.orbax-checkpoint-tmp*", "*.partial"]


class HubUpload:
    """One upload at a time. A failed one is told and tried again with the next checkpoint: training is worth more."""

    def __init__(self, repository: str, folder: Path):
        """Raises HubError when the repository can neither be found nor made, before any training is done."""
        import huggingface_hub

        self.repository, self.folder = repository, folder
        self.api = huggingface_hub.HfApi()
        self.running: Future[Any] | None = None
        try:
            self.api.create_repo(repository, private=True, exist_ok=True)
        except Exception as error:  # the library raises many kinds
            raise self._error(error) from error

    def start(self, step: int) -> None:
        """Uploads what the folder holds now, unless the last upload is still under way."""
        if self.running is not None and not self.running.done():
            return
        self._tell_failure()
        self.running = self.api.upload_folder(
            repo_id=self.repository,
            folder_path=self.folder,
            commit_message=f"step {step}",
            ignore_patterns=LEFT_OUT,
            run_as_future=True,
        )

    def finish(self, step: int) -> None:
        """Waits, then uploads the folder once more, as it ended. Raises HubError when that fails."""
        if self.running is not None:
            self.running.exception()
        self.start(step)
        assert self.running is not None
        if (error := self.running.exception()) is not None:
            raise self._error(error) from error

    def _tell_failure(self) -> None:
        if self.running is not None and (error := self.running.exception()) is not None:
            say(f"upload to {self.repository} failed, trying again: {first_line(error)}")

    def _error(self, error: BaseException) -> HubError:
        return HubError(
            f"{self.folder.name} could not be uploaded to {self.repository}: {(str(error).splitlines() or [''])[0]}",
            "Log in with `hf auth login` and check the name, or set hub_repo=null. Nothing on disk is lost.",
        )
