"""A photo becomes a profile. Start with `enroll`."""
