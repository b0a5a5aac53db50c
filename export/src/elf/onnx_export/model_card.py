"""The README.md of an exported model."""

import json
import re
from typing import Any

from elf.errors import ConfigError
from elf.onnx_export.card_parts import CardParts, CardSamples, Sample

TEMPLATE = """\
---
license: {licence_id}
language: [{languages}]
library_name: onnx
pipeline_tag: text-generation
tags: [elf, flow-matching, text-generation, onnx, onnxruntime-web]
---

# {title}

{description}

An Embedded Language Flow (ELF, arXiv 2605.10938): one network turns Gaussian noise into the embeddings of a text in
{steps} steps, all {length} tokens at once, then names the tokens. `onnx/` holds its graphs for ONNX Runtime;
`manifest.json` says how to run them.

| | |
|---|---|
{architecture}

## Training

{training}

## Parity

Against the JAX model on the CPU, by `elf export`; the whole report is `parity.json`.

| graph | output | max absolute error | max relative error |
|---|---|---|---|
{parity}

Over {run_count} whole runs{with_weights} {agreement:.2%} of {token_count:,} tokens agree.

## Stored weights

What each form of the weights changes, over {stored_runs}: the share of tokens that are
those of the float32 weights, and the normalised edit distance of the texts.

| dtype | size | tokens kept | edit distance | |
|---|---|---|---|---|
{dtypes}

{sections}
"""

TITLES = ("Training", "Parity", "Stored weights", "Evaluation", "Samples", "Limits and failures", "Attribution")
"""Of a card's sections."""

TATOEBA = (
    "The sentences are from Tatoeba, by its contributors, as prepared by the Tab-delimited Bilingual Sentence Pairs of "
    "ManyThings.org. Attribution: www.manythings.org/anki and tatoeba.org. Licence: CC BY 2.0, "
    "https://creativecommons.org/licenses/by/2.0/."
)


def model_card(
    manifest: dict[str, Any],
    parity: dict[str, Any],
    training: dict[str, Any],
    samples: CardSamples,
    parts: CardParts,
    attribution: str = "",
) -> str:
    """Markdown from the manifest, the parity report, the facts of the training run, samples, and what a person adds.

    `attribution` stands where licence and corpus ask for no other."""
    attribution = attribution_of(manifest["licence"], str(training.get("corpus", ""))) or attribution
    return _filled_in(manifest, parity, _training(training), attribution, samples, parts)


def renewed_card(
    card: str, manifest: dict[str, Any], parity: dict[str, Any], samples: CardSamples, parts: CardParts
) -> str:
    """The same of a folder that is written anew: `card` is the one that it had, of which training and attribution stay.

    Raises ConfigError where there is no section on the training.
    """
    training = card_section(card, "Training")
    if not training:
        raise ConfigError("the README.md has no section Training", "Give a folder as `elf export` wrote it.")
    return _filled_in(manifest, parity, training, card_section(card, "Attribution"), samples, parts)


def card_section(card: str, title: str) -> str:
    """What a card has below a title; nothing where there is none."""
    # What a person added may have titles of its own.
    ends = "|".join(TITLES)
    match = re.search(rf"^## {title}\n\n(.*?)(?=\n\n## (?:{ends})\n|\s*\Z)", card, re.MULTILINE | re.DOTALL)
    return match[1] if match else ""


def card_languages(card: str) -> list[str]:
    """The codes in a card's front matter."""
    match = re.search(r"^language: \[?(.*?)\]?$", card, re.MULTILINE)
    return [code.strip() for code in match[1].split(",")] if match else ["en"]


def _filled_in(
    manifest: dict[str, Any],
    parity: dict[str, Any],
    training: str,
    attribution: str,
    samples: CardSamples,
    parts: CardParts,
) -> str:
    defaults, architecture = manifest["defaults"], manifest["architecture"]
    source = manifest.get("source")
    rows = {
        "parameters": f"{architecture['parameters']:,}",
        "blocks, width, heads": f"{architecture['depth']}, {architecture['hiddenSize']}, {architecture['heads']}",
        "latent width": architecture["latentSize"],
        "vocabulary": f"{architecture['vocabularySize']:,}",
        "length": f"{architecture['maxLength']} tokens",
        "licence": manifest["licence"],
        **({"weights from": "{repository}, commit {revision}".format(**source)} if source else {}),
    }
    sections = {
        "Evaluation": parts.evaluation,
        "Samples": _samples(manifest, parity["runs"], samples),
        "Limits and failures": parts.notes,
        "Attribution": attribution,
    }
    return TEMPLATE.format(
        licence_id=manifest["licence"].lower(),
        languages=", ".join(parts.languages),
        title=manifest["title"],
        description=manifest["description"],
        steps=defaults["steps"],
        length=defaults["length"],
        architecture=_table(rows),
        training=training,
        parity="\n".join(
            f"| {graph} | {output} | {d['maxAbsoluteError']:.2g} | {d['maxRelativeError']:.2g} |"
            for graph, outputs in parity["graphs"].items()
            for output, d in outputs.items()
        ),
        with_weights=f" with the weights of {kept}," if (kept := parity["runs"].get("weights")) else "",
        stored_runs="the runs that it was first exported with" if kept else "the same runs",
        run_count=parity["runs"]["lastSeed"] - parity["runs"]["firstSeed"] + 1,
        agreement=parity["runs"]["tokenAgreement"],
        token_count=parity["runs"]["tokens"],
        dtypes=_dtypes(manifest["dtypes"], manifest["defaultDtype"]),
        sections="\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items() if text),
    )


def _samples(manifest: dict[str, Any], compared: dict[str, Any], samples: CardSamples) -> str:
    """A list of each kind, with what its texts are and the settings they were written with."""
    defaults = manifest["defaults"]
    free = (
        f"{defaults['method'].upper()}, {defaults['steps']} steps, γ {defaults['gamma']:g},"
        f" self-conditioning scale {defaults['selfCondScale']:g},"
    )
    schedule = f"{defaults['schedule']} schedule"
    guided = free + ("" if defaults["cfgScale"] == 1 else f" guidance by the prompt {defaults['cfgScale']:g},")
    random = " each to a prompt of random tokens," if manifest["architecture"]["maxInputLength"] else ""
    shorter = "" if compared["length"] == defaults["length"] else f", but {compared['length']} positions"
    shorter += "" if compared["steps"] == defaults["steps"] else f", but {compared['steps']} steps"
    kinds = [
        (samples.to_sources, f"Unpicked: held-out prompts, evenly spread, and seeds in order: {guided} {schedule}."),
        (samples.free, f"Unpicked, written without a prompt, seeds in order: {free} {schedule}."),
        (
            samples.of_parity,
            f"Unpicked, seeds in order,{random} with the default settings: {guided} {schedule}{shorter}.",
        ),
    ]
    lists = [f"{note}\n\n{chr(10).join(map(_sample, kind))}" for kind, note in kinds if kind]
    return "\n\n".join(lists)


def _sample(sample: Sample) -> str:
    before = "" if sample.source is None else f"*{_escape(sample.source)}* → "
    return f"- seed {sample.seed}: {before}{_escape(sample.text) or '(empty)'}"


def attribution_of(licence: str, corpus: str) -> str:
    """What a CC BY licence asks for."""
    if not re.match(r"cc[ -]by\b", licence, re.IGNORECASE):
        return ""
    if "tatoeba" in corpus.lower():
        return TATOEBA
    return f"Trained on {_escape(corpus)}, {_escape(licence)}." if corpus else ""


def _dtypes(dtypes: dict[str, Any], default: str) -> str:
    rows = []
    for name, entry in dtypes.items():
        remarks = ["the default"] * (name == default) + ["approximate"] * entry["approximate"]
        figures = f"{entry['tokenAgreement']:.2%} | {entry['normalisedEditDistance']:.4f} | {', '.join(remarks)}"
        rows.append(f"| {name} | {entry['bytes'] / 1e6:.1f} MB | {figures} |")
    return "\n".join(rows)


def _table(rows: dict[str, Any]) -> str:
    return "\n".join(f"| {name} | {value} |" for name, value in rows.items())


def _training(training: dict[str, Any]) -> str:
    """The facts of a training run: short ones as a table, its configuration folded away below."""
    if not training:
        return "No record of a training run came with this model."
    config = training.get("config")
    rows = {}
    for name, value in training.items():
        # How a distillation suggests to sample is not how the model ships: that the manifest says.
        if name in ("config", "deviations", "sampler"):
            continue
        if name == "seconds":
            name, value = "time", _duration(value)
        elif isinstance(value, dict):
            value = ", ".join(f"{key.replace('_', ' ')} {number}" for key, number in value.items())
        elif isinstance(value, int):
            value = f"{value:,}"
        rows[name.replace("_", " ")] = _escape(str(value))
    table = f"| | |\n|---|---|\n{_table(rows)}"
    if "deviations" in training:
        table += f"\n\n{_deviations(training['deviations'])}"
    if not config:
        return table
    details = json.dumps(config, indent=2, ensure_ascii=False)
    return f"{table}\n\n<details><summary>Configuration</summary>\n\n```json\n{details}\n```\n\n</details>"


def _deviations(deviations: list[dict[str, Any]]) -> str:
    """What of the training is not the official step's, and why."""
    if not deviations:
        return "Trained by the official recipe, without deviations."
    rows = [
        f"| {' | '.join(_escape(str(deviation[name])) for name in ('field', 'value', 'official', 'why'))} |"
        for deviation in deviations
    ]
    head = "Where this training is not the official step:\n\n| setting | here | official | why |\n|---|---|---|---|"
    return "\n".join([head, *rows])


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 60 else f"{minutes} min"


def _escape(text: str) -> str:
    """Text that Markdown shows as it is, on one line and inside a table."""
    return re.sub(r"([\\`*_<>|\[\]])", r"\\\1", " ".join(text.split()))
