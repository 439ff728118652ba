"""The head model. Start with `model`."""
