"""Checkpoints made elsewhere: the official ones of ELF and T5 encoders, in every form they are published in."""
