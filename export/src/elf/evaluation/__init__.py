"""What generated text is worth: perplexity under a judge, likeness to references, diversity, and memorisation."""
