"""Compare an observed image with its deblurred version, plane by plane."""
