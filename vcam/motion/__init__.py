"""Sound to motion: `visemes` on the CPU, `artalk` on CUDA."""
