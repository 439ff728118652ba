"""The device, its clocks, graphs, compiled kernels and copies. Start with `device`."""
