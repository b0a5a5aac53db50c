"""Files of weights in every form that ELFs and T5 encoders come in: read lazily, fetched."""
