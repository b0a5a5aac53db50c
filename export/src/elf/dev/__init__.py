"""Test equipment: random models, official forms written, toy networks, the numbers that TypeScript is held to."""
