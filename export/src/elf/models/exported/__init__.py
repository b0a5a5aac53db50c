"""The weights of a folder that `elf export` wrote: how they are laid out, stored, and read back."""
