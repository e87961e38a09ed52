"""Accuracy and cost of blurs that vary over the field."""
