"""Training images: sharp scenes, blurs and the simulated camera."""
