"""From images of beads to the eigen-PSFs of a microscope and its family of blurs."""
