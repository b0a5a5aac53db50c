"""Writes test/fixtures/judged-texts.json and judged-translations.json: what the shipped judges make of some texts, for
those of the page.

PYTHONPATH=export/src python export/tests/judged_texts.py
"""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from elf.data.evaluation_rows import EvaluationRow
from elf.data.tokenizer import EOS, load_tokenizer
from elf.evaluation.judge import load_judge
from elf.evaluation.perplexity import gen_perplexity
from elf.evaluation.words import entropies
from elf.network.modules import abstract
from elf.yardstick.translate import HeldOut, compile_greedy
from elf.yardstick.translator import Translator, load_translator

ROOT = Path(__file__).parents[2]
FIXTURES = ROOT / "test" / "fixtures"
JUDGE = ROOT / "models" / "stories-judge"
TRANSLATOR = ROOT / "models" / "translate-yardstick"

STORY = "there was a little fox who lived by the river. One day, she found a red boat in the grass."
CASES = [
    (f"Once upon a time, {STORY}", ""),
    (STORY, "Once upon a time,"),
    ("boat boat boat the the. Zqxv!", ""),
    ("Der Hund läuft über die Straße.", ""),
    ("hello", ""),
    ("hello", "Tom said"),
    ("", "Tom said"),
    ("", ""),
    (" ".join([STORY] * 9), ""),
    ("They went home. ", " ".join([STORY] * 9)),
]
"""Texts, and what they go on from: of one word, of none, of made-up words, longer than the judge reads."""


def judged() -> list[dict]:
    judge = load_judge(JUDGE)
    figures = gen_perplexity(judge, [text for text, _ in CASES], sources=[source for _, source in CASES])
    rows = zip(figures.per_sample_nll, figures.per_sample_tokens, figures.per_sample_entropy, strict=True)
    return [
        {"text": text, "source": source, "nats": nats, "tokens": tokens, "entropy": entropy}
        for (text, source), (nats, tokens, entropy) in zip(CASES, rows, strict=True)
    ]


TRANSLATED = [
    ("Wo ist mein Schlüssel?", "Where is my key?"),
    ("Ich werde Tom eine Chance geben.", "I'll give Tom a chance."),
    ("Das Wetter ist heute schön.", "Fish swim boat boat."),
    ("Der Hund", ""),
    ("Zqxv, der Große!", "Zqxv the Great!"),
    ("Sie ging nach Hause, " * 12, "She went home, " * 12),
]
"""Sources, and what is judged as their translation: right, wrong, none, made up, both longer than they may be."""


def translated() -> list[dict]:
    """Judged whole; and what is written to each source, token by token."""
    model = load_translator(TRANSLATOR)
    tokenizer = load_tokenizer(model.tokenizer)
    held_out = HeldOut(model.config, tokenizer)
    params = {name: jnp.asarray(value) for name, value in model.params.items()}
    sources = [tokenizer.encode(source.strip(), add_special_tokens=False).ids for source, _ in TRANSLATED]
    rows = [np.asarray(ids[: model.config.max_input_length], np.int32) for ids in sources]
    with jax.default_matmul_precision("highest"):
        written = compile_greedy(abstract(Translator, model.config)[0], model.config)(params, rows)
        found = []
        for (source, text), row, ids in zip(TRANSLATED, rows, written, strict=True):
            own = tokenizer.encode(text.strip(), add_special_tokens=False).ids[: model.config.max_output_length]
            # Cut as the page cuts, where `HeldOut` would leave the end out.
            pair = EvaluationRow(0, source, row, tokenizer.decode(own))
            assert tokenizer.encode(pair.reference, add_special_tokens=False).ids == own
            nats = held_out.cross_entropy(params, [pair]) * (len(own) + 1)
            found.append(
                {
                    "source": source.strip(),
                    "text": text.strip(),
                    "nats": nats,
                    "tokens": len(own) + 1,
                    "entropy": float(entropies([own])[0]),
                    "written": [int(token) for token in ids if token != EOS],
                }
            )
    return found


if __name__ == "__main__":
    for name, found in (("judged-texts", judged()), ("judged-translations", translated())):
        text = json.dumps(found, indent=2, ensure_ascii=False) + "\n"
        (FIXTURES / f"{name}.json").write_text(text, encoding="utf-8")
