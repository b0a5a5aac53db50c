"""Objective, optimizer, loop and checkpoints, and the commands that train."""
