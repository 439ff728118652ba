"""What the user types and what is printed; exit codes. Start with `main`."""
