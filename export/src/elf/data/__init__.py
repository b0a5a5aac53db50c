"""Texts to token ids: corpora, tokenizers, Arrow datasets and the batches made of them."""
