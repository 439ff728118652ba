"""What is done to a finished frame. Start with `finish`."""
