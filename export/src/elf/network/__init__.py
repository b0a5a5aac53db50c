"""The ELF network and the T5 encoder, and the shapes of their parameters."""
