"""The embedded 3D head, on the CPU. Start with `renderer`."""
