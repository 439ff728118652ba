"""Reading foreign tensor files safely. Start with `checkpoint`."""
