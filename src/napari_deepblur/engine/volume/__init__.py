"""Blur of a whole z-stack: its 3-D PSF from the stack itself, and 3-D deblurring."""
