"""Form elements that both docks use."""
