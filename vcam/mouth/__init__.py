"""Frame and sound to frame: `passthrough`, or `musetalk` on CUDA."""
