"""Numbers that the official code computed, and how far this package's training step is from them (`elf golden`)."""
