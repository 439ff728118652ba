"""One live run: devices, threads and the beat. Start with `run`, then `session`."""
