"""The machine: what it lacks, what it asks of us, what it is told. Start with `missing`."""
