"""Measuring this machine: one live run and the cost of each stage. Start with `measure`."""
