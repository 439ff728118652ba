"""Shoulders and room behind a head that has none, as a still layer. Start with `layer`."""
