"""Train a T5-style tokenizer: SentencePiece unigram, pad 0, eos 1, unk 2, sentinels `<extra_id_i>` at the end."""

import json
import math
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2

from elf.data.corpus import read_corpus
from elf.data.tokenizer import load_tokenizer
from elf.data.tokenizer_json import CONFIG, EOS, FIELD, NORMAL, PAD, SPECIAL, UNK, WORD_START, tokenizer_of_model
from elf.errors import ConfigError
from elf.progress import say

_WORD = re.compile(rf"{WORD_START}?[^\W\d_{WORD_START}]+")
"""A run of letters, with the mark of the space before it if there is one: as `"Come` holds a word without."""

_MARGIN = 0.01
"""By how much a whole word scores above its best cut, in nats: enough for sums of scores in float32."""


class WordCounts:
    """How often each word stands in texts, told apart by whether a space is before it."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()

    def add(self, line: str) -> None:
        self._counts.update(_WORD.findall(WORD_START + WORD_START.join(line.split())))

    def most_common(self) -> list[str]:
        """The words, the most frequent first; of equally frequent ones the first by the alphabet."""
        return [word for word, _ in sorted(self._counts.items(), key=lambda item: (-item[1], item[0]))]


def add_whole_words(model: Any, counts: WordCounts, wanted: int) -> None:
    """Appends the `wanted` most frequent words that `model` (a ModelProto) would cut; these pieces win over every cut.

    A word that is a piece already, and is cut all the same, is raised where it stands. Words with a letter that the
    model doesn't know stay cut, and so do those that its normaliser changes.

    Raises ConfigError where fewer words are cut.
    """
    scores = {piece.piece: piece.score for piece in model.pieces if piece.type == NORMAL}
    places = {piece.piece: place for place, piece in enumerate(model.pieces)}
    whole: list[str] = []
    added = 0
    for word in counts.most_common():
        if added == wanted:
            break
        score, pieces = _best_cut(word, scores)
        if pieces > 1 and score > -math.inf:
            whole.append(word)
            added += word not in places
    if added < wanted:
        raise ConfigError(
            f"the other pieces cut only {added:,} words of this corpus, and {wanted:,} are asked for",
            f"Give --whole-words {added} and a --vocabulary-size smaller by {wanted - added}, or more text.",
        )
    # The short ones first: a longer one has to win over them, too.
    for word in sorted(whole, key=len):
        scores[word] = _best_cut(word, scores)[0] + _MARGIN
    for word in whole:
        if word in places:
            model.pieces[places[word]].score = scores[word]
        else:
            model.pieces.add(piece=word, score=scores[word], type=NORMAL)


def _best_cut(word: str, scores: dict[str, float]) -> tuple[float, int]:
    """The highest sum of scores of pieces that spell `word`, and their number (Viterbi); −∞ where none do."""
    best: list[tuple[float, int]] = [(0.0, 0)] + [(-math.inf, 0)] * len(word)
    for end in range(1, len(word) + 1):
        for start in range(end):
            score = scores.get(word[start:end])
            if score is not None and best[start][0] + score > best[end][0]:
                best[end] = (best[start][0] + score, best[start][1] + 1)
    return best[-1]


@dataclass(frozen=True)
class Arguments:
    corpus: tuple[Path, ...]
    """Files to learn from, as `elf prepare` reads them; of pairs both texts count."""
    out: Path = field(default=Path("tokenizer.json"))
    """File to write; a tokenizer_config.json goes beside it."""
    vocabulary_size: int = 4096
    """Number of ids, special tokens and sentinels included."""
    sentinels: int = 4
    """Number of `<extra_id_i>` at the end (T5 has 100). `<extra_id_0>` is the mask of `elf pretrain-encoder`."""
    whole_words: int = 0
    """Of the ids, that many are whole words: the most frequent ones which the other pieces would cut."""
    character_coverage: float = 0.9999
    """Share of the corpus's characters that get a piece; the rarest of the others are unknown to the model."""


class _Lines:
    """The lines of texts for SentencePiece, counted as their words are; none is held here.

    It would say of an error in reading only that something went wrong: that is kept, and the texts end.
    """

    def __init__(self, texts: Iterable[str]):
        self.texts = texts
        self.first = ""
        """The beginning of the first text."""
        self.count = 0
        self.words = WordCounts()
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[str]:
        try:
            for text in self.texts:
                self.first = self.first or text[:60]
                self.count += 1
                for line in text.split("\n"):
                    if line.strip():
                        self.words.add(line)
                        yield line
        except Exception as error:  # whatever the texts come from raises
            self.error = error


def train_tokenizer(
    texts: Iterable[str], vocabulary_size: int, sentinels: int, whole_words: int = 0, coverage: float = 0.9999
) -> tokenizers.Tokenizer:
    """Learns a unigram vocabulary of exactly `vocabulary_size` ids from `texts`, `whole_words` of them by frequency.

    It brings the trainer's own normaliser: a text is to the model what it was when the pieces were learnt.

    Raises ConfigError when the texts are too few or too alike for so many pieces, and what reading them raises.
    """
    return _tokenizer_of(_Lines(texts), vocabulary_size, sentinels, whole_words, coverage)


def _tokenizer_of(
    lines: _Lines, vocabulary_size: int, sentinels: int, whole_words: int, coverage: float
) -> tokenizers.Tokenizer:
    if whole_words < 0:
        raise ConfigError(f"--whole-words is {whole_words}", "Give 0 or more.")
    if not 0.9 <= coverage <= 1:
        raise ConfigError(f"--character-coverage is {coverage}", "Give a share from 0.9 to 1.")
    model = _pieces_of(lines, vocabulary_size - sentinels - whole_words, coverage)
    add_whole_words(model, lines.words, whole_words)
    return tokenizer_of_model(model, [f"<extra_id_{i}>" for i in range(sentinels)])


def learn_pieces(texts: Iterable[str], size: int, coverage: float = 0.9999) -> Any:
    """The ModelProto of `size` pieces that SentencePiece learns. Raises as above."""
    return _pieces_of(_Lines(texts), size, coverage)


def _pieces_of(lines: _Lines, size: int, coverage: float) -> Any:
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/spm"
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(lines),
                model_prefix=prefix,
                model_type="unigram",
                vocab_size=size,
                pad_id=PAD,
                eos_id=EOS,
                unk_id=UNK,
                bos_id=-1,
                pad_piece=SPECIAL[PAD],
                eos_piece=SPECIAL[EOS],
                unk_piece=SPECIAL[UNK],
                character_coverage=coverage,
                normalization_rule_name="nmt_nfkc",
                # One thread: the same corpus must give the same pieces on every machine.
                num_threads=1,
                # Unless told, it leaves longer lines than 4,192 bytes out, and says so nowhere.
                max_sentence_length=2**30,
                minloglevel=2,
            )
        except RuntimeError as error:
            if lines.error is not None:
                raise lines.error from None
            raise ConfigError(
                f"a vocabulary of {size} pieces cannot be learnt from this corpus: {error}",
                "Give more text or a smaller --vocabulary-size.",
            ) from error
        if lines.error is not None:
            raise lines.error
        model = sentencepiece_model_pb2.ModelProto()  # type: ignore[attr-defined]
        model.ParseFromString(Path(f"{prefix}.model").read_bytes())
    return model


def save_tokenizer(tokenizer: tokenizers.Tokenizer, path: Path) -> None:
    """Writes it, with the tokenizer_config.json beside it that says how its ids are read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(path))
    # Its pieces come from text as it is, not from text whose punctuation was set apart: there is nothing to clean up.
    config = {"tokenizer_class": "T5Tokenizer", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    (path.parent / CONFIG).write_text(json.dumps(config | {FIELD: False}, indent=2) + "\n", encoding="utf-8")


def main(arguments: Arguments) -> None:
    """Train a T5-style tokenizer: SentencePiece unigram, pad 0, eos 1, unk 2, sentinels `<extra_id_i>` at the end.

    Written as a `tokenizer.json` that the `tokenizers` library and transformers.js both load, and a
    tokenizer_config.json.
    """
    say(f"learning {arguments.vocabulary_size:,} pieces from {', '.join(path.name for path in arguments.corpus)}")
    lines = _Lines(text for path in arguments.corpus for row in read_corpus(path) for text in row)
    tokenizer = _tokenizer_of(
        lines, arguments.vocabulary_size, arguments.sentinels, arguments.whole_words, arguments.character_coverage
    )
    save_tokenizer(tokenizer, arguments.out)
    report: dict[str, Any] = {
        "texts": lines.count,
        "vocabulary_size": tokenizer.get_vocab_size(),
        "sample": load_tokenizer(arguments.out).encode(lines.first).tokens,
        "out": str(arguments.out),
    }
    print(json.dumps(report, ensure_ascii=False))
