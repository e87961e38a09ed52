"""The sections of the dock Deep-Blur, from top to bottom: Image, PSF, Deblur."""
