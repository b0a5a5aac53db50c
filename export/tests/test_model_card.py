"""The model card: what it says of training, samples and evaluation, and what `elf export` refuses to put on it."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from elf.config import ElfConfig, SamplerSettings
from elf.data.tokenizer import load_tokenizer
from elf.data.train_tokenizer import train_tokenizer
from elf.dev.make_random import PLAIN_TEXT, random_model
from elf.errors import ConfigError, GenerationsError
from elf.models.exported_folder import StoredWeights
from elf.models.trained_model import fingerprint
from elf.onnx_export.card_parts import CardOptions, CardParts, CardSamples, Sample
from elf.onnx_export.export import Arguments, export_model
from elf.onnx_export.model_card import card_section, model_card
from elf.sampling.condition import encode_sources
from elf.sampling.networks import OnnxEncoder, OnnxNetwork
from elf.sampling.options import text_reader
from elf.sampling.sampler import sample, written

CONFIG = ElfConfig(
    depth=1,
    hidden_size=16,
    heads=2,
    latent_size=8,
    bottleneck_size=4,
    vocabulary_size=128,
    max_length=8,
    max_input_length=4,
    source_optional=True,
)
MANIFEST = {
    "title": "Small",
    "description": "A small one.",
    "licence": "MIT",
    "architecture": {
        **{"parameters": 1234, "depth": 1, "hiddenSize": 16, "heads": 2, "latentSize": 8, "vocabularySize": 128},
        **{"maxLength": 8, "maxInputLength": 4},
    },
    "defaults": {
        **{"steps": 3, "method": "sde", "gamma": 0.5, "selfCondScale": 3.0, "cfgScale": 2.0},
        **{"schedule": "logit_normal", "length": 8},
    },
    "dtypes": {"f16": {"bytes": 1e6, "tokenAgreement": 1.0, "normalisedEditDistance": 0.0, "approximate": False}},
    "defaultDtype": "f16",
}
PARITY = {
    "graphs": {"denoiser": {"x_hat": {"maxAbsoluteError": 1e-6, "maxRelativeError": 1e-7}}},
    "runs": {"firstSeed": 0, "lastSeed": 15, "tokenAgreement": 1.0, "tokens": 128, "length": 6, "steps": 3},
}
ROW = {
    **{"combination": "00", "weights": "w", "method": "sde", "steps": 32, "gamma": 0.5, "self_cond_cfg": 3.0},
    **{"cfg": 2.0, "schedule": "logit_normal", "n": 1000, "data": "/home/me/held_out", "continuation": True},
    **{"judge": "/home/me/judges/small", "gen_ppl": 19.66, "gen_ppl_ci": [17.4, 22.5], "held_out_gen_ppl": 11.55},
    **{"kept_names": 0.319, "kept_names_ci": [0.25, 0.39], "kept_names_chance": 0.014, "longest_copy": 9},
}


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    tokenizer = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    train_tokenizer(PLAIN_TEXT, CONFIG.vocabulary_size, sentinels=1).save(str(tokenizer))
    return random_model(CONFIG, tokenizer=tokenizer)


def card_of(samples: CardSamples, training: dict | None = None, parts: CardParts | None = None, **manifest) -> str:
    return model_card(MANIFEST | manifest, PARITY, training or {}, samples, parts or CardParts())


def metrics(path: Path, *rows: dict) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_how_the_model_was_trained() -> None:
    facts = {
        "command": "elf train --config a_b.yml",
        "corpus": "Stories | <other>",
        "steps": 12000,
        "seconds": 5400,
        "losses": {"loss": 0.41, "decode_loss": 2.5},
        "sampler": {"steps": 8, "gamma": 1.5},
        "config": {"batch_size": 64},
    }
    card = card_of(CardSamples(of_parity=[Sample(3, "a *b* <c>")]), facts)
    assert "| command | elf train --config a\\_b.yml |" in card
    assert r"| corpus | Stories \| \<other\> |" in card
    assert "| steps | 12,000 |" in card and "| time | 1 h 30 min |" in card
    assert "| losses | loss 0.41, decode loss 2.5 |" in card
    assert "gamma 1.5" not in card, "how it is sampled, the manifest says"
    assert '"batch_size": 64' in card
    assert r"- seed 3: a \*b\* \<c\>" in card


def test_deviations_from_the_official_recipe_are_listed_with_their_reasons() -> None:
    deviation = {"field": "ema_decay", "value": 0.998, "official": 0.9999, "why": "few | updates"}
    card = card_of(CardSamples(of_parity=[]), {"steps": 1, "recipe": "own", "deviations": [deviation]})
    assert "| recipe | own |" in card and r"| ema\_decay | 0.998 | 0.9999 | few \| updates |" in card
    card = card_of(CardSamples(of_parity=[]), {"steps": 1, "recipe": "official", "deviations": []})
    assert "by the official recipe, without deviations" in card


def test_each_kind_of_sample_says_how_it_was_written() -> None:
    proven = card_of(CardSamples(of_parity=[Sample(0, "x")]))
    assert "each to a prompt of random tokens, with the default settings: SDE, 3 steps, γ 0.5" in proven
    assert "guidance by the prompt 2, logit_normal schedule, but 6 positions." in proven
    card = card_of(
        CardSamples(to_sources=[Sample(0, "It *ran*.", "A dog."), Sample(1, "", "B")], free=[Sample(0, "y")])
    )
    assert r"- seed 0: *A dog.* → It \*ran\*." in card and "- seed 1: *B* → (empty)" in card
    given, free = card.split("## Samples")[1].split("Unpicked, written without a prompt")
    assert "guidance by the prompt 2" in given and "guidance" not in free and "- seed 0: y" in free
    assert "random tokens" not in card and "but 6 positions" not in card


def test_what_a_person_adds_stands_as_it_is_and_what_is_not_there_has_no_heading() -> None:
    notes = "- Forgets *names*.\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    card = card_of(CardSamples(), parts=CardParts(notes=notes, evaluation="EVALUATED"))
    assert f"## Limits and failures\n\n{notes}\n" in card and "## Evaluation\n\nEVALUATED\n" in card
    assert "\nlanguage: [de, en]\n" in card_of(CardSamples(), parts=CardParts(languages=("de", "en")))
    # Titles of one's own are part of it, also when the card is read again.
    titled = f"{notes}\n\n## In short\n\nNot much."
    read_again = card_section(card_of(CardSamples(), parts=CardParts(notes=titled)), "Limits and failures")
    assert read_again == titled
    bare = card_of(CardSamples(of_parity=[Sample(0, "x")]))
    assert "\nlanguage: [en]\n" in bare
    assert "## Limits" not in bare and "## Evaluation" not in bare and "## Attribution" not in bare


def test_attribution_is_given_where_the_licence_asks_for_it() -> None:
    tatoeba = {"corpus": "Tatoeba German-English pairs"}
    for licence in ("CC-BY-2.0", "CC BY 2.0"):
        card = card_of(CardSamples(), tatoeba, licence=licence)
        assert "## Attribution" in card and "www.manythings.org/anki and tatoeba.org" in card
    assert "Trained on Songs, CC-BY-4.0." in card_of(CardSamples(), {"corpus": "Songs"}, licence="CC-BY-4.0")
    assert "## Attribution" not in card_of(CardSamples(), tatoeba, licence="CDLA-Sharing-1.0")
    # An exported folder tells no corpus, but its card attributes.
    again = model_card(MANIFEST | {"licence": "CC-BY-2.0"}, PARITY, {}, CardSamples(), CardParts(), "Of Songs.")
    assert "## Attribution\n\nOf Songs.\n" in again


def test_the_evaluation_table(model, tmp_path: Path) -> None:
    weights = fingerprint(model.params)
    other = {"method": "ode", "steps": 64, "cfg": 1.0, "gen_ppl": 26.2, "gen_ppl_ci": None, "kept_names": None}
    metrics(tmp_path / "metrics.jsonl", ROW | {"weights": weights}, {**ROW, **other, "weights": weights})
    parts = CardOptions(evaluation=(tmp_path,)).read_card_parts(model)
    lines = parts.evaluation.splitlines()
    assert lines[0].startswith("1,000 texts that go on from their sources")
    assert "Judge: small, of the text's tokens after its source." in lines[0] and "/home" not in parts.evaluation
    assert lines[2] == "| | SDE 32, γ 0.5, w 3, ω 2 | ODE 64, w 3 | real text, held out |"
    assert lines[3] == "|---|---|---|---|"
    assert "| perplexity under the judge | 19.7 [17.4, 22.5] | 26.2 | 11.6 |" in lines
    assert "| the source's names that the text has | 0.32 [0.25, 0.39] |  |  |" in lines
    assert "| … by chance | 0.01 | 0.01 |  |" in lines and "| longest copy from it, words | 9 | 9 |  |" in lines
    # Rows that say what they were measured with compare by that, wherever it lay, and of any number of texts.
    mine = {**ROW, "weights": weights, "continuation": True}
    told = {**mine, "inputs": {"judge": "a", "references": "b"}}
    moved = {**told, "judge": "/elsewhere/small2", "data": "x.jsonl", "n": 500, "kept_names": None}
    for rows in ((told, moved), (mine, told)):
        CardOptions(evaluation=(metrics(tmp_path / "told.jsonl", *rows),)).read_card_parts(model)
    other_judge = {**told, "inputs": {"judge": "z", "references": "b"}}
    with pytest.raises(GenerationsError, match=r"gen_ppl of .* was measured with different judge: a and z"):
        CardOptions(evaluation=(metrics(tmp_path / "told.jsonl", told, other_judge),)).read_card_parts(model)
    # The file itself does as well, and several evaluations are several tables.
    twice = CardOptions(evaluation=(tmp_path, tmp_path / "metrics.jsonl")).read_card_parts(model)
    assert twice.evaluation == f"{parts.evaluation}\n\n{parts.evaluation}"


def test_what_cannot_stand_on_a_card_is_refused_by_name(model, tmp_path: Path) -> None:
    def refused(match: str, of=model, **options) -> None:
        with pytest.raises((ConfigError, GenerationsError), match=match):
            CardOptions(**options).read_card_parts(of)

    refused("other weights", evaluation=(metrics(tmp_path / "a.jsonl", ROW),))
    mine = ROW | {"weights": fingerprint(model.params)}
    refused("room for 1 to 8", evaluation=(metrics(tmp_path / "b.jsonl", *[mine] * 9),))
    refused("room for 1 to 8", evaluation=(metrics(tmp_path / "c.jsonl"),))
    other = metrics(tmp_path / "other.jsonl", mine, mine | {"judge": "/home/me/judges/large"})
    refused(r"gen_ppl of .*other\.jsonl was measured with different judge: small and large", evaluation=(other,))
    refused("cannot be read as an evaluation", evaluation=(metrics(tmp_path / "d.jsonl", {"step": 20, "loss": 1}),))
    refused("cannot be read as an evaluation", evaluation=(tmp_path / "nowhere",))
    refused("nowhere.md cannot be read", notes=tmp_path / "nowhere.md")
    refused("'German' is no code", language="German, en")
    sources = tmp_path / "sources.jsonl"
    sources.write_text('{"output": "no input"}\n')
    refused("no row of .* has a source", sample_sources=str(sources))
    free = replace(model, elf=replace(CONFIG, max_input_length=0, source_optional=False))
    refused("writes without a source", of=free, sample_sources=str(sources))


def test_exported_samples_are_those_of_the_shipped_graphs(model, tmp_path: Path) -> None:
    words = " ".join(PLAIN_TEXT).split()
    prompts = [" ".join(words[i : i + 4]) for i in range(22)]
    sources = tmp_path / "sources.jsonl"
    metrics(sources, {"output": "free"}, *({"input": prompt, "output": "x"} for prompt in prompts))
    (tmp_path / "notes.md").write_text("It **fails** often.\n")
    out = tmp_path / "out"
    export_model(
        model,
        Arguments(
            checkpoint=Path("unused"),
            out=out,
            steps=2,
            cfg=2.0,
            dtype="f16",
            parity_seeds=16,
            ungated=True,
            sample_sources=str(sources),
            notes=tmp_path / "notes.md",
        ),
    )
    card = (out / "README.md").read_text(encoding="utf-8").replace("\\", "")
    assert "It **fails** often." in card
    assert card.count("→") == 20 and card.count("\n- seed ") == 30
    weights, read = StoredWeights(out / "onnx", "f16"), text_reader(model)
    network, encoder = OnnxNetwork(out / "onnx", weights), OnnxEncoder(out / "onnx", weights)
    # Of 22 prompts 20 are taken, evenly spread: the last has seed 19.
    for seed, row in ((0, 0), (19, 21)):
        ids = load_tokenizer(model.tokenizer).encode(prompts[row], add_special_tokens=False).ids[:4]
        condition = encode_sources(encoder, [ids], 8)
        settings = SamplerSettings(steps=2, seed=seed, cfg_scale=2.0)
        run = sample(network, settings, model.flow, (1, 8, 8), condition)
        text = read(written(run.tokens, model.elf, condition)[0])
        assert f"- seed {seed}: *{' '.join(read(ids).split())}* → {' '.join(text.split()) or '(empty)'}\n" in card
    for seed in (0, 9):
        run = sample(network, SamplerSettings(steps=2, seed=seed), model.flow, (1, 8, 8))
        assert f"- seed {seed}: {' '.join(read(run.tokens[0]).split()) or '(empty)'}\n" in card
