"""Models at rest, and the one way to open them, wherever they come from."""
