"""Likelihood of a blur, given the power spectrum of an image."""
