"""Official data where it is at hand, beside the repository in `../shared`: the product itself ships none of it."""

import json
from pathlib import Path

import numpy as np
import pytest

from elf.data.corpus import DROPPED, HELD_OUT, TRAIN, assign_rows, stream_corpus
from elf.data.evaluation_rows import stream_evaluation_rows
from elf.data.rows import batch_at, check_vocabulary, open_dataset
from elf.data.tokenizer import EOS, PAD, UNK, load_tokenizer
from elf.errors import DatasetError

SHARED = Path(__file__).parents[2].parent / "shared"
WMT14 = SHARED / "corpora/wmt14-validation"
T5 = SHARED / "tokenizers/t5/tokenizer.json"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="official data are not shipped; put them in ../shared")


def test_the_official_tokenizer_has_the_ids_that_the_code_assumes() -> None:
    tokenizer = load_tokenizer(T5)
    assert [tokenizer.token_to_id(token) for token in ("<pad>", "</s>", "<unk>")] == [PAD, EOS, UNK]
    assert tokenizer.get_vocab_size() == 32100


def test_an_official_dataset_is_read_and_says_what_its_texts_say() -> None:
    dataset = open_dataset(WMT14 / "arrow")
    assert len(dataset) == 3000 and dataset.condition_input_ids is not None
    check_vocabulary(dataset, 32100)
    with pytest.raises(DatasetError, match="token id"):
        check_vocabulary(dataset, 30000)
    tokenizer = load_tokenizer(T5)
    english = (WMT14 / "wmt14_val.en").read_text(encoding="utf-8").splitlines()
    for row in (0, 17, 1500, 2999):
        assert tokenizer.decode(dataset[row][1].tolist()) == english[row].strip()


def test_an_official_dataset_is_collated_to_128_with_sources_of_64() -> None:
    dataset = open_dataset(WMT14 / "arrow")
    batch = batch_at(dataset, 3, batch_size=512, length=128, pad_token=EOS, seed=0, max_input_length=64)
    assert batch.ids.shape == (512, 128) and batch.source_length.max() == 64
    pairs = [dataset[i] for i in range(len(dataset))]
    expected = {tuple(np.concatenate([source[:64], text])[:128].tolist()) for source, text in pairs}
    for ids, real in zip(batch.ids, batch.real, strict=True):
        count = real.sum()
        assert tuple(ids[:count].tolist()) in expected
        assert real[:count].all() and (ids[count:] == EOS).all()
    assert len({tuple(ids) for ids in batch.ids}) == 512


def test_an_official_dataset_is_evaluated_by_its_own_lines() -> None:
    rows = [*stream_evaluation_rows(WMT14 / "arrow", load_tokenizer(T5), max_input_length=64)]
    german, english = (
        (WMT14 / f"wmt14_val.{language}").read_text(encoding="utf-8").splitlines() for language in ("de", "en")
    )
    assert [row.id for row in rows] == list(range(3000))
    assert [row.reference.strip() for row in rows] == [line.strip() for line in english]
    assert [(row.source_text or "").strip() for row in rows] == [line.strip() for line in german]
    assert max(len(row.source_ids) for row in rows) == 64


def test_no_sentence_held_out_of_tatoeba_is_trained_on() -> None:
    rows = [row[::-1] for row in stream_corpus(SHARED / "corpora/tatoeba-de-en/pairs.tsv")]
    fate = assign_rows(rows, 0.01, seed=0)
    sides = {
        part: {text.lower() for row, its_fate in zip(rows, fate, strict=True) if its_fate == part for text in row}
        for part in (TRAIN, HELD_OUT)
    }
    assert not sides[TRAIN] & sides[HELD_OUT]
    assert 1200 < (fate == HELD_OUT).sum() < 2200
    assert (fate == DROPPED).sum() < 4000


def test_no_story_held_out_is_trained_on() -> None:
    stories = json.loads((SHARED / "corpora/tinystories/stories.json").read_text())
    fate = assign_rows([(story,) for story in stories], 0.01, seed=0)
    assert (fate == HELD_OUT).sum() == 208
