"""Train, sample, measure and export Embedded Language Flows (ELF, arXiv 2605.10938)."""
