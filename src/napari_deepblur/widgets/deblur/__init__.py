"""The dock Deep-Blur."""
