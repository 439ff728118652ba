"""A user's picture: read, landmarks, cut out. Start with `picture`."""
