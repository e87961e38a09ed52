"""The sections of the dock, from top to bottom: Images, Beads, PSF."""
