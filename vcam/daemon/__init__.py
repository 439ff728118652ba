"""The run in the background, and what starts it again. Start with `supervisor`."""
