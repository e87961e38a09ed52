"""The engine that docks and command line call: estimate, deblur, models, progress events."""
