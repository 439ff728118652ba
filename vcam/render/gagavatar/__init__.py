"""One photo as 3D Gaussians, by GAGAvatar. Start with `renderer`."""
