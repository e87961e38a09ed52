"""Reading napari layers: geometry, metadata, changes."""
