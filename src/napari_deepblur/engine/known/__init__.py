"""Blurs whose PSF is known without an estimate: ideal, from a PSF image, from a calibration."""
