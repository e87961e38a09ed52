"""Headless training of both networks; only the command line imports it."""
