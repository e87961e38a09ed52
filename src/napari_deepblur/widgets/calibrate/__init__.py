"""The dock Calibrate from beads."""
