"""The docks: the only place that sees Qt and napari."""
