"""Train a T5-style tokenizer: SentencePiece unigram, pad 0, eos 1, unk 2, sentinels `<extra_id_i>` at the end.

Written as one `tokenizer.json` that the `tokenizers` library and transformers.js both load.
"""

import json
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import sentencepiece
import tokenizers

from elf.data.corpus import read_corpus
from elf.data.tokenizer import EOS, PAD, UNK, WORD_START
from elf.errors import ConfigError
from elf.progress import say


@dataclass(frozen=True)
class Arguments:
    corpus: tuple[Path, ...]
    """Files to learn from: .json (list of strings), .jsonl, .tsv (every column) or .txt (one text a line)."""
    out: Path = field(default=Path("tokenizer.json"))
    """File to write."""
    vocabulary_size: int = 4096
    """Number of ids, special tokens and sentinels included."""
    sentinels: int = 4
    """Number of `<extra_id_i>` at the end (T5 has 100). `<extra_id_0>` is the mask of `elf pretrain-encoder`."""


def train_tokenizer(texts: list[str], vocabulary_size: int, sentinels: int) -> tokenizers.Tokenizer:
    """Learns a unigram vocabulary of exactly `vocabulary_size` ids from `texts`.

    Raises ConfigError when the texts are too few or too alike for so many pieces.
    """
    with tempfile.TemporaryDirectory() as folder:
        prefix = f"{folder}/spm"
        try:
            sentencepiece.SentencePieceTrainer.train(
                sentence_iterator=iter(line for text in texts for line in text.splitlines() if line.strip()),
                model_prefix=prefix,
                model_type="unigram",
                vocab_size=vocabulary_size - sentinels,
                pad_id=PAD,
                eos_id=EOS,
                unk_id=UNK,
                bos_id=-1,
                pad_piece="<pad>",
                eos_piece="</s>",
                unk_piece="<unk>",
                character_coverage=0.9999,
                normalization_rule_name="nmt_nfkc",
                # One thread: the same corpus must give the same pieces on every machine.
                num_threads=1,
                minloglevel=2,
            )
        except RuntimeError as error:
            raise ConfigError(
                f"a vocabulary of {vocabulary_size} cannot be learnt from this corpus: {error}",
                "Give more text or a smaller --vocabulary-size.",
            ) from error
        model = sentencepiece.SentencePieceProcessor(model_file=f"{prefix}.model")
        pieces = [(model.id_to_piece(i), model.get_score(i)) for i in range(model.get_piece_size())]
    return _unigram(pieces + [(f"<extra_id_{i}>", 0.0) for i in range(sentinels)], sentinels)


def _unigram(pieces: list[tuple[str, float]], sentinels: int) -> tokenizers.Tokenizer:
    """The same pieces as a `tokenizers` pipeline: NFKC and space squeezing, ▁ for spaces, unigram search."""
    tokenizer = tokenizers.Tokenizer(tokenizers.models.Unigram(pieces, unk_id=UNK, byte_fallback=False))
    tokenizer.normalizer = tokenizers.normalizers.Sequence(
        [
            tokenizers.normalizers.NFKC(),
            tokenizers.normalizers.Replace(tokenizers.Regex(r"\s+"), " "),
            tokenizers.normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace(replacement=WORD_START, prepend_scheme="always")
    tokenizer.decoder = tokenizers.decoders.Metaspace(replacement=WORD_START, prepend_scheme="always")
    special = ["<pad>", "</s>", "<unk>", *(f"<extra_id_{i}>" for i in range(sentinels))]
    tokenizer.add_special_tokens([tokenizers.AddedToken(token, special=True, normalized=False) for token in special])
    return tokenizer


def main(arguments: Arguments) -> None:
    texts = [text for path in arguments.corpus for row in read_corpus(path) for text in row]
    say(f"learning {arguments.vocabulary_size:,} pieces from {len(texts):,} texts")
    tokenizer = train_tokenizer(texts, arguments.vocabulary_size, arguments.sentinels)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(arguments.out))
    sample = texts[0][:60]
    report: dict[str, Any] = {
        "texts": len(texts),
        "vocabulary_size": tokenizer.get_vocab_size(),
        "sample": tokenizer.encode(sample).tokens,
        "out": str(arguments.out),
    }
    print(json.dumps(report, ensure_ascii=False))
