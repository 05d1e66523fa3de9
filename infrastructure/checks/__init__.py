"""Checks of the templates, one module per subject."""
