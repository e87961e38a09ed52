"""The command line: reads options, runs the engine, prints what came out."""

from napari_deepblur.cli.app import app, main

__all__ = ["app", "main"]
