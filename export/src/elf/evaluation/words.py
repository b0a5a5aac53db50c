"""Texts as sentences and words, for comparing what they say: case, punctuation and spacing do not count."""

import re

WORD = re.compile(r"\w+(?:'\w+)*")
SENTENCE_END = re.compile(r"""(?<=[.!?…])\s+|(?<=[.!?…]["'”’)])\s+|\n+""")


def words(text: str) -> list[str]:
    """Lower-cased words; "don't" is one word, with either apostrophe."""
    return WORD.findall(text.lower().replace("’", "'"))


def sentences(text: str) -> list[str]:
    """Parts of `text` between the ends of sentences or lines; "Mr. Smith" is cut as well, which does no harm here."""
    return [sentence for sentence in SENTENCE_END.split(text.strip()) if sentence]
