"""The ELF network and the T5 encoder, their parameters, and a trained model at rest."""
