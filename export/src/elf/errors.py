"""Every error a person can meet, by name."""

import re

# Each says what happened (the message) and what to do next (`action`).

MOST_LETTERS = 1000
"""Of a message or an action. A name in a file may be as long as the file."""

UNSHOWN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""What moves a terminal's cursor, turns its text around, or is half of a character."""


class ElfError(Exception):
    """Base of all named errors; `elf` prints message and action and exits with code 2."""

    def __init__(self, message: str, action: str):
        super().__init__(shown(message))
        self.action = shown(action)


def shown(text: str) -> str:
    """A text that may hold what a stranger has written, as a terminal can show it: cut in the middle, some signs
    escaped."""
    return _cut(UNSHOWN.sub(lambda sign: ascii(sign[0])[1:-1], _cut(text)))


def _cut(text: str) -> str:
    half = MOST_LETTERS // 2
    return text if len(text) <= MOST_LETTERS else f"{text[:half]} … {text[-half:]}"


class UsageError(ElfError):
    """A command or option that does not exist, or a value that cannot be."""


class EmptyCorpusError(ElfError):
    """A corpus without a single usable text."""


class CorpusFormatError(ElfError):
    """A corpus file that is not the JSON, JSONL, TSV or plain text it claims to be."""


class TextError(ElfError):
    """A text with half of a character in it, a lone surrogate, which nothing can be made of."""


class TokenizerFormError(ElfError):
    """A tokenizer that the page is not known to read as Python does."""


class DatasetError(ElfError):
    """A prepared dataset that is missing, unreadable, or made with another tokenizer."""


class ConfigError(ElfError):
    """A configuration field that is unknown, of the wrong type, or of an impossible value."""


class CheckpointError(ElfError):
    """A checkpoint that is missing or unreadable."""


class CheckpointMismatchError(ElfError):
    """A checkpoint whose parameters do not fit its configuration."""


class DistributedError(ElfError):
    """Processes of one run that could not be joined."""


class DoesNotFitError(ElfError):
    """A training that needs more memory than its devices have."""


class DiskFullError(ElfError):
    """An output folder without room for what is about to be written."""


class HubError(ElfError):
    """A repository of the hub that could not be read or written."""


class DivergedError(ElfError):
    """A training run whose loss is no longer a number."""


class GoldenError(ElfError):
    """A folder of golden numbers that is missing, broken or incomplete."""


class ParityError(ElfError):
    """ONNX graphs that do not compute what the trained model computes."""


class StoredWeightsError(ElfError):
    """Exported weights whose index or shards are missing or broken."""


class ExportedModelError(ElfError):
    """A folder of an exported model with a file that is missing, changed, or at odds with another."""


class OutputExistsError(ElfError):
    """An output folder that holds something this command did not write."""


class GenerationsError(ElfError):
    """Generated texts or references that cannot be read, or do not belong together."""


def first_line(error: BaseException) -> str:
    """What an error of a library says, without the pages that follow; its kind where it says nothing."""
    line = (str(error).splitlines() or [type(error).__name__])[0]
    # Of a file that cannot be written, TensorStore adds all the settings it was opened with.
    return line.split(" [tensorstore_spec=")[0]
