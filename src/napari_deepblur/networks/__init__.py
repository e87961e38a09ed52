"""The two architectures: identification and deblurring."""
