"""What things cost: `elf bench train-step`, `elf bench sample` and `elf bench cost-model`."""
