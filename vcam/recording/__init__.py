"""What a meeting would get, read back from both devices into a film. Start with `record`."""
