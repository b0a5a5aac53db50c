"""Example prompts of a conditional model, which the page offers beside its box for the prompt."""

from elf.data.tokenizer import load_tokenizer
from elf.errors import ConfigError
from elf.models.trained_model import TrainedModel
from elf.text_file import BLANK_AT_ENDS

MOST_EXAMPLES = 8
MOST_CHARACTERS = 4000
"""Of one; the page refuses a manifest with longer ones."""


def checked_examples(model: TrainedModel, texts: tuple[str, ...]) -> tuple[str, ...]:
    """The texts without what is blank at their ends. Raises ConfigError for one that the model cannot be given."""
    if not texts:
        return ()
    if not model.elf.max_input_length:
        raise ConfigError("--example is given, but this model takes no prompt", "Leave it out.")
    if model.tokenizer is None:
        raise ConfigError("this model has no tokenizer to read --example with", "Leave it out, or give a tokenizer.")
    if len(texts) > MOST_EXAMPLES:
        raise ConfigError(f"there are {len(texts)} examples", f"Give at most {MOST_EXAMPLES}.")
    tokenizer, most = load_tokenizer(model.tokenizer), model.elf.max_input_length
    examples = tuple(text.strip(BLANK_AT_ENDS) for text in texts)
    for number, text in enumerate(examples, start=1):
        count = len(tokenizer.encode(text, add_special_tokens=False).ids)
        if not 1 <= count <= most:
            raise ConfigError(f"example {number} has {count} tokens", f"A prompt of this model has 1 to {most}.")
        if len(text) > MOST_CHARACTERS:
            raise ConfigError(f"example {number} has {len(text)} characters", f"Give at most {MOST_CHARACTERS}.")
    return examples
