"""A training carried to a GPU for half an hour, and back."""
