"""Preview: a part of the current plane, deblurred before all of it is."""
