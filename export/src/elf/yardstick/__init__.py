"""A plain encoder-decoder Transformer, trained on the same pairs at equal cost: what ELF's translations are held to."""
