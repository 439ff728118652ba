"""What is published, fetched, converted and noted. Start with `manifest`."""
