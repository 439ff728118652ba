"""One photo, moved on the CPU. Start with `renderer`."""
