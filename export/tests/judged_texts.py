"""Writes test/fixtures/judged-texts.json: what the shipped judge makes of some texts, for the page's judge.

PYTHONPATH=export/src python export/tests/judged_texts.py
"""

import json
from pathlib import Path

from elf.evaluation.judge import load_judge
from elf.evaluation.perplexity import gen_perplexity

ROOT = Path(__file__).parents[2]
FIXTURE = ROOT / "test" / "fixtures" / "judged-texts.json"
JUDGE = ROOT / "models" / "stories-judge"

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


if __name__ == "__main__":
    FIXTURE.write_text(json.dumps(judged(), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
