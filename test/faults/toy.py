"""`python toy.py FOLDER`: what the commands of the faults work on, a training and a model of the smallest size."""

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "export" / "tests"))

from conftest import stories
from elf.data.prepare import Arguments as PrepareArguments
from elf.data.prepare import main as prepare
from elf.data.train_tokenizer import train_tokenizer
from elf.dev.make_random import TINY, random_model
from elf.models.trained_model import save_trained_model
from elf.training.pretrain_encoder import Arguments as EncoderArguments
from elf.training.pretrain_encoder import main as pretrain_encoder
from tiny_training import write_experiment

folder = Path(sys.argv[1])
corpus, tokenizer = folder / "stories.json", folder / "tokenizer.json"
corpus.write_text(json.dumps(stories()))
train_tokenizer(stories(), vocabulary_size=60, sentinels=2).save(str(tokenizer))
prepare(
    PrepareArguments(
        corpus=corpus,
        tokenizer=tokenizer,
        out=folder / "data",
        max_length=32,
        held_out=0.1,
    )
)
pretrain_encoder(
    EncoderArguments(
        data=(folder / "data" / "train",),
        tokenizer=tokenizer,
        out=folder / "encoder",
        steps=4,
        batch_size=16,
        length=32,
        compute_dtype="float32",
        d_model=16,
        d_kv=8,
        d_ff=32,
        layers=1,
        heads=2,
    )
)
write_experiment(folder / "toy.yml", folder / "data", tokenizer, folder / "encoder")
save_trained_model(random_model(TINY, tokenizer=None), folder / "model")
