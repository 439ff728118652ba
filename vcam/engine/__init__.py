"""The path itself: load, step, degrade, report. Start with `pipeline`, then `engine`."""
