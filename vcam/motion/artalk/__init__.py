"""Sound to FLAME motion by ARTalk. Start with `model`."""
