"""What people and machines see of a run. Start with `stats`."""
