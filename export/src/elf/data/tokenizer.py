"""Tokenizers, loaded in one place, so that every command reads a text as the same ids."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

import sentencepiece
import tokenizers
from tokenizers import decoders, models, pre_tokenizers

from elf.data.tokenizer_json import (
    EOS,
    PAD,
    UNK,
    WORD_START,
    Facts,
    check_charsmaps,
    cleaning,
    cleans_up,
    model_of_tokenizer,
    vocabulary_of,
)
from elf.errors import CheckpointError, ConfigError, TokenizerFormError
from elf.text_file import WHITE_SPACE, check_characters, json_value, read_text

# A `tokenizer.json` may ask for more than ids: padding, truncation, merges left out at random. Programs that save one
# after a training leave such wishes in it, and none of them is for those who only want to know a text's ids.

__all__ = [
    "EOS",
    "PAD",
    "UNK",
    "WORD_START",
    "Encoding",
    "Tokenizer",
    "load_byte_level_bpe",
    "load_tokenizer",
    "mask_token",
]

Span = tuple[int, int]


@contextmanager
def _named(what: str, action: str = "Copy it again, or give another.") -> Iterator[None]:
    """Raises CheckpointError for whatever a tokenizer's library says of what it was given."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, GeneratorExit, MemoryError):
        raise
    except BaseException as error:  # bare Exception; and where its Rust gives up, what is no Exception
        raise CheckpointError(f"{what}: {error}", action) from error


class Encoding(Protocol):
    """A text as tokens; `tokenizers.Encoding` is one."""

    @property
    def ids(self) -> list[int]: ...
    @property
    def tokens(self) -> list[str]:
        """The pieces; of an unknown token the text that it stands for."""

    @property
    def offsets(self) -> list[Span]:
        """Where each token begins and ends, in characters of the text."""


class Tokenizer:
    """Texts as ids and back, by the methods of `tokenizers.Tokenizer`. Special tokens are never added."""

    def __init__(self, library: tokenizers.Tokenizer):
        self._library = library
        library.no_padding()
        library.no_truncation()
        if isinstance(library.model, models.BPE):
            library.model.dropout = None

    def encode(self, text: str, add_special_tokens: Literal[False] = False) -> Encoding:
        """Raises TextError for a text that holds half of a character."""
        check_characters(text)
        with _named("the tokenizer fails at a text"):
            return self._library.encode(text, add_special_tokens=False)

    def encode_batch(self, texts: Sequence[str], add_special_tokens: Literal[False] = False) -> Sequence[Encoding]:
        """As `encode`, spread over all cores."""
        for text in texts:
            check_characters(text)
        with _named("the tokenizer fails at a text"):
            return self._library.encode_batch([*texts], add_special_tokens=False)

    def decode(self, ids: Iterable[int]) -> str:
        """The text of the ids, without special tokens."""
        with _named("the tokenizer fails at ids"):
            return self._library.decode([*ids])

    def token_to_id(self, token: str) -> int | None:
        return self._library.token_to_id(token)

    def id_to_token(self, id: int) -> str | None:
        return self._library.id_to_token(id)

    def content(self) -> str:
        """What its tokenizer.json says, without what was cleared: two that say the same make the same ids.

        How ids become text is not part of it: that may be cleaned up or not.
        """
        facts = json.loads(self._library.to_str())
        del facts["decoder"]
        return json.dumps(facts)

    def digest(self) -> str:
        """Sixteen hexadecimal digits that tell it from others, also by how ids become text."""
        return hashlib.sha256(self._library.to_str().encode()).hexdigest()[:16]

    def get_vocab(self) -> dict[str, int]:
        """Ids by pieces, special tokens among them."""
        return self._library.get_vocab(with_added_tokens=True)

    def get_vocab_size(self) -> int:
        return self._library.get_vocab_size()


class SentencePieceTokenizer(Tokenizer):
    """One in SentencePiece's form: the ids are SentencePiece's own.

    A special token in a text is that token, as in Transformers; what stands between two of them is read by itself.
    """

    def __init__(self, library: tokenizers.Tokenizer, facts: Facts):
        """Raises ValueError, saying why, for the content of a tokenizer.json in another form."""
        super().__init__(library)
        model = model_of_tokenizer(facts)
        try:
            self._processor = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
        except RuntimeError as error:
            raise ValueError(f"SentencePiece cannot read its pieces: {error}") from error
        self._special = {token["content"]: token for token in facts["added_tokens"]}
        longest_first = sorted(self._special, key=len, reverse=True)
        self._finder = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")

    def encode(self, text: str, add_special_tokens: Literal[False] = False) -> Encoding:
        check_characters(text)
        return _Pieces([id for part in self._parts(text) for id in self._ids(part)], text, self)

    def encode_batch(self, texts: Sequence[str], add_special_tokens: Literal[False] = False) -> Sequence[Encoding]:
        for text in texts:
            check_characters(text)
        plain = [text for text in texts if not self._finder.search(text)]
        with _named("the tokenizer fails at a text"):
            ids = iter(self._processor.encode(plain))
        return [
            self.encode(text) if self._finder.search(text) else _Pieces(next(ids), text, self)  # in the same order
            for text in texts
        ]

    def spans(self, text: str) -> tuple[list[str], list[Span]]:
        """The tokens of a text, and where they stand."""
        tokens: list[str] = []
        offsets: list[Span] = []
        for part in self._parts(text):
            if part.special is not None:
                tokens.append(part.text)
                offsets.append((part.start, part.start + len(part.text)))
                continue
            with _named("the tokenizer fails at a text"):
                found = self._processor.encode(part.text, return_type="offset_mapping")
            tokens += found["pieces"]
            # The space that SentencePiece puts before a text has no place in it; like the library, give it that of the
            # first character.
            offsets += [(part.start + begin, part.start + max(begin + 1, end)) for begin, end in found["offsets"]]
        return tokens, offsets

    def _ids(self, part: "_Part") -> list[int]:
        with _named("the tokenizer fails at a text"):
            return self._processor.encode(part.text) if part.special is None else [part.special]

    def _parts(self, text: str) -> "Iterator[_Part]":
        """Special tokens, and what stands between them without the white space that they take with them."""
        at, strips = 0, False
        for found in self._finder.finditer(text):
            token = self._special[found[0]]
            yield _between(text, at, found.start(), strips, token["lstrip"])
            yield _Part(found.start(), found[0], token["id"])
            at, strips = found.end(), token["rstrip"]
        yield _between(text, at, len(text), strips, False)


@dataclass(frozen=True)
class _Part:
    start: int
    text: str
    special: int | None = None
    """The id of a special token."""


def _between(text: str, start: int, end: int, left: bool, right: bool) -> _Part:
    part = text[start:end].rstrip(WHITE_SPACE) if right else text[start:end]
    whole = len(part)
    part = part.lstrip(WHITE_SPACE) if left else part
    return _Part(start + whole - len(part), part)


@dataclass(frozen=True)
class _Pieces:
    """An Encoding whose ids are known; the rest is looked up when it is asked for, which is seldom."""

    ids: list[int]
    _text: str = field(repr=False)
    _tokenizer: SentencePieceTokenizer = field(repr=False)

    @property
    def tokens(self) -> list[str]:
        return self._tokenizer.spans(self._text)[0]

    @property
    def offsets(self) -> list[Span]:
        return self._tokenizer.spans(self._text)[1]


def load_tokenizer(path: Path) -> Tokenizer:
    """Reads a `tokenizer.json`; it gives all of a text's ids and nothing but them, the same every time.

    It decodes as the tokenizer_config.json beside it says (`tokenizer_json.py`). Raises CheckpointError when it is
    missing or either is broken.
    """
    library = read_library(path)
    try:
        # As the library writes it: what other versions of it have written says the same in other words.
        tokenizer: Tokenizer = SentencePieceTokenizer(library, json.loads(library.to_str()))
    except ValueError:
        tokenizer = Tokenizer(library)
    if cleans_up(path):
        library.decoder = cleaning(library.decoder)
    return tokenizer


def read_library(path: Path) -> tokenizers.Tokenizer:
    """A tokenizer.json as the library reads it, with all that it asks for. Raises CheckpointError."""
    content = read_text(path, CheckpointError)
    with _named(f"{path} cannot be read as a tokenizer", "Give the tokenizer.json of `elf tokenizer train`."):
        facts = json_value(content)
        check_charsmaps(facts.get("normalizer"))
        library = tokenizers.Tokenizer.from_str(content)
    _check_ids(library, path)
    return library


def _check_ids(library: tokenizers.Tokenizer, path: Path) -> None:
    """Raises CheckpointError where several tokens have one id: which of them it is read as is left to chance."""
    ids = library.get_vocab(with_added_tokens=True).values()
    if len(set(ids)) < len(ids):
        raise CheckpointError(f"{path} gives several tokens the same id", "Copy it again; every token has its own.")


def load_byte_level_bpe(vocabulary: Path, merges: Path, special: Sequence[str] = ()) -> Tokenizer:
    """The tokenizer of GPT-2's own two files, `vocab.json` and `merges.txt`; those of `special` that it knows are
    special tokens. Raises CheckpointError."""
    with _named(f"{vocabulary} and {merges.name} cannot be read as a tokenizer", "Copy them again."):
        library = tokenizers.Tokenizer(models.BPE.from_file(str(vocabulary), str(merges)))
    _check_ids(library, vocabulary)
    library.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    library.decoder = decoders.ByteLevel()
    library.add_special_tokens([token for token in special if library.token_to_id(token) is not None])
    return Tokenizer(library)


def mask_token(tokenizer: Tokenizer) -> int:
    """Id of `<extra_id_0>`, which stands for a hidden token. Raises ConfigError for a tokenizer without sentinels."""
    token = tokenizer.token_to_id("<extra_id_0>")
    if token is None:
        raise ConfigError("this tokenizer has no <extra_id_0>", "Train it with --sentinels 1 or more.")
    return token


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
