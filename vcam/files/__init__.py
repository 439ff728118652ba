"""Sound and film files, opened in one place. Start with `container`."""
