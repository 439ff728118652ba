"""Hearing: files, microphones and the ring they fill."""
