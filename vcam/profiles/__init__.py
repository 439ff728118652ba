"""An identity on disk. Start with `profile`."""
