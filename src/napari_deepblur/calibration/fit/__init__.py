"""From bead images to eigen-PSFs and maps over the field."""
