"""A person's own GaussianTalker: trained Gaussians that hear. Start with `renderer`."""
