"""Gen. PPL: which tokens count, and what they come to, against sums written out here in NumPy."""

import json
import math
import socket
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import stories
from simulated_devices import simulated

from elf.data.tokenizer import load_tokenizer
from elf.errors import CheckpointError
from elf.evaluation.gpt2 import Gpt2, Gpt2Config
from elf.evaluation.judge import Judge, load_judge, save_judge
from elf.evaluation.perplexity import gen_perplexity, read_text
from elf.network.modules import abstract

CONFIG = Gpt2Config(vocab_size=60, n_positions=40, n_embd=16, n_layer=1, n_head=2)
EOS = 1
TEXTS = ["", "Mia", "Ben found a boat.", stories()[0] * 2, *stories()[5:9], "Tom</s> sang</s> a song.", "Ada sang."]


def make_judge(tokenizer_file: Path, scale: float = 1.0, block: float = 1.0, config: Gpt2Config = CONFIG) -> Judge:
    """Random weights times `scale`, those of its block times `block` besides."""
    rng = np.random.default_rng(0)
    params = {}
    for name, value in abstract(Gpt2, config)[1].items():
        factor = scale * (block if name.startswith("h_") else 1)
        params[name] = (factor * rng.standard_normal(value.shape)).astype(np.float32)
    return Judge("test", config, params, load_tokenizer(tokenizer_file), EOS)


@pytest.fixture(scope="module")
def judge(tokenizer_file: Path) -> Judge:
    return make_judge(tokenizer_file)


def test_a_judge_that_knows_nothing_has_the_perplexity_of_its_vocabulary(tokenizer_file: Path) -> None:
    result = gen_perplexity(make_judge(tokenizer_file, scale=0.0), stories()[:5])
    assert result.perplexity == pytest.approx(60, rel=1e-6) and result.mean_nll == pytest.approx(math.log(60), rel=1e-6)
    assert result.interval == pytest.approx((60, 60), rel=1e-6)


def test_perplexity_is_that_of_sums_by_hand(tokenizer_file: Path) -> None:
    # Without its block this judge sees only the last token and its position, so that its likelihoods are one formula.
    judge = make_judge(tokenizer_file, block=0.0)
    p = {name: value.astype(np.float64) for name, value in judge.params.items()}

    def nll(ids: list[int], j: int) -> float:
        """−ln p of token j + 1."""
        x = p["wte/embedding"][ids[j]] + p["wpe/embedding"][j]
        h = (x - x.mean()) / np.sqrt(x.var() + 1e-5) * p["ln_f/scale"] + p["ln_f/bias"]
        logits = p["wte/embedding"] @ h
        return float(np.log(np.exp(logits).sum()) - logits[ids[j + 1]])

    sums, numbers, entropies = [], [], []
    for text in TEXTS:
        own = judge.tokenizer.encode(text).ids[:40]
        ids = [*own, EOS] if len(own) < 40 else own
        ends = [j for j, id in enumerate(ids) if id == EOS]
        counted = [j for j in range(1, len(ids)) if j not in ends[1:]]
        sums.append(sum(nll(ids, j - 1) for j in counted))
        numbers.append(len(counted))
        shares = [count / len(own) for count in Counter(own).values()]
        entropies.append(-sum(share * math.log(share) for share in shares))
    result = gen_perplexity(judge, TEXTS, batch_size=4)
    assert result.per_sample_tokens == numbers and result.tokens == sum(numbers)
    np.testing.assert_allclose(result.per_sample_nll, sums, rtol=1e-5)
    assert result.perplexity == pytest.approx(math.exp(sum(sums) / sum(numbers)), rel=1e-5)
    assert result.entropy == pytest.approx(np.mean(entropies))
    low, high = result.interval
    assert low < result.perplexity < high


def test_which_tokens_count(judge: Judge) -> None:
    def counts(text: str) -> tuple[list[str], list[bool]]:
        row = read_text(judge, text)
        return [judge.tokenizer.id_to_token(int(id)) for id in row.ids], row.counts.tolist()

    tokens, counted = counts("Mia sang.")
    assert tokens[-1] == "</s>" and tokens.count("</s>") == 1 and counted == [True] * (len(tokens) - 1)
    # The first end counts, no later one does.
    tokens, counted = counts("Tom</s> sang</s>.")
    ends = [j for j, token in enumerate(tokens) if token == "</s>"]
    assert len(ends) == 3 and [j for j, counts in enumerate(counted, 1) if not counts] == ends[1:]
    assert counts("") == (["</s>"], [])
    # A text that fills the window has no room for an end.
    tokens, counted = counts(" ".join(stories()))
    assert len(tokens) == 40 and "</s>" not in tokens and len(counted) == 39


def test_after_a_source_all_of_the_text_counts_and_nothing_of_the_source(judge: Judge) -> None:
    source, text = "Mia found a kite.", "Ben sang."
    before, own = (judge.tokenizer.encode(part).ids for part in (source, text))
    row = read_text(judge, text, source)
    assert row.ids.tolist() == [*before, *own, EOS] and row.own == own
    assert row.counts.tolist() == [False] * (len(before) - 1) + [True] * (len(own) + 1)
    assert row.judged == f" {text}"
    # Without a text it is the end that the source leads one to expect, or not.
    row = read_text(judge, "", source)
    assert row.ids.tolist() == [*before, EOS] and row.counts.tolist() == [False] * (len(before) - 1) + [True]
    assert row.own == [] and row.judged == ""
    # Without a source nothing changes.
    for each in TEXTS:
        assert np.array_equal(read_text(judge, each).ids, read_text(judge, each, "").ids)


def test_a_source_loses_its_beginning_before_the_text_loses_its_end(judge: Judge) -> None:
    before, own = judge.tokenizer.encode(" ".join(stories()[:3])).ids, judge.tokenizer.encode("Ben sang.").ids
    row = read_text(judge, "Ben sang.", " ".join(stories()[:3]))
    assert row.ids.tolist() == [*before[len(own) + 1 - 40 :], *own, EOS] and row.counts.sum() == len(own) + 1
    long = " ".join(stories())
    assert np.array_equal(read_text(judge, long, "Mia sang.").ids, read_text(judge, long).ids)
    assert np.array_equal(read_text(judge, long, "Mia sang.").counts, read_text(judge, long).counts)


def test_texts_after_sources_have_the_likelihoods_of_the_whole_less_the_source(judge: Judge) -> None:
    sources, texts = ["Mia sang.", "", "Tom found a boat."], ["Ben found a boat.", "Mia", ""]
    result = gen_perplexity(judge, texts, batch_size=2, sources=sources)
    whole = gen_perplexity(judge, [f"{a} {b}".strip() for a, b in zip(sources, texts, strict=True)])
    beginning = gen_perplexity(judge, sources)
    # A text judged alone counts its end, which the text within the whole does not have: n − 1 tokens and one end.
    first = len(judge.tokenizer.encode(sources[0]).ids) - 1
    assert result.per_sample_tokens[0] == whole.per_sample_tokens[0] - first
    assert result.per_sample_nll[1] == pytest.approx(whole.per_sample_nll[1], rel=1e-5)
    assert result.per_sample_tokens[2] == 1 and result.per_sample_nll[2] < beginning.per_sample_nll[2]
    assert result.per_sample_nll[0] < whole.per_sample_nll[0]
    assert result.per_sample_entropy[2] == 0


def test_no_more_than_1024_tokens_are_judged(tokenizer_file: Path) -> None:
    judge = make_judge(tokenizer_file, config=replace(CONFIG, n_positions=2000))
    row = read_text(judge, " ".join(stories()))
    assert len(row.ids) == 1024 and row.ids[-1] != EOS


def test_a_text_is_judged_the_same_in_any_company(judge: Judge) -> None:
    together = gen_perplexity(judge, TEXTS, batch_size=16)
    for i in (1, 3, 8):
        alone = gen_perplexity(judge, [TEXTS[i]])
        assert alone.per_sample_nll[0] == pytest.approx(together.per_sample_nll[i], rel=1e-5)
    backwards = gen_perplexity(judge, TEXTS[::-1], batch_size=3)
    np.testing.assert_allclose(backwards.per_sample_nll[::-1], together.per_sample_nll, rtol=1e-5)


def test_nothing_to_judge_is_no_figure_but_no_crash(judge: Judge) -> None:
    for texts in ([], ["", ""]):
        result = gen_perplexity(judge, texts)
        assert result.perplexity is None and result.tokens == 0 and result.entropy == 0
    beside_a_blank, alone = (gen_perplexity(judge, texts).perplexity for texts in (["", "Mia sang."], ["Mia sang."]))
    # Products of two rows are not summed as those of one are, on some processors.
    assert beside_a_blank == pytest.approx(alone, rel=1e-5)
    json.dumps(gen_perplexity(judge, ["", "Mia" * 3000]).summary(), allow_nan=False)


def test_words_and_bytes_are_those_of_what_was_predicted(tokenizer_file: Path) -> None:
    judge = make_judge(tokenizer_file, scale=0.0)
    text = "Mia found a lamp."
    encoding = judge.tokenizer.encode(text)
    rest = text[encoding.offsets[0][1] :]
    assert read_text(judge, text).judged == rest
    nats = len(encoding.ids) * math.log(60)  # all tokens but the first, and the end
    result = gen_perplexity(judge, [text])
    assert result.bits_per_byte == pytest.approx(nats / math.log(2) / len(rest), rel=1e-6)
    assert result.perplexity_per_word == pytest.approx(math.exp(nats / len(rest.split())), rel=1e-4)
    cut = read_text(judge, " ".join(stories()))
    last = judge.tokenizer.encode(" ".join(stories())).offsets[39][1]
    assert cut.judged.endswith(" ".join(stories())[last - 5 : last])


def test_progress_reaches_the_number_of_texts(judge: Judge) -> None:
    done: list[int] = []
    gen_perplexity(judge, TEXTS, batch_size=4, on_progress=done.append)
    assert done == [4, 8, len(TEXTS)]


def test_a_broken_judge_is_named(judge: Judge) -> None:
    broken = replace(judge, params=judge.params | {"ln_f/bias": np.full(16, np.nan, np.float32)})
    with pytest.raises(CheckpointError, match="no numbers"):
        gen_perplexity(broken, ["Mia sang."])


IN_TURN = """
import json, sys
import jax, numpy as np
from jax.sharding import Mesh
from elf.devices import AXES, initialize_distributed
from elf.evaluation import perplexity
from elf.evaluation.judge import load_judge

folder, texts, coordinator, number = sys.argv[1:]
initialize_distributed(coordinator, 2, int(number))
by_process = sorted(jax.devices(), key=lambda device: device.process_index)
perplexity.make_mesh = lambda: Mesh(np.array(by_process).reshape(2, 4).T.reshape(8, 1), AXES)
result = perplexity.gen_perplexity(load_judge(folder), json.loads(texts), batch_size=6)
print(json.dumps([jax.device_count(), result.per_sample_nll]))
"""
"""Two processes of four devices each, which lie in the mesh in turn, as the hosts of a TPU slice may."""


@pytest.mark.slow("two processes compile for eight devices")
def test_eight_devices_of_two_processes_judge_as_one_does(judge: Judge, tokenizer_file: Path, tmp_path: Path) -> None:
    save_judge(tmp_path, judge, tokenizer_file)
    assert load_judge(tmp_path).eos == EOS
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        coordinator = f"127.0.0.1:{free.getsockname()[1]}"
    command = [sys.executable, "-c", IN_TURN, str(tmp_path), json.dumps(TEXTS), coordinator]
    both = [
        subprocess.Popen([*command, str(number)], env=simulated(4), stdout=subprocess.PIPE, text=True)
        for number in range(2)
    ]
    expected = gen_perplexity(judge, TEXTS).per_sample_nll
    for process in both:
        said, _ = process.communicate(timeout=240)
        devices, nll = json.loads(said.splitlines()[-1])
        assert process.returncode == 0 and devices == 8
        np.testing.assert_allclose(nll, expected, rtol=1e-5)
