"""Which tokenizers the page reads as Python does: those that it has code of its own for, held to one table of texts.

The page's library goes by JavaScript's white space and normal forms where Python's goes by Rust's: a prompt would be
other ids there than in training. src/runtime/tokenizer/reader.ts must know the same forms.
"""

import json
from pathlib import Path
from typing import Any

from elf.data.sentencepiece_form import vocabulary_of
from elf.data.tokenizer import SentencePieceTokenizer, read_library
from elf.errors import TokenizerFormError

METASPACE = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}

SQUEEZED_NFKC: dict[str, Any] = {
    "normalizer": {
        "type": "Sequence",
        "normalizers": [
            {"type": "NFKC"},
            {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Strip", "strip_left": True, "strip_right": True},
        ],
    },
    "pre_tokenizer": METASPACE,
}
"""What this project's tokenizers were before they had SentencePiece's form; the shipped models' still are."""


def check_read_alike(path: Path) -> None:
    """Raises TokenizerFormError, naming the difference, for a tokenizer.json that the page may read otherwise."""
    library = read_library(path)
    facts = json.loads(library.to_str())
    try:
        vocabulary_of(facts)
        if any(facts[part] != expected for part, expected in SQUEEZED_NFKC.items()):
            SentencePieceTokenizer(library, facts)
    except ValueError as error:
        raise TokenizerFormError(
            f"{path}: {error}, and the page is not known to read prompts by that as Python does",
            "Train with a tokenizer of T5's form, such as `elf tokenizer train` writes.",
        ) from error
