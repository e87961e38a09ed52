"""The dock PSF inspector: one blur closely, or two side by side."""
