"""Sound to 52 blendshapes on the CPU. Start with `model`."""
