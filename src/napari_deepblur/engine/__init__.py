"""What the docks and the command line call: estimate, deblur, models, progress events."""
