"""Accuracy of deblurred images on held-out images."""
