"""Motion to frame: `head3d` on the CPU, `gagavatar` on CUDA."""
