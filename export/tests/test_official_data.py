"""Official data where it is at hand, beside the repository in `../shared`: the product itself ships none of it."""

from pathlib import Path

import numpy as np
import pytest

from elf.data.dataset import collate, load_dataset
from elf.data.tokenizer import EOS, PAD, UNK, load_tokenizer

SHARED = Path(__file__).parents[2].parent / "shared"

pytestmark = pytest.mark.skipif(not SHARED.is_dir(), reason="official data are not shipped; put them in ../shared")


def test_the_official_tokenizer_has_the_ids_that_the_code_assumes() -> None:
    tokenizer = load_tokenizer(SHARED / "tokenizers/t5/tokenizer.json")
    assert [tokenizer.token_to_id(token) for token in ("<pad>", "</s>", "<unk>")] == [PAD, EOS, UNK]
    assert tokenizer.get_vocab_size() == 32100


def test_an_official_dataset_is_read_and_says_what_its_texts_say() -> None:
    folder = SHARED / "corpora/wmt14-validation"
    dataset = load_dataset(folder / "arrow")
    assert len(dataset) == 3000 and dataset.condition_input_ids is not None
    tokenizer = load_tokenizer(SHARED / "tokenizers/t5/tokenizer.json")
    english = (folder / "wmt14_val.en").read_text(encoding="utf-8").splitlines()
    row = 17
    assert tokenizer.decode(dataset.input_ids[row].tolist()) == english[row].strip()
    batch = collate(dataset, np.array([row]), 128, EOS)
    source = dataset.condition_input_ids[row]
    assert batch.source_length[0] == len(source)
    np.testing.assert_array_equal(batch.ids[0, : len(source)], source)
