"""Accuracy of the estimated blur on held-out images."""
